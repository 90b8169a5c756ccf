/* identity: gitolite – gitolite-shell sets GL_USER from the key's forced command, or from what the
 * web server authenticated. A push that skips its access checks (a mirror's master, `gitolite
 * push` on the server) has either the name of a machine there or nobody's. GitLab has variables of
 * the same prefix: where those are, the root is configured wrongly. */
#include "config.h"

#include "hooks/identity/identity.h"

void identity_gitolite(struct identity *id, const struct identity_from *from)
{
	if (identity_value(from, "GL_PROJECT_PATH") || identity_value(from, "GL_ID"))
		identity_unknown(id, "this host is GitLab, not gitolite");
	else if (identity_is_set(from, "GL_BYPASS_ACCESS_CHECKS"))
		identity_unknown(id, "gitolite did not check who pushes "
				 "(GL_BYPASS_ACCESS_CHECKS is set)");
	else
		identity_take(id, from, "GL_USER");
}
