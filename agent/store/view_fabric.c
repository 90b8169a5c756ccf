/* view_fabric – the fabrics of the configuration with what is live on each; what people have stopped. */
#include "config.h"

#include "agent/store/view_put.h"

#include "agent/store/closure.h"
#include "agent/store/recovery.h"
#include "common/base/clock.h"
#include "common/base/id.h"

static json_t *find(json_t *items, const char *id)
{
	size_t i;
	json_t *o;

	json_array_foreach(items, i, o)
		if (strcmp(json_string_value(json_object_get(o, "id")), id) == 0)
			return o;
	return NULL;
}

static json_t *fabric_item(const struct conf_fabric *f)
{
	json_t *o = json_object();

	put_text(o, "id", f->name);
	put_text(o, "state", "none");
	put_release(o, "release", NULL);
	put_text(o, "version", NULL);
	put_text(o, "since", NULL);
	put_text(o, "reason", NULL);
	put_text(o, "pinned", NULL);
	put_text(o, "provider", conf_provider_word(f->provider));
	put_text(o, "owner", f->owner);
	json_object_set_new(o, "fabric_id", json_integer(f->id));
	json_object_set_new(o, "waiting", json_integer(0));
	put_text(o, "note", NULL);
	json_object_set_new(o, "drifted", json_integer(0));
	json_object_set_new(o, "projects", json_array());
	return o;
}

/* What was deployed there last; the jobs that are there say whether that is what it has. */
static json_t *live_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "fabric", sql_text(q, 0));
	put_text(o, "state", "live");
	put_text(o, "reason", NULL);
	put_text(o, "repository", sql_text(q, 1));
	put_text(o, "project", sql_text(q, 2));
	put_release(o, "release", sql_text(q, 3));
	put_text(o, "release_digest", sql_text(q, 3));
	put_text(o, "version", sql_text(q, 4));
	put_text(o, "ref", sql_text(q, 5));
	put_time(o, "since", q, 6);
	put_id(o, "deployment", 'd', sql_int(q, 7));
	json_object_set_new(o, "jobs", json_integer(0));
	json_object_set_new(o, "orphans", json_integer(sql_int(q, 8)));
	json_object_set_new(o, "releases", json_array());
	return o;
}

static json_t *part_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "fabric", sql_text(q, 0));
	put_text(o, "repository", sql_text(q, 1));
	put_text(o, "project", sql_text(q, 2));
	put_release(o, "release", sql_text(q, 3));
	put_text(o, "release_digest", sql_text(q, 3));
	put_text(o, "version", sql_text(q, 4));
	put_text(o, "ref", sql_text(q, 5));
	json_object_set_new(o, "jobs", json_integer(sql_int(q, 6)));
	return o;
}

static bool same_text(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* The live jobs of one release, added to the project's row: all agree, or it is mixed. */
static void add_part(json_t *live, json_t *part)
{
	static const char *const own[] = { "release", "release_digest", "version", "ref" };
	json_t *parts = json_object_get(live, "releases");
	json_int_t n = json_integer_value(json_object_get(part, "jobs"));
	const char *was = json_string_value(json_object_get(live, "reason"));
	const char *name = json_string_value(json_object_get(part, "version"));
	bool mixed = json_array_size(parts) > 0;
	char *text;

	if (!name)
		name = json_string_value(json_object_get(part, "release"));
	text = xasprintf("%s%s%s: %lld", was ? was : "", was ? ", " : "", name ? name : "?", (long long)n);
	json_object_set_new(live, "jobs", json_integer(json_integer_value(json_object_get(live, "jobs")) + n));
	for (size_t i = 0; i < PS_NELEM(own); i++)
		json_object_set(live, own[i], mixed ? json_null() : json_object_get(part, own[i]));
	put_text(live, "state", mixed ? "mixed" : "live");
	put_text(live, "reason", text);
	json_array_append(parts, part);
	free(text);
}

static void add_parts(json_t *live, const json_t *all)
{
	size_t i;
	json_t *part;

	json_array_foreach(all, i, part)
		if (same_text(live, part, "fabric") && same_text(live, part, "repository") &&
		    same_text(live, part, "project"))
			add_part(live, part);
	if (json_array_size(json_object_get(live, "releases")) < 2)
		put_text(live, "reason", NULL);
}

static json_t *waiting_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "fabric", sql_text(q, 0));
	json_object_set_new(o, "waiting", json_integer(sql_int(q, 1)));
	return o;
}

static json_t *drifted_row(sqlite3_stmt *q)
{
	int64_t n = sql_int(q, 1);
	char *note = xasprintf("%lld job%s changed there: penstock drift %s", (long long)n, n == 1 ? " was" : "s were",
			       sql_text(q, 0));
	json_t *o = json_object();

	put_text(o, "fabric", sql_text(q, 0));
	json_object_set_new(o, "drifted", json_integer(n));
	put_text(o, "note", note);
	free(note);
	return o;
}

