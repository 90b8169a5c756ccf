/* queue – see queue.h. */
#include "config.h"

#include "agent/flow/queue.h"

#include "agent/flow/note.h"
#include "agent/flow/queue_parts.h"
#include "agent/flow/sending.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { PASS_EVERY_MS = 15000, TOOLCHAIN_EVERY_MS = 10000 };

struct queue {
	struct core *core;
	struct loop_watch *kick, *idle, *toolchain;
	bool passing, again;
	int64_t *unkeeping;		/* their events */
	size_t nunkeeping, cap_unkeeping;
};

/* ---- passes ---- */

/* Providers that the deploy role named in its hello: facts of the form "driver NAME". */
static void find_drivers(struct pass_view *v, const struct core_peer *deploy)
{
	v->drivers = xcalloc(deploy->nfacts, sizeof(*v->drivers));
	for (size_t i = 0; i < deploy->nfacts; i++)
		if (ps_starts(deploy->facts[i], "driver "))
			v->drivers[v->ndrivers++] = xstrdup(deploy->facts[i] + strlen("driver "));
}

static void pass_done(void *arg, int rc, const struct ps_err *err);

static void run_pass(void *arg)
{
	struct queue *q = arg;
	struct core *c = q->core;
	struct pass *p;

	if (q->passing) {
		q->again = true;
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->core = c;
	p->view = (struct pass_view) {
		.policy = policy_take(c->policy), .paths = c->paths,
		.gate_up = c->roles[CORE_GATE].peer != NULL,
		.build_up = c->roles[CORE_BUILD].peer != NULL,
		.deploy_up = c->roles[CORE_DEPLOY].peer != NULL,
		.toolchain = toolchains_copy(&c->toolchain), .now_ms = clock_wall_ms(),
	};
	p->view.disk = disk_now(c->disk);
	p->view.disk_problem = disk_problem(c->disk, c->policy->cfg);
	find_drivers(&p->view, &c->roles[CORE_DEPLOY]);
	q->passing = true;
	store_write(c->store, STORE_FULL, pass_run, pass_done, p);
}

void queue_kick(struct queue *q)
{
	loop_timer_set(q->kick, 0);
}

void queue_kick_in(struct queue *q, int64_t ms)
{
	loop_timer_set(q->idle, ms);
}

static void on_idle(void *arg)
{
	struct queue *q = arg;

	queue_kick(q);
	loop_timer_set(q->idle, PASS_EVERY_MS);
}

static void on_toolchain_timer(void *arg)
{
	struct queue *q = arg;
	const struct toolchain_now *t = &q->core->toolchain;
	bool all = toolchains_all_there(t, q->core->policy->cfg);

	/* the question probes the sandbox again as well */
	if (q->core->roles[CORE_BUILD].peer && (!all || t->sandbox_problem))
		core_ask_toolchain(q->core);
	loop_timer_set(q->toolchain, TOOLCHAIN_EVERY_MS);
}

/* ---- commits that the gate is letting go ---- */

static bool unkeep_begin(struct queue *q, int64_t event)
{
	for (size_t i = 0; i < q->nunkeeping; i++)
		if (q->unkeeping[i] == event)
			return false;
	q->unkeeping = xgrow(q->unkeeping, q->nunkeeping, &q->cap_unkeeping, sizeof(*q->unkeeping));
	q->unkeeping[q->nunkeeping++] = event;
	return true;
}

void queue_unkeep_over(struct queue *q, int64_t event)
{
	for (size_t i = 0; i < q->nunkeeping; i++)
		if (q->unkeeping[i] == event) {
			q->unkeeping[i] = q->unkeeping[--q->nunkeeping];
			return;
		}
}

/* ---- what a pass says ---- */

static void carry_out(struct queue *q, struct act *a)
{
	switch (a->kind) {
	case ACT_SURVEY:
		queue_survey_start(q->core, a);
		break;
	case ACT_UNKEEP:
		if (q->core->roles[CORE_GATE].peer && unkeep_begin(q, a->id))
			queue_unkeep(q, q->core, a);
		break;
	case ACT_BUILD:
		queue_build_start(q->core, a);
		break;
	case ACT_CANCEL_BUILD:
		queue_build_cancel(q->core, a);
		break;
	case ACT_TEST:
		queue_test_start(q->core, a);
		break;
	case ACT_OBSERVE:
		queue_observe(q->core, a);
		break;
	case ACT_DEPLOY:
		queue_deploy_start(q->core, a);
		break;
	case ACT_RUN:
		if (run_is_remote(&a->run))
			queue_remote_start(q->core, a);
		else
			queue_run_start(q->core, a);
		break;
	case ACT_STOP_RUN:
		if (run_is_remote(&a->run))
			queue_remote_stop(q->core, a->id, a->fence, a->name);
		else
			queue_stop(q->core, 'x', a->id, a->fence, a->name);
		break;
	}
}

static void carry_out_all(struct queue *q, struct pass *p, int rc, const struct ps_err *err)
{
	if (rc < 0)
		log_error("queue", NULL, "a pass failed and was rolled back: %s",
			  ps_err_msg(err, rc));
	/* when core ends, what was claimed is taken up by the next start */
	for (size_t i = 0; i < p->nacts && rc == 0 && !p->core->role->stopping; i++)
		carry_out(q, &p->acts[i]);
	if (rc == 0 && p->ask_toolchain && !p->core->toolchain_asking_ms)
		core_ask_toolchain(p->core);
	pass_free(p);
}

static void pass_done(void *arg, int rc, const struct ps_err *err)
{
	struct pass *p = arg;
	struct queue *q = p->core->queue;

	q->passing = false;
	if (q->again || (rc == 0 && p->again))
		queue_kick(q);
	q->again = false;
	sending_kick(p->core->sending);
	carry_out_all(q, p, rc, err);
}

static void recovered(void *arg, int rc, const struct ps_err *err)
{
	struct pass *p = arg;

	carry_out_all(p->core->queue, p, rc, err);
}

void queue_deploy_again(struct core *c, int64_t only)
{
	struct pass *p = xcalloc(1, sizeof(*p));

	p->core = c;
	p->only = only;
	p->view.now_ms = clock_wall_ms();
	p->view.policy = policy_take(c->policy);
	store_write(c->store, STORE_FULL, recover_deployments, recovered, p);
}

/* ---- roles come and go ---- */

void queue_on_role(struct queue *q, enum core_role role, bool up)
{
	struct core *c = q->core;

	if (role == CORE_GATE && !up)
		q->nunkeeping = 0;
	if (role == CORE_GATE)
		store_write(c->store, STORE_FULL, recover_surveys, core_log_done, c);
	if (role == CORE_BUILD && up) {
		store_write(c->store, STORE_FULL, recover_builds, core_log_done, c);
		store_write(c->store, STORE_FULL, recover_tests, core_log_done, c);
		core_ask_toolchain(c);
	}
	if (role == CORE_DEPLOY && up) {
		queue_deploy_again(c, 0);
		store_write(c->store, STORE_FULL, recover_remote, core_log_done, c);
		sending_on_deploy(c->sending);
	}
	queue_kick(q);
}

bool queue_on_msg(struct queue *q, enum core_role from, struct msg *m)
{
	struct core *c = q->core;

	if (from == CORE_BUILD && m->type == MSG_build_end)
		queue_build_end(c, &m->u.build_end);
	else if (from == CORE_BUILD && m->type == MSG_test_end)
		queue_test_end(c, &m->u.test_end);
	else if ((from == CORE_BUILD || from == CORE_DEPLOY) && m->type == MSG_task_state)
		queue_task_state(c, &m->u.task_state, from == CORE_DEPLOY ? LEASE_REMOTE_MS :
				 c->policy->cfg->builder.time_ms + LEASE_GRACE_MS);
	else if ((from == CORE_BUILD || from == CORE_DEPLOY) && m->type == MSG_run_end)
		queue_run_end(c, m->u.run_end.run, m->u.run_end.fence, m->u.run_end.state,
			      m->u.run_end.reason);
	else if (from == CORE_DEPLOY && m->type == MSG_step_begin)
		queue_step_begin(c, &m->u.step_begin);
	else if (from == CORE_DEPLOY && m->type == MSG_step_done)
		queue_step_done(c, &m->u.step_done);
	else if (from == CORE_DEPLOY && m->type == MSG_deploy_end)
		queue_deploy_end(c, &m->u.deploy_end);
	else if (from == CORE_DEPLOY && m->type == MSG_remote_seen)
		queue_remote_seen(c, &m->u.remote_seen);
	else if (from == CORE_DEPLOY && m->type == MSG_posted)
		sending_on_posted(c, &m->u.posted);
	else
		return false;
	return true;
}

int queue_open(struct queue **out, struct core *c, struct ps_err *err)
{
	struct queue *q = xcalloc(1, sizeof(*q));

	(void)err;
	q->core = c;
	q->kick = loop_timer(c->loop, run_pass, q);
	q->idle = loop_timer(c->loop, on_idle, q);
	q->toolchain = loop_timer(c->loop, on_toolchain_timer, q);
	loop_timer_set(q->idle, PASS_EVERY_MS);
	loop_timer_set(q->toolchain, TOOLCHAIN_EVERY_MS);
	*out = q;
	return 0;
}

void queue_close(struct queue *q)
{
	if (!q)
		return;
	loop_watch_free(q->kick);
	loop_watch_free(q->idle);
	loop_watch_free(q->toolchain);
	free(q->unkeeping);
	free(q);
}
