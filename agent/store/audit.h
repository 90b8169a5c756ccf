/*
 * audit – what people decided, what they were refused, and what core decided by its own rules; in
 * order, for ever.
 *
 * audit_put() is called inside the transaction of the decision itself, so that neither is there
 * without the other. A refusal changes nothing, so its row is a transaction of its own. Two doors do it
 * for whoever comes through them: flow_act() for what people do (acts.h), the API for each request that
 * would change something and is not for him who asks (request_fail()).
 */
#ifndef PS_STORE_AUDIT_H
#define PS_STORE_AUDIT_H

#include "agent/store/store.h"

#define AUDIT_CORE "penstock"	/* who, where core decides by its own rules */

struct audit {
	const char *who;	/* as shown */
	const char *what;	/* the command's word, or the rule's: cancel, approve, held */
	const char *thing;	/* as typed: e88, "fabric production"; NULL: none */
	const char *why;	/* NULL: not said */
	const char *policy;	/* digest of the configuration he was judged by; NULL: the newest known */
	const char *details;	/* an object as canonical JSON; NULL: {} */
	bool refused;
};

/* Text of strangers may have any bytes: what is not UTF-8 or controls a terminal is escaped. */
int audit_put(struct store_tx *tx, const struct audit *a, struct ps_err *err) PS_MUSTCHECK;
/* The same with thing "<kind><id>". */
int audit_put_id(struct store_tx *tx, const struct audit *a, char kind, int64_t id,
		 struct ps_err *err) PS_MUSTCHECK;

/* For what has no transaction of its own, and for refusals: a write that nobody waits for. The strings
 * are copied. A failure is logged. */
void audit_tell(struct store *st, const struct audit *a);
/* The same, for who answers only when it is there: fn is called on the loop, whatever became of it. */
typedef void audit_told_fn(void *arg);
void audit_tell_then(struct store *st, const struct audit *a, audit_told_fn *fn, void *arg);
/* From now on this configuration is in force; a row when that is news. */
void audit_policy(struct store *st, const char *digest);
/* And this key signs releases: the same, also when it was changed while no agent ran. */
void audit_key(struct store *st, const char *id);

/*
 * A run function's work, for store_read(): c says whether all that was ever put is there as it was
 * put (c->last: how many; c->bad: the first that is not). file: audit.head (audit_head.h) of this
 * store; NULL: a store without one.
 */
struct chain_check;
int audit_check(struct store_tx *tx, const char *file, struct chain_check *c, struct ps_err *err) PS_MUSTCHECK;

#endif
