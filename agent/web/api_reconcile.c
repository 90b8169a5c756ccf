/* api_reconcile – look at repositories now. */
#include "config.h"

#include "agent/web/api_parts.h"

static void reconciled(void *arg, const char *problem, const struct flow_reconciled *d)
{
	struct request *r = arg;
	json_t *doc;

	if (problem) {
		request_fail(r, PS_EGATE, problem, "penstock status");
		return;
	}
	doc = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "id", "reconcile", "state", "done",
			"repositories", (json_int_t)d->repositories, "listed",
			(json_int_t)d->listed, "events", (json_int_t)d->events, "problems",
			(json_int_t)d->problems);
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
