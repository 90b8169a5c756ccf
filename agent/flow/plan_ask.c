/* plan_ask – see plan_ask.h. Which release is meant is found first; with refresh somebody looks at
 * the fabric then, and it is found and planned again. */
#include "config.h"

#include "agent/flow/plan_ask.h"

#include "agent/flow/observe.h"
#include "agent/flow/planning.h"
#include "agent/store/demand.h"
#include "agent/store/imported.h"
#include "agent/store/release.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/config/mapping.h"

enum { LABELS_LOOKED_AT = 500 };

struct asking {
	struct core *core;
	struct policy_now *policy;
	char *environment, *thing, *repository, *project;
	bool refresh, only_find;
	plan_reply_fn *reply;
	void *arg;
	/* found */
	const struct conf_environment *env;
	const struct conf_fabric *fabric;
	struct label label;
	struct repository repo;
	json_t *doc;
	const char *next;
};

static void asking_end(struct asking *k, int rc, const char *problem)
{
	k->reply(k->arg, rc, problem, k->next, rc < 0 ? NULL : k->doc);
	policy_drop(k->policy);
	label_clear(&k->label);
	repository_clear(&k->repo);
	json_decref(k->doc);
	free(k->environment);
	free(k->thing);
	free(k->repository);
	free(k->project);
	free(k);
}

/* ---- which release ---- */

static int take_label(struct store_tx *tx, struct asking *k, int64_t id, struct ps_err *err)
{
	int rc;

	label_clear(&k->label);
	repository_clear(&k->repo);
	memset(&k->label, 0, sizeof(k->label));
	memset(&k->repo, 0, sizeof(k->repo));
	rc = label_get(tx, id, &k->label, err);
	return rc < 0 ? rc : repository_get(tx, k->label.repository, &k->repo, err);
}

static bool takes_project(const struct conf_environment *e, const char *repo, const char *project)
{
	for (size_t i = 0; i < e->projects.n; i++)
		if (mapping_project(e->projects.v[i], repo, project))
			return true;
	return false;
}

/* By its name: any release may go there, if the environment takes its project. */
static int find_named(struct store_tx *tx, struct asking *k, struct ps_err *err)
{
	struct release_ask ask = { .thing = k->thing, .repository = k->repository,
				   .project = k->project, .place = true };
	struct release_found f = { .label = 0 };
	int rc = release_find(tx, &ask, &f, err);

	if (rc == 0)
		rc = take_label(tx, k, f.label, err);
	release_found_clear(&f);
	if (rc == 0 && !takes_project(k->env, k->repo.name, k->label.project))
		rc = ps_err_set(err, PS_EINVAL, "environment %s takes no project %s:%s",
				k->env->name, k->repo.name, k->label.project);
	return rc;
}

/* Does this label go there? The repository is read when it is another than before. */
static int goes_there(struct store_tx *tx, struct asking *k, const struct label *l, bool *yes,
		      struct ps_err *err)
{
	int rc = 0;

	*yes = !k->project || strcmp(k->project, l->project) == 0;
	if (*yes && k->repo.id != l->repository) {
		repository_clear(&k->repo);
		memset(&k->repo, 0, sizeof(k->repo));
		rc = repository_get(tx, l->repository, &k->repo, err);
	}
	*yes = *yes && rc == 0 && (!k->repository || strcmp(k->repository, k->repo.name) == 0) &&
		mapping_find(k->policy->cfg, k->repo.name, l->project, l->ref, NULL) == k->env;
	return rc;
}

static int find_newest(struct store_tx *tx, struct asking *k, struct ps_err *err)
{
	struct labels l = { NULL, 0 };
	bool found = false;
	int rc = labels_newest(tx, LABELS_LOOKED_AT, &l, err);

	for (size_t i = 0; i < l.n && rc == 0 && !found; i++) {
		rc = goes_there(tx, k, &l.v[i], &found, err);
		if (rc == 0 && found)
			rc = take_label(tx, k, l.v[i].id, err);
	}
	labels_clear(&l);
	if (rc < 0 || found)
		return rc;
	k->next = "penstock releases";
	return ps_err_set(err, PS_ENOENT,
			  "none of the newest labels goes to environment %s: name a label, a "
			  "version or a release", k->env->name);
}

static int find(struct store_tx *tx, struct asking *k, struct ps_err *err)
{
	k->env = config_environment(k->policy->cfg, k->environment);
	k->fabric = k->env ? config_fabric(k->policy->cfg, k->env->fabric) : NULL;
	if (!k->fabric) {
		k->next = "penstock status";
		return ps_err_set(err, PS_ENOENT, "no environment '%s' in the configuration",
				  k->environment);
	}
	return k->thing ? find_named(tx, k, err) : find_newest(tx, k, err);
}

