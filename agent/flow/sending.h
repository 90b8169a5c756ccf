/*
 * sending – the outbox's way out: letters that are due go to the deploy role, which forks a child
 * for each; what came of it is written, and what may be tried again is, later and later. Kicked
 * after each pass; else it sleeps until the next one is due.
 */
#ifndef PS_SENDING_H
#define PS_SENDING_H

#include "agent/flow/core.h"

struct sending;

int sending_open(struct sending **out, struct core *c, struct ps_err *err) PS_MUSTCHECK;
void sending_close(struct sending *s); /* NULL is fine */
void sending_kick(struct sending *s);
/* The deploy role is there: what its predecessor had under way is due again. */
void sending_on_deploy(struct sending *s);
void sending_on_posted(struct core *c, const struct wire_posted *m);
/* A failed letter, again from its first try. */
void flow_resend(struct core *c, int64_t letter, const char *who, core_reply_fn *reply, void *arg);
/* How long after the try of that number the next is made: doubled each time up to an hour, and a
 * fourth more or less by chance, so that many do not come at once. chance: 0 to 999. */
int64_t sending_backoff(int64_t first_ms, int64_t tries, unsigned chance);

#endif
