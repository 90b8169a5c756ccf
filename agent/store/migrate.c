/* migrate – brings a store to the schema this program knows, one transaction per version; never
 * touches one that is newer, foreign or damaged. */
#include "config.h"

#include <stdlib.h>

#include "agent/store/sql.h"
#include "agent/store/tx.h"
#include "common/base/failpoint.h"

/* steps[v] leads from version v to v + 1; the first makes a new store. */
static const char *const steps[STORE_SCHEMA] = {
	store_schema_sql,
	store_schema_2_sql,
	store_schema_3_sql,
	store_schema_4_sql,
	store_schema_5_sql,
};

static int one_text(struct store_tx *tx, const char *sql, char *out, size_t size, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, sql, "");
	int rc = sql_next(tx, q, err);

	if (rc > 0)
		snprintf(out, size, "%s", sql_text(q, 0) ? sql_text(q, 0) : "");
	sql_done(q);
	return rc;
}

/* The version of the file: 0 for one without tables. */
static int version_of(struct store_tx *tx, const char *path, struct ps_err *err)
{
	char text[256], *end;
	long v;
	int rc = one_text(tx, "SELECT name FROM sqlite_master WHERE name = 'meta'", text, sizeof(text), err);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		rc = one_text(tx, "SELECT name FROM sqlite_master LIMIT 1", text, sizeof(text), err);
		return rc > 0 ? ps_err_set(err, PS_ESTORE, "'%s' is a database of something else", path) : rc;
	}
	rc = one_text(tx, "SELECT value FROM meta WHERE name = 'schema'", text, sizeof(text), err);
	if (rc < 0)
		return rc;
	v = rc > 0 ? strtol(text, &end, 10) : 0;
	if (v < 1 || v > 1000000 || *end)
		return ps_err_set(err, PS_ESTORE, "the store '%s' does not say its schema", path);
	return (int)v;
}

static int check_integrity(struct store_tx *tx, const char *path, struct ps_err *err)
{
	char text[256] = "";
	int rc = one_text(tx, "PRAGMA quick_check(1)", text, sizeof(text), err);

	if (rc >= 0 && strcmp(text, "ok") != 0)
		rc = ps_err_set(err, PS_ESTORE, "the store '%s' is damaged, restore a backup: %s", path, text);
	return rc < 0 ? rc : 0;
}

static int step_up(struct store_tx *tx, int from, struct ps_err *err)
{
	char version[16];
	int rc = tx_exec(tx, "BEGIN IMMEDIATE", err);

	if (rc < 0)
		return rc;
	snprintf(version, sizeof(version), "%d", from + 1);
	rc = tx_exec(tx, steps[from], err);
	if (rc == 0)
		rc = sql_run(tx, err, "INSERT INTO meta (name, value) VALUES ('schema', ?)"
			     " ON CONFLICT (name) DO UPDATE SET value = excluded.value", "t", version);
	if (rc >= 0 && FAIL_AT("store.migrate"))
		rc = ps_err_errno(err, "cannot commit");
	if (rc >= 0)
		rc = tx_exec(tx, "COMMIT", err);
	if (rc < 0 && !sqlite3_get_autocommit(tx->db))
		sqlite3_exec(tx->db, "ROLLBACK", NULL, NULL, NULL);	/* the first error counts */
	return rc;
}

int store_migrate(struct store_tx *tx, const char *path, struct ps_err *err)
{
	int v = version_of(tx, path, err), rc;

	if (v < 0)
		return v;
	if (v > STORE_SCHEMA)
		return ps_err_set(err, PS_ESTORE, "the store '%s' has schema %d and this program knows %d: "
				  "start the newer penstock", path, v, STORE_SCHEMA);
	rc = v ? check_integrity(tx, path, err) : 0;
	for (; rc == 0 && v < STORE_SCHEMA; v++) {
		rc = step_up(tx, v, err);
		if (rc < 0)
			ps_err_prefix(err, "cannot bring the store '%s' to schema %d", path, v + 1);
	}
	return rc;
}
