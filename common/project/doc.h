/*
 * doc – a YAML or JSON file as nodes that know their line and column.
 *
 * YAML is read as PyYAML's safe_load reads it (YAML 1.1: `1.10` is a float, `yes` a bool), because
 * that is what Prophecy's own tool uses; JSON as RFC 8259, with NaN, Infinity and -Infinity as
 * numbers, which Python's json writes and reads. Keys stay in order; a repeated key is kept, and
 * the last one wins in doc_get(), as with both Python readers. Byte order mark and CR LF are
 * accepted. Columns count characters from 1. A doc owns its nodes and strings.
 */
#ifndef PS_DOC_H
#define PS_DOC_H

#include "common/base/err.h"

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_FLOAT, DOC_TIME, DOC_STRING, DOC_LIST, DOC_MAP };

struct doc_pos { unsigned line, col; };		/* from 1; 0: the file as a whole */

struct doc_node {
	enum doc_kind kind;
	bool quoted;			/* YAML: was not a plain scalar */
	struct doc_pos at;
	const char *text;		/* scalars: the text, unescaped, NUL behind; never NULL */
	size_t len;			/* of text; may hold NULs */
	/* DOC_INT that fits (else INT64_MAX/MIN), DOC_BOOL 0 or 1 */
	int64_t num;
	struct doc_pair *pairs;		/* DOC_MAP: n of them in order */
	struct doc_pair **sorted;	/* the same by key; NULL for a small map */
	struct doc_node **items;	/* DOC_LIST: n of them */
	size_t n;
};

struct doc_pair {
	struct doc_node *key, *value;
	bool repeats;			/* an earlier pair of this map has the same key */
	bool hidden;			/* a later one has it */
};

struct doc_fault {			/* why a text is not YAML or JSON */
	struct doc_pos at;
	bool cut;			/* JSON: all was well until it ended, and it is not empty */
	char text[256];
};

struct doc {
	struct doc_node *root;		/* NULL for an empty YAML file */
	struct doc_pos word;		/* JSON: the first NaN or Infinity; line 0: there is none */
	void *arena;
};

/* Returns 0 with *out set; PS_EINVAL with fault filled (the text is wrong); PS_ELIMIT with fault
 * filled (larger or deeper than we read: "not checked"). */
int doc_yaml(struct doc **out, const char *bytes, size_t n, struct doc_fault *fault) PS_MUSTCHECK;
int doc_json(struct doc **out, const char *bytes, size_t n, struct doc_fault *fault) PS_MUSTCHECK;
/* Only checks: no nodes are made. *top gets the kind of the outermost value. */
int doc_json_scan(enum doc_kind *top, const char *bytes, size_t n,
		  struct doc_fault *fault) PS_MUSTCHECK;
void doc_free(struct doc *d);			/* NULL is fine */

/* The value of a key of a map (the last one); NULL when node is NULL, no map, or has no such
 * key. */
const struct doc_node *doc_get(const struct doc_node *node, const char *key);
const struct doc_pair *doc_pair(const struct doc_node *node, const char *key);
/* doc_get() through several maps: doc_path(root, "request", "tasks", NULL). */
const struct doc_node *doc_path(const struct doc_node *node, ...) __attribute__((sentinel));
/* The text of a string that holds no NUL; else NULL. */
const char *doc_string(const struct doc_node *node);
/* The text of any scalar but null that holds no NUL; else NULL. */
const char *doc_text(const struct doc_node *node);
bool doc_is(const struct doc_node *node, enum doc_kind kind);	/* NULL is nothing */
const char *doc_kind_word(enum doc_kind kind);			/* "a map", "a list", "null", ... */

#endif
