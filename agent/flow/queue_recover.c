/* queue_recover – what was under way when a role, or all of us, ended. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/note.h"
#include "agent/store/event.h"
#include "agent/store/observation.h"

/* A gate that came or went knows nothing of what was asked before. */
int recover_surveys(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return event_release_survey(tx, 0, 0, err);
}

/* What a role was doing when it (or all of us) ended: builds queue again, local runs are lost and
 * say so, deployments go on where the journal and the fabric say they are. */
int recover_builds(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	struct runs runs = { NULL, 0 };
	int rc = builds_under_way(tx, &l, err);

	(void)arg;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = build_requeue(tx, l.v[i].id, l.v[i].fence, "the build role ended meanwhile",
				   err);
	if (rc == 0)
		rc = runs_running(tx, &runs, err);
	for (size_t i = 0; i < runs.n && rc == 0; i++)
		if (!run_is_remote(&runs.v[i]))
			rc = run_finish(tx, runs.v[i].id, runs.v[i].fence,
					runs.v[i].cancel ? "cancelled" : "failed",
					"interrupted: the agent ended during the run; "
					"nothing of it goes on", err);
	builds_clear(&l);
	runs_clear(&runs);
	return rc;
}

int recover_deployments(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct pass *p = arg;
	struct deployments l = { NULL, 0 };
	int rc = recovery_get(tx, &p->recovery, err);

	if (rc == 0)
		rc = deployments_running(tx, &l, err);
	if (rc == 0 && !p->only)
		rc = observation_recover(tx, err);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct deployment *d = &l.v[i];

		if (!p->only || d->id == p->only)
			rc = pass_deploy_again(tx, p, d, err);
	}
	deployments_clear(&l);
	return rc;
}
