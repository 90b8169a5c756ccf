/*
 * diag – findings about somebody's files: path:line:col, severity, text, code.
 *
 * One form everywhere (DESIGN section 8): `path:line:col: error: text [PS-JOB-014]`. Lines and
 * columns count from 1, columns in characters, a tab is one. line 0 means "the file as a whole"
 * and is printed as 1:1. Sorted by path, line, column, code, text before printing; equal findings
 * are kept once. A path of "" is no file: what is about the push as such is printed without a
 * place.
 */
#ifndef PS_DIAG_H
#define PS_DIAG_H

#include "common/base/ps.h"

struct buf;

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

struct diag {
	enum diag_severity severity;
	char *path;		/* relative to the top of repository or folder, '/' between parts */
	unsigned line, col;
	const char *code;	/* static: "PS-JOB-014" */
	char *text;
	char *key;		/* what the finding is about, for "newly broken"; NULL: the path */
	char *hint;		/* "the nearest is 'orders'"; NULL: none */
	/* the line of the file, for people, or the part of it around col; NULL: not told */
	char *source;
	unsigned source_col;	/* the column at which that part begins; 0: at the first */
};

struct diag_list {
	struct diag *v;
	size_t n, cap;
	size_t errors;
};

#define DIAG_LIST_INIT { NULL, 0, 0, 0 }

void diag_add(struct diag_list *l, enum diag_severity severity, const char *path, unsigned line,
	      unsigned col, const char *code, const char *fmt, ...) PS_PRINTF(7, 8);
/* The same, with the key that names the thing across two versions of the tree (may be NULL). */
void diag_add_key(struct diag_list *l, enum diag_severity severity, const char *key,
		  const char *path, unsigned line, unsigned col, const char *code, const char *fmt,
		  ...) PS_PRINTF(8, 9);
/* Gives the last one added a hint. */
void diag_hint(struct diag_list *l, const char *fmt, ...) PS_PRINTF(2, 3);
/* Adds a copy of d, whichever list it is of, with another severity, path (NULL: its own) and key
 * (NULL: its own). */
void diag_copy(struct diag_list *l, enum diag_severity severity, const struct diag *d,
	       const char *path, const char *key);
/* Turns an error into a warning and keeps the count right. */
void diag_demote(struct diag_list *l, size_t i);
/* Drops all behind the first n. */
void diag_cut(struct diag_list *l, size_t n);
/* Moves all of from to the end of to. */
void diag_move(struct diag_list *to, struct diag_list *from);
void diag_sort(struct diag_list *l);
/* One line per finding, escaped, at most max of them and then "and N more"; max 0: all. */
void diag_print(struct buf *out, const struct diag_list *l, size_t max);
/* The same, and below a finding the line it is about, a caret under the column, and the hint: as
 * far as they are known. */
void diag_print_source(struct buf *out, const struct diag_list *l, size_t max);
void diag_clear(struct diag_list *l);

#endif