static json_t *pinned_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "fabric", sql_text(q, 0));
	put_text(o, "pinned", sql_text(q, 1));
	return o;
}

/* A fabric with one project shows its release; with several, the projects each show theirs. */
static void place_live(json_t *fabric, json_t *live)
{
	static const char *const same[] = { "release", "version", "since", "reason" };
	json_t *projects = json_object_get(fabric, "projects");
	bool first = json_array_size(projects) == 0;
	bool mixed = strcmp(json_string_value(json_object_get(live, "state")), "mixed") == 0;

	json_array_append(projects, live);
	if (mixed || strcmp(json_string_value(json_object_get(fabric, "state")), "mixed") != 0)
		put_text(fabric, "state", mixed ? "mixed" : "live");
	for (size_t i = 0; i < PS_NELEM(same); i++)
		json_object_set(fabric, same[i], first ? json_object_get(live, same[i]) : json_null());
}

int view_fabrics(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	static const char live_sql[] =
		"SELECT d.fabric, r.name, d.project, d.release, l.version, l.ref, d.ended_ms, d.id,"
		" (SELECT COUNT(*) FROM deployed_job j WHERE j.fabric = d.fabric"
		" AND j.repository = d.repository AND j.project = d.project AND j.state = 'orphan')"
		" FROM deployment d JOIN label l ON l.id = d.label JOIN repository r ON r.id = d.repository"
		" WHERE d.id IN (SELECT MAX(id) FROM deployment WHERE state = 'deployed'"
		" GROUP BY fabric, repository, project) ORDER BY r.name, d.project";
	static const char parts_sql[] =
		"SELECT p.fabric, r.name, p.project, p.release, l.version, l.ref, p.n FROM"
		" (SELECT fabric, repository, project, release, COUNT(*) AS n, MAX(deployment) AS last FROM deployed_job"
		" WHERE state = 'live' GROUP BY fabric, repository, project, release) AS p"
		" JOIN repository r ON r.id = p.repository LEFT JOIN deployment d ON d.id = p.last"
		" LEFT JOIN label l ON l.id = d.label ORDER BY p.n DESC, p.last DESC";
	static const char drifted_sql[] =
		"SELECT o.fabric, COUNT(*) FROM observed_job o JOIN deployed_job j ON j.fabric = o.fabric"
		" AND j.repository = o.repository AND j.project = o.project AND j.job = o.job AND j.state = 'live'"
		" GROUP BY o.fabric";
	json_t *parts = json_array(), *pinned = json_array(), *drifted = json_array();
	json_t *items = json_array(), *live = json_array(), *waiting = json_array(), *one, *fabric;
	size_t i;
	int rc = view_rows(tx, sql_query(tx, err, live_sql, ""), live, VIEW_LIMIT_MAX, NULL, live_row, err);

	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, "SELECT fabric, COUNT(*) FROM deployment WHERE state = 'waiting'"
					     " GROUP BY fabric", ""), waiting, VIEW_LIMIT_MAX, NULL, waiting_row, err);
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, parts_sql, ""), parts, VIEW_LIMIT_MAX, NULL, part_row, err);
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, "SELECT fabric, 'pinned by ' || who || ': ' || why FROM pin", ""),
			       pinned, VIEW_LIMIT_MAX, NULL, pinned_row, err);
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, drifted_sql, ""), drifted, VIEW_LIMIT_MAX, NULL, drifted_row, err);
	for (i = 0; i < a->cfg->nfabrics; i++)
		json_array_append_new(items, fabric_item(&a->cfg->fabrics[i]));
	json_array_foreach(live, i, one)
		add_parts(one, parts);
	json_array_foreach(pinned, i, one)
		if ((fabric = find(items, json_string_value(json_object_get(one, "fabric")))))
			json_object_set(fabric, "pinned", json_object_get(one, "pinned"));
	json_array_foreach(drifted, i, one)
		if ((fabric = find(items, json_string_value(json_object_get(one, "fabric"))))) {
			json_object_set(fabric, "drifted", json_object_get(one, "drifted"));
			json_object_set(fabric, "note", json_object_get(one, "note"));
		}
	json_array_foreach(live, i, one)
		if ((fabric = find(items, json_string_value(json_object_get(one, "fabric")))))
			place_live(fabric, one);
	json_array_foreach(waiting, i, one)
		if ((fabric = find(items, json_string_value(json_object_get(one, "fabric")))))
			json_object_set(fabric, "waiting", json_object_get(one, "waiting"));
	json_decref(live);
	json_decref(parts);
	json_decref(pinned);
	json_decref(drifted);
	json_decref(waiting);
	if (rc == 0)
		*out = json_pack("{s:o, s:b}", "items", items, "more", 0);
	else
		json_decref(items);
	return rc;
}

