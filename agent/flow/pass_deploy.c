/* pass_deploy – deployments go through their gates in order: the rule still exists → a driver is
 * there → nothing newer → `deploy:` of the environment → fabric free → plan → steps. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/store/release.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/base/id.h"
#include "common/plan/manifest.h"
#include "common/plan/plan.h"

/* State of the deployment and of the demand behind it move together. */
static int both(struct store_tx *tx, const struct deployment *d, const char *state,
		const char *reason, const char *detail, int64_t by, struct ps_err *err)
{
	int rc = deployment_set(tx, d->id, state, reason, detail, by, err);

	return rc < 0 ? rc : demand_set(tx, d->demand, state, reason, detail, by, err);
}

static bool has_driver(const struct pass *p, enum conf_provider provider)
{
	for (size_t i = 0; i < p->view.ndrivers; i++)
		if (strcmp(p->view.drivers[i], conf_provider_word(provider)) == 0)
			return true;
	return false;
}

/* What the plan stands on, gathered; freed by view_drop(). */
struct plan_view {
	struct release release;
	struct label label;
	struct repository repository;
	struct manifest manifest;
	struct plan_template *templates;
	size_t ntemplates;
	struct buf *bytes;
	struct deployed_jobs known_rows;
	struct plan_known *known;
	struct buf *known_bytes;
	char *fabric_dir, *full_tag, *project_id;
};

static void view_drop(struct plan_view *v)
{
	for (size_t i = 0; i < v->ntemplates; i++)
		buf_clear(&v->bytes[i]);
	for (size_t i = 0; i < v->known_rows.n && v->known_bytes; i++)
		buf_clear(&v->known_bytes[i]);
	free(v->bytes);
	free(v->templates);
	free(v->known);
	free(v->known_bytes);
	deployed_jobs_clear(&v->known_rows);
	manifest_clear(&v->manifest);
	release_clear(&v->release);
	label_clear(&v->label);
	repository_clear(&v->repository);
	free(v->fabric_dir);
	free(v->full_tag);
	free(v->project_id);
}

static int read_templates(struct plan_view *v, const char *content, struct ps_err *err)
{
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < v->manifest.njobs; i++)
		n += v->manifest.jobs[i].nfiles;
	v->bytes = xcalloc(n, sizeof(*v->bytes));
	v->templates = xcalloc(n, sizeof(*v->templates));
	for (size_t i = 0; i < v->manifest.njobs; i++)
		for (size_t k = 0; k < v->manifest.jobs[i].nfiles && rc == 0; k++) {
			const char *sha256 = v->manifest.jobs[i].files[k].sha256;
			struct buf *b = &v->bytes[v->ntemplates];

			rc = cas_read(b, content, sha256, PS_JSON_MAX, err);
			v->templates[v->ntemplates++] = (struct plan_template) { sha256, buf_str(b),
										 b->len };
		}
	return rc;
}

static void read_known(struct plan_view *v, const char *content)
{
	v->known = xcalloc(v->known_rows.n, sizeof(*v->known));
	v->known_bytes = xcalloc(v->known_rows.n, sizeof(*v->known_bytes));
	for (size_t i = 0; i < v->known_rows.n; i++) {
		const struct deployed_job *j = &v->known_rows.v[i];
		struct buf *b = &v->known_bytes[i];
		bool there = cas_read(b, content, j->digest, PS_JSON_MAX, NULL) == 0;

		v->known[i] = (struct plan_known) { .key = j->job, .name = j->name,
						    .digest = j->digest,
						    .bytes = there ? buf_str(b) : NULL,
						    .n = b->len };
	}
}

static int gather(struct store_tx *tx, struct pass *p, const struct deployment *d,
		  struct plan_view *v, struct ps_err *err)
{
	int rc = release_get(tx, d->release, &v->release, err);

