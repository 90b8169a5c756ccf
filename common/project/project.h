/*
 * project – where the projects of a tree are, and one pbt_project.yml with its entries.
 *
 * Reading never judges: what the file's state is stands in `rc` and `fault`, rules make findings of
 * it. Entries are those that win where a key repeats.
 */
#ifndef PS_PROJECT_H
#define PS_PROJECT_H

#include "common/base/buf.h"
#include "common/project/doc.h"
#include "common/tree/tree.h"

#define PROJECT_FILE "pbt_project.yml"

enum { PROJECTS_MAX = 1000, PROJECT_ENTRIES_MAX = 20000 };

struct project_paths { char **v; size_t n, cap; };

/* The folders at or below within ("": anywhere) that hold a pbt_project.yml, sorted, "." for the
 * top. Not those below `.prophecy`. */
int project_find(struct tree *t, const char *within, struct project_paths *out,
		 struct ps_err *err) PS_MUSTCHECK;
void project_paths_clear(struct project_paths *p);

struct project {
	char *path;			/* "." or "a/b" */
	char *file;			/* its pbt_project.yml from the top of the tree */
	struct buf bytes;
	struct doc *doc;		/* NULL when rc is negative */
	/* of doc_yaml(), PS_ELIMIT for a file that is too large, PS_ENOTSUP for a pointer */
	int rc;
	struct doc_fault fault;
};

/* Negative only when the file could not be got at all. */
int project_read(struct tree *t, const char *path, struct project *out,
		 struct ps_err *err) PS_MUSTCHECK;
void project_clear(struct project *p);
/* Did Git LFS put a pointer in the place of the file? Then these bytes are not what it holds. */
bool project_is_pointer(const struct buf *bytes);
#define PROJECT_POINTER "a Git LFS pointer, not the file itself"
/* A project-relative path from the top of the tree; free() it. */
char *project_at(const char *project, const char *relative);

enum project_kind { PROJECT_PIPELINES, PROJECT_JOBS };

/* The next entry that wins at or after *i of `pipelines` or `jobs`; NULL at the end. Only keys that
 * are strings. Use: for (size_t i = 0; (e = project_next(p, kind, &i)); ) */
const struct doc_pair *project_next(const struct project *p, enum project_kind kind, size_t *i);
/* Is it safe as a path below the project (rule 9)? */
bool project_key_is_safe(const struct doc_node *key);

#endif
