/*
 * drifting – looks at what is in force on each fabric, as often as its `drift` says (penstock.yml).
 *
 * Of each fabric one place at a time, never while something is deployed there; what is found is an
 * observation like any other (agent/store/observation.h).
 */
#ifndef PS_DRIFTING_H
#define PS_DRIFTING_H

#include "agent/flow/core.h"

struct drifting;

void drifting_open(struct drifting **out, struct core *c);
void drifting_close(struct drifting *d); /* NULL is fine */

#endif