/* Is it this release on its way there? By the same label, or by any where the release was named by
 * its id: then its label counts, since that is what would be deployed. */
static bool is_of(const struct asking *k, const struct deployment *d)
{
	bool by_id = k->thing && ps_starts(k->label.release, k->thing);

	return d->repository == k->label.repository &&
	       strcmp(d->project, k->label.project) == 0 &&
	       strcmp(d->environment, k->env->name) == 0 &&
	       strcmp(d->release, k->label.release) == 0 && (by_id || d->label == k->label.id);
}

/* The deployment that waits there, and what it was asked to be; *id 0: none does. */
static int find_waiting(struct store_tx *tx, struct asking *k, struct demand *demand, int64_t *id,
			struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	const struct deployment *d = NULL;
	int rc = deployments_in_state(tx, "waiting", &l, err);

	for (size_t i = 0; i < l.n; i++)
		if (is_of(k, &l.v[i]))
			d = &l.v[i];
	*id = d ? d->id : 0;
	if (rc == 0 && d)
		rc = demand_get(tx, d->demand, demand, err);
	if (rc == 0 && d && d->label != k->label.id)
		rc = take_label(tx, k, d->label, err);
	deployments_clear(&l);
	return rc;
}

/* ---- its plan ---- */

struct stand {		/* what it stands on */
	struct release release;
	struct manifest manifest;
	struct deployed_jobs known;
	struct deployed_artifacts there;
	struct imported_jobs imported;
	struct observed_jobs observed;
	struct observation seen;
};

static int gather(struct store_tx *tx, const struct asking *k, struct stand *s, struct ps_err *err)
{
	struct observed_place at = { k->fabric->name, k->label.repository, k->label.project };
	int rc = release_get(tx, k->label.release, &s->release, err);

	if (rc == 0)
		rc = manifest_read(&s->manifest, s->release.manifest, strlen(s->release.manifest),
				   k->label.release, err);
	if (rc == 0)
		rc = deployed_jobs(tx, at.fabric, at.repository, at.project, &s->known, err);
	if (rc == 0)
		rc = deployed_artifacts(tx, at.fabric, at.repository, at.project, &s->there, err);
	if (rc == 0)
		rc = imported_jobs(tx, at.fabric, at.repository, at.project, &s->imported, err);
	if (rc == 0)
		rc = observed_jobs(tx, &at, &s->observed, err);
	return rc < 0 ? rc : observation_get(tx, &at, &s->seen, err);
}

static void stand_drop(struct stand *s)
{
	observation_clear(&s->seen);
	observed_jobs_clear(&s->observed);
	imported_jobs_clear(&s->imported);
	deployed_jobs_clear(&s->known);
	deployed_artifacts_clear(&s->there);
	manifest_clear(&s->manifest);
	release_clear(&s->release);
}

static json_t *fields_json(const struct plan_job *j)
{
	json_t *a = json_array();

	for (size_t i = 0; i < j->nfields; i++)
		json_array_append_new(a, json_pack("{s:s, s:s, s:s}", "path", j->fields[i].path,
						   "was", j->fields[i].was, "is",
						   j->fields[i].is));
	return a;
}

/* The job there that a new one of ours is; NULL: it will be made. */
static const char *taken_over(const struct plan_job *j, const struct imported_jobs *l)
{
	for (size_t i = 0; i < l->n && j->change == PLAN_NEW; i++)
		if (strcmp(l->v[i].job, j->key) == 0)
			return l->v[i].remote_id;
	return NULL;
}

static json_t *job_json(const struct plan_job *j, const struct stand *s)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s?, s:o}", "id", j->key, "state",
			 plan_change_word(j->change), "name", j->name, "digest", j->digest,
			 "drifted", j->drifted, "takes_over", taken_over(j, &s->imported), "fields",
			 fields_json(j));
}

/* Of what this would do: new and changed first, then what is left behind, then the rest. */
static json_t *items_json(const struct plan *p, const struct stand *s)
{
	static const enum plan_change order[] = { PLAN_NEW, PLAN_CHANGED, PLAN_ORPHAN, PLAN_SAME };
	json_t *a = json_array();

	for (size_t k = 0; k < PS_NELEM(order); k++)
		for (size_t i = 0; i < p->njobs; i++) {
			const struct plan_job *j = &p->jobs[i];

			if (j->change != order[k])
				continue;
			json_array_append_new(a, job_json(j, s));
		}
	return a;
}

static json_t *texts_json(char *const *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(v[i]));
	return a;
}

