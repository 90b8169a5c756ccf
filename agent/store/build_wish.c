/* build_wish – see build_wish.h. */
#include "config.h"

#include "agent/store/build_wish.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_build(kind, name) ROWS_COL(build, kind, name)
ROWS_SHAPE(build, "build", BUILD_COLS)

int build_renew(struct store_tx *tx, const struct build *of, const char *by, int64_t *id, bool *made,
		struct ps_err *err)
{
	struct build live = { 0 }, copy = *of;
	int rc = build_by_key(tx, of->key, &live, err);

	*id = live.id;
	*made = rc == PS_ENOENT;
	build_clear(&live);
	if (!*made)
		return rc;
	rc = build_insert(tx, &copy, err);
	*id = copy.id;
	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE build SET retry_of = ?, asked_by = ? WHERE id = ?", "iti", of->id, by,
			     copy.id);
	return rc < 0 ? rc : 0;
}

int build_compare(struct store_tx *tx, const struct build *of, const char *by, int64_t *id, struct ps_err *err)
{
	int64_t now = clock_wall_ms();
	int rc = sql_run(tx, err,
			 "INSERT INTO build (key, repository, project, commit_oid, pipeline, spec, state, since_ms, slot,"
			 " fence, lease_ms, toolchain, prefix, created_ms, asked_by, check_of)"
			 " SELECT key, repository, project, commit_oid, pipeline, spec, 'queued', ?, -1, 0, 0, toolchain,"
			 " prefix, ?, ?, id FROM build WHERE id = ?", "iiti", now, now, by, of->id);

	*id = rc > 0 ? sql_last_id(tx) : 0;
	return rc < 0 ? rc : 0;
}

int build_relink(struct store_tx *tx, int64_t demand, int64_t from, int64_t to, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE demand_build SET build = ? WHERE demand = ? AND build = ?", "iii", to,
			 demand, from);

	if (rc >= 0)		/* as build_link() */
		rc = sql_run(tx, err, "UPDATE build SET cancel = NULL, told = 0 WHERE id = ? AND cancel = ?", "it", to,
			     BUILD_UNWANTED);
	return rc < 0 ? rc : 0;
}

int build_bumped(struct store_tx *tx, int64_t id, const char *by, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE build SET bumped_by = ? WHERE id = ?", "ti", by, id);

	return rc < 0 ? rc : 0;
}

int build_sealed(struct store_tx *tx, const char *key, int64_t except, char **digest, struct ps_err *err)
{
	struct build b = { 0 };
	int rc = rows_one(tx, &build_shape, &b, err,
			  "WHERE id = (SELECT MIN(id) FROM build WHERE key = ? AND id <> ? AND state = 'passed'"
			  " AND digest IS NOT NULL AND check_of = 0)", "ti", key, except);

	*digest = rc == 0 ? xstrdup(b.digest) : NULL;
	build_clear(&b);
	return rc == PS_ENOENT ? 0 : rc;
}

int build_comparing(struct store_tx *tx, int64_t of, struct build *out, struct ps_err *err)
{
	return rows_one(tx, &build_shape, out, err, "WHERE id = (SELECT MIN(id) FROM build WHERE check_of = ?"
			" AND state IN ('queued', 'claimed', 'running'))", "i", of);
}

int build_passed(struct store_tx *tx, const char *key, struct build *out, struct ps_err *err)
{
	char *like = xasprintf("%s%%", key);
	struct builds l = { NULL, 0 };
	int rc = rows_select(tx, &build_shape, &l, err,
			     "WHERE key LIKE ? AND state = 'passed' AND check_of = 0 ORDER BY id LIMIT 2", "t", like);

	if (rc == 0 && !l.n)
		rc = ps_err_set(err, PS_ENOENT, "no build of key '%s' has passed", key);
	if (rc == 0 && l.n > 1)
		rc = ps_err_set(err, PS_EINVAL, "'%s' is the beginning of more than one key; give more of it", key);
	if (rc == 0) {
		*out = l.v[0];
		memset(&l.v[0], 0, sizeof(l.v[0]));
	}
	builds_clear(&l);
	free(like);
	return rc;
}

int builds_of_demand_alone(struct store_tx *tx, int64_t demand, struct builds *out, struct ps_err *err)
{
	return rows_select(tx, &build_shape, out, err,
			   "WHERE state IN ('queued', 'claimed', 'running') AND check_of = 0"
			   " AND id IN (SELECT build FROM demand_build WHERE demand = ?)"
			   " AND NOT EXISTS (SELECT 1 FROM demand_build AS x JOIN demand AS d ON d.id = x.demand"
			   " WHERE x.build = build.id AND d.id <> ? AND d.state IN ('waiting', 'active')) ORDER BY id",
			   "ii", demand, demand);
}
