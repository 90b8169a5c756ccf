/*
 * asking – a person wants a release somewhere: promote, redeploy, rollback, deploy.
 *
 * It is a demand like that of a push, of the event that the release's label came from, with its
 * release set: no survey, no build, no test; the next pass gives it its deployment. The event is
 * open again until that has ended. Whether he may is asked before, by the caller.
 */
#ifndef PS_ASKING_H
#define PS_ASKING_H

#include "agent/store/demand.h"
#include "agent/store/release.h"
#include "common/config/config.h"
#include "common/config/paths.h"

struct asking {
	const struct config *cfg;
	const struct ps_paths *paths;
	const char *asked;	/* promote, redeploy, rollback, deploy */
	const char *by;		/* as shown */
	const char *why;	/* NULL: not said */
	const char *jobs;	/* JSON list of keys; NULL: all */
	const struct label *label;
	const struct conf_environment *env;
};

/*
 * In the transaction that follows a check of rights. PS_ENOENT: bytes of the release were cleaned
 * away; PS_EINVAL: the environment does not take this project. d (may be NULL) gets the demand.
 */
int asking_put(struct store_tx *tx, const struct asking *q, struct demand *d,
	       struct ps_err *err) PS_MUSTCHECK;
/* Does the environment take this project at all? */
bool asking_fits(const struct conf_environment *env, const char *repository, const char *project);

#endif
