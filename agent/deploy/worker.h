/*
 * worker – a process that the deploy role forks for one thing: a deployment, a look, a letter, a
 * run. It has a socket of its own to the role, the credentials of its one target, and nothing else.
 *
 * The role carries frames between its workers and core. Who comes to an end without its last word
 * is answered for by its kind.
 */
#ifndef PS_DEPLOY_WORKER_H
#define PS_DEPLOY_WORKER_H

#include "agent/deploy/secret.h"
#include "agent/loop/role.h"

struct worker;

struct worker_kind {
	const char *what; /* "the deploying process" */
	/* In the child. job: as given to worker_start(). Returns its exit code. */
	int (*run)(int sock, struct secret_fds secret, const void *job);
	/* From the child. Sets w->answered when that was the last word. */
	void (*on_msg)(struct worker *w, struct msg *m);
	/* It is over and has not answered, though the role goes on: why. */
	void (*on_lost)(struct worker *w, const char *why);
};

struct worker {
	struct role *role;
	const struct worker_kind *kind;
	struct worker *next;
	uint64_t id, fence; /* of what it works on */
	bool answered;
	/* worker.c's own */
	struct peer *peer;
	struct child *child;
	unsigned seen;
	int status;
};

/* Forks. What secret has stays the caller's. Negative: nothing was started, err says why. */
int worker_start(struct role *r, const struct worker_kind *kind, uint64_t id, uint64_t fence,
		 struct secret_fds secret, const void *job, struct ps_err *err) PS_MUSTCHECK;
/* The one of this kind that works on id; NULL: none does. */
struct worker *worker_find(const struct worker_kind *kind, uint64_t id);
/* To the child; one that does not listen any more is about to end. */
void worker_tell(struct worker *w, enum msg_type type, const void *body);
/* Ends it; on_lost comes when it is over. */
void worker_kill(struct worker *w);
/* Kills and reaps all of them: the role ends. */
void workers_stop(void);

#endif
