/* release – see release.h. */
#include "config.h"

#include "agent/store/release.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_release(kind, name) ROWS_COL(release, kind, name)
ROWS_SHAPE(release, "release", RELEASE_COLS)
#define ROWS_COL_label(kind, name) ROWS_COL(label, kind, name)
ROWS_SHAPE(label, "label", LABEL_COLS)

int release_put(struct store_tx *tx, const struct release *r, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO release (id, project, manifest, created_ms, signature, signed_by)"
			 " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET manifest = excluded.manifest,"
			 " signature = excluded.signature, signed_by = excluded.signed_by WHERE excluded.signature"
			 " IS NOT NULL AND (release.signature IS NULL OR release.signed_by <> excluded.signed_by)",
			 "tttitt", r->id, r->project, r->manifest, clock_wall_ms(), r->signature, r->signed_by);

	return rc < 0 ? rc : 0;
}

int release_sign(struct store_tx *tx, const char *id, const char *signature, const char *signed_by, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE release SET signature = ?, signed_by = ? WHERE id = ? AND signature IS NULL",
			 "ttt", signature, signed_by, id);

	return rc < 0 ? rc : 0;
}

int releases_unsigned(struct store_tx *tx, size_t n, struct releases *out, struct ps_err *err)
{
	*out = (struct releases) { NULL, 0 };
	return rows_select(tx, &release_shape, out, err, "WHERE signature IS NULL ORDER BY id LIMIT ?", "i", (int64_t)n);
}

int release_get(struct store_tx *tx, const char *id, struct release *out, struct ps_err *err)
{
	return rows_one(tx, &release_shape, out, err, "WHERE id = ?", "t", id);
}

int label_put(struct store_tx *tx, struct label *l, struct ps_err *err)
{
	struct label there = { 0 };
	int rc = rows_one(tx, &label_shape, &there, err, "WHERE release = ? AND event = ?", "ti",
			  l->release, l->event);

	if (rc == 0) {
		l->id = there.id;
		label_clear(&there);
		return 0;
	}
	if (rc != PS_ENOENT)
		return rc;
	rc = sql_run(tx, err,
		     "INSERT INTO label (release, repository, project, ref, commit_oid, version, event, pusher, created_ms)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", "tittttiti", l->release, l->repository, l->project,
		     l->ref, l->commit_oid, l->version, l->event, l->pusher, clock_wall_ms());
	if (rc < 0)
		return rc;
	l->id = sql_last_id(tx);
	return 0;
}

int label_of(struct store_tx *tx, const char *release, int64_t event, struct label *out, struct ps_err *err)
{
	return rows_one(tx, &label_shape, out, err, "WHERE release = ? AND event = ?", "ti", release, event);
}

int label_get(struct store_tx *tx, int64_t id, struct label *out, struct ps_err *err)
{
	return rows_one(tx, &label_shape, out, err, "WHERE id = ?", "i", id);
}

int label_of_another(struct store_tx *tx, int64_t repository, const char *ref, const char *commit, bool *is,
		     struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT 1 FROM label WHERE repository = ? AND ref = ? AND commit_oid <> ?"
				    " LIMIT 1", "itt", repository, ref, commit);
	int rc = sql_next(tx, q, err);

	*is = rc > 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

void releases_clear(struct releases *l)
{
	rows_clear(&release_shape, l);
}

void release_clear(struct release *r)
{
	rows_clear_one(&release_shape, r);
}

int labels_newest(struct store_tx *tx, int64_t limit, struct labels *out, struct ps_err *err)
{
	return rows_select(tx, &label_shape, out, err, "ORDER BY id DESC LIMIT ?", "i", limit);
}

void labels_clear(struct labels *l)
{
	rows_clear(&label_shape, l);
}

void label_clear(struct label *l)
{
	rows_clear_one(&label_shape, l);
}
