/* api_acts – cancel, approve, freeze and the like, and drain: what is asked is read here; who may,
 * and what it changes, is flow's (acts.h, pause_request.c). */
#include "config.h"

#include "agent/flow/acts.h"
#include "agent/flow/queue.h"
#include "agent/web/api_parts.h"

enum { WHY_MAX = 300 };

static const char *member(const json_t *body, const char *name)
{
	return json_string_value(json_object_get(body, name));
}

static void reply(void *arg, int rc, const char *problem, const char *next, json_t *doc)
{
	struct request *r = arg;

	if (rc < 0 || problem)
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem,
			     next              ? next
			     : rc == PS_ENOENT ? "penstock status"
					       : NULL);
	else
		request_done(r, 200, doc);
}

static const struct {
	const char *path;
	enum acts_verb verb;
} verbs[] = {
	{ "/cancel", ACTS_CANCEL },
	{ "/retry", ACTS_RETRY },
	{ "/repair", ACTS_REPAIR },
	{ "/bump", ACTS_BUMP },
	{ "/check", ACTS_CHECK },
	{ "/promote", ACTS_PROMOTE },
	{ "/redeploy", ACTS_REDEPLOY },
	{ "/approve", ACTS_APPROVE },
	{ "/reject", ACTS_REJECT },
	{ "/deploy", ACTS_DEPLOY },
	{ "/freeze", ACTS_FREEZE },
	{ "/unfreeze", ACTS_UNFREEZE },
	{ "/lock", ACTS_LOCK },
	{ "/unlock", ACTS_UNLOCK },
	{ "/rollback", ACTS_ROLLBACK },
	{ "/pin", ACTS_PIN },
	{ "/unpin", ACTS_UNPIN },
	{ "/prune", ACTS_PRUNE },
};

static enum acts_verb verb_of(const struct request *r)
{
	size_t i = 0;

	while (strcmp(verbs[i].path, r->route->path) != 0)
		i++;
	return verbs[i].verb;
}

static bool is_list_of_keys(const json_t *jobs)
{
	const json_t *one;
	size_t i;

	json_array_foreach(jobs, i, one)
		if (!json_is_string(one))
			return false;
	return json_array_size(jobs) > 0;
}

void act_thing(struct request *r)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc = http_body(r->call, &body, &err);
	char *jobs = json_dumps(json_object_get(body, "jobs"), JSON_COMPACT);
	struct acts_ask ask = {
		.verb = verb_of(r),
		.thing = member(body, "thing"),
		.why = member(body, "why"),
		.ref = member(body, "ref"),
		.repository = member(body, "repository"),
		.environment = member(body, "environment"),
		.project = member(body, "project"),
		.jobs = jobs,
		.plan = member(body, "plan"),
		.until_ms = json_integer_value(json_object_get(body, "until_ms")),
		.emergency = json_is_true(json_object_get(body, "emergency")),
		.job = member(body, "job"),
		.queued = json_is_true(json_object_get(body, "queued")),
		.all_demands = json_is_true(json_object_get(body, "all_demands")),
		.fresh = json_is_true(json_object_get(body, "fresh")),
		/* who speaks as a member has the member's rights, not his own */
		.who = { r->who.login, r->who.shown,
			 r->who.admin && strcmp(r->who.login, r->who.shown) == 0 },
	};

	if (rc == 0 && ask.why && strlen(ask.why) > WHY_MAX)
		rc = ps_err_set(&err, PS_EINVAL, "the reason is longer than %d bytes", WHY_MAX);
	if (rc == 0 && jobs && !is_list_of_keys(json_object_get(body, "jobs")))
		rc = ps_err_set(&err, PS_EINVAL, "jobs must be a list of keys like jobs/NAME");
	if (rc == 0 && !ask.queued == !ask.thing)
		rc = ps_err_set(
			&err, PS_EINVAL,
			"the body must name a thing (e88, b31), or say queued and name none");
	if (rc == 0 && ask.queued && ask.verb != ACTS_CANCEL)
		rc = ps_err_set(&err, PS_EINVAL, "only cancel takes all that is queued");
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	else
		flow_act(r->core, &ask, reply, r);
	free(jobs);
	json_decref(body);
}

/* ---- drain: a pause of all that somebody waits for the end of ---- */

static void drain_reply(void *arg, int rc, const char *problem, const char *text)
{
	struct request *r = arg;
	json_t *doc;

	(void)text;
	if (rc < 0 || problem) {
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem, NULL);
		return;
	}
	doc = json_pack("{s:s, s:s}", "id", "agent", "state", "draining");
	request_done(r, 200, doc);
	json_decref(doc);
}

void act_drain(struct request *r)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc = auth_is_admin(&r->who, &err);
	const char *why;

	if (rc == 0)
		rc = http_body(r->call, &body, &err);
	why = member(body, "why");
	if (rc == 0 && why && strlen(why) > WHY_MAX)
		rc = ps_err_set(&err, PS_EINVAL, "the reason is longer than %d bytes", WHY_MAX);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	else
		flow_pause(r->core,
			   &(struct pause){ .scope = (char *)"all",
					    .name = (char *)"",
					    .kind = (char *)"drain",
					    .who = r->who.shown,
					    .why = (char *)(why ? why : "to stop the agent") },
			   drain_reply, r);
	json_decref(body);
}
