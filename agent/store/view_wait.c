/* view_wait – why things wait: what their place says, and how many are ahead of each. */
#include "config.h"

#include "agent/store/view_put.h"

#include "agent/store/line.h"
#include "agent/store/repository.h"
#include "common/base/clock.h"
#include "common/base/id.h"

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

void put_place(json_t *row, bool waits, const char *kind, const char *place)
{
	char *name;

	if (!waits)
		return;
	name = xasprintf("%s%s%s", kind, *place ? " " : "", place);
	put_text(row, "place", name);
	free(name);
}

void put_wait(json_t *row, const char *reason, const char *detail, const char *blocked_by, const char *lift)
{
	const struct wait_reason *w = wait_reason(reason);

	PS_BUG_IF(!w, "'%s' is no wait reason", reason);
	put_text(row, "reason", reason);
	put_text(row, "detail", detail ? detail : w->means);
	put_text(row, "blocked_by", blocked_by);
	json_object_set_new(row, "ahead", json_integer(0));
	put_text(row, "lift", lift ? lift : w->lift);
}

void put_gate(json_t *row, sqlite3_stmt *q, const char *place, int detail, int gate)
{
	if (*sql_text(q, gate))
		put_wait(row, sql_text(q, gate), sql_text(q, detail), sql_text(q, gate + 1), sql_text(q, gate + 2));
	else
		put_place(row, true, "deployment", place);
}

void copy_wait(json_t *to, const json_t *from)
{
	static const char *const keys[] = { "reason", "detail", "blocked_by", "since", "ahead", "lift" };

	for (size_t i = 0; i < PS_NELEM(keys); i++)
		json_object_set(to, keys[i], json_object_get(from, keys[i]));
}

static json_t *wait_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "place", sql_text(q, 0));
	put_text(o, "reason", sql_text(q, 1));
	put_text(o, "detail", sql_text(q, 2));
	put_text(o, "blocked_by", sql_text(q, 3));
	put_text(o, "lift", sql_text(q, 4));
	put_time(o, "since", q, 5);
	return o;
}

/* The later of the two: since when it waits here for this. Both are times as we print them. */
static void put_since(json_t *row, const json_t *wait)
{
	const char *own = text_of(row, "since"), *place = text_of(wait, "since");

	if (place && (!own || strcmp(place, own) > 0))
		json_object_set(row, "since", json_object_get(wait, "since"));
}

/* Before a pass has looked at it nothing is known to keep it but that pass. */
static void say_why(json_t *row, const json_t *wait)
{
	const char *again = text_of(row, "reason"), *detail = wait ? text_of(wait, "detail") : NULL;
	char *both = NULL;

	if (again)		/* it was under way before */
		both = xasprintf("%s%squeued again: %s", detail ? detail : "", detail ? "; " : "", again);
	if (wait)
		put_wait(row, text_of(wait, "reason"), both ? both : detail, text_of(wait, "blocked_by"),
			 text_of(wait, "lift"));
	else
		put_wait(row, "order", both ? both : "the next pass looks at it", "penstock-core", NULL);
	put_since(row, wait);
	free(both);
}

/*
 * Who waits for the same thing stands in one line; what is kept as a whole has nobody ahead of it in another line. (What
 * stands at a gate of its own is in none.)
 */
#define AHEAD(table, waits, kind, partition)                                                              \
	"SELECT id, ahead FROM (SELECT id, ROW_NUMBER() OVER (" partition " ORDER BY " LINE_ORDER ") - 1 AS ahead" \
	" FROM " table " LEFT JOIN wait ON wait.place = " kind " WHERE " waits ") AS line"      \
	" WHERE id BETWEEN ? AND ?"

static const struct ahead { char kind; const char *sql; bool timed; } ahead_sql[] = {
	{ 'b', AHEAD("build", "state = 'queued'", "'build'", ""), true },
	{ 't', AHEAD("test", "state = 'queued'", "'test'", ""), true },
	{ 'd', AHEAD("deployment", "state = 'waiting' AND gate = ''", "'deployment ' || environment",
		     "PARTITION BY fabric, wait.reason"), true },
	{ 'x', AHEAD("run", "state = 'queued'", "'run ' || fabric",
		     "PARTITION BY wait.reason, CASE WHEN wait.reason = 'builder' THEN '' ELSE fabric END"), true },
	/* trees are read as they came, whatever is urgent: what they hold is not known yet */
	{ 'e', "SELECT id, ahead FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY lease_ms, id) - 1 AS ahead FROM event"
	       " WHERE state = 'open' AND surveyed = 0) AS line WHERE id BETWEEN ? AND ?", false },
};

/* The numbers of the waiting rows of one kind: *from > *to when there are none. */
static void range_of(const json_t *waiting, char kind, int64_t *from, int64_t *to)
{
	const char *id;
	json_t *row;
	int64_t n;

	*from = INT64_MAX;
	*to = 0;
	json_object_foreach((json_t *)waiting, id, row)
		if (id_parse(id, kind, &n)) {
			*from = n < *from ? n : *from;
			*to = n > *to ? n : *to;
		}
}

