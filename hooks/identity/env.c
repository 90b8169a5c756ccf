/* identity: env:NAME – the one variable that the admin named: of a forced command in
 * authorized_keys (a shared account over plain ssh), or of a host that has no row of its own. */
#include "config.h"

#include "hooks/identity/identity.h"

void identity_env(struct identity *id, const struct identity_from *from)
{
	if (from->variable)
		identity_take(id, from, from->variable);
	else
		identity_unknown(id, "the policy does not say which variable");
}
