/* sql – see sql.h. Statements are prepared once per connection and found again by their text. */
#include "config.h"

#include "agent/store/sql.h"

#include <errno.h>

#include "agent/store/tx.h"

enum { SLOTS_MAX = 512 };	/* more texts than the program has: somebody builds SQL by hand */

static _Thread_local struct store_tx *here;	/* each connection belongs to one thread */

int tx_error(struct store_tx *tx, struct ps_err *err, const char *what, ...)
{
	char head[256];
	va_list ap;
	bool bad;

	va_start(ap, what);
	vsnprintf(head, sizeof(head), what, ap);
	va_end(ap);
	if (sqlite3_errcode(tx->db) == SQLITE_FULL ||
	    ((sqlite3_errcode(tx->db) & 0xff) == SQLITE_IOERR && sqlite3_system_errno(tx->db) == ENOSPC))
		tx->full = true;
	bad = sqlite3_errcode(tx->db) == SQLITE_CORRUPT || sqlite3_errcode(tx->db) == SQLITE_NOTADB;
	return ps_err_set(err, PS_ESTORE, "%s: %s%s", head, sqlite3_errmsg(tx->db),
			  bad ? "; it is damaged, restore a backup" : "");
}

int tx_exec(struct store_tx *tx, const char *sql, struct ps_err *err)
{
	if (sqlite3_exec(tx->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return tx_error(tx, err, "the store refused '%.40s'", sql);
	return 0;
}

void tx_enter(struct store_tx *tx)
{
	here = tx;
}

void tx_release_all(struct store_tx *tx)
{
	for (size_t i = 0; i < tx->n; i++)
		if (tx->slots[i].taken)
			sql_done(tx->slots[i].stmt);
}

void tx_clear(struct store_tx *tx)
{
	for (size_t i = 0; i < tx->n; i++)
		sqlite3_finalize(tx->slots[i].stmt);
	PS_FREE(tx->slots);
	tx->n = tx->cap = 0;
	sqlite3_close(tx->db);
	tx->db = NULL;
}

static uint64_t text_hash(const char *s)
{
	uint64_t h = 14695981039346656037ull;

	while (*s)
		h = (h ^ (unsigned char)*s++) * 1099511628211ull;
	return h;
}

static sqlite3_stmt *take(struct store_tx *tx, const char *sql, struct ps_err *err)
{
	uint64_t h = text_hash(sql);
	sqlite3_stmt *stmt = NULL;

	for (size_t i = 0; i < tx->n; i++) {
		struct stmt_slot *s = &tx->slots[i];

		if (s->hash == h && !s->taken && strcmp(sqlite3_sql(s->stmt), sql) == 0) {
			s->taken = true;
			return s->stmt;
		}
	}
	PS_BUG_IF(tx->n >= SLOTS_MAX, "more than %d different statements: '%s'", SLOTS_MAX, sql);
	if (sqlite3_prepare_v3(tx->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
		tx_error(tx, err, "the store does not understand '%.120s'", sql);
		return NULL;
	}
	tx->slots = xgrow(tx->slots, tx->n, &tx->cap, sizeof(*tx->slots));
	tx->slots[tx->n++] = (struct stmt_slot) { .stmt = stmt, .hash = h, .taken = true };
	return stmt;
}

int tx_step(struct store_tx *tx, const char *sql, struct ps_err *err)
{
	sqlite3_stmt *q = take(tx, sql, err);
	int rc = q ? 0 : PS_ESTORE;

	if (q && sqlite3_step(q) != SQLITE_DONE)
		rc = tx_error(tx, err, "the store refused '%.40s'", sql);
	sql_done(q);
	return rc;
}

static int bind_all(sqlite3_stmt *q, const char *sql, const char *types, va_list ap)
{
	int want = sqlite3_bind_parameter_count(q), rc = SQLITE_OK;

	PS_BUG_IF((size_t)want != strlen(types), "'%s' takes %d values, not '%s'", sql, want, types);
	for (int i = 0; rc == SQLITE_OK && types[i]; i++) {
		switch (types[i]) {
		case 'i':
			rc = sqlite3_bind_int64(q, i + 1, va_arg(ap, int64_t));
			break;
		case 't':
			rc = sqlite3_bind_text(q, i + 1, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
			break;
		case 'n':
			rc = sqlite3_bind_null(q, i + 1);
			break;
		default:
			ps_bug(__FILE__, __LINE__, "unknown type '%c' for '%s'", types[i], sql);
		}
	}
	return rc;
}

sqlite3_stmt *sql_vquery(struct store_tx *tx, struct ps_err *err, const char *sql, const char *types,
			 va_list ap)
{
	sqlite3_stmt *q = take(tx, sql, err);

	tx->cost.statements++;
	if (q && bind_all(q, sql, types, ap) != SQLITE_OK) {
		tx_error(tx, err, "the store does not take a value of '%.120s'", sql);
		sql_done(q);
		q = NULL;
	}
	return q;
}

sqlite3_stmt *sql_query(struct store_tx *tx, struct ps_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *q;
	va_list ap;

	va_start(ap, types);
	q = sql_vquery(tx, err, sql, types, ap);
	va_end(ap);
	return q;
}

sqlite3_stmt *sql_query_texts(struct store_tx *tx, struct ps_err *err, const char *sql,
			      const char *const *v, size_t n)
{
	sqlite3_stmt *q = take(tx, sql, err);
	int rc = SQLITE_OK;

	tx->cost.statements++;
	PS_BUG_IF(q && (size_t)sqlite3_bind_parameter_count(q) != n, "'%s' does not take %zu texts",
		  sql, n);
	for (size_t i = 0; q && rc == SQLITE_OK && i < n; i++)
		rc = sqlite3_bind_text(q, (int)i + 1, v[i], -1, SQLITE_TRANSIENT);
	if (rc != SQLITE_OK) {
		tx_error(tx, err, "the store does not take a text of '%.120s'", sql);
		sql_done(q);
		q = NULL;
	}
	return q;
}

int sql_next(struct store_tx *tx, sqlite3_stmt *q, struct ps_err *err)
{
	if (!q)
		return err && err->code ? err->code : PS_ESTORE;
	switch (sqlite3_step(q)) {
	case SQLITE_ROW:
		tx->cost.rows++;
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		return tx_error(tx, err, "the store refused '%.120s'", sqlite3_sql(q));
	}
}

int64_t sql_int(sqlite3_stmt *q, int col)
{
	return sqlite3_column_int64(q, col);
}

const char *sql_text(sqlite3_stmt *q, int col)
{
	return (const char *)sqlite3_column_text(q, col);
}

bool sql_is_null(sqlite3_stmt *q, int col)
{
	return sqlite3_column_type(q, col) == SQLITE_NULL;
}

void sql_done(sqlite3_stmt *q)
{
	if (!q)
		return;
	here->cost.steps += sqlite3_stmt_status(q, SQLITE_STMTSTATUS_VM_STEP, 1);
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	for (size_t i = 0; i < here->n; i++)
		if (here->slots[i].stmt == q)
			here->slots[i].taken = false;
}

int sql_run(struct store_tx *tx, struct ps_err *err, const char *sql, const char *types, ...)
{
	sqlite3_stmt *q;
	va_list ap;
	int rc;

	va_start(ap, types);
	q = sql_vquery(tx, err, sql, types, ap);
	va_end(ap);
	rc = sql_next(tx, q, err);
	PS_BUG_IF(rc > 0, "'%s' gives rows", sql);
	if (rc == 0)
		rc = sqlite3_changes(tx->db);
	sql_done(q);
	return rc;
}

struct sql_cost sql_cost(struct store_tx *tx)
{
	struct sql_cost c = tx->cost;

	c.changes = sqlite3_total_changes(tx->db);
	return c;
}

int64_t sql_last_id(struct store_tx *tx)
{
	return sqlite3_last_insert_rowid(tx->db);
}
