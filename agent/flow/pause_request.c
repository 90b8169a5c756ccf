/* pause_request – what people stop and let go again, into the store. See queue.h. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/store/audit.h"
#include "agent/store/recovery.h"

struct request {
	struct core *core;
	struct pause pause; /* strings owned; scope NULL: everything */
	bool lifts, recovered;
	int64_t lifted, deployments;
	core_reply_fn *reply;
	void *arg;
};

/* Everything goes on: also what a restored store holds back. */
static int leave_recovery(struct store_tx *tx, struct request *r, struct ps_err *err)
{
	struct recovery now = { .on = false };
	int rc = recovery_get(tx, &now, err);

	r->recovered = rc == 0 && now.on;
	if (r->recovered)
		rc = recovery_leave(tx, &r->deployments, err);
	recovery_clear(&now);
	return rc;
}

static int change(struct store_tx *tx, struct request *r, struct ps_err *err)
{
	int rc;

	if (!r->lifts)
		return pause_put(tx, &r->pause, err);
	rc = pause_lift(tx, r->pause.scope, r->pause.name, &r->lifted, err);
	return rc < 0 || r->pause.scope ? rc : leave_recovery(tx, r, err);
}

static int tell_audit(struct store_tx *tx, const struct request *r, struct ps_err *err)
{
	const struct pause *p = &r->pause;
	char *subject = p->scope ? pause_subject(p) : xstrdup("everything");
	char *details = xasprintf("{\"lifted\":%lld,\"recovery\":%s}", (long long)r->lifted,
				  r->recovered ? "true" : "false");
	int rc = audit_put(tx,
			   &(struct audit){ .who = p->who,
					    .what = r->lifts ? "resume" : p->kind,
					    .thing = subject,
					    .why = p->why,
					    .details = r->lifts ? details : NULL },
			   err);

	free(details);
	free(subject);
	return rc;
}

static int write_request(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct request *r = arg;
	int rc = change(tx, r, err);

	return rc < 0 ? rc : tell_audit(tx, r, err);
}

static char *outcome(const struct request *r)
{
	char *subject, *text;

	if (!r->pause.scope)
		return xasprintf("everything goes on: %s%lld pauses lifted",
				 r->recovered ? "recovery is over, " : "", (long long)r->lifted);
	subject = pause_subject(&r->pause);
	if (!r->lifts)
		text = xasprintf("%s is paused; what is under way goes on", subject);
	else if (r->lifted)
		text = xasprintf("%s goes on", subject);
	else
		text = xasprintf("%s was not paused", subject);
	free(subject);
	return text;
}

static void written(void *arg, int rc, const struct ps_err *err)
{
	struct request *r = arg;
	char *text = rc < 0 ? NULL : outcome(r);

	r->reply(r->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, text);
	if (rc == 0 && r->deployments)
		queue_deploy_again(r->core, 0);
	core_kick(r->core);
	free(text);
	free(r->pause.scope);
	free(r->pause.name);
	free(r->pause.kind);
	free(r->pause.who);
	free(r->pause.why);
	free(r);
}

static void ask(struct core *c, const struct pause *p, bool lifts, core_reply_fn *reply, void *arg)
{
	struct request *r = xcalloc(1, sizeof(*r));

	*r = (struct request){
		.core = c,
		.lifts = lifts,
		.reply = reply,
		.arg = arg,
		.pause = { .scope = xstrdup_null(p->scope),
			   .name = xstrdup_null(p->name),
			   .kind = xstrdup_null(p->kind),
			   .who = xstrdup_null(p->who),
			   .why = xstrdup_null(p->why) },
	};
	store_write(c->store, STORE_FULL, write_request, written, r);
}

void flow_pause(struct core *c, const struct pause *p, core_reply_fn *reply, void *arg)
{
	ask(c, p, false, reply, arg);
}

void flow_resume(struct core *c, const char *scope, const char *name, const char *who,
		 core_reply_fn *reply, void *arg)
{
	ask(c,
	    &(struct pause){ .scope = (char *)scope, .name = (char *)name, .who = (char *)who },
	    true, reply, arg);
}
