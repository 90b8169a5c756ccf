/* databricks_look – jobs as they are in force. A few are asked for one by one; more than that, or
 * one whose id nobody knows, by the list of all, a hundred a call. */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include "common/base/digest.h"
#include "common/plan/canon.h"
#include "common/plan/render.h"

enum { ONE_BY_ONE = 10 };

/* What the list had for each job that is asked for; the better match counts. */
struct gather {
	const struct fabric_target *t;
	const struct fabric_job *jobs;
	size_t n;
	json_t **found;
	enum match { NONE, BY_NAME, BY_STAMP, BY_ID } * how;
	bool *twice; /* two match equally well */
};

static enum match match(const struct gather *g, const struct fabric_job *j, const json_t *job)
{
	const json_t *settings = dbx_settings(job);
	const char *stamp = dbx_tag(settings, DBX_TAG_JOB);
	char own[DBX_STAMP];

	if (stamp && strcmp(stamp, dbx_stamp(own, g->t, j->key)) != 0)
		return NONE; /* another's */
	if (j->id && strtoll(j->id, NULL, 10) == dbx_id(job))
		return BY_ID;
	if (stamp)
		return BY_STAMP;
	return ps_streq(json_string_value(json_object_get(settings, "name")), j->name) ? BY_NAME
										       : NONE;
}

static void take(void *arg, json_t *job)
{
	struct gather *g = arg;

	for (size_t i = 0; i < g->n; i++) {
		enum match m = match(g, &g->jobs[i], job);

		if (m == NONE || m < g->how[i])
			continue;
		g->twice[i] = m == g->how[i];
		if (g->twice[i])
			continue;
		g->how[i] = m;
		json_decref(g->found[i]);
		g->found[i] = json_incref(job);
	}
}

/* What the list cut off after a hundred tasks, or left out, is asked for by itself. */
static int complete(struct dbx *d, json_t **job, struct ps_err *err)
{
	json_t *whole = NULL;
	int rc;

	if (!json_is_true(json_object_get(*job, "has_more")))
		return 0;
	rc = dbx_get(d, dbx_id(*job), &whole, err);
	if (rc == 0) {
		json_decref(*job);
		*job = whole;
	}
	return rc;
}

static int by_list(struct fabric_target *t, struct gather *g, struct ps_err *err)
{
	int rc = dbx_list(dbx_of(t), true, take, g, err);

	for (size_t i = 0; i < g->n && rc == 0; i++)
		if (g->twice[i])
			rc = ps_err_set(err, PS_ECONFLICT,
					"two jobs there can be meant by '%s': remove the one that "
					"is not",
					g->jobs[i].key);
		else if (g->found[i])
			rc = complete(dbx_of(t), &g->found[i], err);
	return rc;
}

static int one_by_one(struct fabric_target *t, struct gather *g, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < g->n && rc == 0; i++) {
		struct ps_err why = { 0 };

		rc = dbx_get(dbx_of(t), strtoll(g->jobs[i].id, NULL, 10), &g->found[i], &why);
		if (rc == PS_ENOENT)
			rc = by_list(t, g, err);
		else if (rc < 0 && err)
			*err = why;
	}
	return rc;
}

static bool ids_known(const struct gather *g)
{
	for (size_t i = 0; i < g->n; i++)
		if (!g->jobs[i].id)
			return false;
	return true;
}

/* ---- what is told of one ---- */

/* The definition with its request as it is there; doc is changed. */
static json_t *with_request(json_t *doc, const json_t *sent, const json_t *there)
{
	json_t *request = (json_t *)render_request(doc), *as_is = dbx_as_is(sent, there), *v;
	json_t *is = json_copy(as_is);
	const char *key;

	json_decref(as_is);
	if (!json_object_get(request, "queue") &&
	    dbx_is_as(json_object_get(sent, "queue"), json_object_get(there, "queue")))
		json_object_del(is, "queue");
	/* what is not sent cannot differ */
	json_object_foreach(request, key, v) if (!json_object_get(sent, key))
		json_object_set(is, key, v);
	if (render_enforces(doc))
		dbx_set_pauses(is, there);
	json_object_clear(request);
	json_object_update(request, is);
	json_decref(is);
	return doc;
}

/* Other than asked for in a field that is not in the definition any more: what is not ours there
 * cannot be told from what was, so it comes whole. */
static void with_all(json_t *doc, const json_t *there)
{
	json_t *request = (json_t *)render_request(doc);

	json_object_update_missing(request, (json_t *)there);
}

static int tell(struct fabric_target *t, const struct fabric_job *j, const json_t *job,
		struct fabric_seen *out, struct ps_err *err)
{
	const json_t *there = dbx_settings(job);
	json_t *doc = NULL, *sent;
	struct buf b = BUF_INIT;
	int rc = dbx_definition(t, j, &doc, err);
	bool as_sent;

	if (rc < 0)
		return rc;
	out->id = xasprintf("%lld", (long long)dbx_id(job));
	out->release = xstrdup_null(dbx_tag(there, DBX_TAG_RELEASE));
	out->paused = dbx_is_paused(there);
	sent = dbx_sent(doc);
	as_sent = dbx_is_as(sent, there) &&
		  (!render_enforces(doc) || dbx_pauses_as(sent, there));
	if (as_sent && dbx_is_last(there, j->sha256)) {
		snprintf(out->sha256, sizeof(out->sha256), "%s", j->sha256);
	} else {
		if (as_sent)
			with_all(doc, there);
		else
			with_request(doc, sent, there);
		rc = canon_write_any(doc, &b, err);
		digest_bytes(out->sha256, buf_str(&b), b.len);
		out->definition = buf_steal(&b);
	}
	json_decref(sent);
	json_decref(doc);
	return rc;
}

int dbx_look(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
	     struct fabric_seen *out, struct ps_err *err)
{
	struct gather g = { .t = t, .jobs = jobs, .n = n };
	int rc;

	if (!n)
		return 0;
	g.found = xcalloc(n, sizeof(*g.found));
	g.how = xcalloc(n, sizeof(*g.how));
	g.twice = xcalloc(n, sizeof(*g.twice));
	rc = n <= ONE_BY_ONE && ids_known(&g) ? one_by_one(t, &g, err) : by_list(t, &g, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		if (g.found[i])
			rc = tell(t, &jobs[i], g.found[i], &out[i], err);
	for (size_t i = 0; i < n; i++)
		json_decref(g.found[i]);
	free(g.found);
	free(g.how);
	free(g.twice);
	return rc;
}
