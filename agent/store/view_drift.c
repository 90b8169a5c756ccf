/* view_drift – jobs that are other than they were deployed, as the last look found them. */
#include "config.h"

#include "agent/store/view_put.h"

static json_t *drift_row(sqlite3_stmt *q)
{
	static const char *const keys[] = { "id", "fabric", "repository", "project", "name" };
	const char *digest = sql_text(q, 7);
	json_t *o = json_object();

	for (size_t i = 0; i < PS_NELEM(keys); i++)
		put_text(o, keys[i], sql_text(q, (int)i));
	put_text(o, "state", *digest ? "changed" : "gone");
	put_text(o, "environment", sql_text(q, 5));
	put_text(o, "deployed", sql_text(q, 6));
	put_text(o, "observed", *digest ? digest : NULL);
	put_text(o, "changed_by", sql_text(q, 8));
	json_object_set_new(o, "paused", json_boolean(sql_int(q, 9)));
	put_time(o, "since", q, 10);
	put_time(o, "seen", q, 11);
	put_id(o, "deployment", 'd', sql_int(q, 12));
	put_release(o, "release", sql_text(q, 13));
	put_text(o, "release_digest", sql_text(q, 13));
	return o;
}

int view_drift(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT o.job, o.fabric, r.name, o.project, j.name, d.environment, j.digest, o.digest, o.changed_by, o.paused,"
		" o.since_ms, s.seen_ms, j.deployment, j.release FROM observed_job o"
		" JOIN deployed_job j ON j.fabric = o.fabric AND j.repository = o.repository AND j.project = o.project"
		" AND j.job = o.job AND j.state = 'live'"
		" JOIN repository r ON r.id = o.repository"
		" LEFT JOIN deployment d ON d.id = j.deployment"
		" LEFT JOIN observation s ON s.fabric = o.fabric AND s.repository = o.repository AND s.project = o.project"
		" WHERE (? IS NULL OR o.fabric = ?) AND (? IS NULL OR o.job = ? OR o.job = 'jobs/' || ?)"
		" ORDER BY o.fabric, r.name, o.project, o.job LIMIT ?";

	return view_list(tx, sql_query(tx, err, sql, "ttttti", a->id, a->id, a->thing, a->thing, a->thing,
				       (int64_t)view_limit(a) + 1), a, drift_row, out, err);
}
