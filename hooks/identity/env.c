/* identity: env:NAME – the one variable that the admin named, set by forced commands or by a
 * host. */
#include "config.h"

#include <stdlib.h>

#include "common/base/escape.h"
#include "common/wire/messages.h"
#include "hooks/identity/identity.h"

const char *identity_env(const struct policy_root *root)
{
	const char *name = root->identity_env ? getenv(root->identity_env) : NULL;

	if (!name || !*name || strlen(name) > WIRE_ID || !utf8_valid(name, strlen(name)))
		return NULL;
	return name;
}
