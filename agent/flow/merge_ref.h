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
	size_t events;			/* how many were made or confirmed */
};

/* l->lives is set here for a look. *open (may be NULL): the rule says that the intent is open. */
int merge_ref(struct merge *m, const char *ref, struct rule_learnt *l, bool *open,
	      struct ps_err *err) PS_MUSTCHECK;
bool merge_is_ours(const char *ref);

#endif
