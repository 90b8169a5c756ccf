/* pass_stop – what stops work whatever its own gates say: read once per pass, asked for each. */
#include "config.h"

#include "agent/flow/pass.h"

int pass_read_stops(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	int rc = recovery_get(tx, &p->recovery, err);

	pauses_clear(&p->pauses);
	closures_clear(&p->closures);
	if (rc == 0)
		rc = pauses_all(tx, &p->pauses, err);
	pins_clear(&p->pins);
	if (rc == 0)
		rc = pins_all(tx, &p->pins, err);
	return rc < 0 ? rc : closures_all(tx, &p->closures, err);
}

struct standstill pass_stopped(const struct pass *p, enum pause_work work, const char *environment,
			       const char *fabric)
{
	const struct pause *stop = pause_of(&p->pauses, work, environment, fabric);

	if (p->recovery.on && work != PAUSE_BUILD)
		return (struct standstill) { .reason = "recovery",
					     .detail = recovery_text(&p->recovery),
					     .blocked_by = xstrdup("recovery"),
					     .lift = xstrdup("penstock resume --all") };
	if (stop)
		return (struct standstill) { .reason = "paused", .detail = pause_text(stop),
					     .blocked_by = pause_subject(stop),
					     .lift = pause_lifter(stop) };
	if (p->view.disk < (work == PAUSE_BUILD ? DISK_WAIT : DISK_INTAKE))
		return (struct standstill) { .reason = NULL };
	return (struct standstill) { .reason = "disk", .detail = xstrdup(p->view.disk_problem),
				     .blocked_by = xstrdup("disk"),
				     .lift = xstrdup("penstock clean") };
}

int pass_be_careful(struct store_tx *tx, const struct recovery *r, struct act *a,
		    struct ps_err *err)
{
	struct demand d = { 0 };
	int rc = release_get(tx, a->deployment.release, &a->release, err);

	if (rc == 0 && r->event)
		rc = demand_get(tx, a->deployment.demand, &d, err);
	a->careful = rc == 0 && r->event && d.event <= r->event;
	if (a->careful)
		rc = deployment_live(tx, &a->deployment, &a->known, err);
	if (rc == 0)
		rc = deployed_jobs(tx, a->deployment.fabric, a->deployment.repository,
				   a->deployment.project, &a->there, err);
	if (rc == 0)
		rc = imported_jobs(tx, a->deployment.fabric, a->deployment.repository,
				   a->deployment.project, &a->imported, err);
	demand_clear(&d);
	return rc;
}
