/*
 * plan_ask – what a release would change in an environment, asked by people: the same plan that a
 * deployment there would be made from now. Reads only, on the store's reader thread; nothing of it
 * is kept.
 */
#ifndef PS_PLAN_ASK_H
#define PS_PLAN_ASK_H

#include <jansson.h>

#include "agent/flow/core.h"

struct plan_ask {
	const char *environment;
	const char *thing;		/* label or release; NULL: the newest that goes there */
	const char *repository, *project;	/* of these; NULL: any */
	bool refresh;			/* have the deploy role look at the fabric first */
};

/* doc NULL: problem says why, and next what to type (NULL: nothing). Called once, on the loop; doc
 * is still ours. */
typedef void plan_reply_fn(void *arg, int rc, const char *problem, const char *next,
			   const json_t *doc);

void flow_plan(struct core *c, const struct plan_ask *ask, plan_reply_fn *reply, void *arg);

#endif
