/* gates – see gates.h. */
#include "config.h"

#include "agent/flow/gates.h"

#include "common/base/buf.h"
#include "common/base/id.h"

static bool has(const struct texts *l, const char *text)
{
	for (size_t i = 0; l && i < l->n; i++)
		if (strcmp(l->v[i], text) == 0)
			return true;
	return false;
}

static bool is_owner(const struct gates_facts *f, const char *login)
{
	return config_is_member(f->cfg, f->fabric->owner, login);
}

static bool is_maker(const struct gates_facts *f, const char *login)
{
	return !f->fabric->self_approval && has(f->makers, login);
}

static bool is_rescuer(const struct gates_facts *f, const char *login)
{
	return f->fabric->emergency && config_is_member(f->cfg, f->fabric->emergency, login);
}

static bool counts(const struct gates_facts *f, const struct approval *a)
{
	if (strcmp(a->decision, "approved") != 0 || !ps_streq(a->plan_digest, f->digest) ||
	    a->at_ms + f->env->approval_lapses_ms <= f->now_ms)
		return false;
	return a->emergency ? is_rescuer(f, a->login)
			    : is_owner(f, a->login) && !is_maker(f, a->login);
}

unsigned gates_approved(const struct gates_facts *f, bool *emergency)
{
	struct texts who = { NULL, 0, 0 };
	unsigned n;

	*emergency = false;
	for (size_t i = 0; f->approvals && i < f->approvals->n; i++) {
		const struct approval *a = &f->approvals->v[i];

		if (!counts(f, a))
			continue;
		*emergency = *emergency || a->emergency;
		if (!has(&who, a->login))
			texts_add(&who, a->login);
	}
	n = (unsigned)who.n;
	texts_clear(&who);
	return n;
}

static bool has_approved(const struct gates_facts *f, const char *login)
{
	for (size_t i = 0; f->approvals && i < f->approvals->n; i++)
		if (strcmp(f->approvals->v[i].login, login) == 0 && counts(f, &f->approvals->v[i]))
			return true;
	return false;
}

/* Everybody of a team once, whatever team names him. */
static void team_people(const struct config *cfg, const char *team, struct texts *out)
{
	for (size_t i = 0; i < cfg->nteams; i++)
		for (size_t k = 0; k < cfg->teams[i].members.n; k++) {
			const char *login = cfg->teams[i].members.v[k];

			if (!has(out, login) && config_is_member(cfg, team, login))
				texts_add(out, login);
		}
}

static char *joined(const struct texts *l)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < l->n; i++)
		buf_addf(&b, "%s%s", i ? ", " : "", l->v[i]);
	return buf_steal(&b);
}

char *gates_could(const struct gates_facts *f)
{
	struct texts all = { NULL, 0, 0 }, could = { NULL, 0, 0 };
	char *text;

	team_people(f->cfg, f->fabric->owner, &all);
	for (size_t i = 0; i < all.n; i++)
		if (!is_maker(f, all.v[i]) && !has_approved(f, all.v[i]))
			texts_add(&could, all.v[i]);
	text = joined(&could);
	texts_clear(&all);
	texts_clear(&could);
	return text;
}

/* "team prod_support (kim, lee)" */
static char *team_text(const struct gates_facts *f, const char *team)
{
	struct texts all = { NULL, 0, 0 };
	char *names, *text;

	team_people(f->cfg, team, &all);
	names = joined(&all);
	text = xasprintf("team %s (%s)", team, *names ? names : "nobody");
	free(names);
	texts_clear(&all);
	return text;
}

static char *subject(const struct gates_facts *f, const char *verb)
{
	char id[ID_TEXT];

	return xasprintf("penstock %s %s", verb, id_text(id, 'd', f->d->id));
}

