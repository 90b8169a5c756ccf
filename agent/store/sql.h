/*
 * sql – statements for the files of agent/store, and for nobody else.
 *
 * types: one letter per bound value: i int64_t, t const char * (NULL binds NULL), n nothing (NULL).
 *
 *	sqlite3_stmt *q = sql_query(tx, err, "SELECT id, key FROM build WHERE state = ?", "t", "queued");
 *	while ((rc = sql_next(tx, q, err)) > 0)
 *		use(sql_int(q, 0), sql_text(q, 1));
 *	sql_done(q);
 *
 * sql_query never returns NULL where it matters: with NULL, sql_next returns the error that err has.
 */
#ifndef PS_SQL_H
#define PS_SQL_H

#include <sqlite3.h>

#include "agent/store/store.h"

sqlite3_stmt *sql_query(struct store_tx *tx, struct ps_err *err, const char *sql, const char *types, ...);
sqlite3_stmt *sql_vquery(struct store_tx *tx, struct ps_err *err, const char *sql, const char *types,
			 va_list ap);
/* A statement that takes n texts; NULL binds NULL. */
sqlite3_stmt *sql_query_texts(struct store_tx *tx, struct ps_err *err, const char *sql,
			      const char *const *v, size_t n);
/* 1: a row is there, 0: the end, negative: PS_ESTORE. */
int sql_next(struct store_tx *tx, sqlite3_stmt *q, struct ps_err *err);
int64_t sql_int(sqlite3_stmt *q, int col);		/* NULL reads as 0 */
const char *sql_text(sqlite3_stmt *q, int col);		/* until the next step; NULL for NULL */
bool sql_is_null(sqlite3_stmt *q, int col);
void sql_done(sqlite3_stmt *q);				/* NULL is fine; statements are cached */
/* Runs a statement that gives no rows. Returns the number of changed rows or PS_ESTORE. */
int sql_run(struct store_tx *tx, struct ps_err *err, const char *sql, const char *types, ...) PS_MUSTCHECK;
/* The id the last INSERT made. */
int64_t sql_last_id(struct store_tx *tx);

/*
 * What this connection has done since it was opened, for tests: a bound on the work of a pass or a
 * view is a count here, never a time. steps: of the database's own machine, so it grows with rows
 * that are looked at and not returned.
 */
struct sql_cost { int64_t statements, rows, changes, steps; };
struct sql_cost sql_cost(struct store_tx *tx);

#endif
