/*
 * databricks_find – the jobs that are there, and which of them is meant.
 *
 * The workspace finds jobs by name in any case, never by tag, and has many of one name. So whoever
 * has no id is looked for among all jobs, read once per session; what was made meanwhile is asked
 * for anew.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

enum { PAGES_MAX = 1000 };

json_int_t dbx_id(const json_t *job)
{
	return json_integer_value(json_object_get(job, "job_id"));
}

const json_t *dbx_settings(const json_t *job)
{
	return json_object_get(job, "settings");
}

/* ---- reading ---- */

/* Appends what a later page has of each list of settings. */
static void add_page(json_t *settings, const json_t *more)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)more, key, v)
	{
		json_t *to = json_object_get(settings, key);

		if (json_is_array(v) && json_is_array(to))
			json_array_extend(to, v);
		else if (json_is_array(v))
			json_object_set(settings, key, v);
	}
}

int dbx_get(struct dbx *d, json_int_t id, json_t **job, struct ps_err *err)
{
	char number[24], *token = NULL;
	json_t *all = NULL;
	int rc = 0;

	snprintf(number, sizeof(number), "%lld", (long long)id);
	for (int page = 0; rc == 0 && (page == 0 || token) && page < PAGES_MAX; page++) {
		const struct http_field query[] = {
			{ "job_id", number },
			{ token ? "page_token" : NULL, token },
			{ NULL, NULL },
		};
		struct dbx_said s;
		const char *next;

		rc = dbx_ask(d,
			     &(struct dbx_ask){ .path = "/api/2.2/jobs/get",
						.query = query,
						.repeatable = true },
			     &s, err);
		next = json_string_value(json_object_get(s.doc, "next_page_token"));
		if (rc == 0 && all)
			add_page(json_object_get(all, "settings"), dbx_settings(s.doc));
		else if (rc == 0)
			all = json_incref(s.doc);
		free(token);
		token = xstrdup_null(next);
		dbx_said_clear(&s);
	}
	free(token);
	if (rc == 0 && !json_is_object(dbx_settings(all)))
		rc = ps_err_set(err, PS_EPROTO, "job %s: the answer has no settings", number);
	if (rc == 0)
		*job = all;
	else
		json_decref(all);
	return rc;
}

int dbx_list(struct dbx *d, bool expand, void (*take)(void *arg, json_t *job), void *arg,
	     struct ps_err *err)
{
	char *token = NULL;
	int rc = 0;

	for (int page = 0; rc == 0 && (page == 0 || token); page++) {
		const struct http_field query[] = {
			{ "limit", "100" },
			{ "expand_tasks", expand ? "true" : "false" },
			{ token ? "page_token" : NULL, token },
			{ NULL, NULL },
		};
		struct dbx_said s;
		json_t *job;
		size_t i;

		if (page == PAGES_MAX) {
			rc = ps_err_set(err, PS_ELIMIT, "the workspace lists more than %d jobs",
					PAGES_MAX * 100);
			break;
		}
		rc = dbx_ask(d,
			     &(struct dbx_ask){ .path = "/api/2.2/jobs/list",
						.query = query,
						.repeatable = true },
			     &s, err);
		json_array_foreach(json_object_get(s.doc, "jobs"), i, job) take(arg, job);
		free(token);
		token = xstrdup_null(json_string_value(json_object_get(s.doc, "next_page_token")));
		dbx_said_clear(&s);
	}
	free(token);
	return rc;
}

/* ---- the list ---- */

void dbx_forget_list(struct dbx *d)
{
	for (size_t i = 0; i < d->nlisted; i++) {
		free(d->listed[i].name);
		free(d->listed[i].stamp);
	}
	PS_FREE(d->listed);
	d->nlisted = d->cap = 0;
	d->has_list = false;
}

