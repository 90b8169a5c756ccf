/* acts_go – what people send somewhere: promote takes a release to an environment, redeploy what is
 * there once more. */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/asking.h"
#include "agent/store/deployment.h"
#include "common/base/buf.h"
#include "common/base/id.h"
#include "common/config/rights.h"

static int refuse(struct acting *a, const struct conf_environment *env, const char *verb,
		  struct ps_err *err)
{
	struct buf whom = BUF_INIT;
	int rc;

	rights_whom_text(&whom, a->cfg, env);
	rc = ps_err_set(err, PS_EPERM, "'%s' may not %s to environment %s: that is for %s",
			a->ask.who.shown, verb, env->name, buf_str(&whom));
	buf_clear(&whom);
	return rc;
}

/* The environment as typed; its fabric is asked where somebody named that instead. */
static int find_environment(struct acting *a, const struct conf_environment **env,
			    struct ps_err *err)
{
	const char *name = a->ask.environment ? a->ask.environment : "";

	*env = config_environment(a->cfg, name);
	if (*env)
		return 0;
	a->next = xstrdup("penstock config check");
	for (size_t i = 0; i < a->cfg->nenvironments; i++)
		if (strcmp(a->cfg->environments[i].fabric, name) == 0)
			return ps_err_set(err, PS_ENOENT,
					  "'%s' is a fabric; say an environment, such "
					  "as %s",
					  name, a->cfg->environments[i].name);
	return ps_err_set(err, PS_ENOENT, "there is no environment '%s'", name);
}

/* May he send there what his pushes may bring there? */
static int check_push(struct acting *a, const struct conf_environment *env, struct ps_err *err)
{
	if (a->ask.who.admin || rights_may(a->cfg, env, a->ask.who.login))
		return 0;
	return refuse(a, env, acts_word(a->ask.verb), err);
}

/* Whoever may move a ref that goes there may send a release there: it is no more than that. */
int acts_promote(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	struct asking q = { .cfg = a->cfg,
			    .paths = a->paths,
			    .asked = "promote",
			    .by = a->ask.who.shown,
			    .why = a->ask.why };
	struct release_ask ask = { .thing = a->ask.thing,
				   .repository = a->ask.repository,
				   .project = a->ask.project,
				   .place = true };
	struct release_found found = { .project = NULL };
	struct label label = { 0 };
	struct demand d = { 0 };
	char *what;
	int rc = find_environment(a, &q.env, err);

	if (rc == 0)
		rc = check_push(a, q.env, err);
	if (rc == 0)
		rc = release_find(tx, &ask, &found, err);
	if (rc == 0)
		rc = label_get(tx, found.label, &label, err);
	q.label = &label;
	if (rc == 0)
		rc = asking_put(tx, &q, &d, err);
	if (rc == 0) {
		what = xasprintf("%s (%.12s) to %s", label.version, label.release, q.env->name);
		acts_item(a, 'e', d.event, "open", a->why, what);
		free(what);
	}
	demand_clear(&d);
	release_found_clear(&found);
	label_clear(&label);
	return rc;
}

/* ---- once more ---- */

static int again(struct store_tx *tx, struct acting *a, const struct deployment *d,
		 struct ps_err *err)
{
	struct asking q = { .cfg = a->cfg,
			    .paths = a->paths,
			    .asked = "redeploy",
			    .by = a->ask.who.shown,
			    .why = a->ask.why,
			    .jobs = a->ask.jobs };
	struct label label = { 0 };
	struct demand made = { 0 };
	char *what;
	int rc;

	q.label = &label;
	q.env = config_environment(a->cfg, d->environment);
	if (!q.env)
		return ps_err_set(err, PS_ENOENT,
				  "environment %s is not in the configuration any more",
				  d->environment);
	rc = check_push(a, q.env, err);
	if (rc == 0)
		rc = label_get(tx, d->label, &label, err);
	if (rc == 0)
		rc = asking_put(tx, &q, &made, err);
	if (rc == 0) {
		what = xasprintf("%s (%.12s) to %s", label.version, label.release, q.env->name);
		acts_item(a, 'e', made.event, "open", a->why, what);
		free(what);
	}
	demand_clear(&made);
	label_clear(&label);
	return rc;
}

int acts_redeploy(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	const char *thing = a->ask.thing ? a->ask.thing : "";
	struct deployments l = { NULL, 0 };
	struct deployment d = { 0 };
	int64_t id = 0;
	int rc;

	if (id_parse(thing, 'd', &id)) {
		rc = acts_unknown(a, "deployment", deployment_get(tx, id, &d, err), err);
		if (rc == 0)
			rc = again(tx, a, &d, err);
		deployment_clear(&d);
		return rc;
	}
	if (!config_environment(a->cfg, thing)) {
		a->next = xstrdup("penstock fabrics");
		return ps_err_set(err, PS_ENOENT,
				  "'%s' is neither an environment nor a deployment like d12",
				  thing);
	}
	rc = deployments_last(tx, thing, a->ask.repository, a->ask.project, &l, err);
	if (rc == 0 && !l.n) {
		a->next = xasprintf("penstock promote LABEL %s", thing);
		rc = ps_err_set(err, PS_EBUSY, "nothing was deployed to environment %s", thing);
	}
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = again(tx, a, &l.v[i], err);
	deployments_clear(&l);
	return rc;
}
