/*
 * posts – letters under way: one forked child each (post.h), which gets its own entry's secret and
 * no other credential. A child that ends without a word is answered for: its letter may be tried
 * again.
 */
#ifndef PS_DEPLOY_POSTS_H
#define PS_DEPLOY_POSTS_H

#include "agent/loop/role.h"

void posts_start(struct role *r, const struct wire_post *m);
/* A credential that came from the parent, for the offer it names. */
void posts_take_credential(struct role *r, const struct wire_credential *m);
/* The configuration in force is another: so are its credentials. */
void posts_on_config(struct role *r);
/* Kills and reaps all of them; core asks again when the role is back. */
void posts_stop(void);

#endif
