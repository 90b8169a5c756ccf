/* view_drain – what is under way: what somebody waits for who drains. */
#include "config.h"

#include "agent/store/view_put.h"

static json_t *busy_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_id(o, "id", *sql_text(q, 0), sql_int(q, 1));
	put_text(o, "state", sql_text(q, 2));
	put_text(o, "what", sql_text(q, 3));
	put_time(o, "since", q, 4);
	return o;
}

static const char busy_sql[] =
	"SELECT 'b', id, state, pipeline, since_ms FROM build WHERE state IN ('claimed', 'running')"
	" UNION ALL SELECT 't', id, state, pipeline, since_ms FROM test WHERE state IN ('claimed', 'running')"
	" UNION ALL SELECT 'd', id, state, project || ' to ' || fabric, since_ms FROM deployment WHERE state = 'running'"
	" UNION ALL SELECT 'x', id, state, job || ' on ' || fabric, since_ms FROM run WHERE state = 'running'"
	" ORDER BY 1, 2 LIMIT ?";

int view_drain(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	json_t *items = json_array(), *pauses = NULL, *one;
	bool more = false, draining = false;
	size_t i;
	int rc = view_rows(tx, sql_query(tx, err, busy_sql, "i", (int64_t)VIEW_LIMIT_MAX + 1), items, VIEW_LIMIT_MAX,
			   &more, busy_row, err);

	if (rc == 0)
		rc = view_pauses(tx, a, &pauses, err);
	json_array_foreach(pauses, i, one)
		draining |= ps_streq(json_string_value(json_object_get(one, "kind")), "drain");
	if (rc == 0)
		*out = json_pack("{s:s, s:s, s:O, s:b}", "id", "agent", "state", draining ? "draining" : "running",
				 "items", items, "more", more);
	json_decref(pauses);
	json_decref(items);
	return rc;
}
