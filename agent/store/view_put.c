/* view_put – see view_put.h. */
#include "config.h"

#include "agent/store/view_put.h"

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/escape.h"
#include "common/base/id.h"

json_t *view_text(const char *s)
{
	struct buf b = BUF_INIT;
	json_t *v;

	if (!s)
		return json_null();
	if (utf8_valid(s, strlen(s)))
		return json_string_nocheck(s);
	escape_buf(&b, s, strlen(s), true);
	v = json_string_nocheck(buf_str(&b));
	buf_clear(&b);
	return v;
}

const char *get_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

json_t *view_first_text(sqlite3_stmt *q)
{
	return view_text(sql_text(q, 0));
}

void put_text(json_t *o, const char *key, const char *s)
{
	json_object_set_new_nocheck(o, key, view_text(s));
}

void put_id(json_t *o, const char *key, char kind, int64_t n)
{
	char text[ID_TEXT];

	json_object_set_new(o, key, n ? json_string(id_text(text, kind, n)) : json_null());
}

void put_release(json_t *o, const char *key, const char *id)
{
	json_object_set_new(o, key, id ? json_stringn(id, strlen(id) < 12 ? strlen(id) : 12) : json_null());
}

void put_time(json_t *o, const char *key, sqlite3_stmt *q, int col)
{
	char text[CLOCK_TEXT];

	json_object_set_new(o, key, sql_int(q, col) ? json_string(clock_text_ms(text, sql_int(q, col))) : json_null());
}

void put_took(json_t *o, sqlite3_stmt *q, int started, int ended)
{
	bool both = sql_int(q, started) && sql_int(q, ended);

	json_object_set_new(o, "took_ms", both ? json_integer(sql_int(q, ended) - sql_int(q, started)) : json_null());
}

json_t *put_line(json_t *array, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	json_array_append_new(array, view_text(text));
	free(text);
	return array;
}

size_t view_limit(const struct view_ask *a)
{
	if (!a->limit)
		return VIEW_LIMIT;
	return a->limit < VIEW_LIMIT_MAX ? a->limit : VIEW_LIMIT_MAX;
}

int view_rows(struct store_tx *tx, sqlite3_stmt *q, json_t *items, size_t max, bool *more,
	      json_t *(*one_row)(sqlite3_stmt *q), struct ps_err *err)
{
	size_t n = 0;
	int rc;

	if (more)
		*more = false;
	while ((rc = sql_next(tx, q, err)) > 0) {
		if (n++ == max) {
			if (more)
				*more = true;
			rc = 0;
			break;
		}
		json_array_append_new(items, one_row(q));
	}
	sql_done(q);
	return rc;
}

int view_list(struct store_tx *tx, sqlite3_stmt *q, const struct view_ask *a,
	      json_t *(*one_row)(sqlite3_stmt *q), json_t **out, struct ps_err *err)
{
	json_t *items = json_array();
	bool more;
	int rc = view_rows(tx, q, items, view_limit(a), &more, one_row, err);

	if (rc == 0)
		rc = view_add_waits(tx, items, err);
	if (rc < 0)
		json_decref(items);
	else
		*out = json_pack("{s:o, s:b}", "items", items, "more", more);
	return rc;
}

int view_one(struct store_tx *tx, sqlite3_stmt *q, const char *what, const char *id,
	     json_t *(*one_row)(sqlite3_stmt *q), json_t **out, struct ps_err *err)
{
	json_t *row = json_array();
	int rc = sql_next(tx, q, err);

	if (rc > 0)
		json_array_append_new(row, one_row(q));
	else if (rc == 0)
		rc = ps_err_set(err, PS_ENOENT, "no such %s: '%s'", what, id);
	sql_done(q);
	if (rc > 0)
		rc = view_add_waits(tx, row, err);
	if (rc == 0)
		*out = json_incref(json_array_get(row, 0));
	json_decref(row);
	return rc < 0 ? rc : 0;
}

int view_number(const char *id, char kind, int64_t *n, struct ps_err *err)
{
	if (id && id_parse(id, kind, n))
		return 0;
	return ps_err_set(err, PS_EINVAL, "'%s' is no id of this kind: it looks like %c31", id ? id : "", kind);
}

static const struct wait_reason reasons[] = {
	{ "builder",   "waits for a free slot", "penstock builds --state running" },
	{ "order",     "waits for what came before it", "penstock status" },
	{ "tests",     "waits for its tests", "penstock tests" },
	{ "sandbox",   "no sandbox can be made here", "penstock status" },
	{ "toolchain", "there is no toolchain to build with", "penstock toolchain make NAME FILE" },
	{ "disk",      "the disk is nearly full", "penstock clean" },
	{ "paused",    "work is paused", "penstock status" },
	{ "recovery",  "the store was restored", "penstock resume --all" },
	{ "held",      "must not act until the owners let it go", "penstock events --state held" },
	{ "after",     "the environment before was not verified", "penstock status" },
	{ "approval",  "the owners of the fabric have not approved", "penstock approvals" },
	{ "manual",    "this environment is deployed by hand", "penstock queue" },
	{ "window",    "outside the deployment window", "penstock queue" },
	{ "freeze",    "the fabric is frozen", "penstock status" },
	{ "lock",      "something else has the fabric", "penstock status" },
	{ "pinned",    "the fabric is pinned", "penstock status" },
	{ "fabric",    "the fabric does not take it", "penstock status" },
};

const struct wait_reason *wait_reason(const char *word)
{
	for (size_t i = 0; i < PS_NELEM(reasons); i++)
		if (ps_streq(reasons[i].word, word))
			return &reasons[i];
	return NULL;
}
