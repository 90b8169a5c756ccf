/*
 * users – each role as a user of its own, when penstockd is root and penstock.yml names them
 * under `roles:`. Otherwise every role keeps the caller's user.
 *
 * Who may read and write which folder then is one table, in places.c. What several roles share
 * belongs to the group SHARED_GROUP, which nobody has to be a member of: the parent gives it.
 */
#ifndef PS_USERS_H
#define PS_USERS_H

#include <sys/types.h>

#include "common/config/config.h"
#include "common/config/paths.h"

#define SHARED_GROUP "penstock"

enum role_no { ROLE_CORE, ROLE_GATE, ROLE_BUILD, ROLE_DEPLOY, ROLE_COUNT };

struct user {
	char *name, *home; /* of the account */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary ones */
	size_t ngroups;
};

struct users {
	bool apart; /* false: all else is empty */
	gid_t shared;
	struct user of[ROLE_COUNT];
};

/* Looks the accounts up. PS_ECONFIG when one is not there, is root, or is named twice. Clear
 * afterwards, also after an error. */
int users_find(struct users *u, const struct config *cfg, struct ps_err *err) PS_MUSTCHECK;
/* Does this configuration name the users that were found? A reload cannot change them. */
bool users_are(const struct users *u, const struct config *cfg);
void users_clear(struct users *u);

/*
 * In a child that becomes the role: its user, group and folder, and no right that it could ever use
 * or win back. Ends the child when the kernel refuses any of it.
 */
void users_become(const struct users *u, enum role_no no);

/* Gives every folder of the instance its owner and mode; what an earlier owner left in it too. Only
 * while no role runs. */
int places_give(const struct users *u, const struct ps_paths *p, struct ps_err *err) PS_MUSTCHECK;
/* Those of this configuration's local fabrics: deploy's, and within each the data of runs. */
int places_fabrics(const struct users *u, const struct ps_paths *p, const struct config *cfg,
		   struct ps_err *err) PS_MUSTCHECK;

#endif
