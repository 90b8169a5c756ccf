/*
 * deploy – the role that changes fabrics. It acts on data that core sends (artifacts and
 * definitions by digest) and reads no repository code and no store.
 *
 * Each deployment is one worker with straight-line code (run.c). The role only carries frames
 * between that and core, and tells core when one ended without a last word. When the role ends, its
 * workers end with it: core starts the deployment again, and its steps look first.
 */
#include "config.h"

#include "agent/deploy/cleans.h"
#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/looks.h"
#include "agent/deploy/posts.h"
#include "agent/deploy/run.h"
#include "agent/deploy/runs.h"
#include "agent/deploy/secrets.h"
#include "agent/deploy/worker.h"
#include "agent/loop/role.h"
#include "agent/loop/wall.h"
#include "common/base/id.h"
#include "common/base/log.h"

struct deploying {
	const struct wire_deploy_start *start;
	const struct conf_fabric *fabric;
	const char *keys;
};

static void tell_end(struct role *r, uint64_t id, uint64_t fence, const char *state,
		     const char *reason)
{
	struct wire_deploy_end end = { id, fence, state, reason, NULL };

	role_tell_core(r, MSG_deploy_end, &end);
}

/* ---- one deployment ---- */

static int deploying_run(int sock, struct secret_fds secret, const void *job)
{
	const struct deploying *d = job;

	if (!fabric_needs_programs(d->fabric) && !wall_no_programs())
		return 1;
	return deploy_run(sock, secret, d->start, d->fabric, d->keys);
}

static void on_child_msg(struct worker *w, struct msg *m)
{
	char text[ID_TEXT];
	const char *why;

	id_text(text, 'd', (int64_t)w->id);
	if (m->type == MSG_step_begin) {
		log_info("deploy", text, "step %u: %s", (unsigned)m->u.step_begin.step,
			 m->u.step_begin.what);
		role_tell_core(w->role, m->type, &m->u.step_begin);
	} else if (m->type == MSG_step_done) {
		role_tell_core(w->role, m->type, &m->u.step_done);
	} else if (m->type == MSG_deploy_end) {
		w->answered = true;
		why = m->u.deploy_end.reason ? m->u.deploy_end.reason : m->u.deploy_end.unverified;
		log_info("deploy", text, "%s%s%s", m->u.deploy_end.state, why ? ": " : "",
			 why ? why : "");
		role_tell_core(w->role, m->type, &m->u.deploy_end);
	}
}

static void on_child_lost(struct worker *w, const char *why)
{
	char text[ID_TEXT];

	log_warn("deploy", id_text(text, 'd', (int64_t)w->id), "%s", why);
	tell_end(w->role, w->id, w->fence, "unknown", why);
}

static const struct worker_kind deploying = { "the deploying process", deploying_run, on_child_msg,
					      on_child_lost };

static void start(struct role *r, const struct wire_deploy_start *m)
{
	struct worker *w = worker_find(&deploying, m->deployment);
	struct deploying d = { m, config_fabric(r->cfg, m->fabric), r->paths.keys };
	struct ps_err err = { 0 };
	char text[ID_TEXT];

	id_text(text, 'd', (int64_t)m->deployment);
	/* a claim that is over ends first, also when its child is stopped; its end is told of the
	 * newer claim, so that core starts that one at once */
	if (w && m->fence > w->fence) {
		w->fence = m->fence;
		w->answered = false;
		worker_kill(w);
		log_warn("deploy", text, "another claim has it now: this child ends");
	} else if (w) {
		log_warn("deploy", text, "is running already: asked again, ignored");
	} else if (!d.fabric) {
		tell_end(r, m->deployment, m->fence, "failed",
			 "penstock.yml names the fabric no more");
	} else if (worker_start(r, &deploying, m->deployment, m->fence,
				secrets_of("fabric", m->fabric), &d, &err) < 0) {
		log_error("deploy", text, "%s", err.msg);
		tell_end(r, m->deployment, m->fence, "unknown", err.msg);
	}
}

/* ---- the role ---- */

static int deploy_start(struct role *r, struct ps_err *err)
{
	(void)err;
	secrets_on_config(r);
	return 0;
}

static void deploy_on_core(struct role *r, struct msg *m)
{
	struct worker *w;

	if (m->type == MSG_deploy_start) {
		start(r, &m->u.deploy_start);
	} else if (m->type == MSG_step_ok) {
		w = worker_find(&deploying, m->u.step_ok.deployment);
		if (w)
			worker_tell(w, MSG_step_ok, &m->u.step_ok);
	} else if (m->type == MSG_post) {
		posts_start(r, &m->u.post);
	} else if (m->type == MSG_observe) {
		looks_start(r, &m->u.observe);
	} else if (m->type == MSG_remote_run) {
		runs_start(r, &m->u.remote_run);
	} else if (m->type == MSG_remote_ok) {
		runs_ok(&m->u.remote_ok);
	} else if (m->type == MSG_clean) {
		cleans_start(r, &m->u.clean);
	} else if (m->type == MSG_cancel) {
		runs_cancel(&m->u.cancel);
	}
}

static void deploy_on_parent(struct role *r, struct msg *m)
{
	if (m->type == MSG_credential)
		secrets_take(r, &m->u.credential);
}

/* Core asks again when the role is back. */
static void deploy_on_stop(struct role *r)
{
	(void)r;
	workers_stop();
}

static size_t deploy_facts(struct role *r, const char **out, size_t max)
{
	(void)r;
	return fabric_driver_list(out, max);
}

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.name = "deploy",
		.has_core = true,
		.start = deploy_start,
		.on_config = secrets_on_config,
		.on_core = deploy_on_core,
		.on_parent = deploy_on_parent,
		.on_stop = deploy_on_stop,
		.facts = deploy_facts,
	};

	return role_main(argc, argv, &ops);
}
