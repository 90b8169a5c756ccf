/*
 * databricks_find – the jobs that are there, and which of them is meant.
 *
 * The workspace finds jobs by name in any case, never by tag, and has many of one name. So whoever
 * has no id is looked for among all jobs, read once per session; what was made meanwhile is asked
 * for anew.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

json_int_t dbx_id(const json_t *job)
{
	return json_integer_value(json_object_get(job, "job_id"));
}

const json_t *dbx_settings(const json_t *job)
{
	return json_object_get(job, "settings");
}

/* ---- reading ---- */

int dbx_get(struct dbx *d, json_int_t id, json_t **job, struct ps_err *err)
{
	char number[24];
	const struct http_field query[] = { { "job_id", number }, { NULL, NULL } };
	int rc;

	snprintf(number, sizeof(number), "%lld", (long long)id);
	rc = dbx_whole(d, "/api/2.2/jobs/get", query, "settings", job, err);
	if (rc == 0 && !json_is_object(dbx_settings(*job))) {
		json_decref(*job);
		*job = NULL;
		rc = ps_err_set(err, PS_EPROTO, "job %s: the answer has no settings", number);
	}
	return rc;
}

struct taking {
	void (*take)(void *arg, json_t *job);
	void *arg;
};

static void take_page(void *arg, json_t *page)
{
	const struct taking *to = arg;
	json_t *job;
	size_t i;

	json_array_foreach(json_object_get(page, "jobs"), i, job) to->take(to->arg, job);
}

int dbx_list(struct dbx *d, bool expand, void (*take)(void *arg, json_t *job), void *arg,
	     struct ps_err *err)
{
	const struct http_field query[] = {
		{ "limit", "100" },
		{ "expand_tasks", expand ? "true" : "false" },
		{ NULL, NULL },
	};

	return dbx_pages(d, "/api/2.2/jobs/list", query, take_page, &(struct taking){ take, arg },
			 err);
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

/* Without a stamp there is but the name to tell that an id from another tool's files is of this
 * workspace, and not of the one that was there before. */
static int check_imported(const struct fabric_job *j, const json_t *settings, struct ps_err *err)
{
	const char *name = json_string_value(json_object_get(settings, "name"));

	if (!j->imported || dbx_tag(settings, DBX_TAG_JOB) || ps_streq(name, j->name) ||
	    ps_streq(name, j->imported))
		return 0;
	return ps_err_set(err, PS_ECONFLICT,
			  "job %s there is '%s', and was imported as '%s': put the id right in "
			  "state.yml and import it again",
			  j->id, name ? name : "", j->imported);
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

/* The stored id; gone, or no number: 0 and *job NULL. Who is no administrator is not told that a
 * job is gone, and whatever is found in its place could be a second one. */
static int by_id(struct dbx *d, const char *text, json_t **job, struct ps_err *err)
{
	struct ps_err why = { 0 };
	long long id = text ? strtoll(text, NULL, 10) : 0;
	int rc = id > 0 ? dbx_get(d, id, job, &why) : PS_ENOENT;

	if (rc == PS_ENOENT)
		return 0;
	if (rc < 0 && err)
		*err = why;
	if (rc == PS_EPERM)
		ps_err_prefix(err,
			      "the workspace does not show job %lld, and answers a job that was "
			      "deleted alike: if it was, deploy once with an administrator's "
			      "credential, which is told so; else",
			      id);
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
	if (rc == 0 && *job)
		rc = check_imported(j, dbx_settings(*job), err);
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
