/*
 * trace – a snapshot that writes down what was looked at, and whether a later one looks the same.
 *
 * The rules of a unit (one pipeline, one job) read what they like through a tracing tree; every
 * answer it gave becomes a dependency: the kind behind a path that was asked for, the object behind
 * a file that was read or a folder that was listed. When all of them are the same in another
 * snapshot, the rules would find the same again. Answers below `own` are left out: whoever keeps
 * the trace keeps the object name of that folder in the key.
 */
#ifndef PS_TRACE_H
#define PS_TRACE_H

#include "common/tree/tree.h"

enum dep_what {
	DEP_KIND,		/* what stands at path: a word of trace_kind() */
	DEP_OBJECT,		/* which object stands there; "" for none */
	DEP_PIPELINE, DEP_JOB,	/* does the project declare this key: "yes" or "" */
	DEP_VERSION,		/* which version the project says it has */
	DEP_WHAT_COUNT
};

struct dep { enum dep_what what; char *path, *value; };
struct deps { struct dep *v; size_t n, cap; };

/* A unit that looks at more than this is judged each time: strangers write these files. */
enum { DEPS_MAX = 50000 };

/* Adds a dependency unless it was added just before, or there are more than DEPS_MAX. */
void deps_add(struct deps *d, enum dep_what what, const char *path, const char *value);
void deps_clear(struct deps *d);

/* What a snapshot says of DEP_KIND and DEP_OBJECT; free() it. */
char *trace_value(struct tree *t, enum dep_what what, const char *path);
/* A tree that gives what `under` gives, but for the object name of tree_stat() (list the folder to
 * get it), and adds to `deps`. Neither becomes its own; own (may be
 * NULL) is a folder, without '/' at its end. */
struct tree *trace_tree(struct tree *under, const char *own, struct deps *deps);

#endif
