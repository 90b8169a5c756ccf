/* gate – see gate.h. */
#include "config.h"

#include "agent/store/gate.h"

#include "agent/store/retention.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_deployment(kind, name) ROWS_COL(deployment, kind, name)
ROWS_SHAPE(deployment, "deployment", DEPLOYMENT_COLS)

int gates_to_look_at(struct store_tx *tx, const char *policy, int64_t limit, struct deployments *out,
		     struct ps_err *err)
{
	return rows_select(tx, &deployment_shape, out, err,
			   "WHERE id IN (SELECT id FROM (SELECT id FROM deployment WHERE look = 1 ORDER BY id LIMIT ?) AS marked"
			   " UNION SELECT id FROM (SELECT id FROM deployment WHERE state = 'waiting' AND gate_policy < ?"
			   " LIMIT ?) AS before"
			   " UNION SELECT id FROM (SELECT id FROM deployment WHERE state = 'waiting' AND gate_policy > ?"
			   " LIMIT ?) AS behind) ORDER BY id LIMIT ?", "ititii", limit, policy, limit,
			   policy, limit, limit);
}

int gate_stand(struct store_tx *tx, int64_t deployment, const struct gate_stand *s, const char *policy,
	       struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE deployment SET since_ms = CASE WHEN gate = ? THEN since_ms ELSE ? END, gate = ?, detail = ?,"
			 " blocked_by = ?, lift = ?, look = 0, gate_policy = ? WHERE id = ? AND state = 'waiting'",
			 "titttt" "ti", s->gate, clock_wall_ms(), s->gate, s->detail, s->blocked_by, s->lift,
			 *s->gate ? policy : NULL, deployment);

	return rc < 0 ? rc : 0;
}

/* A number of rows is no failure. */
static int marked(int rc)
{
	return rc < 0 ? rc : 0;
}

int gate_look(struct store_tx *tx, int64_t deployment, struct ps_err *err)
{
	return marked(sql_run(tx, err, "UPDATE deployment SET look = 1 WHERE id = ? AND state = 'waiting'", "i",
				 deployment));
}

int gate_look_beside(struct store_tx *tx, const struct deployment *d, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE deployment SET look = 1 WHERE repository = ? AND project = ?"
			 " AND environment = ? AND state = 'waiting' AND gate = 'approval'", "itt", d->repository,
			 d->project, d->environment);

	return rc < 0 ? rc : gate_look_after(tx, d->release, err);
}

int gate_look_after(struct store_tx *tx, const char *release, struct ps_err *err)
{
	return marked(sql_run(tx, err, "UPDATE deployment SET look = 1 WHERE state = 'waiting' AND gate = 'after'"
				 " AND release = ?", "t", release));
}

int gates_at(struct store_tx *tx, const char *gate, const char *environment, const char *repository,
	     const char *project, struct deployments *out, struct ps_err *err)
{
	const char *repo = repository ? repository : "", *path = project ? project : "";

	return rows_select(tx, &deployment_shape, out, err,
			   "WHERE state = 'waiting' AND gate = ? AND environment = ?"
			   " AND (? = '' OR repository IN (SELECT id FROM repository WHERE name = ?))"
			   " AND (? = '' OR project = ?) ORDER BY id", "tttttt", gate, environment, repo, repo, path, path);
}

int gates_of_release(struct store_tx *tx, const struct deployment *d, struct deployments *out,
		     struct ps_err *err)
{
	return rows_select(tx, &deployment_shape, out, err,
			   "WHERE state = 'waiting' AND repository = ? AND project = ? AND environment = ? AND release = ?"
			   " ORDER BY id", "ittt", d->repository, d->project, d->environment, d->release);
}

int gate_let(struct store_tx *tx, int64_t deployment, const char *who, const char *why, struct ps_err *err)
{
	return marked(sql_run(tx, err, "UPDATE deployment SET let_by = ?, let_why = ?, look = 1 WHERE id = ?"
				 " AND state = 'waiting'", "tti", who, why, deployment));
}

int gate_plan(struct store_tx *tx, int64_t deployment, const char *plan, const char *digest, const char *changed,
	      struct ps_err *err)
{
	return marked(sql_run(tx, err, "UPDATE deployment SET plan = ?, plan_digest = ?, changed = ?"
			      " WHERE id = ? AND state = 'waiting'", "ttti", plan, digest, changed, deployment));
}

int gate_emergency(struct store_tx *tx, int64_t deployment, bool on, struct ps_err *err)
{
	return marked(sql_run(tx, err, "UPDATE deployment SET emergency = ? WHERE id = ?", "ii", (int64_t)on,
				 deployment));
}

int gate_first_emergency(struct store_tx *tx, const char *environment, int64_t *id, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT id FROM deployment WHERE environment = ? AND state = 'waiting'"
				    " AND gate = '' AND emergency = 1 ORDER BY id LIMIT 1", "t", environment);
	int rc = sql_next(tx, q, err);

	*id = rc > 0 ? sql_int(q, 0) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

/* The login behind "kim" or "root (as kim)". free() it. */
static char *login_of(const char *shown)
{
	const char *as = strstr(shown, " (as ");

	return as ? xstrndup(as + strlen(" (as "), strcspn(as + strlen(" (as "), ")")) : xstrdup(shown);
}

/* Nobody knows who moved it: who let it go stands for it. */
static int add_answerable(struct store_tx *tx, int64_t event, struct texts *out, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT let_by FROM event WHERE id = ? AND let_by IS NOT NULL", "i", event);
	int rc = sql_next(tx, q, err);

	if (rc > 0) {
		char *login = login_of(sql_text(q, 0));

		texts_add(out, login);
		free(login);
	}
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int gate_makers(struct store_tx *tx, int64_t event, struct texts *out, bool *unknown, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT DISTINCT COALESCE(p.acting_as, p.pusher, '') FROM push p"
				    " WHERE p.id IN (SELECT push FROM event WHERE id = ? UNION SELECT push FROM event_maker"
				    " WHERE event = ?) ORDER BY 1", "ii", event, event);
	size_t n = 0;
	int rc;

	*unknown = false;
	for (; (rc = sql_next(tx, q, err)) > 0; n++)
		if (*sql_text(q, 0))
			texts_add(out, sql_text(q, 0));
		else
			*unknown = true;
	sql_done(q);
	*unknown = *unknown || !n;
	return rc < 0 || !*unknown ? rc : add_answerable(tx, event, out, err);
}
