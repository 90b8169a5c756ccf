/*
 * select – a plan that is not about all jobs of a release: only some go there, or orphans go away.
 * Part of plan, split for its length; called right after plan_make(), with what that was given.
 */
#ifndef PS_SELECT_H
#define PS_SELECT_H

#include "common/plan/plan.h"

/* Only these jobs of the release go there. Others stay as known, a new one that is not named is
 * left out, nothing becomes an orphan, and only artifacts of those that go are put. A key that the
 * plan does not have is a problem. */
void plan_select(struct plan *p, const struct plan_known *known, size_t nknown,
		 const char *const *keys, size_t nkeys);
/* Nothing of the release goes there: all stays as known, but these orphans go away. A key of a
 * live job is a problem. */
void plan_prune(struct plan *p, const struct plan_known *known, size_t nknown,
		const char *const *keys, size_t nkeys);

#endif
