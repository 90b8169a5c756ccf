/*
 * look – repositories are looked at: the first time for a baseline, at each start for what moved.
 *
 * A few at a time, in the order they were asked for. Without a gate nothing is looked at; its next
 * start begins anew. After one that failed all are looked at again in a while.
 */
#ifndef PS_LOOK_H
#define PS_LOOK_H

#include "agent/flow/core.h"

struct looks;

struct looks *looks_new(struct core *c);
void looks_free(struct looks *l);
/* All that the store knows and all below the roots that have our hook. */
void looks_start(struct looks *l);
/* One; reply may be NULL. */
void looks_add(struct looks *l, const char *path, core_reply_fn *reply, void *arg);

#endif
