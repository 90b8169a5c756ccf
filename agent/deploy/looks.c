/* looks – see looks.h. */
#include "config.h"

#include "agent/deploy/looks.h"

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/observe.h"
#include "agent/deploy/secrets.h"
#include "agent/deploy/worker.h"
#include "agent/loop/wall.h"
#include "common/base/log.h"

struct looking {
	const struct wire_observe *ask;
	const struct conf_fabric *fabric;
};

static void answer_for(struct role *r, uint64_t id, const char *problem)
{
	struct wire_observed answer = { .id = id, .problem = problem };

	log_warn("deploy", NULL, "%s", problem);
	role_tell_core(r, MSG_observed, &answer);
}

static int run(int sock, struct secret_fds secret, const void *job)
{
	const struct looking *l = job;

	if (!fabric_needs_programs(l->fabric) && !wall_no_programs())
		return 1;
	return observe_run(sock, secret, l->ask, l->fabric);
}

static void on_msg(struct worker *w, struct msg *m)
{
	if (m->type != MSG_observed)
		return;
	w->answered = true;
	role_tell_core(w->role, m->type, &m->u.observed);
}

static void on_lost(struct worker *w, const char *why)
{
	answer_for(w->role, w->id, why);
}

void looks_start(struct role *r, const struct wire_observe *m)
{
	static const struct worker_kind kind = { "the looking process", run, on_msg, on_lost };
	struct looking l = { m, config_fabric(r->cfg, m->fabric) };
	struct ps_err err = { 0 };

	if (!l.fabric)
		answer_for(r, m->id, "penstock.yml names the fabric no more");
	else if (worker_start(r, &kind, m->id, 0, secrets_of("fabric", m->fabric), &l, &err) < 0)
		answer_for(r, m->id, err.msg);
}
