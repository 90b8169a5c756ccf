/*
 * loop – libevent, wrapped once. Timers, descriptors, signals, deferred frees; one thread.
 *
 * Nothing here knows a noun of penstock. Callbacks run on the loop's thread, one at a time; an
 * object may be freed inside its own callback by loop_defer_free().
 */
#ifndef PS_LOOP_H
#define PS_LOOP_H

#include "common/base/err.h"

struct loop;
struct loop_watch;		/* a timer, a descriptor or a signal */

typedef void loop_fn(void *arg);

int loop_new(struct loop **out, struct ps_err *err) PS_MUSTCHECK;
/* Runs until loop_stop(). Returns 0, or PS_EIO when libevent fails. */
int loop_run(struct loop *l, struct ps_err *err) PS_MUSTCHECK;
void loop_stop(struct loop *l);
/* All watches must have been freed before. NULL is fine. */
void loop_free(struct loop *l);

/* A timer that is not running yet. */
struct loop_watch *loop_timer(struct loop *l, loop_fn *fn, void *arg);
/* (Re)starts it: once, after ms. */
void loop_timer_set(struct loop_watch *w, int64_t ms);
void loop_timer_stop(struct loop_watch *w);
/* Calls fn whenever fd is readable (writable), until freed; fd stays the caller's. */
struct loop_watch *loop_readable(struct loop *l, int fd, loop_fn *fn, void *arg);
struct loop_watch *loop_writable(struct loop *l, int fd, loop_fn *fn, void *arg);
struct loop_watch *loop_signal(struct loop *l, int signum, loop_fn *fn, void *arg);
void loop_watch_free(struct loop_watch *w);		/* NULL is fine */
/* free_fn(p) after the present turn: callbacks up the stack stay valid. */
void loop_defer_free(struct loop *l, void *p, void (*free_fn)(void *));
/* The event_base, for agent/web's evhttp alone. */
struct event_base *loop_base(struct loop *l);

#endif
