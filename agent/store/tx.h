/*
 * tx – what store.c, sql.c, migrate.c and backup.c share: the inside of a connection. For these alone.
 */
#ifndef PS_STORE_TX_H
#define PS_STORE_TX_H

#include <sqlite3.h>

#include "agent/store/sql.h"

enum { STORE_SCHEMA = 5 };	/* the version migrate.c ends at */

struct stmt_slot {
	sqlite3_stmt *stmt;
	uint64_t hash;		/* of its text */
	bool taken;		/* between sql_query and sql_done */
};

struct store_tx {
	sqlite3 *db;
	struct stmt_slot *slots;
	size_t n, cap;
	bool full;		/* a statement found the disk full; the writer's to look at */
	bool audited;		/* rows for the audit came: audit.head is behind */
	struct sql_cost cost;
};

extern const char store_schema_sql[], store_schema_2_sql[], store_schema_3_sql[],
	store_schema_4_sql[], store_schema_5_sql[];

/* The message of SQLite behind `what`; always PS_ESTORE. */
int tx_error(struct store_tx *tx, struct ps_err *err, const char *what, ...) PS_PRINTF(3, 4);
/* Runs statements without parameters. */
int tx_exec(struct store_tx *tx, const char *sql, struct ps_err *err) PS_MUSTCHECK;
/* Runs one statement of those that every batch has: prepared once, as those of sql.h. */
int tx_step(struct store_tx *tx, const char *sql, struct ps_err *err) PS_MUSTCHECK;
/* Names the connection that sql_done() on this thread gives its statements back to. */
void tx_enter(struct store_tx *tx);
/* Gives back what a run function forgot. */
void tx_release_all(struct store_tx *tx);
void tx_clear(struct store_tx *tx);
/* Brings the file to STORE_SCHEMA, or says why it cannot be used. */
int store_migrate(struct store_tx *tx, const char *path, struct ps_err *err) PS_MUSTCHECK;

#endif
