/* survey_rights – see survey_rights.h. */
#include "config.h"

#include "agent/flow/survey_rights.h"

#include "agent/store/hold.h"
#include "agent/store/push.h"
#include "agent/store/release.h"
#include "common/base/buf.h"
#include "common/config/rights.h"

/* An admin who made a warning of it has said that it may. */
static bool refuses(const struct config *cfg, const char *code, const char *ref)
{
	return config_rule_level(cfg, code, ref, CONF_LEVEL_ERROR) < CONF_LEVEL_WARNING;
}

static int may_maker(struct store_tx *tx, const struct survey_moved *m, int64_t push, char **why,
		     struct ps_err *err)
{
	struct buf who = BUF_INIT, whom = BUF_INIT;
	struct rights_ask q = { .config = m->config, .repo = m->repository, .ref = m->e->ref };
	const struct conf_environment *env;
	struct push p = { 0 };
	int rc = push_get(tx, push, &p, err);

	if (rc < 0)
		return rc;
	q.login = p.acting_as ? p.acting_as : p.pusher;
	env = rights_against(&q, m->projects, m->n);
	if (env) {
		rights_who_text(&who, q.config, q.login);
		rights_whom_text(&whom, q.config, env);
		*why = xasprintf("%s may not move %s: environment %s takes pushes of %s only",
				 buf_str(&who), q.ref, env->name, buf_str(&whom));
	}
	buf_clear(&who);
	buf_clear(&whom);
	push_clear(&p);
	return 0;
}

/* All that may have made the movement must have had the right. */
static int may_makers(struct store_tx *tx, const struct survey_moved *m, char **why,
		      struct ps_err *err)
{
	struct event_makers makers;
	int rc = event_makers(tx, m->e->id, &makers, err);

	if (rc == 0 && !makers.n && m->e->push)
		rc = may_maker(tx, m, m->e->push, why, err);
	for (size_t i = 0; rc == 0 && !*why && i < makers.n; i++)
		rc = may_maker(tx, m, makers.v[i], why, err);
	free(makers.v);
	return rc;
}

static int moved_release(struct store_tx *tx, const struct survey_moved *m, char **why,
			 struct ps_err *err)
{
	struct rights_ask q = { .config = m->config, .repo = m->repository, .ref = m->e->ref };
	bool released = false;
	int rc;

	if (!ps_starts(m->e->ref, "refs/tags/") || !rights_takes(&q, m->projects, m->n))
		return 0;
	rc = label_of_another(tx, m->e->repository, m->e->ref, m->commit, &released, err);
	if (rc == 0 && released)
		*why = xasprintf("%s was released before, from another commit", m->e->ref);
	return rc;
}

int survey_rights(struct store_tx *tx, const struct survey_moved *m, char **why, struct ps_err *err)
{
	bool let_go = false;
	int rc = hold_was_let_go(tx, m->e->id, &let_go, err);

	*why = NULL;
	if (rc < 0 || let_go || !m->n)
		return rc;
	if (refuses(m->config, RIGHTS_CODE, m->e->ref))
		rc = may_makers(tx, m, why, err);
	if (rc == 0 && !*why && refuses(m->config, RIGHTS_RELEASED_CODE, m->e->ref))
		rc = moved_release(tx, m, why, err);
	return rc;
}
