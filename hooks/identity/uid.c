/* identity: uid – one account per person. Core knows the name from the socket's peer (or from the
 * owner of the spool file); every variable is ignored. */
#include "config.h"

#include "hooks/identity/identity.h"

void identity_uid(struct identity *id, const struct identity_from *from)
{
	(void)id;
	(void)from;
}
