/* looks – looks at fabrics under way: one forked child each (observe.h), whose answer goes to core.
 * A child that ends without one is answered for. */
#ifndef PS_DEPLOY_LOOKS_H
#define PS_DEPLOY_LOOKS_H

#include "agent/loop/role.h"

void looks_start(struct role *r, const struct wire_observe *m);
/* Kills and reaps all of them; core asks again when the role is back. */
void looks_stop(void);

#endif
