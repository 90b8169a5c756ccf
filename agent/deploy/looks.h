/* looks – looks at fabrics under way: one worker each (observe.h), whose answer goes to core. One
 * that ends without one is answered for. */
#ifndef PS_DEPLOY_LOOKS_H
#define PS_DEPLOY_LOOKS_H

#include "agent/loop/role.h"

void looks_start(struct role *r, const struct wire_observe *m);

#endif
