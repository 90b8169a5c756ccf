/* cleans – a worker that lists what may go of outputs/ by core's rules, or removes what core has
 * decided on. */
#ifndef PS_DEPLOY_CLEANS_H
#define PS_DEPLOY_CLEANS_H

#include "agent/loop/role.h"

void cleans_start(struct role *r, const struct wire_clean *m);

#endif
