/*
 * which – the answer to "where does this ref of this project go, and why", as rows and as text.
 *
 * Pure: mapping's decision put into words once, for `penstock which`, for the push output and for
 * `why`. JSON of the rows is the command line's.
 */
#ifndef PS_WHICH_H
#define PS_WHICH_H

#include "common/config/mapping.h"

struct which_row {
	size_t number;			/* the rule's, from 1 */
	const struct conf_environment *env;
	bool taken;
	const char *pattern;		/* the ref pattern that matched, or NULL */
	/* "matches 'refs/tags/v*'", "the ref matches none of ..." */
	char *why;
};

struct which {
	const char *repo, *project, *ref;	/* the caller's, like the configuration */
	struct which_row *rows;		/* every rule in order */
	size_t n;
	size_t taken;			/* number of the rule that takes it; 0: it maps nowhere */
};

void which_make(struct which *w, const struct config *c, const char *repo, const char *project,
		const char *ref);
void which_clear(struct which *w);
/* "production (rule 1, penstock.yml:17)": how a rule is named everywhere. file: shown without
 * folder. */
void which_rule_text(struct buf *out, const struct conf_environment *env, size_t number,
		     const char *file);
/* The answer in one line, or with `all` one line per rule behind it. Not escaped. */
void which_text(struct buf *out, const struct which *w, const char *file, bool all);

#endif
