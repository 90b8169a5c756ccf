/* api_import – job ids of another tool: its fabrics as those of penstock.yml; done by flow. */
#include "config.h"

#include <strings.h>

#include "agent/flow/import.h"
#include "agent/web/api_parts.h"

enum { ROWS_MAX = 2000, ID_DIGITS = 18 };

/* An address without its scheme and the '/' at its end: that of https may be written as http. */
static bool same_host(const char *a, const char *b)
{
	const char *const both[] = { a, b };
	const char *at[2];
	size_t n[2];

	for (int i = 0; i < 2; i++) {
		const char *scheme = strstr(both[i], "://");

		at[i] = scheme ? scheme + 3 : both[i];
		n[i] = strlen(at[i]);
		while (n[i] && at[i][n[i] - 1] == '/')
			n[i]--;
	}
	return n[0] == n[1] && strncasecmp(at[0], at[1], n[0]) == 0;
}

/* *f: the fabric of the other tool's number, if ids of its jobs can be stored. */
static int find_fabric(const struct request *r, const json_t *row, const json_t *hosts,
		       const struct conf_fabric **f, struct ps_err *err)
{
	json_int_t uid = json_integer_value(json_object_get(row, "fabric"));
	const char *host;
	char number[24];

	*f = uid > 0 ? config_fabric_by_id(r->policy->cfg, uid) : NULL;
	if (!*f)
		return ps_err_set(
			err, PS_ENOENT,
			"no fabric in force has id %lld: put its block into penstock.yml, "
			"`penstock reload`, and import again",
			(long long)uid);
	if ((*f)->provider != CONF_DATABRICKS)
		return ps_err_set(err, PS_EINVAL,
				  "fabric %s is none of Databricks: its jobs have no ids to import",
				  (*f)->name);
	snprintf(number, sizeof(number), "%lld", (long long)uid);
	host = body_text(hosts, number);
	if (*host && !same_host(host, (*f)->host))
		return ps_err_set(
			err, PS_ECONFLICT,
			"fabric %s is %s in penstock.yml, and %s in fabrics.yml: ids of one "
			"workspace mean nothing in another",
			(*f)->name, (*f)->host, host);
	return 0;
}

/* The row as flow wants it; NULL: it is none, err says why. */
static json_t *row_of(const struct request *r, const json_t *row, const json_t *hosts,
		      struct ps_err *err)
{
	const char *job = body_text(row, "job"), *name = body_text(row, "name");
	const char *id = body_text(row, "id");
	const struct conf_fabric *f;

	if (!ps_starts(job, "jobs/") || !job[strlen("jobs/")] || !*name) {
		ps_err_set(err, PS_EINVAL, "'%s' is no job: a row has fabric, job, name and id",
			   job);
		return NULL;
	}
	if (*id < '1' || *id > '9' || strspn(id, "0123456789") != strlen(id) ||
	    strlen(id) > ID_DIGITS) {
		ps_err_set(err, PS_EINVAL, "'%s': '%s' is no number of a job of Databricks", job,
			   id);
		return NULL;
	}
	if (find_fabric(r, row, hosts, &f, err) < 0) {
		ps_err_prefix(err, "'%s'", job);
		return NULL;
	}
	return json_pack("{ss ss ss ss}", "fabric", f->name, "job", job, "name", name, "id", id);
}

static int take_rows(const struct request *r, const json_t *body, json_t *out, struct ps_err *err)
{
	const json_t *rows = json_object_get(body, "jobs"), *hosts = json_object_get(body, "hosts");
	json_t *row, *made;
	size_t i;

	if (!*body_text(body, "repository") || !*body_text(body, "project"))
		return ps_err_set(err, PS_EINVAL, "the body must name a repository and a project");
	if (!json_array_size(rows) || json_array_size(rows) > ROWS_MAX)
		return ps_err_set(err, PS_ELIMIT, "the body must have 1 to %d jobs", ROWS_MAX);
	json_array_foreach(rows, i, row)
	{
		made = row_of(r, row, hosts, err);
		if (!made)
			return err->code;
		json_array_append_new(out, made);
	}
	return 0;
}

void act_import(struct request *r)
{
	json_t *body = NULL, *jobs = json_array();
	struct ps_err err = { 0 };
	int rc = auth_is_admin(&r->who, &err);

	if (rc == 0)
		rc = http_body(r->call, &body, &err);
	if (rc == 0)
		rc = take_rows(r, body, jobs, &err);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	else
		flow_import(
			r->core,
			&(struct import_ask){ .who = r->who.shown,
					      .repository = body_text(body, "repository"),
					      .project = body_text(body, "project"),
					      .policy = r->policy->cfg->digest,
					      .jobs = jobs,
					      .dry = json_is_true(json_object_get(body, "dry")) },
			request_items, r);
	json_decref(jobs);
	json_decref(body);
}
