/* api_plan – what a release would change in an environment. */
#include "config.h"

#include "agent/flow/drift_ask.h"
#include "agent/flow/plan_ask.h"
#include "agent/web/api_parts.h"

static void planned(void *arg, int rc, const char *problem, const char *next, const json_t *doc)
{
	struct request *r = arg;

	if (doc)
		request_done(r, 200, doc);
	else
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem, next);
}

void act_plan(struct request *r)
{
	const char *refresh = http_param(r->call, "refresh");
	struct plan_ask ask = { .environment = http_param(r->call, "environment"),
				.thing = r->thing, .repository = r->repository,
				.project = http_param(r->call, "project"),
				.refresh = refresh && *refresh };

	if (!ask.environment)
		request_fail(r, PS_EINVAL, "a plan is made for an environment", "penstock status");
	else
		flow_plan(r->core, &ask, planned, r);
}

void act_drift(struct request *r)
{
	const char *adopt = http_param(r->call, "adopt");
	struct drift_ask ask = { .fabric = http_param(r->call, "fabric"),
				 .job = http_param(r->call, "job"), .adopt = adopt && *adopt };

	flow_drift(r->core, &ask, planned, r);
}