static char *next_of(const struct asking *k, const struct plan *p, int64_t deployment)
{
	char id[ID_TEXT];

	if (p->nproblems)
		return NULL;
	if (deployment && k->env->deploy == CONF_DEPLOY_APPROVE)
		return xasprintf("penstock approve %s", id_text(id, 'd', deployment));
	if (deployment && k->env->deploy == CONF_DEPLOY_MANUAL)
		return xasprintf("penstock deploy %s", id_text(id, 'd', deployment));
	if (deployment)
		return xasprintf("penstock why %s", id_text(id, 'd', deployment));
	if (!plan_changes(p))
		return xasprintf("penstock history %s", k->fabric->name);
	return xasprintf("penstock promote %s %s", mapping_short_ref(k->label.ref), k->env->name);
}

static json_t *doc_of(const struct asking *k, const struct plan *p, const struct stand *s,
		      int64_t deployment)
{
	char *next = next_of(k, p, deployment), id[ID_TEXT], seen[CLOCK_TEXT];
	struct buf summary = BUF_INIT;
	json_t *doc;

	plan_summary(p, &summary);
	doc = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}",
			"state",
			p->nproblems ? "failed" : plan_changes(p) ? "changed" : "unchanged",
			"environment", k->env->name, "fabric", k->fabric->name, "fabric_id",
			(json_int_t)k->fabric->id, "deploy", conf_deploy_word(k->env->deploy),
			"repository", k->repo.name, "project", k->label.project, "release",
			k->label.release, "version", k->label.version, "ref", k->label.ref,
			"digest", p->digest, "summary", buf_str(&summary), "items",
			items_json(p, s), "problems", texts_json(p->problems, p->nproblems));
	if (doc) {
		json_object_set_new(doc, "seen", s->seen.seen_ms && !s->seen.problem ?
				    json_string(clock_text(seen, s->seen.seen_ms)) : json_null());
		json_object_set_new(doc, "deployment", deployment ?
				    json_string(id_text(id, 'd', deployment)) : json_null());
		json_object_set_new(doc, "next", next ? json_string(next) : json_null());
	}
	buf_clear(&summary);
	free(next);
	return doc;
}

static int make(struct store_tx *tx, struct asking *k, struct ps_err *err)
{
	struct stand s = { .seen = { 0 } };
	struct demand demand = { 0 };
	struct plan plan = { 0 };
	int64_t deployment = 0;
	int rc = find_waiting(tx, k, &demand, &deployment, err);

	if (rc == 0)
		rc = gather(tx, k, &s, err);
	if (rc == 0)
		rc = planning_make(&(struct planning) {
			.cfg = k->policy->cfg, .paths = k->core->paths, .env = k->env,
			.fabric = k->fabric, .repository = k->repo.name,
			.project = k->label.project, .ref = k->label.ref,
			.version = k->label.version, .release = &s.manifest,
			.release_id = k->label.release, .known = &s.known,
			.there = &s.there,
			.observed = &s.observed, .jobs = demand.jobs,
			.prune = ps_streq(demand.asked, "prune") }, &plan, err);
	if (rc == 0) {
		k->doc = doc_of(k, &plan, &s, deployment);
		if (!k->doc)
			rc = ps_err_set(err, PS_EINVAL, "the plan holds text that is not UTF-8");
	}
	plan_clear(&plan);
	stand_drop(&s);
	demand_clear(&demand);
	return rc;
}

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct asking *k = arg;
	int rc = find(tx, k, err);

	return rc < 0 || k->only_find ? rc : make(tx, k, err);
}

/* ---- the turns ---- */

static void made(void *arg, int rc, const struct ps_err *err)
{
	asking_end(arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL);
}

static void observed(void *arg, int rc, const char *problem, const char *text)
{
	struct asking *k = arg;
	char *why;

	(void)text;
	if (rc == 0) {
		k->only_find = false;
		store_read(k->core->store, run, made, k);
		return;
	}
	why = xasprintf("cannot see what fabric %s has: %s", k->fabric->name, problem);
	k->next = "penstock status";
	asking_end(k, rc, why);
	free(why);
}

static void found(void *arg, int rc, const struct ps_err *err)
{
	struct asking *k = arg;

	if (rc < 0)
		asking_end(k, rc, ps_err_msg(err, rc));
	else
		flow_observe(k->core, k->fabric->name, k->label.repository, k->label.project,
			     observed, k);
}

void flow_plan(struct core *c, const struct plan_ask *ask, plan_reply_fn *reply, void *arg)
{
	struct asking *k = xcalloc(1, sizeof(*k));

	*k = (struct asking) {
		.core = c, .policy = policy_take(c->policy), .reply = reply, .arg = arg,
		.environment = xstrdup(ask->environment), .thing = xstrdup_null(ask->thing),
		.repository = xstrdup_null(ask->repository),
		.project = xstrdup_null(ask->project), .refresh = ask->refresh,
		.only_find = ask->refresh,
	};
	store_read(c->store, run, ask->refresh ? found : made, k);
}
