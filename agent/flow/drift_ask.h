/*
 * drift_ask – what is other on the fabrics than it was deployed, and what that would be in Git.
 */
#ifndef PS_DRIFT_ASK_H
#define PS_DRIFT_ASK_H

#include "agent/flow/plan_ask.h"

struct drift_ask {
	const char *fabric, *job; /* NULL: all */
	bool adopt;		  /* of the one job: how the repository becomes so */
};

/*
 * reply gets {"items"} of view_drift(), each with its fields: was, as deployed; is, in force. With
 * adopt one object, the item and with it `file` (in the project's repository, or penstock.yml),
 * `derived` (the rule's `as`, or null) and `patch` (RFC 7386, on the whole file or on the rule's
 * patch); PS_ENOENT when the job has not drifted, PS_EINVAL when several fabrics have it, PS_EBUSY
 * when there is nothing to adopt.
 */
void flow_drift(struct core *c, const struct drift_ask *ask, plan_reply_fn *reply, void *arg);

#endif
