/* pass_release – all builds of a demand have passed: the content gets its name, its label and its
 * deployment, in the same transaction. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/survey_json.h"
#include "agent/store/event.h"
#include "agent/store/release.h"
#include "common/base/buf.h"
#include "common/base/id.h"
#include "common/plan/manifest.h"

static const struct build *build_of(const struct builds *l, const char *pipeline)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].pipeline, pipeline) == 0)
			return &l->v[i];
	return NULL;
}

/* The manifest borrows its texts from pr and builds; only the lists are its own. */
static void fill_manifest(struct manifest *m, const struct wire_project *pr,
			  const struct builds *builds, const char *toolchain)
{
	*m = (struct manifest) { .project = (char *)pr->path, .tree = (char *)pr->oid,
				 .toolchain = (char *)toolchain };
	m->inputs = xcalloc(pr->shared.n, sizeof(*m->inputs));
	for (size_t i = 0; i < pr->shared.n; i++)
		m->inputs[m->ninputs++] = (struct manifest_input) { (char *)pr->shared.v[i].path,
								    (char *)pr->shared.v[i].oid };
	m->artifacts = xcalloc(pr->pipelines.n, sizeof(*m->artifacts));
	for (size_t i = 0; i < pr->pipelines.n; i++) {
		const struct wire_pipeline *pl = &pr->pipelines.v[i];
		const struct build *b = build_of(builds, pl->key);
		struct manifest_artifact *a = &m->artifacts[m->nartifacts++];

		PS_BUG_IF(!b || !b->digest || !b->name, "a passed build of %s has no artifact",
			  pl->key);
		*a = (struct manifest_artifact) { .pipeline = (char *)pl->key, .file = b->name,
						  .size = b->size };
		snprintf(a->sha256, sizeof(a->sha256), "%s", b->digest);
		a->instances = xcalloc(pl->instances.n, sizeof(*a->instances));
		for (size_t k = 0; k < pl->instances.n; k++)
			a->instances[a->ninstances++] = (char *)pl->instances.v[k];
	}
	m->jobs = xcalloc(pr->jobs.n, sizeof(*m->jobs));
	for (size_t i = 0; i < pr->jobs.n; i++) {
		const struct wire_job *j = &pr->jobs.v[i];
		struct manifest_job *to = &m->jobs[m->njobs++];

		*to = (struct manifest_job) { .key = (char *)j->key, .name = (char *)j->name,
					      .provider = (char *)j->provider,
					      .fabric_id = j->fabric_id };
		to->files = xcalloc(j->files.n, sizeof(*to->files));
		for (size_t k = 0; k < j->files.n; k++) {
			struct manifest_file *f = &to->files[to->nfiles++];

			f->path = (char *)j->files.v[k].path;
			snprintf(f->sha256, sizeof(f->sha256), "%s", j->files.v[k].digest);
		}
	}
}

static void drop_manifest(struct manifest *m)
{
	for (size_t i = 0; i < m->nartifacts; i++)
		free(m->artifacts[i].instances);
	for (size_t i = 0; i < m->njobs; i++)
		free(m->jobs[i].files);
	free(m->inputs);
	free(m->artifacts);
	free(m->jobs);
}

/* A later event's deployment to the same place: this one came too late and would turn it back. */
static int check_order(struct store_tx *tx, const struct demand *d, bool *late, struct ps_err *err)
{
	int64_t newer = 0;
	char id[ID_TEXT], *why;
	int rc = deployment_newer(tx, d->repository, d->project, d->environment, d->event, &newer,
				  err);

	*late = rc == 0 && newer;
	if (rc < 0 || !newer)
		return rc;
	why = xasprintf("superseded by %s", id_text(id, 'd', newer));
	rc = demand_set(tx, d->id, "superseded", why, NULL, newer, err);
	free(why);
	return rc;
}

/* This one is the newer: what waits for the same place from earlier events will not be deployed. */
static int supersede_older(struct store_tx *tx, const struct deployment *newer, int64_t event,
			   struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	char id[ID_TEXT], *why = xasprintf("superseded by %s", id_text(id, 'd', newer->id));
	int rc = deployments_older(tx, newer, event, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		rc = deployment_set(tx, l.v[i].id, "superseded", why, NULL, newer->id, err);
		if (rc == 0)
			rc = demand_set(tx, l.v[i].demand, "superseded", why, NULL, newer->id, err);
	}
	free(why);
	deployments_clear(&l);
	return rc;
}

static int put(struct store_tx *tx, struct demand *d, const struct wire_project *pr,
	       struct manifest *m, struct ps_err *err)
{
	struct label label = { .repository = d->repository, .project = d->project, .ref = d->ref,
			       .commit_oid = d->commit_oid, .event = d->event };
	struct deployment dep = { .demand = d->id, .repository = d->repository,
				  .project = d->project, .environment = d->environment,
				  .fabric = d->fabric };
	struct ref_event e = { 0 };
	struct buf text = BUF_INIT;
	char release_id[65];
	bool late = false;
	int rc = manifest_write(m, &text, release_id, err);

	if (rc == 0)
		rc = release_put(tx, release_id, d->project, buf_str(&text), err);
	if (rc == 0)
		rc = release_version(&label.version, d->ref, pr->version, release_id, err);
	if (rc == 0)
		rc = event_get(tx, d->event, &e, err);
	label.release = dep.release = release_id;
	label.pusher = e.pusher;
	if (rc == 0)
		rc = label_put(tx, &label, err);
	dep.label = label.id;
	if (rc == 0)
		rc = demand_set_release(tx, d->id, release_id, err);
	if (rc == 0)
		rc = check_order(tx, d, &late, err);
	if (rc == 0 && !late)
		rc = deployment_insert(tx, &dep, err);
	if (rc == 0 && !late)
		rc = pass_enter(tx, LINE_DEPLOYMENT, d->fabric, dep.id, d->priority, d->repository,
				err);
	if (rc == 0 && !late && d->bumped_ms)
		rc = line_bump(tx, LINE_DEPLOYMENT, dep.id, err);
	if (rc == 0 && !late)
		rc = supersede_older(tx, &dep, d->event, err);
	if (rc == 0 && !late)	/* for its deployment now */
		rc = demand_set(tx, d->id, "waiting", NULL, NULL, 0, err);
	free(label.version);
	event_clear(&e);
	buf_clear(&text);
	return rc;
}

int pass_release(struct store_tx *tx, struct pass *p, struct demand *d, const struct builds *builds,
		 struct ps_err *err)
{
	struct wire_project pr;
	struct manifest m;
	struct ps_err why = { 0 };
	json_t *doc;
	int rc = survey_from_json(&pr, &doc, d->survey, err);

	(void)p;
	if (rc < 0)
		return rc;
	fill_manifest(&m, &pr, builds, d->toolchain ? d->toolchain : "");
	rc = put(tx, d, &pr, &m, &why);
	/* the content cannot be a release: its own fault, and it stays so */
	if (rc == PS_EINVAL)
		rc = demand_set(tx, d->id, "failed", why.msg, NULL, 0, err);
	else if (rc < 0 && err)
		*err = why;
	drop_manifest(&m);
	survey_from_json_clear(&pr, doc);
	return rc;
}
