/*
 * view_put – columns to JSON members; shared by the files view_*.c and for nobody else.
 */
#ifndef PS_VIEW_PUT_H
#define PS_VIEW_PUT_H

#include "agent/store/sql.h"
#include "agent/store/view.h"

/* Text from the store may be any bytes (a ref's name): what is not UTF-8 is escaped. NULL is
 * null. */
json_t *view_text(const char *s);
/* A member as text; "" when it is not there or none. */
const char *get_text(const json_t *o, const char *key);
void put_text(json_t *o, const char *key, const char *s);
void put_id(json_t *o, const char *key, char kind, int64_t n);		/* 0 is null */
void put_release(json_t *o, const char *key, const char *id);		/* its first 12 digits */
void put_time(json_t *o, const char *key, sqlite3_stmt *q, int col);
/* ended - started in ms as took_ms; null while either is missing. */
void put_took(json_t *o, sqlite3_stmt *q, int started, int ended);
json_t *put_line(json_t *array, const char *fmt, ...) PS_PRINTF(2, 3);

size_t view_limit(const struct view_ask *a);
/*
 * Steps through q and appends one_row(q) for each row, at most max; frees q. Returns 0 or
 * PS_ESTORE. *more (may be NULL) tells that there were more.
 */
int view_rows(struct store_tx *tx, sqlite3_stmt *q, json_t *items, size_t max, bool *more,
	      json_t *(*one_row)(sqlite3_stmt *q), struct ps_err *err) PS_MUSTCHECK;
/* The same as {"items": ..., "more": ...}. */
int view_list(struct store_tx *tx, sqlite3_stmt *q, const struct view_ask *a,
	      json_t *(*one_row)(sqlite3_stmt *q), json_t **out, struct ps_err *err) PS_MUSTCHECK;
/* Exactly one row, or PS_ENOENT "no such <what> 'id'". */
int view_one(struct store_tx *tx, sqlite3_stmt *q, const char *what, const char *id,
	     json_t *(*one_row)(sqlite3_stmt *q), json_t **out, struct ps_err *err) PS_MUSTCHECK;
/* The number in "b31"; PS_EINVAL says how an id of this kind looks. */
int view_number(const char *id, char kind, int64_t *n, struct ps_err *err) PS_MUSTCHECK;

/* What a wait reason means and the command that lifts it, or shows what would. */
struct wait_reason { const char *word, *means, *lift; };
const struct wait_reason *wait_reason(const char *word);	/* NULL: not one of them */

/*
 * What a person must know of what waits (view_wait.c). A row that waits has a member `place`
 * (line.h); here it becomes reason, detail, blocked_by, since, ahead and lift, none of them missing,
 * and goes. Rows with a detail that do not wait get the last three as null. A handful of statements for all of
 * them, whatever waits.
 */
int view_add_waits(struct store_tx *tx, json_t *rows, struct ps_err *err) PS_MUSTCHECK;
/* The same for one row that waits for itself alone, by words that are its own. */
void put_wait(json_t *row, const char *reason, const char *detail, const char *blocked_by,
	      const char *lift);
/* A waiting deployment: what its own gate says, or its place. gate: number of the first of the columns gate,
 * blocked_by and lift; detail: of that one. */
void put_gate(json_t *row, sqlite3_stmt *q, const char *place, int detail, int gate);
/* Lets a node that waits for another thing say what that thing says. */
void copy_wait(json_t *to, const json_t *from);
void put_place(json_t *row, bool waits, const char *kind, const char *place);

/* Rows of the nouns, with the columns of these texts in front of "FROM". */
extern const char event_sql[], build_sql[], deployment_sql[], run_sql[];
/* Labels of a release, newest first. */
int view_labels(struct store_tx *tx, const char *release, json_t *labels, struct ps_err *err) PS_MUSTCHECK;
/* Writes the fabrics on which each release is live into its item. */
int view_add_fabrics(struct store_tx *tx, json_t *items, struct ps_err *err) PS_MUSTCHECK;
/* live, was live or none: of one release, bound twice. */
extern const char release_state_sql[];
json_t *event_row(sqlite3_stmt *q);
json_t *build_row(sqlite3_stmt *q);
json_t *deployment_row(sqlite3_stmt *q);
json_t *run_row(sqlite3_stmt *q);
/* view_test.c */
extern const char test_sql[], test_case_sql[];
json_t *test_row(sqlite3_stmt *q);
json_t *test_case_row(sqlite3_stmt *q);
/* "t31: 9 passed", "no tests", or NULL while there are none yet; from the seven columns at col. free()
 * it. */
char *build_tests_text(sqlite3_stmt *q, int build_state, int col);
json_t *view_first_text(sqlite3_stmt *q);	/* the first column */

#endif
