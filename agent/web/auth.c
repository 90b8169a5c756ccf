/* auth – see auth.h. */
#include "config.h"

#include "agent/web/auth.h"

#include <pwd.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/config/rights.h"

static bool in_any_team(const struct config *cfg, const char *login)
{
	for (size_t i = 0; i < cfg->nteams; i++)
		if (config_is_member(cfg, cfg->teams[i].name, login))
			return true;
	return false;
}

int auth_person(struct person *p, const struct config *cfg, uint32_t uid, const char *as,
		struct ps_err *err)
{
	struct passwd pw, *found = NULL;
	char room[4096];

	memset(p, 0, sizeof(*p));
	p->uid = uid;
	p->admin = uid == 0 || uid == geteuid();
	if (getpwuid_r(uid, &pw, room, sizeof(room), &found) == 0 && found)
		snprintf(p->login, sizeof(p->login), "%s", pw.pw_name);
	else
		snprintf(p->login, sizeof(p->login), "%u", uid);
	snprintf(p->shown, sizeof(p->shown), "%s", p->login);
	if (!as)
		return 0;
	if (!cfg->trusted_caller || uid != geteuid())
		return ps_err_set(err, PS_EPERM, "'%s' may not speak as '%s': that is for the "
				  "agent's own user, where "
				  "penstock.yml says identity: { trusted_caller: true }", p->login,
				  as);
	if (!in_any_team(cfg, as))
		return ps_err_set(err, PS_EPERM, "'%s' is in no team of penstock.yml", as);
	snprintf(p->shown, sizeof(p->shown), "%.255s (as %.255s)", p->login, as);
	snprintf(p->login, sizeof(p->login), "%s", as);
	p->admin = false;		/* the member's rights, not his own */
	return 0;
}

int auth_may_look(const struct person *p, const struct config *cfg, struct ps_err *err)
{
	return p->admin ? 0 : auth_is_member(p, cfg, err);
}

int auth_is_member(const struct person *p, const struct config *cfg, struct ps_err *err)
{
	if (in_any_team(cfg, p->login))
		return 0;
	return ps_err_set(err, PS_EPERM, "'%s' is in no team of penstock.yml; whoever may change "
			  "that file can put you into one", p->login);
}

int auth_may_run(const struct person *p, const struct config *cfg, const char *fabric,
		 struct ps_err *err)
{
	const struct conf_fabric *f = config_fabric(cfg, fabric);
	struct buf could = BUF_INIT;
	int rc;

	if (!f)
		return ps_err_set(err, PS_ENOENT, "the configuration has no fabric '%s'", fabric);
	if (config_is_member(cfg, f->owner, p->login))
		return 0;
	rights_team_text(&could, cfg, f->owner);
	rc = ps_err_set(err, PS_EPERM, "fabric '%s' belongs to team '%s' and '%s' is not in it; "
			"it is for %s", fabric, f->owner, p->login, buf_str(&could));
	buf_clear(&could);
	return rc;
}

int auth_may_pause(const struct person *p, const struct config *cfg, const char *scope,
		   const char *name, struct ps_err *err)
{
	const struct conf_environment *e;

	if (strcmp(scope, "fabric") == 0)
		return p->admin && config_fabric(cfg, name) ? 0 : auth_may_run(p, cfg, name, err);
	if (strcmp(scope, "environment") != 0)
		return auth_is_admin(p, err);
	e = config_environment(cfg, name);
	if (!e)
		return ps_err_set(err, PS_ENOENT, "the configuration has no environment '%s'",
				  name);
	return p->admin ? 0 : auth_may_run(p, cfg, e->fabric, err);
}

int auth_is_admin(const struct person *p, struct ps_err *err)
{
	if (p->admin)
		return 0;
	return ps_err_set(err, PS_EPERM, "this is for root and the agent's own user; you are '%s'",
			  p->shown);
}
