/* pin – see pin.h. */
#include "config.h"

#include "agent/store/pin.h"

#include "agent/store/sql.h"
#include "common/base/buf.h"
#include "common/base/clock.h"

#define ROWS_COL_pin(kind, name) ROWS_COL(pin, kind, name)
ROWS_SHAPE(pin, "pin", PIN_COLS)

/* What waits there stands at this gate now, or does not any more. */
static int look_at_all(struct store_tx *tx, const char *fabric, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE deployment SET look = 1 WHERE fabric = ? AND state = 'waiting'", "t", fabric);

	return rc < 0 ? rc : 0;
}

int pin_put(struct store_tx *tx, const struct pin *p, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO pin (fabric, who, why, since_ms) VALUES (?, ?, ?, ?)"
			 " ON CONFLICT (fabric) DO UPDATE SET who = excluded.who, why = excluded.why", "ttti", p->fabric,
			 p->who, p->why, clock_wall_ms());

	return rc < 0 ? rc : look_at_all(tx, p->fabric, err);
}

int pin_lift(struct store_tx *tx, const char *fabric, bool *was, struct ps_err *err)
{
	int rc = sql_run(tx, err, "DELETE FROM pin WHERE fabric = ?", "t", fabric);

	*was = rc > 0;
	return rc < 0 ? rc : look_at_all(tx, fabric, err);
}

int pins_all(struct store_tx *tx, struct pins *out, struct ps_err *err)
{
	return rows_select(tx, &pin_shape, out, err, "ORDER BY fabric", "");
}

void pin_clear(struct pin *p)
{
	rows_clear_one(&pin_shape, p);
}

void pins_clear(struct pins *l)
{
	rows_clear(&pin_shape, l);
}

const struct pin *pin_of(const struct pins *l, const char *fabric)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].fabric, fabric) == 0)
			return &l->v[i];
	return NULL;
}

char *pin_text(const struct pin *p)
{
	char since[CLOCK_TEXT];

	return xasprintf("pinned by %s since %s: %s", p->who, clock_text_ms(since, p->since_ms), p->why);
}

/* ---- what is there, and was ---- */

/* Deployments by a query that gives their numbers. */
static int by_numbers(struct store_tx *tx, sqlite3_stmt *q, struct deployments *out, struct ps_err *err)
{
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0) {
		out->v = xrealloc(out->v, (out->n + 1) * sizeof(*out->v));
		out->v[out->n++] = (struct deployment) { .id = sql_int(q, 0) };
	}
	sql_done(q);
	for (size_t i = 0; rc == 0 && i < out->n; i++) {
		int64_t id = out->v[i].id;

		out->v[i].id = 0;
		rc = deployment_get(tx, id, &out->v[i], err);
	}
	return rc;
}

/* The first of them; PS_ENOENT: none. */
static int by_number(struct store_tx *tx, sqlite3_stmt *q, struct deployment *out, struct ps_err *err)
{
	int rc = sql_next(tx, q, err);
	int64_t id = rc > 0 ? sql_int(q, 0) : 0;

	sql_done(q);
	if (rc < 0)
		return rc;
	return id ? deployment_get(tx, id, out, err) : ps_err_set(err, PS_ENOENT, "there is none");
}

int places_on(struct store_tx *tx, const char *fabric, const char *repository, const char *project,
	      struct deployments *out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT MAX(d.id) FROM deployment d JOIN repository r ON r.id = d.repository WHERE d.fabric = ?"
		" AND d.state = 'deployed' AND (? IS NULL OR r.name = ?) AND (? IS NULL OR d.project = ?)"
		" GROUP BY d.repository, d.project ORDER BY d.repository, d.project";

	return by_numbers(tx, sql_query(tx, err, sql, "ttttt", fabric, repository, repository, project, project), out,
			  err);
}

int places_all(struct store_tx *tx, struct deployments *out, struct ps_err *err)
{
	return by_numbers(tx, sql_query(tx, err, "SELECT MAX(id) FROM deployment WHERE state = 'deployed'"
					" GROUP BY fabric, repository, project", ""), out, err);
}

