/* retention – see retention.h. */
#include "config.h"

#include "agent/store/retention.h"

#include "agent/store/outbox.h"
#include "agent/store/pin.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"

void texts_add(struct texts *t, const char *text)
{
	t->v = xgrow(t->v, t->n, &t->cap, sizeof(*t->v));
	t->v[t->n++] = xstrdup(text);
}

void texts_clear(struct texts *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->v[i]);
	free(t->v);
	*t = (struct texts) { NULL, 0, 0 };
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void texts_sort(struct texts *t)
{
	if (t->n)
		qsort(t->v, t->n, sizeof(*t->v), by_text);
}

bool texts_has(const struct texts *sorted, const char *text)
{
	return sorted->n && bsearch(&text, sorted->v, sorted->n, sizeof(*sorted->v), by_text);
}

static int collect(struct store_tx *tx, sqlite3_stmt *q, struct texts *out, struct ps_err *err)
{
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0)
		texts_add(out, sql_text(q, 0));
	sql_done(q);
	return rc;
}

int retention_releases(struct store_tx *tx, int64_t rollbacks, struct texts *out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT release FROM deployment WHERE state IN ('waiting', 'running', 'unknown')"
		" UNION SELECT release FROM (SELECT release, ROW_NUMBER() OVER (PARTITION BY fabric, repository, project"
		" ORDER BY last DESC) AS place FROM (SELECT fabric, repository, project, release, MAX(id) AS last"
		" FROM deployment WHERE state = 'deployed' GROUP BY fabric, repository, project, release) AS each_one)"
		" AS ranked WHERE place <= ?"
		" UNION SELECT release FROM deployed_job"
		" UNION SELECT release FROM run WHERE state IN ('queued', 'running')"
		" UNION SELECT release FROM demand WHERE state IN ('waiting', 'active') AND release IS NOT NULL";

	return collect(tx, sql_query(tx, err, sql, "i", rollbacks), out, err);
}

int retention_back(struct store_tx *tx, struct texts *out, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = places_all(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct deployment to = { 0 };
		struct ps_err none = { 0 };

		rc = place_before(tx, &l.v[i], &to, &none);
		if (rc == 0)
			texts_add(out, to.release);
		else if (rc == PS_ENOENT)
			rc = 0;
		else if (err)
			*err = none;
		deployment_clear(&to);
	}
	deployments_clear(&l);
	return rc;
}

int retention_versions(struct store_tx *tx, const struct texts *releases, struct texts *out,
		       struct ps_err *err)
{
	int rc = collect(tx, sql_query(tx, err, "SELECT DISTINCT version FROM deployed_job", ""), out, err);

	for (size_t i = 0; i < releases->n && rc == 0; i++)
		rc = collect(tx, sql_query(tx, err, "SELECT DISTINCT version FROM label WHERE release = ?", "t",
					   releases->v[i]), out, err);
	return rc;
}

int retention_digests(struct store_tx *tx, struct texts *out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT build.digest FROM build JOIN demand_build ON demand_build.build = build.id"
		" JOIN demand ON demand.id = demand_build.demand"
		" WHERE demand.state IN ('waiting', 'active') AND build.digest IS NOT NULL"
		" UNION SELECT digest FROM deployed_job"
		" UNION SELECT digest FROM observed_job WHERE digest <> ''";

	return collect(tx, sql_query(tx, err, sql, ""), out, err);
}

int retention_plans(struct store_tx *tx, struct texts *out, struct ps_err *err)
{
	return collect(tx, sql_query(tx, err, "SELECT plan FROM deployment WHERE plan IS NOT NULL"
				     " AND state IN ('waiting', 'running', 'unknown')", ""), out, err);
}

int retention_busy(struct store_tx *tx, struct texts *out, struct ps_err *err)
{
	return collect(tx, sql_query(tx, err, "SELECT 'b' || CAST(id AS TEXT) FROM build"
				     " WHERE state IN ('queued', 'claimed', 'running')"
				     " UNION ALL SELECT 'x' || CAST(id AS TEXT) FROM run"
				     " WHERE state IN ('queued', 'running')", ""), out, err);
}

int retention_forget(struct store_tx *tx, const char *digest, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE build SET gone_ms = ? WHERE digest = ? AND state = 'passed' AND gone_ms = 0",
			 "it", clock_wall_ms(), digest);

	return rc < 0 ? rc : 0;
}

int retention_has(struct store_tx *tx, const char *digest, bool *has, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT 1 FROM build WHERE digest = ? AND state = 'passed'"
				    " AND gone_ms = 0 LIMIT 1", "t", digest);
	int rc = sql_next(tx, q, err);

	*has = rc > 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int retention_rows(struct store_tx *tx, int64_t before_ms, int64_t *n, struct ps_err *err)
{
	int64_t letters = 0;
	int rc = sql_run(tx, err, "DELETE FROM intent WHERE state <> 'open' AND push IN"
			 " (SELECT id FROM push WHERE ended = 1 AND at_ms < ?)", "i", before_ms);

	*n = rc > 0 ? rc : 0;
	if (rc >= 0)
		rc = outbox_forget(tx, before_ms, &letters, err);
	*n += letters;
	return rc < 0 ? rc : 0;
}
