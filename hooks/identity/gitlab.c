/* identity: gitlab – GL_USERNAME, where GL_ID says that a user pushes. With a deploy key GL_ID is
 * key-N, and a user name beside it is of who made the key, not of who holds it. */
#include "config.h"

#include "hooks/identity/identity.h"

static bool is_user(const char *id)
{
	return ps_starts(id, "user-") && id[5] && strspn(id + 5, "0123456789") == strlen(id + 5);
}

void identity_gitlab(struct identity *id, const struct identity_from *from)
{
	const char *who = identity_value(from, "GL_ID");

	if (!who)
		identity_unknown(id, "GL_ID is not set");
	else if (ps_starts(who, "key-"))
		identity_unknown(id, "a deploy key is no person (GL_ID)");
	else if (!is_user(who))
		identity_unknown(id, "GL_ID names no user");
	else
		identity_take(id, from, "GL_USERNAME");
}
