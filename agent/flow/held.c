/* held – see held.h. */
#include "config.h"

#include "agent/flow/held.h"

#include "agent/flow/intake.h"
#include "agent/flow/reconcile.h"
#include "agent/store/audit.h"
#include "agent/store/hold.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/config/mapping.h"

static void add_members(struct buf *b, const struct config *cfg, const char *team)
{
	size_t n = 0;

	buf_addf(b, "%s (", team);
	for (size_t i = 0; i < cfg->nteams; i++)
		for (size_t k = 0; k < cfg->teams[i].members.n; k++) {
			const char *login = cfg->teams[i].members.v[k];

			if (config_is_member(cfg, team, login))
				buf_addf(b, "%s%s", n++ ? ", " : "", login);
		}
	buf_adds(b, n ? ")" : "nobody)");
}

static int refuse(struct buf *who_could, const char *why, struct ps_err *err)
{
	int rc = ps_err_set(err, PS_EPERM, "%s; it is for: %s", why,
			    who_could->len ? buf_str(who_could) : "root and the agent's own user");

	buf_clear(who_could);
	return rc;
}

int held_may(const struct config *cfg, const struct ref_event *e, const struct held_person *who,
	     bool his, struct ps_err *err)
{
	struct buf could = BUF_INIT;
	bool owner = true, self = true, all = false;
	size_t fabrics = 0;
	char id[ID_TEXT], why[512];

	id_text(id, 'e', e->id);
	for (size_t i = 0; i < cfg->nenvironments && !all; i++) {
		const struct conf_environment *env = &cfg->environments[i];
		const struct conf_fabric *f = config_fabric(cfg, env->fabric);
		enum mapping_reach reach = mapping_reach(env, e->repository_name, e->ref);

		if (!f || reach == MAPPING_NONE)
			continue;
		all = reach == MAPPING_ALL;
		fabrics++;
		owner &= config_is_member(cfg, f->owner, who->login);
		self &= f->self_approval;
		buf_addf(&could, "%sowners of fabric %s, ", could.len ? "; " : "", f->name);
		add_members(&could, cfg, f->owner);
	}
	if (his && fabrics && !self) {
		snprintf(why, sizeof(why), "%.200s may have pushed %s himself, and somebody else "
			 "must let it go", who->login, id);
		return refuse(&could, why, err);
	}
	if (!owner && !who->admin) {
		snprintf(why, sizeof(why), "%s is not for %.200s to let go", id, who->shown);
		return refuse(&could, why, err);
	}
	buf_clear(&could);
	return 0;
}

/* ---- the request ---- */

struct letting {
	struct core *core;
	struct policy_now *policy;
	int64_t id;
	char *login, *shown, *why;
	bool admin, alone;
	size_t open, superseded;
	core_reply_fn *reply;
	void *arg;
};

static int tell_audit(struct store_tx *tx, const struct letting *l, struct ps_err *err)
{
	char *details = xasprintf("{\"open\":%zu,\"superseded\":%zu}", l->open, l->superseded);
	int rc = audit_put_id(tx, &(struct audit) { .who = l->shown, .what = "release-hold",
						    .why = l->why,
						    .policy = l->policy->cfg->digest,
						    .details = details }, 'e', l->id, err);

	free(details);
	return rc;
}

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct letting *l = arg;
	struct held_person who = { l->login, l->shown, l->admin };
	struct events v = { 0 };
	bool his, acts;
	int rc = hold_get(tx, l->id, l->alone, &v, err);

	l->open = l->superseded = 0;
	for (size_t i = 0; i < v.n && rc == 0; i++) {
		rc = hold_is_his(tx, &v.v[i], l->login, &his, err);
		if (rc == 0)
			rc = held_may(l->policy->cfg, &v.v[i], &who, his, err);
		if (rc == 0)
			rc = hold_let_go(tx, &v.v[i], l->shown, l->why, &acts, err);
		if (rc == 0)
			acts ? l->open++ : l->superseded++;
	}
	if (rc == 0)
		rc = tell_audit(tx, l, err);
	events_clear(&v);
	return rc;
}

static void done(void *arg, int rc, const struct ps_err *err)
{
	struct letting *l = arg;
	char text[128];

	snprintf(text, sizeof(text), "%zu let go%s", l->open,
		 l->superseded ? ", the others are superseded" : "");
	if (rc == 0)
		core_kick(l->core);
	l->reply(l->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, text);
	policy_drop(l->policy);
	free(l->login);
	free(l->shown);
	free(l->why);
	free(l);
}

void flow_release_hold(struct core *c, int64_t event, bool alone, const char *login,
		       const char *shown, bool admin, const char *why, core_reply_fn *reply,
		       void *arg)
{
	struct letting *l = xcalloc(1, sizeof(*l));

	*l = (struct letting) {
		.core = c, .policy = policy_take(c->policy), .id = event, .login = xstrdup(login),
		.shown = xstrdup(shown), .why = xstrdup_null(why), .admin = admin, .alone = alone,
		.reply = reply, .arg = arg,
	};
	store_write(c->store, STORE_FULL, run, done, l);
}

/* ---- an event on purpose ---- */

struct adopting {
	struct core *core;
	char *path, *ref, *who;
	int64_t id;
	core_reply_fn *reply;
	void *arg;
};

static void adopt_end(struct adopting *a, int rc, const char *problem, const char *text)
{
	a->reply(a->arg, rc, problem, text);
	free(a->path);
	free(a->ref);
	free(a->who);
	free(a);
}

static int run_adopt(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct adopting *a = arg;
	int rc = hold_adopt(tx, a->path, a->ref, a->who, clock_boot_id(), clock_boot_ns(), &a->id,
			    err);

	return rc < 0 ? rc : audit_put_id(tx, &(struct audit) { .who = a->who, .what = "adopt",
								.why = a->ref }, 'e', a->id, err);
}

static void on_adopt(void *arg, int rc, const struct ps_err *err)
{
	struct adopting *a = arg;
	char id[ID_TEXT], text[PS_REF_MAX + 64];

	snprintf(text, sizeof(text), "%s: event %s", a->ref, id_text(id, 'e', a->id));
	if (rc == 0)
		core_kick(a->core);
	adopt_end(a, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, rc < 0 ? NULL : text);
}

/* The look comes first: the event must lead to the value the ref has now. */
static void on_looked(void *arg, int rc, const char *problem, const char *text)
{
	struct adopting *a = arg;

	(void)text;
	if (rc < 0 || problem)
		adopt_end(a, rc < 0 ? rc : PS_EGATE, problem, NULL);
	else
		store_write(a->core->store, STORE_FULL, run_adopt, on_adopt, a);
}

void flow_adopt_ref(struct core *c, const char *path, const char *ref, const char *who,
		    core_reply_fn *reply, void *arg)
{
	char *real = realpath(path, NULL);
	struct adopting *a;

	if (!real) {
		reply(arg, PS_ENOENT, "there is no such repository", NULL);
		return;
	}
	a = xcalloc(1, sizeof(*a));
	*a = (struct adopting) { .core = c, .path = real, .ref = xstrdup(ref),
				 .who = xstrdup(who), .reply = reply, .arg = arg };
	reconcile_one(c->intake->reconcile, real, on_looked, a);
}
