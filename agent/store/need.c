/* need – see need.h. */
#include "config.h"

#include "agent/store/need.h"

#include "agent/store/sql.h"

#define ROWS_COL_need(kind, name) ROWS_COL(need, kind, name)
ROWS_SHAPE(need,
	   "(SELECT d.id, d.event, d.repository, r.name AS repository_name, d.project, d.ref, d.environment,"
	   " d.fabric, d.state, d.priority, COALESCE(p.acting_as, p.pusher) AS pusher,"
	   " (SELECT n.id FROM event AS n WHERE n.repository = d.repository AND n.ref = d.ref"
	   " ORDER BY n.seq DESC LIMIT 1) AS newest"
	   " FROM demand AS d JOIN repository AS r ON r.id = d.repository JOIN event AS e ON e.id = d.event"
	   " LEFT JOIN push AS p ON p.id = e.push) AS need", NEED_COLS)

int needs_of_event(struct store_tx *tx, int64_t event, struct needs *out, struct ps_err *err)
{
	return rows_select(tx, &need_shape, out, err, "WHERE event = ? ORDER BY id", "i", event);
}

int needs_of_build(struct store_tx *tx, int64_t build, struct needs *out, struct ps_err *err)
{
	return rows_select(tx, &need_shape, out, err,
			   "WHERE id IN (SELECT demand FROM demand_build WHERE build = ?) ORDER BY id", "i", build);
}

int needs_of_test(struct store_tx *tx, int64_t test, struct needs *out, struct ps_err *err)
{
	return rows_select(tx, &need_shape, out, err,
			   "WHERE id IN (SELECT demand FROM demand_test WHERE test = ?) ORDER BY id", "i", test);
}

int needs_of_demand(struct store_tx *tx, int64_t demand, struct needs *out, struct ps_err *err)
{
	return rows_select(tx, &need_shape, out, err, "WHERE id = ?", "i", demand);
}

int needs_queued(struct store_tx *tx, struct needs *out, struct ps_err *err)
{
	return rows_select(tx, &need_shape, out, err,
			   "WHERE state = 'waiting'"
			   " AND NOT EXISTS (SELECT 1 FROM demand_build AS x JOIN build AS b ON b.id = x.build"
			   " WHERE x.demand = need.id AND b.state IN ('claimed', 'running'))"
			   " AND NOT EXISTS (SELECT 1 FROM demand_test AS x JOIN test AS t ON t.id = x.test"
			   " WHERE x.demand = need.id AND t.state IN ('claimed', 'running'))"
			   " AND NOT EXISTS (SELECT 1 FROM deployment AS y WHERE y.demand = need.id"
			   " AND y.state = 'running') ORDER BY id", "");
}

int event_pusher_login(struct store_tx *tx, int64_t event, char **pusher, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT COALESCE(p.acting_as, p.pusher) FROM event AS e"
				    " LEFT JOIN push AS p ON p.id = e.push WHERE e.id = ?", "i", event);
	int rc = sql_next(tx, q, err);

	*pusher = rc > 0 ? xstrdup_null(sql_text(q, 0)) : NULL;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

bool need_is_open(const struct need *n)
{
	return strcmp(n->state, "waiting") == 0 || strcmp(n->state, "active") == 0;
}

void needs_clear(struct needs *l)
{
	rows_clear(&need_shape, l);
}