static json_t *job_row(sqlite3_stmt *q)
{
	static const char *const keys[] = { "id", "state", "repository", "project", "name" };
	json_t *o = json_object();

	for (size_t i = 0; i < PS_NELEM(keys); i++)
		put_text(o, keys[i], sql_text(q, (int)i));
	put_release(o, "release", sql_text(q, 5));
	put_text(o, "release_digest", sql_text(q, 5));
	put_text(o, "version", sql_text(q, 6));
	put_text(o, "digest", sql_text(q, 7));
	put_id(o, "deployment", 'd', sql_int(q, 8));
	put_id(o, "orphan_of", 'd', sql_int(q, 9));
	put_time(o, "since", q, 10);
	put_text(o, "remote_id", sql_text(q, 11));
	put_text(o, "definition_version", sql_text(q, 12));
	return o;
}

int view_jobs(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	static const char sql[] =
		"SELECT j.job, j.state, r.name, j.project, j.name, j.release, l.version, j.digest, j.deployment, j.orphan_of,"
		" COALESCE(o.ended_ms, d.ended_ms), j.remote_id, j.version FROM deployed_job j JOIN repository r ON r.id = j.repository"
		" LEFT JOIN deployment d ON d.id = j.deployment LEFT JOIN label l ON l.id = d.label"
		" LEFT JOIN deployment o ON o.id = j.orphan_of WHERE j.fabric = ? AND (? IS NULL OR j.state = ?)"
		" ORDER BY r.name, j.project, j.state, j.job LIMIT ?";

	if (!config_fabric(a->cfg, a->id))
		return ps_err_set(err, PS_ENOENT, "the configuration has no fabric '%s'", a->id);
	return view_list(tx, sql_query(tx, err, sql, "ttti", a->id, a->state, a->state, (int64_t)view_limit(a) + 1), a,
			 job_row, out, err);
}

static json_t *pause_row(sqlite3_stmt *q)
{
	static const char *const keys[] = { "scope", "name", "kind", "who", "why" };
	const char *scope = sql_text(q, 0), *name = sql_text(q, 1);
	char *id = xasprintf("%s%s%s", scope, *name ? " " : "", name), *lift = xasprintf("penstock resume %s", id);
	json_t *o = json_object();

	put_text(o, "id", id);
	put_text(o, "state", strcmp(sql_text(q, 2), "drain") == 0 ? "drained" : "paused");
	for (size_t i = 0; i < PS_NELEM(keys); i++)
		put_text(o, keys[i], sql_text(q, (int)i));
	put_time(o, "since", q, 5);
	put_text(o, "lift", lift);
	free(id);
	free(lift);
	return o;
}

/* Closed by people as well; kind is freeze or lock. */
static json_t *closure_row(sqlite3_stmt *q)
{
	struct closure c = { .fabric = (char *)sql_text(q, 0), .kind = (char *)sql_text(q, 1), .who = (char *)sql_text(q, 2),
			     .why = (char *)sql_text(q, 3), .since_ms = sql_int(q, 4), .until_ms = sql_int(q, 5) };
	char *id = xasprintf("fabric %s", c.fabric), *lift = closure_lifter(&c);
	json_t *o = json_object();

	put_text(o, "id", id);
	put_text(o, "state", strcmp(c.kind, CLOSURE_LOCK) == 0 ? "locked" : "frozen");
	put_text(o, "scope", "fabric");
	put_text(o, "name", c.fabric);
	put_text(o, "kind", c.kind);
	put_text(o, "who", c.who);
	put_text(o, "why", c.why);
	put_time(o, "since", q, 4);
	put_time(o, "until", q, 5);
	put_text(o, "lift", lift);
	free(id);
	free(lift);
	return o;
}

int view_pauses(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	json_t *items = json_array();
	int rc = view_rows(tx, sql_query(tx, err, "SELECT scope, name, kind, who, why, since_ms FROM pause"
					 " ORDER BY scope, name, kind", ""),
			   items, VIEW_LIMIT_MAX, NULL, pause_row, err);

	(void)a;
	if (rc == 0)
		rc = view_rows(tx, sql_query(tx, err, "SELECT fabric, kind, who, why, since_ms, until_ms FROM closure"
					     " WHERE until_ms = 0 OR until_ms > ? ORDER BY fabric, kind", "i",
					     clock_wall_ms()), items, VIEW_LIMIT_MAX, NULL, closure_row, err);
	if (rc == 0)
		*out = json_incref(items);
	json_decref(items);
	return rc;
}

int view_recovery(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	struct recovery r = { .on = false };
	char since[CLOCK_TEXT];
	int rc = recovery_get(tx, &r, err);

	(void)a;
	if (rc == 0 && r.on) {
		*out = json_object();
		put_text(*out, "since", clock_text_ms(since, r.since_ms));
		put_text(*out, "why", r.why);
		put_text(*out, "lift", "penstock resume --all");
	} else if (rc == 0) {
		*out = json_null();
	}
	recovery_clear(&r);
	return rc;
}
