/*
 * doctor – what an admin looks at before he trusts an instance, and after something broke.
 *
 * A check is a function that adds one row or more to a list; each row says what is, and where it is
 * not well why that matters and the command that mends it. No check changes anything, none needs
 * the agent, and what cannot be known now says so ("not asked"). Work is bounded per repository.
 */
#ifndef PS_DOCTOR_H
#define PS_DOCTOR_H

#include <jansson.h>

#include "cli/cli.h"
#include "common/config/config.h"

/* OK: well. ASKED_NOT: cannot be known now. WARNING: works, but not as it should. ERROR: broken. */
enum well { WELL_OK, WELL_NOT_ASKED, WELL_WARNING, WELL_ERROR };

struct doctor {
	struct cli *cli;
	struct config *cfg;	/* NULL: it has errors, or cannot be read */
	json_t *status;		/* of the agent; NULL: it does not answer */
	json_t *items;
	size_t count[WELL_ERROR + 1];
	const char *check;	/* the id that rows get */
};

/* A row. why and mend are NULL where all is well; mend is a command. what is formatted. */
void doctor_say(struct doctor *d, enum well well, const char *why, const char *mend,
		const char *what, ...) PS_PRINTF(5, 6);

/* How this instance's agent is started. free() it. */
char *doctor_start(const struct doctor *d);

/* doctor_instance.c */
void doctor_configuration(struct doctor *d);
void doctor_agent(struct doctor *d);
void doctor_policy(struct doctor *d);
void doctor_keys(struct doctor *d);
void doctor_spool(struct doctor *d);
void doctor_disks(struct doctor *d);
void doctor_clock(struct doctor *d);
/* doctor_users.c: each account of hook_users, as that account where we may become it. */
void doctor_users(struct doctor *d);
/* doctor_repos.c */
void doctor_repositories(struct doctor *d);
/* doctor_roles.c */
void doctor_toolchains(struct doctor *d);
void doctor_credentials(struct doctor *d);
void doctor_roles(struct doctor *d);

#endif