	if (rc == 0)
		rc = label_get(tx, d->label, &v->label, err);
	if (rc == 0)
		rc = repository_get(tx, d->repository, &v->repository, err);
	if (rc == 0)
		rc = manifest_read(&v->manifest, v->release.manifest, strlen(v->release.manifest),
				   d->release, err);
	if (rc == 0)
		rc = release_full_tag(&v->full_tag, v->label.ref, v->label.version, err);
	if (rc == 0)
		rc = read_templates(v, p->view.paths->artifacts, err);
	if (rc == 0)
		rc = deployed_jobs(tx, d->fabric, d->repository, d->project, &v->known_rows, err);
	if (rc == 0)
		read_known(v, p->view.paths->artifacts);
	return rc;
}

static int make_plan(struct pass *p, const struct deployment *d, const struct conf_environment *env,
		     const struct conf_fabric *f, struct plan_view *v, struct plan *plan,
		     struct ps_err *err)
{
	const struct conf_project *pr = config_project(p->view.policy->cfg, v->repository.name,
						       d->project);
	struct plan_derive *derive = xcalloc(env->nderive, sizeof(*derive));
	struct plan_input in = {
		.release = &v->manifest, .release_id = d->release, .environment = env->name,
		.repository = v->repository.name, .provider = (enum plan_provider)f->provider,
		.fabric_id = f->id, .customer = pr ? pr->customer : NULL,
		.control_plane = pr ? pr->control_plane : NULL, .templates = v->templates,
		.ntemplates = v->ntemplates, .known = v->known, .nknown = v->known_rows.n,
		.jobs_own = env->jobs_own, .derive = derive, .nderive = env->nderive,
	};
	int rc;

	v->fabric_dir = fs_join(p->view.paths->fabrics, f->name);
	in.fabric_address = f->host ? f->host : v->fabric_dir;
	v->project_id = pr && pr->id ? xasprintf("%lld", (long long)pr->id) : NULL;
	in.params = (struct render_params) { .project_id = v->project_id,
					     .release_version = v->label.version,
					     .full_release_tag = v->full_tag,
					     .prophecy_url = pr ? pr->url : NULL };
	for (size_t i = 0; i < env->nderive; i++)
		derive[i] = (struct plan_derive) { env->derive[i].from, env->derive[i].as,
						   env->derive[i].config, env->derive[i].enabled };
	rc = plan_make(plan, &in, err);
	free(derive);
	return rc;
}

/* Rendered definitions go to the content store before the plan that names them is stored. */
static int keep_rendered(const struct plan *plan, const char *content, struct ps_err *err)
{
	char hex[65];
	int rc = 0;

	for (size_t i = 0; i < plan->njobs && rc == 0; i++)
		if (plan->jobs[i].bytes)
			rc = cas_put_bytes(content, plan->jobs[i].bytes, plan->jobs[i].n, hex, err);
	return rc;
}

static int start(struct store_tx *tx, struct pass *p, const struct deployment *d,
		 const struct plan *plan, const char *name, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	struct act *a;
	int64_t fence = 0;
	int rc = plan_write(plan, &text, err);

	if (rc == 0)
		rc = deployment_start(tx, d->id, buf_str(&text), plan->digest,
				      p->view.policy->cfg->digest, &fence, err);
	if (rc == 0)
		rc = demand_set(tx, d->demand, "active", NULL, "deploying", 0, err);
	if (rc == 0) {
		a = pass_act(p, ACT_DEPLOY, d->id);
		a->fence = fence;
		a->name = xstrdup(name);
		rc = deployment_get(tx, d->id, &a->deployment, err);
		if (rc == 0)
			rc = pass_be_careful(tx, &p->recovery, a, err);
	}
	buf_clear(&text);
	return rc;
}

static int plan_and_start(struct store_tx *tx, struct pass *p, const struct deployment *d,
			  const struct conf_environment *env, const struct conf_fabric *f,
			  struct ps_err *err)
{
	struct plan_view v = { 0 };
	struct plan plan = { 0 };
	struct buf why = BUF_INIT;
	int rc = gather(tx, p, d, &v, err);

