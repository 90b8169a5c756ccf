/*
 * observe – core asks the deploy role what is in force of one project's jobs on a fabric, and keeps
 * the answer with what was deployed there (store/observation.h). Before the last plan of a
 * deployment, and when somebody wants to know.
 */
#ifndef PS_OBSERVE_H
#define PS_OBSERVE_H

#include "agent/flow/core.h"

/* reply (may be NULL) is called once, on the loop, when the answer is stored; then a pass runs. */
void flow_observe(struct core *c, const char *fabric, int64_t repository, const char *project,
		  core_reply_fn *reply, void *arg);

#endif
