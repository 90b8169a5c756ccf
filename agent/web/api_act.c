/* api_act – the requests that change something: checked here, done by flow. */
#include "config.h"

#include "agent/flow/clean.h"
#include "agent/flow/queue.h"
#include "agent/store/audit.h"
#include "agent/web/api_parts.h"

static const char *member(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

/* The reply of flow_run_request(): text is the id. */
static void run_reply(void *arg, int rc, const char *problem, const char *text)
{
	struct request *r = arg;
	json_t *doc;

	if (rc < 0 || problem) {
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem, NULL);
		return;
	}
	doc = json_pack("{s:s, s:s}", "id", text, "state", "queued");
	request_done(r, 201, doc);
	json_decref(doc);
}

static int check_params(const json_t *params, struct ps_err *err)
{
	const char *name;
	json_t *value;

	if (params && !json_is_object(params))
		return ps_err_set(err, PS_EINVAL, "params must be an object");
	json_object_foreach((json_t *)params, name, value)
		if (!*name || !json_is_string(value))
			return ps_err_set(err, PS_EINVAL, "parameter '%s' must be a text", name);
	return 0;
}

void act_run(struct request *r)
{
	const char *job, *fabric, *project, *repository;
	struct ps_err err = { 0 };
	json_t *body = NULL, *params;
	int rc = http_body(r->call, &body, &err);

	job = member(body, "job");
	fabric = member(body, "fabric");
	project = member(body, "project");
	repository = member(body, "repository");
	if (rc == 0 && (!job || !fabric))
		rc = ps_err_set(&err, PS_EINVAL, "the body must name a job and a fabric");
	params = json_object_get(body, "params");
	if (rc == 0)
		rc = check_params(params, &err);
	if (rc == 0)
		rc = auth_may_run(&r->who, r->policy->cfg, fabric, &err);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), rc == PS_ENOENT ? "penstock fabrics" :
			     NULL);
	else
		flow_run_request(r->core, r->who.shown, job, fabric, member(body, "config"),
				 params, project ? project : "", repository ? repository : "",
				 run_reply,
				 r);
	json_decref(body);
}

/* What the reply of a plain action is called: by the row's own path. */
static void plain_reply(void *arg, int rc, const char *problem, const char *text)
{
	static const struct { const char *path, *id, *state; } words[] = {
		{ "/adopt", "repository", "adopted" }, { "/backup", "store", "copied" },
			{ "/forget", "repository", "forgotten" },
			 { "/reload", "config", "reloaded" },
			{ "/stop", "agent", "stopping" },
	};
	struct request *r = arg;
	size_t i = 0;
	json_t *doc;

	if (rc < 0 || problem) {
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem, NULL);
		return;
	}
	while (strcmp(words[i].path, r->route->path) != 0)
		i++;
	doc = json_pack("{s:s, s:s, s:s?}", "id", words[i].id, "state", words[i].state, "text",
			text);
	request_done(r, 200, doc);
	json_decref(doc);
}

static bool admin_only(struct request *r)
{
	struct ps_err err = { 0 };
	int rc = auth_is_admin(&r->who, &err);

	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	return rc == 0;
}

/* For what core itself does not write into the store. */
static void tell_audit(struct request *r, const char *what, const char *thing)
{
	audit_tell(r->core->store, &(struct audit) { .who = r->who.shown, .what = what,
						     .thing = thing,
						     .policy = r->policy->cfg->digest });
}

/* The body of what admins alone may ask for, which names that; NULL: it was refused. */
static json_t *admin_body(struct request *r, const char *key, const char *what)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc;

	if (!admin_only(r))
		return NULL;
	rc = http_body(r->call, &body, &err);
	if (rc == 0 && !member(body, key))
		rc = ps_err_set(&err, PS_EINVAL, "the body must name %s", what);
	if (rc == 0)
		return body;
	request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	json_decref(body);
	return NULL;
}

void act_adopt(struct request *r)
{
	json_t *body = admin_body(r, "repository", "a repository");

	if (!body)
		return;
	if (member(body, "ref")) {
		flow_adopt_ref(r->core, member(body, "repository"), member(body, "ref"),
			       r->who.shown, plain_reply, r);
	} else {
		tell_audit(r, "adopt", member(body, "repository"));
		flow_adopt(r->core, member(body, "repository"), plain_reply, r);
	}
	json_decref(body);
}

void act_forget(struct request *r)
{
	json_t *body = admin_body(r, "repository", "a repository");

	if (!body)
		return;
	tell_audit(r, "uninstall", member(body, "repository"));
	flow_forget(r->core, member(body, "repository"), plain_reply, r);
	json_decref(body);
}

void act_backup(struct request *r)
{
	json_t *body = admin_body(r, "path", "a path");

	if (!body)
		return;
	tell_audit(r, "backup", member(body, "path"));
	flow_backup(r->core, member(body, "path"), plain_reply, r);
	json_decref(body);
}

void act_clean(struct request *r)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc;

	if (!admin_only(r))
		return;
	rc = http_body(r->call, &body, &err);
	if (rc == 0 && !json_is_true(json_object_get(body, "dry")))
		tell_audit(r, "clean", NULL);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	else
		flow_clean(r->core, json_is_true(json_object_get(body, "dry")), request_items, r);
	json_decref(body);
}

void act_reload(struct request *r)
{
	if (!admin_only(r))
		return;
	tell_audit(r, "reload", "penstock.yml");
	flow_ask_parent(r->core, "reload", plain_reply, r);
}

void act_stop(struct request *r)
{
	if (!admin_only(r))
		return;
	tell_audit(r, "stop", "agent");
	flow_ask_parent(r->core, "stop", plain_reply, r);
}
