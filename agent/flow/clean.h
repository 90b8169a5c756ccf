/*
 * clean – the one cleaner: decides from the store what is kept, the owners remove the rest.
 *
 * A round: what must be kept is read → build and deploy list what the rules would let go of
 * theirs → inside one transaction what became needed meanwhile is struck out and builds whose
 * artifact goes are marked, so that their key is built again when somebody asks → build and deploy
 * remove. The spool's `aside` and old rows are core's own. Rounds come on a timer
 * (`retention.every`), more often while a disk is full, and by `penstock clean`.
 */
#ifndef PS_CLEAN_H
#define PS_CLEAN_H

#include "agent/flow/core.h"
#include "agent/store/retention.h"

struct clean;

struct clean_report {
	int64_t at_ms;			/* 0: no round yet */
	uint64_t files, bytes;		/* removed in the last one */
	int64_t rows;
	char problem[256];		/* "" */
};

int clean_open(struct clean **out, struct core *c, struct ps_err *err) PS_MUSTCHECK;
void clean_close(struct clean *c);		/* NULL is fine */
const struct clean_report *clean_last(const struct clean *c);
/* A round now; dry: nothing is removed. reply gets a JSON array of what goes: {id, kind, size}. */
void flow_clean(struct core *c, bool dry, core_reply_fn *reply, void *arg);

/* clean_keep.c: every name that stays, digests and names of what is under way. */
int clean_keep(struct store_tx *tx, int64_t rollbacks, struct texts *out,
	       struct ps_err *err) PS_MUSTCHECK;

/* And what core may forget of the paths that artifacts lie at; keep is clean_keep()'s, sorted. *n
 * grows by the rows. */
int clean_paths(struct store_tx *tx, int64_t rollbacks, const struct texts *keep, int64_t *n,
		struct ps_err *err) PS_MUSTCHECK;

#endif
