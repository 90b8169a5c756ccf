/* view_outbox – what was, is and will be told, and what came of it. */
#include "config.h"

#include "agent/store/view_put.h"

static json_t *letter_row(sqlite3_stmt *q)
{
	json_t *o = json_object(), *payload = json_loads(sql_text(q, 5), 0, NULL);

	put_id(o, "id", 'o', sql_int(q, 0));
	put_text(o, "state", sql_text(q, 1));
	put_text(o, "to", sql_text(q, 2));
	put_text(o, "kind", sql_text(q, 3));
	put_text(o, "uid", sql_text(q, 4));
	json_object_set(o, "thing", json_object_get(payload, "id"));
	json_object_set(o, "environment", json_object_get(payload, "environment"));
	json_object_set_new(o, "tries", json_integer(sql_int(q, 6)));
	put_text(o, "problem", sql_text(q, 7));
	put_time(o, "next_try", q, 8);
	put_time(o, "since", q, 9);
	put_time(o, "created", q, 10);
	json_decref(payload);
	return o;
}

int view_outbox(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	json_t *items = json_array();
	bool more;
	int rc = view_rows(tx, sql_query(tx, err, "SELECT d.id, d.state, d.target, n.kind, d.uid, n.payload, d.tries, d.problem,"
					 " CASE WHEN d.state = 'queued' THEN d.next_ms END, d.since_ms, d.created_ms"
					 " FROM letter d JOIN notice n ON n.id = d.notice WHERE CAST(? AS TEXT) IS NULL"
					 " OR d.state = ? ORDER BY d.id DESC LIMIT ?", "tti", a->state, a->state,
					 (int64_t)view_limit(a) + 1), items, view_limit(a), &more, letter_row, err);

	if (rc < 0)
		json_decref(items);
	else
		*out = json_pack("{s:o, s:b}", "items", items, "more", more);
	return rc;
}
