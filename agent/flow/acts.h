/*
 * acts – what people do to the queue: cancel, retry, repair, bump, check; to releases on their way:
 * promote, redeploy, approve, reject, deploy; and to a fabric (thing is its name): freeze, lock,
 * rollback, pin, unpin, prune.
 *
 * Each is one transaction that asks first whether he may (acts_rights.h), then changes all that
 * belongs together or nothing, and names what it changed. Work under way is not ended here: its row
 * remembers the wish, its role is told after the commit, and its answer ends the row, so that
 * a slot is free only when nothing of the work lives (queue_cancel.c).
 *
 * Doing it twice is fine: what is cancelled already is told as such.
 */
#ifndef PS_ACTS_H
#define PS_ACTS_H

#include <jansson.h>

#include "agent/flow/core.h"

enum acts_verb {
	ACTS_CANCEL, ACTS_RETRY, ACTS_BUMP, ACTS_CHECK, ACTS_PROMOTE, ACTS_REDEPLOY, ACTS_APPROVE,
	ACTS_REJECT, ACTS_DEPLOY, ACTS_FREEZE, ACTS_UNFREEZE, ACTS_LOCK, ACTS_UNLOCK,
	ACTS_ROLLBACK, ACTS_PIN, ACTS_UNPIN, ACTS_PRUNE, ACTS_REPAIR,
};

struct acts_person {
	const char *login; /* who acts */
	const char *shown; /* as history says it: "root (as kim)" */
	bool admin;        /* root or the agent's own user, speaking for himself */
};

struct acts_ask {
	enum acts_verb verb;
	struct acts_person who;
	const char *thing;            /* b31, e88, d12, x7; check: a key too; NULL: queued */
	const char *why;              /* NULL: not said */
	const char *ref, *repository; /* cancel what is queued: NULL means any */
	const char *environment;      /* promote: where to */
	const char *project;	      /* promote: with repository, which one is meant; NULL */
	const char *jobs;	      /* deploy, redeploy: JSON list of keys; NULL: all */
	const char *plan;	      /* approve: digest of the plan that he saw; NULL: as it is */
	int64_t until_ms;	      /* freeze: it ends then; 0: when somebody says so */
	bool emergency;		      /* approve: alone, and at any time */
	const char *job;	      /* prune: only this one; NULL */
	bool queued;
	bool all_demands; /* cancel a build although several demands need it */
	bool fresh;       /* retry: forget remembered passes of its tests */
};

/* doc: {"items": [{id, state, reason, what, refused?}]} of what was changed, or NULL with a problem
 * and perhaps the command to type next. */
typedef void acts_reply_fn(void *arg, int rc, const char *problem, const char *next, json_t *doc);

/* Copies what it needs of ask. reply is called once, on the loop. */
void flow_act(struct core *c, const struct acts_ask *ask, acts_reply_fn *reply, void *arg);

#endif
