/* posts – letters to the outside under way: one worker each, which gets its target's credential and
 * no other. One that ends without a word is answered for: its letter may be tried again. */
#ifndef PS_DEPLOY_POSTS_H
#define PS_DEPLOY_POSTS_H

#include "agent/loop/role.h"

void posts_start(struct role *r, const struct wire_post *m);

#endif
