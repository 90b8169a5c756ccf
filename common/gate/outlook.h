/*
 * outlook – what a forecast of builds and plans needs to know of the trees of a push.
 *
 * The same that a survey tells after the push, as far as build keys, the release and its plan stand
 * on it, but remembered per project file, pipeline and job by their object names: after a push of
 * one file only what that file belongs to is read. Nothing is put anywhere: a template that the
 * content store has not yet goes along as bytes.
 *
 * It is a courtesy: past its time or its bounds it is given up (`gone`), and the push is answered
 * without a forecast.
 */
#ifndef PS_OUTLOOK_H
#define PS_OUTLOOK_H

#include "common/gate/memo.h"
#include "common/tree/tree.h"
#include "common/wire/msg.h"

enum {
	OUTLOOK_ROWS_MAX = 6,			/* more do not fit an answer of twelve lines */
	OUTLOOK_ENTRIES_MAX = 2000,		/* pipelines and jobs of all */
	OUTLOOK_BYTES_MAX = 1 << 20,		/* of files that go along */
};

struct outlook {
	const char *content;			/* the content store */
	int64_t until_ns;			/* by clock_boot_ns() */
	bool gone;				/* nothing of it is to be used */
	struct wire_project projects[OUTLOOK_ROWS_MAX];
	struct wire_outlook rows[OUTLOOK_ROWS_MAX];
	size_t nprojects, nrows;
	/* inside */
	char *trees[OUTLOOK_ROWS_MAX];		/* whose project it is */
	size_t entries, bytes;
	struct msg *owned;			/* values, as remembered: texts point into them */
	size_t nowned, cap_owned;
	char **texts;
	size_t ntexts, cap_texts;
};

/*
 * Adds the project at `path` of tree t (its object name) as what `ref` would hold; line: see
 * messages.h. Never fails: what cannot be told makes the outlook gone. With more than
 * OUTLOOK_ROWS_MAX of them the rest is left out.
 */
void outlook_add(struct outlook *o, struct memo *m, struct tree *t, const char *tree,
		 const char *path, const char *ref, size_t line);
void outlook_clear(struct outlook *o);

#endif
