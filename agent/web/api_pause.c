/* api_pause – pause and resume: who may, what the scope is; done by flow. */
#include "config.h"

#include "agent/flow/queue.h"
#include "agent/web/api_parts.h"

enum { WHY_MAX = 300 };

/* The reply of flow: a sentence. */
static void reply(void *arg, int rc, const char *problem, const char *text)
{
	struct request *r = arg;
	json_t *doc;

	if (rc < 0 || problem) {
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem, NULL);
		return;
	}
	doc = json_pack("{s:s, s:s, s:s}", "id", r->thing, "state",
			strcmp(r->route->path, "/pause") == 0 ? "paused" : "resumed", "text", text);
	request_done(r, 200, doc);
	json_decref(doc);
}

/* Scope and name of the body, and may this person? A scope whose thing is gone from the
 * configuration may still be resumed, by an admin. */
static int check_scope(struct request *r, const json_t *body, bool lifts, struct ps_err *err)
{
	const char *scope = body_text(body, "scope"), *name = body_text(body, "name");
	int rc;

	if (!pause_scope_fits(scope, name))
		return ps_err_set(err, PS_EINVAL,
				  "what can be paused is: environment NAME, fabric NAME, "
				  "builder, all; not '%s%s%s'",
				  scope, *name ? " " : "", name);
	rc = auth_may_pause(&r->who, r->policy->cfg, scope, name, err);
	if (rc == PS_ENOENT && lifts && r->who.admin)
		rc = 0;
	free(r->thing);
	r->thing = xasprintf("%s%s%s", scope, *name ? " " : "", name);
	return rc;
}

void act_pause(struct request *r)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc = http_body(r->call, &body, &err);
	const char *why = body_text(body, "why");

	if (rc == 0)
		rc = check_scope(r, body, false, &err);
	if (rc == 0 && (!*why || strlen(why) > WHY_MAX))
		rc = ps_err_set(&err, PS_EINVAL, "say why, in 1 to %d bytes: -m TEXT", WHY_MAX);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	else
		flow_pause(r->core,
			   &(struct pause){ .scope = (char *)body_text(body, "scope"),
					    .name = (char *)body_text(body, "name"),
					    .kind = (char *)"pause",
					    .who = r->who.shown,
					    .why = (char *)why },
			   reply, r);
	json_decref(body);
}

void act_resume(struct request *r)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc = http_body(r->call, &body, &err);
	bool all = json_is_true(json_object_get(body, "everything"));

	if (rc == 0)
		rc = all ? auth_is_admin(&r->who, &err) : check_scope(r, body, true, &err);
	if (rc < 0) {
		request_fail(r, rc, ps_err_msg(&err, rc),
			     rc == PS_ENOENT ? "penstock status" : NULL);
	} else if (all) {
		free(r->thing);
		r->thing = xstrdup("everything");
		flow_resume(r->core, NULL, NULL, r->who.shown, reply, r);
	} else {
		flow_resume(r->core, body_text(body, "scope"), body_text(body, "name"),
			    r->who.shown, reply, r);
	}
	json_decref(body);
}
