/*
 * child – a process of ours on the loop, told when it is over.
 *
 * Watched by pidfd, not by SIGCHLD: several users of one loop cannot take each other's children.
 * What a child still had to say comes over its own peer or pipe; its user waits for both.
 */
#ifndef PS_CHILD_H
#define PS_CHILD_H

#include <sys/types.h>

#include "agent/loop/loop.h"

struct child;
typedef void child_fn(struct child *c, int status, void *arg);

/* Watches pid (ours, not waited for by anybody else). done is called once, status as from
 * waitpid(); the child object is freed after it. */
int child_watch(struct child **out, struct loop *l, pid_t pid, child_fn *done, void *arg,
		struct ps_err *err) PS_MUSTCHECK;
pid_t child_pid(const struct child *c);
/* Sends sig to the process (and its group when group). Harmless when it is over. */
void child_signal(struct child *c, int sig, bool group);
/* Stops watching without waiting for it. */
void child_forget(struct child *c);

#endif
