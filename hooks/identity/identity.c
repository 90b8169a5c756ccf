/* identity – the table; see identity.h. */
#include "config.h"

#include "hooks/identity/identity.h"

static identity_fn *const table[] = {
	[CONF_ID_UID] = identity_uid,
	[CONF_ID_ENV] = identity_env,
};

const char *identity_of(const struct policy_root *root)
{
	identity_fn *fn = root->identity < PS_NELEM(table) ? table[root->identity] : NULL;

	return fn ? fn(root) : NULL;
}
