/*
 * request – what core may ask the gate role, in one table.
 *
 * Read by the pool (what goes first, how long it may take) and by the worker (who does it). Every
 * request gets exactly one answer: when nothing came of it, one that says why.
 */
#ifndef PS_REQUEST_H
#define PS_REQUEST_H

#include "common/wire/msg.h"

struct work;

struct request_kind {
	enum msg_type ask, answer;
	int64_t limit_ms;		/* when the request names no deadline of its own */
	bool urgent;			/* somebody's push waits: before all others */
	/* Runs in a worker. Sends the answer itself; a failure becomes request_problem(). */
	int (*run)(struct work *w, const struct msg *m, struct ps_err *err);
};

/* NULL: not a request that the gate knows. */
const struct request_kind *request_kind(enum msg_type type);
uint64_t request_id(const struct msg *m);
/* How long m may take, from the moment it was asked. */
int64_t request_limit_ms(const struct msg *m);
/*
 * Makes the answer to m that says why nothing came of it. out borrows from m and problem: it is
 * sent at once and never msg_clear()ed. lines: memory for the text of a verdict.
 */
void request_problem(const struct msg *m, const char *problem, struct buf *lines, struct msg *out);

#endif