struct standstill gates_before_plan(const struct gates_facts *f)
{
	if (f->after_why)
		return (struct standstill){
			.reason = "after",
			.detail = xstrdup(f->after_why),
			.blocked_by = xasprintf("environment %s", f->env->after),
			.lift = xasprintf("penstock promote %.12s %s", f->d->release,
					  f->env->after),
		};
	if (f->env->deploy == CONF_DEPLOY_MANUAL && !f->d->let_by)
		return (struct standstill){
			.reason = "manual",
			.detail = xasprintf("environment %s is deployed by hand by %s",
					    f->env->name, f->fabric->owner),
			.blocked_by = xasprintf("team %s", f->fabric->owner),
			.lift = subject(f, "deploy"),
		};
	return (struct standstill){ .reason = NULL };
}

static char *approval_detail(const struct gates_facts *f, unsigned given)
{
	char *could = gates_could(f), *makers = f->makers ? joined(f->makers) : xstrdup(""), *text;
	bool out = f->makers && f->makers->n && !f->fabric->self_approval;

	text = xasprintf("%s %u/%u; %s%s could%s%s%s%s", f->fabric->owner, given, f->env->approvals,
			 *could ? "" : "nobody of them", could,
			 out ? ", not who may have pushed it: " : "", out ? makers : "",
			 f->changed ? "; since it was approved: " : "",
			 f->changed ? f->changed : "");
	free(could);
	free(makers);
	return text;
}

struct standstill gates_after_plan(const struct gates_facts *f)
{
	bool emergency;
	unsigned given;

	if (f->env->deploy != CONF_DEPLOY_APPROVE)
		return (struct standstill){ .reason = NULL };
	given = gates_approved(f, &emergency);
	if (emergency || given >= f->env->approvals)
		return (struct standstill){ .reason = NULL };
	return (struct standstill){
		.reason = "approval",
		.detail = approval_detail(f, given),
		.blocked_by = xasprintf("team %s", f->fabric->owner),
		.lift = subject(f, "approve"),
	};
}

int gates_check_owner(const struct gates_facts *f, const struct acts_person *who, const char *verb,
		      struct ps_err *err)
{
	char *team, id[ID_TEXT];
	int rc;

	if (is_owner(f, who->login))
		return 0;
	team = team_text(f, f->fabric->owner);
	rc = ps_err_set(err, PS_EPERM, "'%s' may not %s %s: fabric %s is for %s", who->shown, verb,
			id_text(id, 'd', f->d->id), f->fabric->name, team);
	free(team);
	return rc;
}

static int refuse_rescuer(const struct gates_facts *f, const struct acts_person *who,
			  struct ps_err *err)
{
	char *team = f->fabric->emergency ? team_text(f, f->fabric->emergency) : NULL;
	int rc = team ? ps_err_set(err, PS_EPERM,
				   "'%s' may not approve as an emergency on fabric %s: that is "
				   "for %s",
				   who->shown, f->fabric->name, team)
		      : ps_err_set(err, PS_EPERM,
				   "fabric %s has no team for emergencies: an admin names one with "
				   "'emergency:' in its block of penstock.yml",
				   f->fabric->name);

	free(team);
	return rc;
}

int gates_check_approver(const struct gates_facts *f, const struct acts_person *who, bool emergency,
			 struct ps_err *err)
{
	char *could, id[ID_TEXT];
	const char *why;
	int rc;

	if (emergency)
		return is_rescuer(f, who->login) ? 0 : refuse_rescuer(f, who, err);
	if (is_owner(f, who->login) && !is_maker(f, who->login))
		return 0;
	why = is_owner(f, who->login) ? "may have pushed it" : "is not of the team";
	could = gates_could(f);
	rc = ps_err_set(err, PS_EPERM,
			"'%s' may not approve %s: fabric %s is of team %s, and %s %s; who "
			"could: %s",
			who->shown, id_text(id, 'd', f->d->id), f->fabric->name, f->fabric->owner,
			who->login, why, *could ? could : "nobody of them");
	free(could);
	return rc;
}
