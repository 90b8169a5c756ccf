/* identity: http – git http-backend behind a web server that authenticates: REMOTE_USER. Outside
 * a CGI request a variable of that name says nothing. What git makes of it (GIT_COMMITTER_NAME)
 * is not read: the environment of the web server may set that, too. */
#include "config.h"

#include "hooks/identity/identity.h"

void identity_http(struct identity *id, const struct identity_from *from)
{
	if (identity_value(from, "REQUEST_METHOD"))
		identity_take(id, from, "REMOTE_USER");
	else
		identity_unknown(id, "this push did not come by http (REQUEST_METHOD is not set)");
}
