/*
 * secrets – the credentials that the parent has opened for the deploy role: one descriptor each, by
 * the name of what it is for: "notify NAME", "fabric NAME", "uploader NAME" (of that fabric),
 * "scoped NAME N" (the nth of its `secrets`). A worker gets those of its target.
 */
#ifndef PS_DEPLOY_SECRETS_H
#define PS_DEPLOY_SECRETS_H

#include "agent/deploy/secret.h"
#include "agent/loop/role.h"

/* One that came from the parent, for the offer it names. */
void secrets_take(struct role *r, const struct wire_credential *m);
/* The configuration in force is another: so are its credentials. */
void secrets_on_config(struct role *r);
/* Those for "<what> <name>" in force. They stay this module's. */
struct secret_fds secrets_of(const char *what, const char *name);

#endif
