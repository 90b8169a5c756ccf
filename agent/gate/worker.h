/*
 * worker – one place for a worker process, seen from the role's loop.
 *
 * worker_start() forks into it; the place is free again when both the socket and the process are
 * gone, in either order. A request ends exactly once: on_answer or on_lost. After worker_end() no
 * callback comes.
 */
#ifndef PS_WORKER_H
#define PS_WORKER_H

#include "agent/gate/queue.h"
#include "agent/loop/child.h"
#include "agent/loop/peer.h"
#include "common/config/config.h"
#include "common/config/paths.h"

struct worker;

struct worker_ops {
	/* r is the callee's from here on. */
	void (*on_answer)(struct worker *w, struct request *r, const struct msg *answer);
	void (*on_lost)(struct worker *w, struct request *r, const char *why);
	/* The place is free. young: it died idle right after its start. */
	void (*on_gone)(struct worker *w, bool young);
};

struct worker {				/* members are worker.c's own, but for `arg` and `now` */
	struct loop *loop;
	const struct worker_ops *ops;
	void *arg;
	struct request *now;		/* what it is doing; NULL: nothing */
	struct peer *peer;
	struct child *child;
	struct loop_watch *timer;	/* the present request's time */
	int64_t born_ns;
	int status;			/* as from waitpid(), once child is NULL */
	bool served, stale, ended;
};

void worker_init(struct worker *w, struct loop *l, const struct worker_ops *ops, void *arg);
/* Forks; the child works by cfg and paths as they are now. program: digest of this program. */
int worker_start(struct worker *w, const struct config *cfg, const struct ps_paths *paths,
		 const char *program, struct ps_err *err) PS_MUSTCHECK;
bool worker_is_empty(const struct worker *w);	/* worker_start() may be called */
bool worker_is_free(const struct worker *w);	/* worker_ask() may be called */
/* Takes r over; it ends by one of the callbacks, maybe before this returns. */
void worker_ask(struct worker *w, struct request *r);
/* Ends it as soon as it has answered what it is doing. */
void worker_retire(struct worker *w);
/* worker_end() closes its socket, so that it ends when it is done; worker_reap() waits for that
 * until then, and kills it. */
void worker_end(struct worker *w);
void worker_reap(struct worker *w, int64_t until_ns);
void worker_clear(struct worker *w);

#endif
