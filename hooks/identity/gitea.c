/* identity: gitea – Gitea and Forgejo. The name is not of who pushes: with a deploy key (the
 * repository's owner is named), in a job of Actions (a bot), and in what Gitea pushes by itself,
 * without a check of rights (the author of a pull request, when somebody else pushes to its
 * branch). Numbers are 0 where there is none. */
#include "config.h"

#include "hooks/identity/identity.h"

void identity_gitea(struct identity *id, const struct identity_from *from)
{
	const char *gitea = identity_value(from, "GITEA_PUSHER_NAME");
	const char *forgejo = identity_value(from, "FORGEJO_PUSHER_NAME");

	if (identity_is_set(from, "GITEA_DEPLOY_KEY_ID") ||
	    identity_is_set(from, "FORGEJO_DEPLOY_KEY_ID"))
		identity_unknown(id, "a deploy key is no person (GITEA_DEPLOY_KEY_ID)");
	else if (identity_is_set(from, "GITEA_ACTIONS_TASK_ID") ||
		 identity_is_set(from, "FORGEJO_ACTIONS_TASK_ID"))
		identity_unknown(id, "a job of Actions is no person (GITEA_ACTIONS_TASK_ID)");
	else if (identity_is_set(from, "GITEA_INTERNAL_PUSH") ||
		 identity_is_set(from, "FORGEJO_INTERNAL_PUSH"))
		identity_unknown(id, "the host pushes by itself (GITEA_INTERNAL_PUSH)");
	else if (gitea && forgejo && strcmp(gitea, forgejo) != 0)
		identity_unknown(id, "GITEA_PUSHER_NAME and FORGEJO_PUSHER_NAME differ");
	else
		identity_take(id, from, !gitea && forgejo ? "FORGEJO_PUSHER_NAME" :
			      "GITEA_PUSHER_NAME");
}
