/*
 * planning – the plan of a release for one environment, from the configuration, what is known to be
 * deployed and the content store. Of the deployment itself and of the forecast before it.
 */
#ifndef PS_PLANNING_H
#define PS_PLANNING_H

#include "agent/store/artifact.h"
#include "agent/store/observation.h"
#include "agent/store/release.h"
#include "common/config/config.h"
#include "common/config/paths.h"
#include "common/plan/plan.h"

struct planning {
	const struct config *cfg;
	const struct ps_paths *paths;
	const struct conf_environment *env;
	const struct conf_fabric *fabric;	/* the environment's */
	const char *repository, *project;	/* name; path */
	const char *ref, *version;		/* of the label */
	const struct manifest *release;
	const char *release_id;
	const struct deployed_jobs *known;	/* of this project there */
	const struct deployed_artifacts *there;	/* the same; NULL: nothing is known of them */
	const struct observed_jobs *observed;	/* where other is in force; NULL: unknown */
	/* templates that may not be in the content store yet */
	const struct plan_template *given;
	size_t ngiven;
	const char *jobs;			/* JSON list of keys: only these; NULL: all */
	bool prune;				/* these are orphans, and shall go away */
};

/* See plan_make(). plan_clear() the plan. */
int planning_make(const struct planning *in, struct plan *out, struct ps_err *err) PS_MUSTCHECK;

#endif
