/*
 * identity – who pushes, as the Git host tells its hooks. One row and one file per kind of host.
 *
 * The root's `identity:` in the policy chooses the row; nothing is guessed from variables that
 * happen to be set. A kind without a row here has no name yet: its pushers are unknown, which holds
 * their events.
 */
#ifndef PS_IDENTITY_H
#define PS_IDENTITY_H

#include "common/config/policy.h"

/* The name, or NULL: unknown (or core's to tell). */
typedef const char *identity_fn(const struct policy_root *root);

identity_fn identity_uid;
identity_fn identity_env;

const char *identity_of(const struct policy_root *root);

#endif