	if (rc == 0)
		rc = make_plan(p, d, env, f, &v, &plan, err);
	for (size_t i = 0; i < plan.nproblems; i++)
		buf_addf(&why, "%s%s", i ? "\n" : "", plan.problems[i]);
	if (rc == 0 && plan.nproblems) {
		rc = both(tx, d, "failed", buf_str(&why),
			  "the plan has problems; nothing was changed on the fabric", 0, err);
	} else if (rc == 0) {
		rc = keep_rendered(&plan, p->view.paths->artifacts, err);
		if (rc == 0)
			rc = start(tx, p, d, &plan, v.repository.name, err);
	}
	buf_clear(&why);
	plan_clear(&plan);
	view_drop(&v);
	return rc;
}

static const struct deployment *busy_with(const struct deployments *running, const char *fabric)
{
	for (size_t i = 0; i < running->n; i++)
		if (strcmp(running->v[i].fabric, fabric) == 0)
			return &running->v[i];
	return NULL;
}

static int wait(struct store_tx *tx, const struct deployment *d, const char *reason, char *detail,
		struct ps_err *err)
{
	int rc = both(tx, d, "waiting", reason, detail, 0, err);

	free(detail);
	return rc;
}

/* One deployment through its gates. */
static int advance(struct store_tx *tx, struct pass *p, const struct deployment *d,
		   const struct deployments *running, struct ps_err *err)
{
	const struct config *cfg = p->view.policy->cfg;
	const struct conf_environment *env = config_environment(cfg, d->environment);
	const struct conf_fabric *f = env ? config_fabric(cfg, env->fabric) : NULL;
	const struct deployment *other;
	struct demand demand = { 0 };
	const char *stopped;
	int64_t newer = 0;
	char id[ID_TEXT], *detail;
	int rc;

	if (!f || strcmp(env->fabric, d->fabric) != 0) {
		char *why = xasprintf("rule removed by configuration %.12s", cfg->digest);

		rc = both(tx, d, "cancelled", why, NULL, 0, err);
		free(why);
		return rc;
	}
	rc = demand_get(tx, d->demand, &demand, err);
	if (rc == 0)
		rc = deployment_newer(tx, d->repository, d->project, d->environment, demand.event,
				      &newer, err);
	demand_clear(&demand);
	if (rc < 0)
		return rc;
	if (newer) {
		char *why = xasprintf("superseded by %s", id_text(id, 'd', newer));

		rc = both(tx, d, "superseded", why, NULL, newer, err);
		free(why);
		return rc;
	}
	if (env->deploy == CONF_DEPLOY_APPROVE)
		return wait(tx, d, "approval",
			    xasprintf("%s 0/%u; approving is not in this version", f->owner,
				      env->approvals), err);
	if (env->deploy == CONF_DEPLOY_MANUAL)
		return wait(tx, d, "manual",
			    xasprintf("environment %s is deployed by hand; that is not in this "
				      "version",
				      env->name), err);
	stopped = pass_stopped(p, PAUSE_DEPLOY, d->environment, d->fabric, &detail);
	if (stopped)
		return wait(tx, d, stopped, detail, err);
	other = busy_with(running, d->fabric);
	if (other)
		return wait(tx, d, "lock", xasprintf("fabric %s is taken by %s", d->fabric,
						     id_text(id, 'd', other->id)), err);
	if (!p->view.deploy_up)
		return wait(tx, d, "fabric", xstrdup("the deploy role is not running"), err);
	if (!has_driver(p, f->provider))
		return wait(tx, d, "fabric",
			    xasprintf("no driver in this version for provider %s of fabric %s",
				      conf_provider_word(f->provider), f->name), err);
	return plan_and_start(tx, p, d, env, f, err);
}

int pass_deployments(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct deployments waiting = { NULL, 0 }, running = { NULL, 0 };
	int rc = deployments_in_state(tx, "waiting", &waiting, err);

	for (size_t i = 0; i < waiting.n && rc == 0; i++) {
		deployments_clear(&running);
		rc = deployments_in_state(tx, "running", &running, err);
		if (rc == 0)
			rc = advance(tx, p, &waiting.v[i], &running, err);
	}
	deployments_clear(&waiting);
	deployments_clear(&running);
	return rc;
}
