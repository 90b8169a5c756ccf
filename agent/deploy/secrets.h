/*
 * secrets – the credentials that the parent has opened for the deploy role: one descriptor each, by
 * the name of what it is for: "notify NAME", "fabric NAME". A worker gets the one of its target.
 */
#ifndef PS_DEPLOY_SECRETS_H
#define PS_DEPLOY_SECRETS_H

#include "agent/loop/role.h"

/* One that came from the parent, for the offer it names. */
void secrets_take(struct role *r, const struct wire_credential *m);
/* The configuration in force is another: so are its credentials. */
void secrets_on_config(struct role *r);
/* The descriptor for "<what> <name>" in force, or -1. It stays this module's. */
int secrets_of(const char *what, const char *name);

#endif