/* waiting: the rows by their ids. */
static int put_ahead(struct store_tx *tx, const json_t *waiting, const struct ahead *a, struct ps_err *err)
{
	int64_t before = clock_wall_ms() - LINE_OVERDUE_MS, from, to;
	sqlite3_stmt *q;
	char id[ID_TEXT];
	int rc;

	range_of(waiting, a->kind, &from, &to);
	if (from > to)
		return 0;
	q = a->timed ? sql_query(tx, err, a->sql, "iiiii", before, before, before, from, to) :
		sql_query(tx, err, a->sql, "ii", from, to);
	while ((rc = sql_next(tx, q, err)) > 0) {
		json_t *row = json_object_get(waiting, id_text(id, a->kind, sql_int(q, 0)));

		if (row)
			json_object_set_new(row, "ahead", json_integer(sql_int(q, 1)));
	}
	sql_done(q);
	return rc;
}

static const json_t *wait_of(const json_t *waits, const char *place)
{
	const json_t *w;
	size_t i;

	json_array_foreach(waits, i, w)
		if (ps_streq(text_of(w, "place"), place))
			return w;
	return NULL;
}

/* What waits for nothing but its repository. */
static const struct { char kind; const char *sql; } standing_sql[] = {
#define STANDING(table, waits)                                                                            \
	"SELECT t.id, r.name, r.path, r.gone_ms, r.taken_ms, r.taken_by FROM " table " t"                 \
	" JOIN (SELECT * FROM repository WHERE " REPOSITORY_STANDS ") AS r ON r.id = t.repository"        \
	" WHERE " waits " AND t.id BETWEEN ? AND ?"
	{ 'd', STANDING("deployment", "t.state = 'waiting'") },
	{ 'e', STANDING("event", "t.state = 'open' AND t.surveyed = 0") },
};

static void put_standing(json_t *row, sqlite3_stmt *q)
{
	struct repository r = { .name = (char *)sql_text(q, 1), .path = (char *)sql_text(q, 2),
				.gone_ms = sql_int(q, 3), .taken_ms = sql_int(q, 4),
				.taken_by = sql_is_null(q, 5) ? NULL : (char *)sql_text(q, 5) };
	char *why = repository_stands(&r), *by = xasprintf("repository %s", r.name);

	put_wait(row, "held", why, by, "penstock status");
	put_time(row, "since", q, r.gone_ms ? 3 : 4);
	free(why);
	free(by);
}

static int add_standing(struct store_tx *tx, const json_t *waiting, char kind, const char *sql, struct ps_err *err)
{
	int64_t from, to;
	sqlite3_stmt *q;
	char id[ID_TEXT];
	int rc;

	range_of(waiting, kind, &from, &to);
	if (from > to)
		return 0;
	q = sql_query(tx, err, sql, "ii", from, to);
	while ((rc = sql_next(tx, q, err)) > 0) {
		json_t *row = json_object_get(waiting, id_text(id, kind, sql_int(q, 0)));

		if (row)
			put_standing(row, q);
	}
	sql_done(q);
	return rc;
}

static void fill(json_t *row)
{
	static const char *const keys[] = { "blocked_by", "ahead", "lift" };

	for (size_t i = 0; i < PS_NELEM(keys); i++)
		if (!json_object_get(row, keys[i]))
			json_object_set_new(row, keys[i], json_null());
}

int view_add_waits(struct store_tx *tx, json_t *rows, struct ps_err *err)
{
	json_t *waiting = json_array(), *by_id = json_object(), *waits = json_array(), *row;
	size_t i;
	int rc = 0;

	json_array_foreach(rows, i, row)
		if (text_of(row, "place"))
			json_array_append(waiting, row);
		else if (json_object_get(row, "detail"))
			fill(row);
	if (json_array_size(waiting))
		rc = view_rows(tx, sql_query(tx, err, "SELECT place, reason, detail, blocked_by, lift, since_ms FROM wait"
					     " ORDER BY place", ""), waits, SIZE_MAX, NULL, wait_row, err);
	json_array_foreach(waiting, i, row) {
		say_why(row, wait_of(waits, text_of(row, "place")));
		json_object_del(row, "place");
		if (text_of(row, "id"))
			json_object_set(by_id, text_of(row, "id"), row);
	}
	for (i = 0; i < PS_NELEM(ahead_sql) && rc == 0; i++)
		rc = put_ahead(tx, by_id, &ahead_sql[i], err);
	for (i = 0; i < PS_NELEM(standing_sql) && rc == 0; i++)
		rc = add_standing(tx, by_id, standing_sql[i].kind, standing_sql[i].sql, err);
	json_decref(waiting);
	json_decref(by_id);
	json_decref(waits);
	return rc;
}
