/* acts – see acts.h: an act's way from the API into a transaction, and what is sent after it. */
#include "config.h"

#include "agent/flow/acts.h"

#include "agent/flow/acts_parts.h"
#include "agent/flow/queue_parts.h"
#include "agent/store/audit.h"
#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/plan/canon.h"

enum { KEEP_LIMIT_MS = 30000, AUDIT_THINGS = 200 };

struct request {
	struct core *core;
	struct policy_now *policy;
	struct acting acting;
	acts_reply_fn *reply;
	void *arg;
};

static void request_free(struct request *r)
{
	struct acts_ask *k = &r->acting.ask;

	free((char *)k->who.login);
	free((char *)k->who.shown);
	free((char *)k->thing);
	free((char *)k->why);
	free((char *)k->ref);
	free((char *)k->repository);
	free((char *)k->environment);
	free((char *)k->project);
	free((char *)k->jobs);
	free((char *)k->plan);
	free((char *)k->job);
	acting_clear(&r->acting);
	policy_drop(r->policy);
	free(r);
}

/* {"changed": 3, "things": ["b31", ...]}; of very many the first. */
static int details(const struct acting *a, struct buf *out, struct ps_err *err)
{
	size_t n = json_array_size(a->items), most = n < AUDIT_THINGS ? n : AUDIT_THINGS;
	json_t *things = json_array(), *doc;
	int rc;

	for (size_t i = 0; i < most; i++)
		json_array_append(things, json_object_get(json_array_get(a->items, i), "id"));
	doc = json_pack("{s:I, s:o, s:s*, s:s*, s:s*, s:s*}", "changed", (json_int_t)n, "things",
			things, "plan", a->plan, "environment", a->ask.environment, "project",
			a->ask.project, "jobs", a->ask.jobs);
	if (a->ask.emergency)
		json_object_set_new(doc, "emergency", json_true());
	rc = canon_write(doc, out, err);
	json_decref(doc);
	return rc;
}

static int tell_audit(struct store_tx *tx, const struct acting *a, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = details(a, &b, err);

	if (rc == 0)
		rc = audit_put(tx,
			       &(struct audit){ .who = a->ask.who.shown,
						.what = acts_word(a->ask.verb),
						.thing = a->ask.thing ? a->ask.thing : "queued",
						.why = a->ask.why,
						.policy = a->cfg->digest,
						.details = buf_str(&b) },
			       err);
	buf_clear(&b);
	return rc;
}

static int write_act(struct store_tx *tx, void *arg, struct ps_err *err)
{
	static int (*const acts[])(struct store_tx * tx, struct acting * a, struct ps_err * err) = {
		[ACTS_CANCEL] = acts_cancel,
		[ACTS_RETRY] = acts_retry,
		[ACTS_BUMP] = acts_bump,
		[ACTS_CHECK] = acts_check_build,
		[ACTS_PROMOTE] = acts_promote,
		[ACTS_REDEPLOY] = acts_redeploy,
		[ACTS_APPROVE] = acts_approve,
		[ACTS_REJECT] = acts_reject,
		[ACTS_DEPLOY] = acts_deploy,
		[ACTS_FREEZE] = acts_close,
		[ACTS_UNFREEZE] = acts_close,
		[ACTS_LOCK] = acts_close,
		[ACTS_UNLOCK] = acts_close,
		[ACTS_ROLLBACK] = acts_rollback,
		[ACTS_PIN] = acts_pin,
		[ACTS_UNPIN] = acts_unpin,
		[ACTS_PRUNE] = acts_prune,
		[ACTS_REPAIR] = acts_repair,
	};
	struct acting *a = &((struct request *)arg)->acting;
	int rc;

	rc = acts[a->ask.verb](tx, a, err);
	return rc == 0 ? tell_audit(tx, a, err) : rc;
}

static void on_kept(void *arg, struct msg *m, const char *problem)
{
	(void)arg;
	if (!m || m->u.done.problem)
		log_warn("queue", NULL, "a retried commit is not kept: %s",
			 m ? m->u.done.problem : problem);
}

static void written(void *arg, int rc, const struct ps_err *err)
{
	struct request *r = arg;
	struct acting *a = &r->acting;
	struct core *c = r->core;
	json_t *doc;

	if (rc < 0) {
		r->reply(r->arg, rc, ps_err_msg(err, rc), a->next, NULL);
		request_free(r);
		return;
	}
	for (size_t i = 0; i < a->nkeeps && !c->role->stopping; i++)
		ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_keep,
			 &(struct wire_keep){ .repository = a->keeps[i].repository,
					      .oid = a->keeps[i].oid },
			 KEEP_LIMIT_MS, on_kept, NULL);
	for (size_t i = 0; i < a->nstops && !c->role->stopping; i++)
		if (a->stops[i].remote)
			queue_remote_stop(c, a->stops[i].id, a->stops[i].fence, a->why);
		else
			queue_stop(c, a->stops[i].kind, a->stops[i].id, a->stops[i].fence, a->why);
	if (json_array_size(a->items))
		log_info("queue", a->ask.thing, "%s", a->why);
	doc = json_pack("{s:O}", "items", a->items);
	r->reply(r->arg, 0, NULL, NULL, doc);
	json_decref(doc);
	core_kick(c);
	request_free(r);
}

/* What the deploy role said of itself. */
static void find_repairs(struct acting *a, const struct core_peer *deploy)
{
	a->repairs_unknown = !deploy->peer;
	a->repairs = xcalloc(deploy->nfacts + 1, sizeof(*a->repairs));
	for (size_t i = 0; i < deploy->nfacts; i++)
		if (ps_starts(deploy->facts[i], "repairs "))
			a->repairs[a->nrepairs++] = xstrdup(deploy->facts[i] + strlen("repairs "));
}

void flow_act(struct core *c, const struct acts_ask *ask, acts_reply_fn *reply, void *arg)
{
	struct request *r = xcalloc(1, sizeof(*r));

	*r = (struct request){
		.core = c, .policy = policy_take(c->policy), .reply = reply, .arg = arg
	};
	r->acting.cfg = r->policy->cfg;
	r->acting.paths = c->paths;
	r->acting.ask = *ask;
	r->acting.ask.who.login = xstrdup(ask->who.login);
	r->acting.ask.who.shown = xstrdup(ask->who.shown);
	r->acting.ask.thing = xstrdup_null(ask->thing);
	r->acting.ask.why = xstrdup_null(ask->why);
	r->acting.ask.ref = xstrdup_null(ask->ref);
	r->acting.ask.repository = xstrdup_null(ask->repository);
	r->acting.ask.environment = xstrdup_null(ask->environment);
	r->acting.ask.project = xstrdup_null(ask->project);
	r->acting.ask.jobs = xstrdup_null(ask->jobs);
	r->acting.ask.plan = xstrdup_null(ask->plan);
	r->acting.ask.job = xstrdup_null(ask->job);
	acting_init(&r->acting);
	if (ask->verb == ACTS_REPAIR)
		find_repairs(&r->acting, &c->roles[CORE_DEPLOY]);
	store_write(c->store, STORE_FULL, write_act, written, r);
}
