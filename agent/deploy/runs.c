/* runs – see runs.h. */
#include "config.h"

#include "agent/deploy/runs.h"

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/remoterun.h"
#include "agent/deploy/secrets.h"
#include "agent/deploy/worker.h"
#include "agent/loop/wall.h"
#include "common/base/id.h"
#include "common/base/log.h"

enum { SOON_MS = 1000 };

struct looked_after {
	const struct wire_remote_run *ask;
	const struct conf_fabric *fabric;
	const char *outputs;
	int64_t output_max;
};

static void tell_end(struct role *r, uint64_t id, uint64_t fence, const char *state,
		     const char *reason)
{
	struct wire_run_end end = { .run = id, .fence = fence, .state = state, .reason = reason };

	role_tell_core(r, MSG_run_end, &end);
}

/* The run may well go on at its provider: core asks again. */
static void tell_lost(struct role *r, uint64_t id, uint64_t fence, const char *why)
{
	struct wire_remote_seen m = { .run = id, .fence = fence, .problem = why, .lost = true };
	char text[ID_TEXT];

	log_warn("run", id_text(text, 'x', (int64_t)id), "%s", why);
	role_tell_core(r, MSG_remote_seen, &m);
}

static int run(int sock, struct secret_fds secret, const void *job)
{
	const struct looked_after *l = job;
	char *outputs;
	int code;

	if (!fabric_needs_programs(l->fabric) && !wall_no_programs())
		return 1;
	outputs = xasprintf("%s/x%llu", l->outputs, (unsigned long long)l->ask->run);
	code = remoterun_do(&(struct remoterun_ask) {
		.sock = sock, .secret = secret, .m = l->ask, .fabric = l->fabric,
		.outputs = outputs, .output_max = l->output_max,
		.soon_ms = SOON_MS });

	free(outputs);
	return code;
}

static void on_msg(struct worker *w, struct msg *m)
{
	char text[ID_TEXT];

	id_text(text, 'x', (int64_t)w->id);
	if (m->type == MSG_task_state) {
		role_tell_core(w->role, m->type, &m->u.task_state);
	} else if (m->type == MSG_remote_seen) {
		w->answered = m->u.remote_seen.lost;
		if (m->u.remote_seen.problem)
			log_warn("run", text, "%s", m->u.remote_seen.problem);
		role_tell_core(w->role, m->type, &m->u.remote_seen);
	} else if (m->type == MSG_run_end) {
		w->answered = true;
		log_info("run", text, "%s%s%s", m->u.run_end.state, m->u.run_end.reason ? ": " : "",
			 m->u.run_end.reason ? m->u.run_end.reason : "");
		role_tell_core(w->role, m->type, &m->u.run_end);
	}
}

static void on_lost(struct worker *w, const char *why)
{
	tell_lost(w->role, w->id, w->fence, why);
}

static const struct worker_kind kind = { "the process that looks after it", run, on_msg, on_lost };

void runs_start(struct role *r, const struct wire_remote_run *m)
{
	struct worker *w = worker_find(&kind, m->run);
	struct looked_after l = { m, config_fabric(r->cfg, m->fabric), r->paths.outputs,
				  r->cfg->builder.output };
	struct ps_err err = { 0 };

	/* its end is told of the newer claim, so that core asks again at once */
	if (w && m->fence > w->fence) {
		w->fence = m->fence;
		w->answered = false;
		worker_kill(w);
	} else if (w) {
		log_warn("run", NULL, "x%llu is looked after already: asked again, ignored",
			 (unsigned long long)m->run);
	} else if (!l.fabric) {
		tell_end(r, m->run, m->fence, m->remote ? "unknown" : "failed",
			 "penstock.yml names the fabric no more");
	} else if (worker_start(r, &kind, m->run, m->fence, secrets_of("fabric", m->fabric), &l,
				&err) < 0) {
		tell_lost(r, m->run, m->fence, err.msg);
	}
}

void runs_ok(const struct wire_remote_ok *m)
{
	struct worker *w = worker_find(&kind, m->run);

	if (w && w->fence == m->fence)
		worker_tell(w, MSG_remote_ok, m);
}

void runs_cancel(const struct wire_cancel *m)
{
	struct worker *w = strcmp(m->kind, "run") == 0 ? worker_find(&kind, m->id) : NULL;

	if (w && w->fence == m->fence)
		worker_tell(w, MSG_cancel, m);
}
