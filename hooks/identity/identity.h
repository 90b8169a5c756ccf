/*
 * identity – who pushes, as the Git host tells its hooks. One row and one file per kind of host.
 *
 * The root's `identity:` in the policy chooses the row; nothing is guessed from variables that
 * happen to be set. A file reads the variables of its own host and no others. What a host sets for
 * a key, a token or a machine that is no person gives no name. Whoever is unknown is treated as
 * `unknown_pusher` says. What a name may prove is core's to judge: it hears hook_users alone.
 */
#ifndef PS_IDENTITY_H
#define PS_IDENTITY_H

#include "common/config/policy.h"

/* name points into the environment. NULL: unknown, and why says so in one line without foreign
 * text; NULL with an empty why: core knows. */
struct identity {
	const char *name;
	char why[160];
};

/* What a host's function may look at: the environment git gave the hook, and the variable that
 * `env:NAME` names (NULL with other kinds). */
struct identity_from {
	const char *const *env;
	const char *variable;
};

typedef void identity_fn(struct identity *id, const struct identity_from *from);

identity_fn identity_uid, identity_gitolite, identity_gitlab, identity_gitea, identity_ghes,
	identity_http, identity_env;

/* root NULL: the repository is below none, which core tells. */
void identity_find(struct identity *id, const struct policy_root *root, const char *const *env);
/* What a line must begin with for the host to show it beside its own refusal. NULL: nothing. */
const char *identity_refusal_prefix(const struct policy_root *root);

/* For the hosts' files. The variable's value; NULL when it is absent, empty or there twice. */
const char *identity_value(const struct identity_from *from, const char *variable);
/* Set to something that is not "", "0" or "false", or there twice. */
bool identity_is_set(const struct identity_from *from, const char *variable);
/* The name is what the variable holds, if that can be a name; else why it cannot. */
void identity_take(struct identity *id, const struct identity_from *from, const char *variable);
void identity_unknown(struct identity *id, const char *fmt, ...) PS_PRINTF(2, 3);

#endif