/* v: a verification that was whole and that no later one of the same speaks against. */
#define VERIFIED_THERE                                                                                  \
	" v.fabric = ? AND v.repository = ? AND v.project = ? AND v.whole = 1 AND v.state = 'verified'" \
	" AND NOT EXISTS (SELECT 1 FROM verification w WHERE w.fabric = v.fabric AND w.repository = v.repository" \
	" AND w.project = v.project AND w.release = v.release AND w.digest = v.digest AND w.whole = 1"  \
	" AND w.state = 'failed' AND w.deployment > v.deployment)"

int place_before(struct store_tx *tx, const struct deployment *now, struct deployment *out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT v.deployment FROM verification v WHERE" VERIFIED_THERE " AND v.release <> ? AND v.deployment <"
		" (SELECT COALESCE(MAX(d.id), 0) FROM deployment d JOIN demand m ON m.id = d.demand WHERE d.fabric = ?"
		" AND d.repository = ? AND d.project = ? AND d.release = ? AND d.state = 'deployed'"
		" AND (m.asked IS NULL OR m.asked NOT IN ('rollback', 'prune'))) ORDER BY v.deployment DESC LIMIT 1";

	return by_number(tx, sql_query(tx, err, sql, "titttitt", now->fabric, now->repository, now->project,
				       now->release, now->fabric, now->repository, now->project, now->release),
			 out, err);
}

int place_verified(struct store_tx *tx, const struct place *p, const char *release, struct deployment *out,
		   struct ps_err *err)
{
	static const char sql[] = "SELECT v.deployment FROM verification v WHERE" VERIFIED_THERE
				  " AND v.release = ? ORDER BY v.deployment DESC LIMIT 1";

	return by_number(tx, sql_query(tx, err, sql, "titt", p->fabric, p->repository, p->project, release), out, err);
}

int place_versions(struct store_tx *tx, const struct place *p, char **out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT l.version FROM verification v JOIN deployment d ON d.id = v.deployment"
		" JOIN label l ON l.id = d.label WHERE" VERIFIED_THERE
		" GROUP BY l.version ORDER BY MAX(v.deployment) DESC LIMIT 8";
	sqlite3_stmt *q = sql_query(tx, err, sql, "tit", p->fabric, p->repository, p->project);
	struct buf b = BUF_INIT;
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0)
		buf_addf(&b, "%s%s", b.len ? ", " : "", sql_text(q, 0));
	sql_done(q);
	*out = xstrdup(buf_str(&b));
	buf_clear(&b);
	return rc;
}

int place_outdated(struct store_tx *tx, const char *fabric, struct deployments *out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT d.id FROM deployment d JOIN demand m ON m.id = d.demand WHERE d.fabric = ?"
		" AND d.state = 'waiting' AND (m.asked IS NULL OR m.asked NOT IN ('rollback', 'prune'))"
		" AND EXISTS (SELECT 1 FROM deployment n JOIN demand nm ON nm.id = n.demand WHERE n.fabric = d.fabric"
		" AND n.repository = d.repository AND n.project = d.project AND n.state = 'waiting' AND n.id <> d.id"
		" AND (nm.event > m.event OR (nm.event = m.event AND n.id > d.id))) ORDER BY d.id";

	int rc = by_numbers(tx, sql_query(tx, err, sql, "t", fabric), out, err);

	for (size_t i = 0; i < out->n && rc == 0; i++) {
		struct deployment *d = &out->v[i];
		sqlite3_stmt *q = sql_query(tx, err,
					    "SELECT d.id FROM deployment d JOIN demand m ON m.id = d.demand WHERE d.fabric = ?"
					    " AND d.repository = ? AND d.project = ? AND d.state = 'waiting'"
					    " ORDER BY m.event DESC, d.id DESC LIMIT 1", "tit", fabric, d->repository,
					    d->project);

		rc = sql_next(tx, q, err);
		d->superseded_by = rc > 0 ? sql_int(q, 0) : 0;
		sql_done(q);
		rc = rc < 0 ? rc : 0;
	}
	return rc;
}
