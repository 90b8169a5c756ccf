/* rows – see rows.h. */
#include "config.h"

#include "agent/store/rows.h"

#include "agent/store/sql.h"
#include "common/base/buf.h"

/* Every struct nouns begins like this. */
struct any_rows { void *v; size_t n; };

static void read_row(const struct row_shape *s, sqlite3_stmt *q, void *row)
{
	for (size_t i = 0; i < s->ncols; i++) {
		void *at = (char *)row + s->cols[i].offset;
		const char *t;

		if (s->cols[i].kind == 'i') {
			*(int64_t *)at = sql_int(q, (int)i);
			continue;
		}
		t = sql_text(q, (int)i);
		*(char **)at = t ? xstrdup(t) : NULL;
	}
}

static char *select_text(const struct row_shape *s, const char *tail)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "SELECT ");	/* often: no format is interpreted here */
	buf_adds(&b, s->names);
	buf_adds(&b, " FROM ");
	buf_adds(&b, s->table);
	buf_addch(&b, ' ');
	buf_adds(&b, tail);
	return buf_steal(&b);
}

static int select_rows(struct store_tx *tx, const struct row_shape *s, struct any_rows *list,
		       struct ps_err *err, const char *tail, const char *types, va_list ap)
{
	char *sql = select_text(s, tail);
	sqlite3_stmt *q = sql_vquery(tx, err, sql, types, ap);
	size_t cap = list->n;
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0) {
		list->v = xgrow(list->v, list->n, &cap, s->size);
		read_row(s, q, (char *)list->v + list->n++ * s->size);
	}
	sql_done(q);
	free(sql);
	return rc;
}

int rows_select(struct store_tx *tx, const struct row_shape *shape, void *list, struct ps_err *err,
		const char *tail, const char *types, ...)
{
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = select_rows(tx, shape, list, err, tail, types, ap);
	va_end(ap);
	return rc;
}

int rows_one(struct store_tx *tx, const struct row_shape *shape, void *row, struct ps_err *err,
	     const char *tail, const char *types, ...)
{
	struct any_rows list = { NULL, 0 };
	va_list ap;
	int rc;

	va_start(ap, types);
	rc = select_rows(tx, shape, &list, err, tail, types, ap);
	va_end(ap);
	if (rc == 0 && !list.n)
		rc = ps_err_set(err, PS_ENOENT, "no such %s", shape->table);
	if (rc == 0) {
		memcpy(row, list.v, shape->size);
		memset(list.v, 0, shape->size);
	}
	rows_clear(shape, &list);
	return rc;
}

void rows_clear_one(const struct row_shape *shape, void *row)
{
	for (size_t i = 0; i < shape->ncols; i++)
		if (shape->cols[i].kind == 't')
			free(*(char **)((char *)row + shape->cols[i].offset));
	memset(row, 0, shape->size);
}

void rows_clear(const struct row_shape *shape, void *arg)
{
	struct any_rows *list = arg;

	for (size_t i = 0; i < list->n; i++)
		rows_clear_one(shape, (char *)list->v + i * shape->size);
	free(list->v);
	list->v = NULL;
	list->n = 0;
}

static bool may_go(const struct state_move *table, size_t n, const char *from, const char *to)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].from, from) == 0 && strcmp(table[i].to, to) == 0)
			return true;
	return false;
}

void state_must_go(const char *noun, int64_t id, const struct state_move *table, size_t n,
		   const char *from, const char *to)
{
	PS_BUG_IF(!may_go(table, n, from, to), "%s %lld that is %s cannot become %s", noun, (long long)id,
		  from, to);
}

int state_may_go(const char *noun, const struct state_move *table, size_t n, const char *from,
		 const char *to, struct ps_err *err)
{
	if (may_go(table, n, from, to))
		return 0;
	return ps_err_set(err, PS_ESTALE, "a %s that is %s cannot become %s", noun, from, to);
}
