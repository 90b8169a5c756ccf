/*
 * merge_ref – one ref: loads its table, asks the rule, carries out its steps. For merge.c.
 */
#ifndef PS_MERGE_REF_H
#define PS_MERGE_REF_H

#include "agent/flow/merge.h"
#include "agent/flow/rule.h"
#include "agent/store/push.h"
#include "agent/store/repository.h"

struct merge {
	struct store_tx *tx;
	const struct repository *repo;
	bool hold_unknown;
	struct push push;		/* the last one an event was born of; id 0: none yet */
	size_t events;			/* how many were made or changed */
	size_t lives;			/* refs that a look left alone: a push is under way */
	bool waits;			/* a report was kept for the end of its push */
	bool again;			/* what was read of one of the refs tells nothing */
};

struct merge_ref_done {
	bool open;			/* intent: it is open */
	bool again;			/* end: what was read tells nothing, read once more */
	bool waits;			/* report: its place is told by the end of its push */
	int64_t first;			/* the first event that was made; 0: none */
};

/* l->lives is set here for a look. */
int merge_ref(struct merge *m, const char *ref, struct rule_learnt *l,
	      struct merge_ref_done *done, struct ps_err *err) PS_MUSTCHECK;
bool merge_is_ours(const char *ref);

#endif
