/*
 * ending – the end of each push: the moment when what it announced is settled against the ref
 * store.
 *
 * receive-pack is watched by the descriptor that its hook passed, by one of our own, or by pid and
 * start time every tick. When it is over, what waits at the door and in the spool is taken first (a
 * post-receive ended before its parent, so its report is there), then the gate looks at the push's
 * refs, then the merge rule has the last word. Until that is stored the push stays open in the
 * store, so a start takes it up again.
 */
#ifndef PS_ENDING_H
#define PS_ENDING_H

#include "agent/flow/word.h"

struct endings;

struct endings *endings_new(struct core *c);
void endings_free(struct endings *e);
/* The word's push is not settled: watch it (again). Takes its pidfd. */
void ending_watch(struct word *w);
/* At start: the pushes that the store has open. */
void endings_resume(struct endings *e);
/* The gate is there: what waited for it goes on. */
void endings_on_gate(struct endings *e);
/* Now and then: processes without a descriptor, tries that failed. */
void endings_tick(struct endings *e);
/* The spool was taken: everything in it at the time `started` (clock_boot_ns) is stored. */
void endings_on_spool(struct endings *e, int64_t started);

#endif
