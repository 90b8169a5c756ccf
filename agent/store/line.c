/* line – see line.h. */
#include "config.h"

#include "agent/store/line.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

/* what is at a standstill by itself: it is in line and is passed over */
#define MAY_deployment " AND NOT EXISTS (SELECT 1 FROM repository WHERE repository.id = deployment.repository" \
	" AND (gone_ms > 0 OR taken_ms > 0)) AND gate = ''"
#define MAY_build ""
#define MAY_run ""
#define MAY_test ""
#define HEAD(table, group, waits) \
	"SELECT id, repository, bumped_ms, priority, turn, created_ms, " group " FROM " table " WHERE " waits
static const struct line_sql {
	const char *kind, *state, *bumped, *overdue, *in_turn, *next, *waiting, *enter, *bump;
} lines[LINE_COUNT] = {
#define SQL(kind, table, st, at, grp, next, used, may)                                              \
	{ kind, st,                                                                                 \
	  HEAD(table, grp, "state = '" st "' AND " at " = ?" may)                                       \
		" AND bumped_ms > 0 ORDER BY bumped_ms DESC, id LIMIT ?",                                \
	  HEAD(table, grp, "state = '" st "' AND " at " = ?" may)                                       \
		" AND created_ms <= ? ORDER BY created_ms, id LIMIT ?",                             \
	  HEAD(table, grp, "state = '" st "' AND " at " = ?" may)                                       \
		" ORDER BY priority DESC, turn, created_ms, id LIMIT ?",                            \
	  next,                                                                                     \
	  "SELECT MAX(turn) FROM " table " WHERE state = '" st "' AND repository = ?"               \
		" AND priority = ? AND " used " = ?",                                               \
	  "UPDATE " table " SET priority = ?, turn = ? WHERE id = ?",                               \
	  "UPDATE " table " SET bumped_ms = ? WHERE id = ? AND state = '" st "'" }
	[LINE_BUILD] = SQL("build", "build", "queued", "''", "''",
			   "SELECT '' FROM build WHERE state = 'queued' AND CAST(? AS TEXT) IS NULL LIMIT 1", "''", MAY_build),
	[LINE_DEPLOYMENT] = SQL("deployment", "deployment", "waiting", "environment", "fabric",
				"SELECT environment FROM deployment WHERE state = 'waiting' AND gate = '' AND environment > ?"
				" ORDER BY environment LIMIT 1", "fabric", MAY_deployment),
	[LINE_RUN] = SQL("run", "run", "queued", "fabric", "fabric",
			 "SELECT fabric FROM run WHERE state = 'queued' AND fabric > ? ORDER BY fabric LIMIT 1", "''", MAY_run),
	[LINE_TEST] = SQL("test", "test", "queued", "''", "''",
			  "SELECT '' FROM test WHERE state = 'queued' AND CAST(? AS TEXT) IS NULL LIMIT 1", "''", MAY_test),
};

void line_rows_clear(struct line_rows *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].group);
	free(l->v);
	*l = (struct line_rows) { NULL, 0 };
}

static bool has(const struct line_rows *l, size_t from, int64_t id)
{
	for (size_t i = from; i < l->n; i++)
		if (l->v[i].id == id)
			return true;
	return false;
}

/* Frees q. from: what this place has in the list begins there; one may be head by several rules. */
static int take(struct store_tx *tx, sqlite3_stmt *q, size_t from, struct line_rows *out, struct ps_err *err)
{
	size_t cap = out->n;
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0) {
		if (has(out, from, sql_int(q, 0)))
			continue;
		out->v = xgrow(out->v, out->n, &cap, sizeof(*out->v));
		out->v[out->n++] = (struct line_row) {
			.id = sql_int(q, 0), .repository = sql_int(q, 1), .bumped_ms = sql_int(q, 2),
			.priority = sql_int(q, 3), .turn = sql_int(q, 4), .created_ms = sql_int(q, 5),
			.group = xstrdup(sql_text(q, 6)),
		};
	}
	sql_done(q);
	return rc;
}

int line_heads(struct store_tx *tx, enum line line, const char *place, int64_t before, size_t k,
	       struct line_rows *out, struct ps_err *err)
{
	const struct line_sql *s = &lines[line];
	size_t from = out->n;
	int rc = take(tx, sql_query(tx, err, s->bumped, "ti", place, (int64_t)k), from, out, err);

	if (rc == 0)
		rc = take(tx, sql_query(tx, err, s->overdue, "tii", place, before, (int64_t)k), from, out, err);
	if (rc == 0)
		rc = take(tx, sql_query(tx, err, s->in_turn, "ti", place, (int64_t)k), from, out, err);
	return rc;
}

int line_next_place(struct store_tx *tx, enum line line, const char *after, char **place, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, lines[line].next, "t", after);
	int rc = sql_next(tx, q, err);

	if (rc > 0)
		*place = xstrdup(sql_text(q, 0));
	sql_done(q);
	return rc;
}

