/*
 * spooling – takes what hooks left in the spool, one word after the other in the order of stamps.
 *
 * An entry is retired once the store has it. One that cannot be stored now stays and is tried
 * again; one that never can be is set aside by the next take, with its reason.
 */
#ifndef PS_SPOOLING_H
#define PS_SPOOLING_H

#include "agent/flow/core.h"

struct spooling;

struct spooling *spooling_new(struct core *c);
void spooling_free(struct spooling *s);
/* Takes what is there; when a take is under way, another follows. Ends in endings_on_spool(). */
void spooling_take(struct spooling *s);
/* Nothing is being taken right now. */
bool spooling_idle(const struct spooling *s);

#endif