void dbx_note(struct dbx *d, json_int_t id, const json_t *settings)
{
	const char *name = json_string_value(json_object_get(settings, "name"));

	d->listed = xgrow(d->listed, d->nlisted, &d->cap, sizeof(*d->listed));
	d->listed[d->nlisted++] = (struct dbx_listed){
		id,
		xstrdup(name ? name : ""),
		xstrdup_null(dbx_tag(settings, DBX_TAG_JOB)),
	};
}

static void keep(void *arg, json_t *job)
{
	dbx_note(arg, dbx_id(job), dbx_settings(job));
}

static int have_list(struct dbx *d, bool fresh, struct ps_err *err)
{
	int rc;

	if (d->has_list && !fresh)
		return 0;
	dbx_forget_list(d);
	rc = dbx_list(d, false, keep, d, err);
	d->has_list = rc == 0;
	return rc;
}

/* ---- which one ---- */

int dbx_check_owner(const struct fabric_target *t, const struct fabric_job *j,
		    const json_t *settings, struct ps_err *err)
{
	const char *stamp = dbx_tag(settings, DBX_TAG_JOB);
	const char *kind =
		json_string_value(json_object_get(json_object_get(settings, "deployment"), "kind"));
	char own[DBX_STAMP];

	if (stamp && strcmp(stamp, dbx_stamp(own, t, j->key)) != 0)
		return ps_err_set(
			err, PS_ECONFLICT,
			"the job named '%s' there belongs to another project of penstock: "
			"rename one of the two",
			j->name);
	if (!stamp && ps_streq(kind, "BUNDLE"))
		return ps_err_set(
			err, PS_ECONFLICT,
			"the job named '%s' there belongs to a Databricks bundle: remove it "
			"from the bundle, or rename one of the two",
			j->name);
	return 0;
}

/* Among those listed, by stamp or else by name. 0 and *id 0: none. */
static int pick(const struct fabric_target *t, const struct dbx *d, const struct fabric_job *j,
		json_int_t *id, struct ps_err *err)
{
	char own[DBX_STAMP];

	dbx_stamp(own, t, j->key);
	for (int by_name = 0; by_name < 2 && !*id; by_name++)
		for (size_t i = 0; i < d->nlisted; i++) {
			const struct dbx_listed *l = &d->listed[i];

			if (by_name ? strcmp(l->name, j->name) != 0 : !ps_streq(l->stamp, own))
				continue;
			if (*id)
				return ps_err_set(err, PS_ECONFLICT,
						  "two jobs there are '%s' by %s: %lld and %lld; "
						  "remove the one that is not meant",
						  by_name ? j->name : j->key,
						  by_name ? "their name" : "penstock's stamp",
						  (long long)*id, (long long)l->id);
			*id = l->id;
		}
	return 0;
}

/* The stored id; gone, or no number: 0 and *job NULL. */
static int by_id(struct dbx *d, const char *text, json_t **job, struct ps_err *err)
{
	struct ps_err why = { 0 };
	long long id = text ? strtoll(text, NULL, 10) : 0;
	int rc = id > 0 ? dbx_get(d, id, job, &why) : PS_ENOENT;

	if (rc == PS_ENOENT)
		return 0;
	if (rc < 0 && err)
		*err = why;
	return rc;
}

int dbx_find(struct fabric_target *t, const struct fabric_job *j, bool fresh, json_t **job,
	     struct ps_err *err)
{
	struct dbx *d = dbx_of(t);
	json_int_t id = 0;
	int rc;

	*job = NULL;
	rc = by_id(d, j->id, job, err);
	if (rc == 0 && !*job) {
		rc = have_list(d, fresh, err);
		if (rc == 0)
			rc = pick(t, d, j, &id, err);
		if (rc == 0 && id) {
			struct ps_err why = { 0 };

			rc = dbx_get(d, id, job, &why);
			if (rc == PS_ENOENT) /* removed since it was listed */
				rc = 0;
			else if (rc < 0 && err)
				*err = why;
		}
	}
	if (rc == 0 && *job)
		rc = dbx_check_owner(t, j, dbx_settings(*job), err);
	if (rc < 0) {
		json_decref(*job);
		*job = NULL;
	}
	return rc;
}
