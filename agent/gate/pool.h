/*
 * pool – the workers of the gate role, on the loop.
 *
 * A few warm processes, each with one request at a time; what finds none free waits, pushes before
 * everything else, and one worker is always left for pushes. Every request is answered exactly
 * once: by its worker; by us when the worker died or its time was up (that worker is killed then).
 * A worker that is gone is replaced.
 */
#ifndef PS_POOL_H
#define PS_POOL_H

#include "agent/loop/peer.h"
#include "common/config/config.h"
#include "common/config/paths.h"

struct pool;

struct pool_ops {
	/* An answer for core; body is the struct wire_<type>. */
	void (*on_answer)(enum msg_type type, const void *body, void *arg);
};

/* n workers at most; paths must outlive the pool, cfg until pool_config(). */
struct pool *pool_new(struct loop *l, size_t n, const struct config *cfg,
		      const struct ps_paths *paths, const struct pool_ops *ops, void *arg);
/* From now on cfg: idle workers are replaced at once, busy ones when they have answered. */
void pool_config(struct pool *p, const struct config *cfg);
/* Takes m over (its type becomes MSG_NONE). PS_EINVAL when it is no request of the gate. */
int pool_ask(struct pool *p, struct msg *m, struct ps_err *err) PS_MUSTCHECK;
/* Ends and reaps all workers (those in the middle of something get a second); no answer comes any
 * more. The pool is freed after the present turn of the loop. NULL is fine. */
void pool_free(struct pool *p);

#endif
