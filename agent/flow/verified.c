/* verified – see verified.h. */
#include "config.h"

#include "agent/flow/verified.h"

#include "agent/flow/planning.h"
#include "agent/store/release.h"
#include "agent/store/repository.h"
#include "agent/store/verified.h"
#include "common/plan/manifest.h"

/* What the plan stands on besides the label. */
struct ground {
	const struct conf_fabric *fabric;
	struct release release;
	struct manifest manifest;
	struct repository repository;
};

static void ground_drop(struct ground *g)
{
	manifest_clear(&g->manifest);
	release_clear(&g->release);
	repository_clear(&g->repository);
}

static int ground_read(struct store_tx *tx, const struct verified_ask *q, struct ground *g,
		       struct ps_err *err)
{
	int rc = release_get(tx, q->release, &g->release, err);

	if (rc == 0)
		rc = manifest_read(&g->manifest, g->release.manifest, strlen(g->release.manifest),
				   q->release, err);
	return rc < 0 ? rc : repository_get(tx, q->repository, &g->repository, err);
}

/* What it would come to now by the label of that deployment; "" when it cannot be planned. */
static int render_again(struct store_tx *tx, const struct verified_ask *q, const struct ground *g,
			int64_t deployment, char digest[65], struct ps_err *err)
{
	struct deployed_jobs none = { NULL, 0 };
	struct deployment d = { 0 };
	struct label l = { 0 };
	struct plan plan = { 0 };
	int rc = deployment_get(tx, deployment, &d, err);

	digest[0] = '\0';
	if (rc == 0)
		rc = label_get(tx, d.label, &l, err);
	if (rc == 0)
		rc = planning_make(&(struct planning) {
			.cfg = q->cfg, .paths = q->paths, .env = q->env, .fabric = g->fabric,
			.repository = g->repository.name, .project = q->project, .ref = l.ref,
			.version = l.version, .release = &g->manifest, .release_id = q->release,
			.known = &none,
		}, &plan, err);
	if (rc == 0 && !plan.nproblems)
		memcpy(digest, plan.rendered, sizeof(plan.rendered));
	plan_clear(&plan);
	label_clear(&l);
	deployment_clear(&d);
	return rc;
}

static int weigh(struct store_tx *tx, const struct verified_ask *q, const struct verifications *l,
		 const struct ground *g, bool *is, char **why, struct ps_err *err)
{
	char now[65];
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0 && !*is; i++) {
		const struct verification *v = &l->v[i];

		rc = render_again(tx, q, g, v->deployment, now, err);
		if (rc < 0)
			break;
		*is = strcmp(now, v->digest) == 0 && strcmp(v->state, "verified") == 0;
		if (*why)
			continue;	/* the newest says why */
		if (strcmp(v->state, "verified") != 0)
			*why = xasprintf("not verified on fabric %s by d%lld: %s", g->fabric->name,
					 (long long)v->deployment, v->reason ? v->reason : "");
		else
			*why = xasprintf("verified on fabric %s by d%lld, but the configuration "
					 "makes something else of it now", g->fabric->name,
					 (long long)v->deployment);
	}
	return rc;
}

int verified_release(struct store_tx *tx, const struct verified_ask *q, bool *is, char **why,
		     struct ps_err *err)
{
	struct ground g = { .fabric = config_fabric(q->cfg, q->env->fabric) };
	struct verifications l = { NULL, 0 };
	int rc = verifications_of(tx, q->env->fabric, q->repository, q->project, q->release, &l,
				  err);

	*is = false;
	*why = NULL;
	if (rc == 0 && l.n && g.fabric) {
		rc = ground_read(tx, q, &g, err);
		if (rc == 0)
			rc = weigh(tx, q, &l, &g, is, why, err);
	}
	if (rc == 0 && !*is && !*why)
		*why = xasprintf("not verified on fabric %s yet", q->env->fabric);
	if (rc < 0 || *is)
		PS_FREE(*why);
	ground_drop(&g);
	verifications_clear(&l);
	return rc;
}
