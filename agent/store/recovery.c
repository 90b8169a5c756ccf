/* recovery – see recovery.h. Its rows are three of meta: recovery (since and why), recovered_event,
 * and restored, which a backup has so that whatever starts from it enters. */
#include "config.h"

#include "agent/store/recovery.h"

#include <inttypes.h>

#include "agent/store/demand.h"
#include "agent/store/deployment.h"
#include "agent/store/push.h"
#include "agent/store/run.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"

#define RUN_LOST "the store was restored: whether it ran to its end is not known; ask for it again"

int recovery_get(struct store_tx *tx, struct recovery *out, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT name, value FROM meta WHERE name IN ('recovery', 'recovered_event')",
				    "");
	int rc;

	recovery_clear(out);
	while ((rc = sql_next(tx, q, err)) > 0) {
		const char *value = sql_text(q, 1), *blank = strchr(value, ' ');

		if (strcmp(sql_text(q, 0), "recovered_event") == 0) {
			out->event = strtoll(value, NULL, 10);
			continue;
		}
		out->on = true;
		out->since_ms = strtoll(value, NULL, 10);
		out->why = xstrdup(blank ? blank + 1 : value);
	}
	sql_done(q);
	return rc;
}

void recovery_clear(struct recovery *r)
{
	free(r->why);
	*r = (struct recovery) { .on = false };
}

static int put(struct store_tx *tx, const char *name, char *value, struct ps_err *err)
{
	int rc = sql_run(tx, err, "INSERT INTO meta (name, value) VALUES (?, ?)"
			 " ON CONFLICT (name) DO UPDATE SET value = excluded.value", "tt", name, value);

	free(value);
	return rc < 0 ? rc : 0;
}

static int newest_event(struct store_tx *tx, int64_t *out, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT COALESCE(MAX(id), 0) FROM event", "");
	int rc = sql_next(tx, q, err);

	*out = rc > 0 ? sql_int(q, 0) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static int stop_deployments(struct store_tx *tx, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = deployments_running(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		rc = deployment_set(tx, l.v[i].id, "unknown", "recovery", NULL, 0, err);
		if (rc == 0)
			rc = demand_set(tx, l.v[i].demand, "waiting", "recovery", NULL, 0, err);
	}
	deployments_clear(&l);
	return rc;
}

static int lose_runs(struct store_tx *tx, struct ps_err *err)
{
	struct runs l = { NULL, 0 };
	int rc = runs_open(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = run_finish(tx, l.v[i].id, l.v[i].fence, "unknown", RUN_LOST, err);
	runs_clear(&l);
	return rc;
}

int recovery_enter(struct store_tx *tx, const char *why, struct ps_err *err)
{
	int64_t event = 0;
	int rc = newest_event(tx, &event, err);

	if (rc == 0)
		rc = put(tx, "recovery", xasprintf("%" PRId64 " %s", clock_wall_ms(), why), err);
	if (rc == 0)
		rc = put(tx, "recovered_event", xasprintf("%" PRId64, event), err);
	if (rc == 0)
		rc = sql_run(tx, err, "DELETE FROM meta WHERE name = 'restored'", "");
	if (rc >= 0)		/* what has moved since then is one gap */
		rc = sql_run(tx, err, "UPDATE ref SET log_size = -1", "");
	if (rc >= 0)
		rc = stop_deployments(tx, err);
	if (rc == 0)
		rc = lose_runs(tx, err);
	return rc < 0 ? rc : pushes_forget(tx, "the store was restored", err);
}

int recovery_leave(struct store_tx *tx, int64_t *deployments, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int64_t fence;
	int rc = sql_run(tx, err, "DELETE FROM meta WHERE name = 'recovery'", "");

	*deployments = 0;
	if (rc == 0)
		return ps_err_set(err, PS_ENOENT, "there is no recovery to leave");
	if (rc > 0)
		rc = deployments_in_state(tx, "unknown", &l, err);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct deployment *d = &l.v[i];

		if (!ps_streq(d->reason, "recovery"))
			continue;
		rc = deployment_start(tx, d->id, d->plan, d->plan_digest, d->policy_digest, 0, &fence, err);
		if (rc == 0)
			rc = demand_set(tx, d->demand, "active", NULL, "deploying", 0, err);
		++*deployments;
	}
	deployments_clear(&l);
	return rc;
}

char *recovery_text(const struct recovery *r)
{
	char since[CLOCK_TEXT];

	return xasprintf("since %s: %s", clock_text(since, r->since_ms), r->why);
}
