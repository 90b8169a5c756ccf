/* repository – see repository.h. */
#include "config.h"

#include "agent/store/repository.h"

#include <sys/stat.h>

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_repository(kind, name) ROWS_COL(repository, kind, name)
ROWS_SHAPE(repository, "repository", REPOSITORY_COLS)

#define ROWS_COL_ref(kind, name) ROWS_COL(ref, kind, name)
ROWS_SHAPE(ref, "ref", REF_COLS)

int repository_get(struct store_tx *tx, int64_t id, struct repository *out, struct ps_err *err)
{
	return rows_one(tx, &repository_shape, out, err, "WHERE id = ?", "i", id);
}

int repository_by_path(struct store_tx *tx, const char *path, struct repository *out, struct ps_err *err)
{
	return rows_one(tx, &repository_shape, out, err, "WHERE path = ? ORDER BY id LIMIT 1", "t", path);
}

int repository_by_name(struct store_tx *tx, const char *name, struct repository *out, struct ps_err *err)
{
	return rows_one(tx, &repository_shape, out, err,
			"WHERE name = ? AND path <> '' ORDER BY id LIMIT 1", "t", name);
}

/* One folder by two names (two mounts), or one of them gone: not a copy. */
static bool may_be_one(const char *was, const char *is)
{
	struct stat a, b;

	if (!*was || strcmp(was, is) == 0 || stat(was, &a) < 0)
		return true;
	return stat(is, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int follow(struct store_tx *tx, const struct repository *r, const char *path, const char *name,
		  struct ps_err *err)
{
	int rc = 0;

	if (!may_be_one(r->path, path))
		return ps_err_set(err, PS_ECONFLICT, "'%s' has the penstock.id of '%s': it is a copy; "
				  "run: penstock install --new-id %s", path, r->path, path);
	if (strcmp(r->path, path) != 0 || strcmp(r->name, name) != 0 || r->gone_ms)
		rc = sql_run(tx, err, "UPDATE repository SET path = ?, name = ?, gone_ms = 0 WHERE id = ?", "tti",
			     path, name, r->id);
	return rc < 0 ? rc : 0;
}

int repository_put(struct store_tx *tx, const char *uid, const char *path, const char *name,
		   struct repository *out, struct ps_err *err)
{
	struct repository r = { 0 };
	int rc = rows_one(tx, &repository_shape, &r, NULL, "WHERE uid = ?", "t", uid);

	if (rc == 0)
		rc = follow(tx, &r, path, name, err);
	else if (rc == PS_ENOENT)
		rc = sql_run(tx, err, "INSERT INTO repository (uid, path, name, adopted_ms) VALUES (?, ?, ?, 0)",
			     "ttt", uid, path, name);
	else
		ps_err_set(err, rc, "the store cannot be read");
	if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE repository SET path = '' WHERE path = ? AND uid <> ?", "tt", path, uid);
	repository_clear(&r);
	return rc < 0 ? rc : rows_one(tx, &repository_shape, out, err, "WHERE uid = ?", "t", uid);
}

int repositories_all(struct store_tx *tx, struct repositories *out, struct ps_err *err)
{
	return rows_select(tx, &repository_shape, out, err, "WHERE path <> '' ORDER BY id", "");
}

int repository_adopted(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE repository SET adopted_ms = ? WHERE id = ? AND adopted_ms = 0", "ii",
			 clock_wall_ms(), id);

	return rc < 0 ? rc : 0;
}

int repository_gone(struct store_tx *tx, const char *path, int64_t ms, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE repository SET gone_ms = ? WHERE path = ?", "it", ms, path);

	return rc < 0 ? rc : 0;
}

int repository_forget(struct store_tx *tx, const char *path, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE repository SET path = '' WHERE path = ?", "t", path);

	return rc < 0 ? rc : 0;
}

int repository_taken(struct store_tx *tx, const char *path, const char *by, int64_t ms, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE repository SET taken_ms = ?, taken_by = ? WHERE path = ?", "itt",
			 by ? ms : (int64_t)0, by, path);

	return rc < 0 ? rc : 0;
}

char *repository_stands(const struct repository *r)
{
	char since[CLOCK_TEXT];

	if (r->gone_ms)
		return xasprintf("repository %s is gone since %s: '%s' is not there, see penstock status", r->name,
				 clock_text(since, r->gone_ms), r->path);
	if (r->taken_ms)
		return xasprintf("repository %s is taken by another agent since %s, %s: stop that agent, or take '%s' "
				 "out of repositories.roots of one of the two", r->name, clock_text(since, r->taken_ms),
				 r->taken_by ? r->taken_by : "unknown", r->path);
	return NULL;
}

void repository_clear(struct repository *r)
{
	rows_clear_one(&repository_shape, r);
}

void repositories_clear(struct repositories *l)
{
	rows_clear(&repository_shape, l);
}

int ref_get(struct store_tx *tx, int64_t repository, const char *name, struct ref *out, struct ps_err *err)
{
	return rows_one(tx, &ref_shape, out, err, "WHERE repository = ? AND name = ?", "it", repository, name);
}

int refs_of(struct store_tx *tx, int64_t repository, struct refs *out, struct ps_err *err)
{
	return rows_select(tx, &ref_shape, out, err, "WHERE repository = ? ORDER BY name", "i", repository);
}

int ref_baseline(struct store_tx *tx, int64_t repository, const char *name, const char *value,
		 const char *boot, int64_t stamp, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO ref (repository, name, tail, seq, boot, stamp, born_boot, born, log_size)"
			 " VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?)", "itttiti" "i", repository, name, value, boot, stamp, boot,
			 stamp, value[strspn(value, "0")] ? (int64_t)-1 : (int64_t)0);	/* what is not there has no log */

	return rc < 0 ? rc : 0;
}

int ref_set_read(struct store_tx *tx, int64_t repository, const char *name, const char *boot, int64_t stamp,
		 struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE ref SET read_boot = ?, read_stamp = ? WHERE repository = ? AND name = ?",
			 "tiit", boot, stamp, repository, name);

	return rc < 0 ? rc : 0;
}

int ref_set_log(struct store_tx *tx, int64_t repository, const char *name, int64_t size, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE ref SET log_size = ?, log_seq = seq WHERE repository = ? AND name = ?", "iit",
			 size, repository, name);

	return rc < 0 ? rc : 0;
}

int alias_put(struct store_tx *tx, int64_t repository, const char *name, const char *target, struct ps_err *err)
{
	int rc = sql_run(tx, err, "INSERT INTO alias (repository, name, target) VALUES (?, ?, ?)"
			 " ON CONFLICT (repository, name) DO UPDATE SET target = excluded.target", "itt",
			 repository, name, target);

	return rc < 0 ? rc : 0;
}

int alias_target(struct store_tx *tx, int64_t repository, const char *name, char **target, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT target FROM alias WHERE repository = ? AND name = ?", "it",
				    repository, name);
	int rc = sql_next(tx, q, err);

	*target = rc > 0 ? xstrdup(sql_text(q, 0)) : NULL;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

void ref_clear(struct ref *r)
{
	rows_clear_one(&ref_shape, r);
}

void refs_clear(struct refs *l)
{
	rows_clear(&ref_shape, l);
}
