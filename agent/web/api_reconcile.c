/* api_reconcile – look at repositories now; let held events go. */
#include "config.h"

#include "agent/web/api_parts.h"
#include "common/base/id.h"

static void reconciled(void *arg, const char *problem, const struct flow_reconciled *d)
{
	struct request *r = arg;
	json_t *doc, *trouble = json_array();
	struct flow_trouble t;

	for (size_t at = 0; flow_reconcile_trouble(r->core, &at, &t);)
		json_array_append_new(trouble, trouble_of(&t, NULL));
	if (problem) {
		json_decref(trouble);
		request_fail(r, PS_EGATE, problem, "penstock status");
		return;
	}
	doc = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "id", "reconcile", "state", "done",
			"repositories", (json_int_t)d->repositories, "listed",
			(json_int_t)d->listed, "events", (json_int_t)d->events, "problems",
			(json_int_t)d->problems, "trouble", trouble);
	request_done(r, 200, doc);
	json_decref(doc);
}

void act_reconcile(struct request *r)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc = auth_is_admin(&r->who, &err);

	if (rc == 0)
		rc = http_body(r->call, &body, &err);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	else
		flow_reconcile(r->core, json_string_value(json_object_get(body, "repository")),
			       json_is_true(json_object_get(body, "full")), reconciled, r);
	json_decref(body);
}

static void let_go(void *arg, int rc, const char *problem, const char *text)
{
	struct request *r = arg;
	json_t *doc;

	if (rc < 0 || problem) {
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem, NULL);
		return;
	}
	doc = json_pack("{s:s, s:s, s:s}", "id", r->id, "state", "released", "text", text);
	request_done(r, 200, doc);
	json_decref(doc);
}

void act_release_hold(struct request *r)
{
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int64_t event = 0;
	int rc = http_body(r->call, &body, &err);

	if (rc == 0 && !id_parse(r->id, 'e', &event))
		rc = ps_err_set(&err, PS_EINVAL, "'%s' is no event: it looks like e88", r->id);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), "penstock events --state held");
	else
		flow_release_hold(r->core, event, json_is_true(json_object_get(body, "alone")),
				  r->who.login, r->who.shown,
				  /* who speaks as a member has that member's rights */
				  r->who.admin && strcmp(r->who.login, r->who.shown) == 0,
				  json_string_value(json_object_get(body, "text")), let_go, r);
	json_decref(body);
}
