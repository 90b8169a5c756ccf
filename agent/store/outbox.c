/* outbox – see outbox.h. */
#include "config.h"

#include "agent/store/outbox.h"

#include "agent/store/view_put.h"
#include "common/base/clock.h"
#include "common/base/digest.h"

enum { UID = 16, SPREAD_BATCH = 100 };

#define ROWS_COL_letter(kind, name) ROWS_COL(letter, kind, name)
ROWS_SHAPE(letter, "letter", LETTER_COLS)
#define ROWS_COL_notice(kind, name) ROWS_COL(notice, kind, name)
ROWS_SHAPE(notice, "notice", NOTICE_COLS)

static const struct state_move moves[] = {
	{ "queued", "running" }, { "running", "running" }, { "running", "queued" },
	{ "running", "done" },	 { "running", "failed" },  { "failed", "queued" },
};

int outbox_put(struct store_tx *tx, const char *kind, const char *environment, const char *payload, const char *once,
	       struct ps_err *err)
{
	int rc = sql_run(tx, err, "INSERT INTO notice (kind, environment, payload, once, created_ms) VALUES (?, ?, ?, ?, ?)"
			 " ON CONFLICT (once) DO NOTHING", "tttti", kind, environment, payload, once, clock_wall_ms());

	return rc < 0 ? rc : 0;
}

/* ---- what is told ---- */

/* environment, fabric, repository, project, ref, commit, event, pusher, release, version, reason, detail, id. */
static json_t *payload_of(sqlite3_stmt *q, const char *kind, char letter)
{
	static const char *const names[] = { "environment", "fabric", "repository", "project", "ref", "commit" };
	char when[CLOCK_TEXT];
	json_t *o = json_object();

	put_id(o, "id", letter, sql_int(q, 12));
	put_text(o, "kind", kind);
	for (size_t i = 0; i < PS_NELEM(names); i++)
		put_text(o, names[i], sql_text(q, (int)i));
	put_id(o, "event", 'e', sql_int(q, 6));
	put_text(o, "pusher", sql_text(q, 7));
	put_text(o, "release", sql_text(q, 8));
	put_text(o, "version", sql_text(q, 9));
	put_text(o, "reason", sql_text(q, 10));
	put_text(o, "detail", sql_text(q, 11));
	put_text(o, "at", clock_text_ms(when, clock_wall_ms()));
	return o;
}

/* more: members that stand beside those, or in their place; NULL: none. */
static int put_of(struct store_tx *tx, sqlite3_stmt *q, const char *kind, char letter, const char *once, json_t *more,
		  struct ps_err *err)
{
	char *environment = NULL, *payload = NULL;
	int rc = sql_next(tx, q, err);

	if (rc > 0) {
		json_t *o = payload_of(q, kind, letter);

		json_object_update(o, more);
		environment = xstrdup(sql_text(q, 0));
		payload = json_dumps(o, JSON_COMPACT);
		json_decref(o);
	}
	sql_done(q);
	if (rc > 0)
		rc = outbox_put(tx, kind, environment, payload, once, err);
	free(environment);
	free(payload);
	return rc < 0 ? rc : 0;
}

static int of_deployment(struct store_tx *tx, int64_t deployment, const char *kind, const char *once, json_t *more,
			 struct ps_err *err)
{
	return put_of(tx, sql_query(tx, err, "SELECT d.environment, d.fabric, r.name, d.project, l.ref, l.commit_oid, l.event,"
				    " l.pusher, d.release, l.version, d.reason, d.detail, d.id FROM deployment d"
				    " JOIN repository r ON r.id = d.repository JOIN label l ON l.id = d.label"
				    " WHERE d.id = ?", "i", deployment), kind, 'd', once, more, err);
}

int outbox_deployment(struct store_tx *tx, int64_t deployment, const char *kind, const char *once, struct ps_err *err)
{
	return of_deployment(tx, deployment, kind, once, NULL, err);
}

int outbox_drift(struct store_tx *tx, int64_t deployment, const char *job, const char *by, bool gone, struct ps_err *err)
{
	char *reason = xasprintf("%s %s on the fabric%s%s", job, gone ? "is gone" : "was changed", by ? " by " : "",
				 by ? by : "");
	json_t *more = json_object();
	int rc;

	put_text(more, "job", job);
	put_text(more, "changed_by", by);
	put_text(more, "reason", reason);
	put_text(more, "detail", NULL);
	rc = of_deployment(tx, deployment, "drift", NULL, more, err);
	json_decref(more);
	free(reason);
	return rc;
}

int outbox_demand(struct store_tx *tx, int64_t demand, const char *kind, struct ps_err *err)
{
	return put_of(tx, sql_query(tx, err, "SELECT d.environment, d.fabric, r.name, d.project, d.ref, d.commit_oid, d.event,"
				    " e.pusher, d.release, NULL, d.reason, d.detail, d.event FROM demand d"
				    " JOIN repository r ON r.id = d.repository JOIN event e ON e.id = d.event"
				    " WHERE d.id = ?", "i", demand), kind, 'e', NULL, NULL, err);
}

/* ---- who is told ---- */

int outbox_look(struct store_tx *tx, int64_t now_ms, int64_t *next_ms, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM notice WHERE spread = 0 LIMIT 1) AS s),"
				    " (SELECT MIN(next_ms) FROM letter WHERE state IN ('queued', 'running'))", "");
	int rc = sql_next(tx, q, err);

	*next_ms = -1;
	if (rc > 0 && sql_int(q, 0))
		*next_ms = 0;
	else if (rc > 0 && !sql_is_null(q, 1))
		*next_ms = sql_int(q, 1) <= now_ms ? 0 : sql_int(q, 1);
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static bool has(const struct conf_names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], name) == 0)
			return true;
	return l->n == 0;
}

