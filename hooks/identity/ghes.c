/* identity: ghes – GitHub Enterprise Server sets GITHUB_USER_LOGIN for what comes by ssh, http or
 * its pages. The author of a pull request (GITHUB_PULL_REQUEST_AUTHOR_LOGIN) is not who merges
 * it. */
#include "config.h"

#include "hooks/identity/identity.h"

void identity_ghes(struct identity *id, const struct identity_from *from)
{
	identity_take(id, from, "GITHUB_USER_LOGIN");
}
