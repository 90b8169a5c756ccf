/* back – see back.h. */
#include "config.h"

#include "agent/flow/back.h"

#include "agent/store/repository.h"

int back_place(struct store_tx *tx, const struct conf_fabric *f, const char *repository,
	       const char *project, struct deployment *out, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = places_on(tx, f->name, repository, project, &l, err);

	if (rc == 0 && !l.n)
		rc = ps_err_set(err, PS_ENOENT, "nothing%s was deployed on fabric %s",
				repository || project ? " of that" : "", f->name);
	else if (rc == 0 && l.n > 1)
		rc = ps_err_set(err, PS_EINVAL, "%zu projects are on fabric %s; name one by --repo "
				"and --project", l.n, f->name);
	if (rc == 0)
		rc = deployment_get(tx, l.v[0].id, out, err);
	deployments_clear(&l);
	return rc;
}

/* The rule by which it went there; another that goes there when that one is gone. */
static int environment_of(struct store_tx *tx, const struct back_ask *q,
			  const struct deployment *to, const struct conf_environment **env,
			  struct ps_err *err)
{
	struct repository r = { 0 };
	int rc = repository_get(tx, to->repository, &r, err);

	*env = config_environment(q->cfg, to->environment);
	if (*env && strcmp((*env)->fabric, q->fabric->name) != 0)
		*env = NULL;
	for (size_t i = 0; rc == 0 && !*env && i < q->cfg->nenvironments; i++) {
		const struct conf_environment *e = &q->cfg->environments[i];

		if (strcmp(e->fabric, q->fabric->name) == 0 &&
		    asking_fits(e, r.name, to->project))
			*env = e;
	}
	if (rc == 0 && !*env)
		rc = ps_err_set(err, PS_ENOENT, "no environment goes to fabric %s any more: an "
				"admin adds one to penstock.yml", q->fabric->name);
	repository_clear(&r);
	return rc;
}

int back_again(struct store_tx *tx, const struct back_ask *q, const struct deployment *at,
	       const char *asked, const char *jobs, int64_t *event, struct ps_err *err)
{
	struct asking a = { .cfg = q->cfg, .paths = q->paths, .asked = asked, .by = q->by,
			    .why = q->why, .jobs = jobs };
	struct label label = { 0 };
	struct demand d = { 0 };
	int rc = environment_of(tx, q, at, &a.env, err);

	if (rc == 0)
		rc = label_get(tx, at->label, &label, err);
	a.label = &label;
	if (rc == 0)
		rc = asking_put(tx, &a, &d, err);
	*event = d.event;
	demand_clear(&d);
	label_clear(&label);
	return rc;
}

/* The place's verified deployment of the release that was typed. */
static int find_typed(struct store_tx *tx, const struct back_ask *q, const struct deployment *now,
		      struct deployment *to, struct ps_err *err)
{
	struct place at = { q->fabric->name, now->project, now->repository };
	struct repository r = { 0 };
	struct release_found found = { .project = NULL };
	char *versions = NULL;
	int rc = repository_get(tx, now->repository, &r, err);

	if (rc == 0)
		rc = release_find(tx, &(struct release_ask) { .thing = q->to, .repository = r.name,
							      .project = now->project }, &found,
				  err);
	if (rc == 0 && strcmp(found.id, now->release) == 0)
		rc = ps_err_set(err, PS_EINVAL, "%s is what fabric %s has", q->to, q->fabric->name);
	if (rc == 0)
		rc = place_verified(tx, &at, found.id, to, err);
	if (rc == PS_ENOENT && found.project && place_versions(tx, &at, &versions, err) == 0)
		rc = ps_err_set(err, PS_ENOENT, "%s was never verified on fabric %s; verified "
				"there: %s", q->to, q->fabric->name,
				*versions ? versions : "nothing");
	free(versions);
	release_found_clear(&found);
	repository_clear(&r);
	return rc;
}

static int find_target(struct store_tx *tx, const struct back_ask *q, const struct deployment *now,
		       struct deployment *to, struct ps_err *err)
{
	int rc;

	if (q->to)
		return find_typed(tx, q, now, to, err);
	rc = place_before(tx, now, to, err);
	return rc != PS_ENOENT ? rc :
		ps_err_set(err, PS_ENOENT, "there is nothing to go back to: no other release was "
			   "verified on fabric %s before %.12s", q->fabric->name, now->release);
}

static int tell(struct store_tx *tx, const struct deployment *now, const struct deployment *to,
		char **what, struct ps_err *err)
{
	struct label was = { 0 }, is = { 0 };
	int rc = label_get(tx, now->label, &was, err);

	if (rc == 0)
		rc = label_get(tx, to->label, &is, err);
	if (rc == 0)
		*what = xasprintf("%s (%.12s) in place of %s (%.12s) on %s", is.version,
				  to->release, was.version, now->release, to->fabric);
	label_clear(&was);
	label_clear(&is);
	return rc;
}

int back_put(struct store_tx *tx, const struct back_ask *q, const struct deployment *now,
	     int64_t *event, char **what, struct ps_err *err)
{
	struct deployment to = { 0 };
	char *why = NULL;
	int rc = find_target(tx, q, now, &to, err);

	*what = NULL;
	if (rc == 0)
		rc = tell(tx, now, &to, what, err);
	if (rc == 0) {
		why = xasprintf("rolled back to %s%s%s", *what, q->why ? ": " : "",
				q->why ? q->why : "");
		rc = pin_put(tx, &(struct pin) { .fabric = q->fabric->name, .who = (char *)q->by,
						 .why = why }, err);
	}
	if (rc == 0)
		rc = back_again(tx, q, &to, "rollback", NULL, event, err);
	if (rc < 0)
		PS_FREE(*what);
	free(why);
	deployment_clear(&to);
	return rc;
}