static int spread_one(struct store_tx *tx, const struct config *cfg, const struct notice *n, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE notice SET spread = 1 WHERE id = ?", "i", n->id);

	for (size_t i = 0; i < cfg->nnotify && rc >= 0; i++) {
		const struct conf_notify *t = &cfg->notify[i];
		int64_t now = clock_wall_ms();
		char uid[2 * UID + 1];

		if (!has(&t->events, n->kind) || !has(&t->environments, n->environment))
			continue;
		random_hex(uid, UID);
		rc = sql_run(tx, err, "INSERT INTO letter (notice, target, uid, state, next_ms, created_ms, since_ms)"
			     " VALUES (?, ?, ?, 'queued', 0, ?, ?)", "ittii", n->id, t->name, uid, now, now);
	}
	return rc < 0 ? rc : 0;
}

int outbox_spread(struct store_tx *tx, const struct config *cfg, struct ps_err *err)
{
	struct notices l = { NULL, 0 };
	int rc = rows_select(tx, &notice_shape, &l, err, "WHERE spread = 0 ORDER BY id LIMIT ?", "i",
			     (int64_t)SPREAD_BATCH);

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = spread_one(tx, cfg, &l.v[i], err);
	rows_clear(&notice_shape, &l);
	return rc;
}

/* ---- one letter ---- */

int outbox_get(struct store_tx *tx, int64_t id, struct letter *out, struct ps_err *err)
{
	return rows_one(tx, &letter_shape, out, err, "WHERE id = ?", "i", id);
}

int outbox_notice(struct store_tx *tx, int64_t id, struct notice *out, struct ps_err *err)
{
	return rows_one(tx, &notice_shape, out, err, "WHERE id = ?", "i", id);
}

/* The one door for a change of state. */
static int set(struct store_tx *tx, const struct letter *d, const char *state, int64_t next_ms, const char *problem,
	       struct ps_err *err)
{
	int rc;

	state_must_go("letter", d->id, moves, PS_NELEM(moves), d->state, state);
	rc = sql_run(tx, err, "UPDATE letter SET state = ?, next_ms = ?, problem = ?, tries = ?, fence = ?, since_ms = ?"
		     " WHERE id = ?", "titiiii", state, next_ms, problem, d->tries, d->fence, clock_wall_ms(), d->id);
	return rc < 0 ? rc : 0;
}

int outbox_claim(struct store_tx *tx, int64_t now_ms, int64_t lease_ms, size_t n, struct letters *out,
		 struct ps_err *err)
{
	int rc = rows_select(tx, &letter_shape, out, err, "WHERE state IN ('queued', 'running') AND next_ms <= ?"
			     " ORDER BY next_ms, id LIMIT ?", "ii", now_ms, (int64_t)n);

	for (size_t i = 0; i < out->n && rc == 0; i++) {
		out->v[i].fence++;
		out->v[i].tries++;
		rc = set(tx, &out->v[i], "running", lease_ms, out->v[i].problem, err);
	}
	return rc;
}

int outbox_end(struct store_tx *tx, int64_t id, int64_t fence, const char *state, int64_t next_ms, const char *problem,
	       struct ps_err *err)
{
	struct letter d = { 0 };
	int rc = outbox_get(tx, id, &d, err);

	if (rc == 0 && (d.fence != fence || strcmp(d.state, "running") != 0))
		rc = ps_err_set(err, PS_ESTALE, "letter o%lld was begun again meanwhile", (long long)id);
	if (rc == 0)
		rc = set(tx, &d, state, next_ms, problem, err);
	letter_clear(&d);
	return rc;
}

int outbox_unclaim(struct store_tx *tx, struct ps_err *err)
{
	struct letters l = { NULL, 0 };
	int rc = rows_select(tx, &letter_shape, &l, err, "WHERE state = 'running' ORDER BY id", "");

	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = set(tx, &l.v[i], "queued", 0, l.v[i].problem, err);
	letters_clear(&l);
	return rc;
}

int outbox_resend(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	struct letter d = { 0 };
	int rc = outbox_get(tx, id, &d, err);

	if (rc == PS_ENOENT)
		return ps_err_set(err, PS_ENOENT, "there is no letter o%lld", (long long)id);
	if (rc == 0 && strcmp(d.state, "failed") != 0)
		rc = ps_err_set(err, PS_EINVAL, "o%lld is %s: only what has failed is sent again", (long long)id, d.state);
	d.tries = 0;
	if (rc == 0)
		rc = set(tx, &d, "queued", 0, d.problem, err);
	letter_clear(&d);
	return rc;
}

int outbox_forget(struct store_tx *tx, int64_t before_ms, int64_t *n, struct ps_err *err)
{
	int rc = sql_run(tx, err, "DELETE FROM letter WHERE state IN ('done', 'failed') AND since_ms < ?", "i", before_ms);

	*n = rc > 0 ? rc : 0;
	if (rc >= 0)
		rc = sql_run(tx, err, "DELETE FROM notice WHERE spread = 1 AND created_ms < ? AND once IS NULL AND NOT EXISTS"
			     " (SELECT 1 FROM letter d WHERE d.notice = notice.id)", "i", before_ms);
	return rc < 0 ? rc : 0;
}

void letter_clear(struct letter *d)
{
	rows_clear_one(&letter_shape, d);
}

void letters_clear(struct letters *l)
{
	rows_clear(&letter_shape, l);
}

void notice_clear(struct notice *n)
{
	rows_clear_one(&notice_shape, n);
}