/* The number a statement gives; fallback when there is none. Frees q. */
static int number(struct store_tx *tx, sqlite3_stmt *q, int64_t fallback, int64_t *out, struct ps_err *err)
{
	int rc = sql_next(tx, q, err);

	*out = rc > 0 && !sql_is_null(q, 0) ? sql_int(q, 0) : fallback;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static const char turn_sql[] = "SELECT turn FROM turn WHERE line = ? AND repository = ?";

/* One for each priority and group: turns of two of them say nothing about each other. */
static char *turns_of(enum line line, const char *group, int64_t priority)
{
	return xasprintf("%s %lld %s", lines[line].kind, (long long)priority, group);
}

int line_turns(struct store_tx *tx, enum line line, const char *group, int64_t priority,
	       int64_t repository, struct line_turns *out, struct ps_err *err)
{
	char *name = turns_of(line, group, priority);
	int rc = number(tx, sql_query(tx, err, turn_sql, "ti", name, (int64_t)0), 0, &out->at, err);

	if (rc == 0)
		rc = number(tx, sql_query(tx, err, turn_sql, "ti", name, repository), -1, &out->served, err);
	if (rc == 0)
		rc = number(tx, sql_query(tx, err, lines[line].waiting, "iit", repository, priority, group), -1,
			    &out->waiting, err);
	free(name);
	return rc;
}

int line_enter(struct store_tx *tx, enum line line, int64_t id, int64_t priority, int64_t turn, struct ps_err *err)
{
	int rc = sql_run(tx, err, lines[line].enter, "iii", priority, turn, id);

	return rc < 0 ? rc : 0;
}

int line_served(struct store_tx *tx, enum line line, const char *group, const struct line_row *r,
		int64_t at, struct ps_err *err)
{
	static const char put[] =
		"INSERT INTO turn (line, repository, turn) VALUES (?, ?, ?)"
		" ON CONFLICT (line, repository) DO UPDATE SET turn = excluded.turn WHERE turn.turn < excluded.turn";
	char *name = turns_of(line, group, r->priority);
	int rc = sql_run(tx, err, put, "tii", name, (int64_t)0, at);

	if (rc >= 0)
		rc = sql_run(tx, err, put, "tii", name, r->repository, r->turn);
	/* who was served before this turn enters at it anyway */
	if (rc >= 0)
		rc = sql_run(tx, err, "DELETE FROM turn WHERE line = ? AND turn < ? AND repository > 0", "ti", name, at);
	free(name);
	return rc < 0 ? rc : 0;
}

int line_bump(struct store_tx *tx, enum line line, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, lines[line].bump, "ii", clock_wall_ms(), id);

	return rc == 0 ? ps_err_set(err, PS_ENOENT, "no such %s is %s", lines[line].kind, lines[line].state) :
		rc < 0 ? rc : 0;
}

char *wait_place(enum line line, const char *place)
{
	return xasprintf("%s%s%s", lines[line].kind, *place ? " " : "", place);
}

int wait_set(struct store_tx *tx, const char *place, const struct wait *w, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO wait (place, reason, detail, blocked_by, lift, next_try_ms, since_ms)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (place) DO UPDATE SET"
			 " since_ms = CASE WHEN wait.reason = excluded.reason THEN wait.since_ms ELSE excluded.since_ms END,"
			 " reason = excluded.reason, detail = excluded.detail, blocked_by = excluded.blocked_by,"
			 " lift = excluded.lift, next_try_ms = excluded.next_try_ms"
			 " WHERE wait.reason <> excluded.reason OR COALESCE(wait.detail, '') <> COALESCE(excluded.detail, '')"
			 " OR COALESCE(wait.blocked_by, '') <> COALESCE(excluded.blocked_by, '')"
			 " OR COALESCE(wait.lift, '') <> COALESCE(excluded.lift, '')"
			 " OR wait.next_try_ms <> excluded.next_try_ms",
			 "ttttt" "ii", place, w->reason, w->detail, w->blocked_by, w->lift, w->next_try_ms,
			 clock_wall_ms());

	return rc < 0 ? rc : 0;
}

int wait_clear(struct store_tx *tx, const char *place, struct ps_err *err)
{
	int rc = sql_run(tx, err, "DELETE FROM wait WHERE place = ?", "t", place);

	return rc < 0 ? rc : 0;
}

int waits_prune(struct store_tx *tx, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "DELETE FROM wait WHERE"
			 " (place = 'build' AND NOT EXISTS (SELECT 1 FROM build WHERE state = 'queued'))"
			 " OR (place LIKE 'run %' AND NOT EXISTS"
			 " (SELECT 1 FROM run WHERE state = 'queued' AND fabric = substr(place, 5)))"
			 " OR (place LIKE 'deployment %' AND NOT EXISTS"
			 " (SELECT 1 FROM deployment WHERE state = 'waiting' AND gate = '' AND environment = substr(place, 12)))"
			 " OR (place = '" WAIT_TOOLCHAIN "' AND NOT EXISTS"
			 " (SELECT 1 FROM demand WHERE state = 'waiting' AND toolchain IS NULL AND wants IS NULL))"
			 " OR (place LIKE '" WAIT_TOOLCHAIN " %' AND NOT EXISTS"
			 " (SELECT 1 FROM demand WHERE wants = substr(place, 11)))"
			 " OR (place = '" WAIT_SURVEY "' AND NOT EXISTS"
			 " (SELECT 1 FROM event WHERE state = 'open' AND surveyed = 0))", "");

	return rc < 0 ? rc : 0;
}
