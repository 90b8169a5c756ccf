/* api_outbox – a letter that was not sent, once more. */
#include "config.h"

#include "agent/flow/sending.h"
#include "agent/web/api_parts.h"
#include "common/base/id.h"

static void reply(void *arg, int rc, const char *problem, const char *text)
{
	struct request *r = arg;
	char id[ID_TEXT];
	int64_t n = 0;
	json_t *doc;

	(void)text;
	if (rc < 0) {
		request_fail(r, rc, problem, "penstock outbox --state failed");
		return;
	}
	doc = json_pack("{s:s, s:s}", "id", id_parse(r->id, 'o', &n) ? id_text(id, 'o', n) : r->id,
			"state", "queued");
	request_done(r, 200, doc);
	json_decref(doc);
}

void act_resend(struct request *r)
{
	struct ps_err err = { 0 };
	int64_t n = 0;
	int rc = auth_is_admin(&r->who, &err);

	if (rc == 0 && !id_parse(r->id, 'o', &n))
		rc = ps_err_set(&err, PS_EINVAL, "'%s' is no letter: it looks like o31", r->id);
	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), "penstock outbox --state failed");
	else
		flow_resend(r->core, n, r->who.shown, reply, r);
}
