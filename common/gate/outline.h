/*
 * outline – what a pbt_project.yml declares, without its text: language, version, keys, where they
 * stand.
 *
 * Small enough to be remembered by the file's object name, so that a push which leaves the file
 * alone does not parse it again. A digest per entry tells whether an entry says the same as before,
 * wherever it stands now.
 */
#ifndef PS_OUTLINE_H
#define PS_OUTLINE_H

#include "common/base/digest.h"
#include "common/project/project.h"

struct rules_entry {
	enum project_kind kind;
	char *key;			/* "pipelines/x" */
	struct doc_pos at;		/* of the key */
	bool safe;			/* usable as a path below the project */
	int64_t fabric;			/* fabricUID of a job; 0: none */
	/* of all the entry says, lines counted from its key; "": too much to tell */
	char digest[DIGEST_HEX];
};

struct outline {
	bool usable;			/* a map: there are entries to look at */
	unsigned maps;			/* PS_BIT(kind) for each section that is there as a map */
	char *language;			/* "" when it has none */
	char *name, *version;		/* as written, "" when there is none */
	struct doc_pos version_at;
	struct rules_entry *v;		/* those that win, pipelines first, in the file's order */
	size_t n;
	size_t *sorted;			/* indices, by kind and key */
};

/* Of a project whose doc is a map. */
void outline_make(struct outline *o, const struct project *p);
/* Of one that cannot be used: without entries. */
void outline_none(struct outline *o);
/* For whoever fills v himself. */
void outline_sort(struct outline *o);
const struct rules_entry *outline_find(const struct outline *o, enum project_kind kind,
				       const char *key);
void outline_clear(struct outline *o);

#endif
