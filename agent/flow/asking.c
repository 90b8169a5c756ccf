/* asking – see asking.h. */
#include "config.h"

#include "agent/flow/asking.h"

#include "agent/store/event.h"
#include "agent/store/repository.h"
#include "agent/store/retention.h"
#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/config/mapping.h"
#include "common/plan/manifest.h"

bool asking_fits(const struct conf_environment *env, const char *repository, const char *project)
{
	for (size_t i = 0; i < env->projects.n; i++)
		if (mapping_project(env->projects.v[i], repository, project))
			return true;
	return false;
}

static int gone(const struct asking *q, const char *what, struct ps_err *err)
{
	return ps_err_set(err, PS_ENOENT,
			  "release %.12s cannot be deployed again: %s was cleaned away; "
			  "push the commit once more and it is built anew",
			  q->label->release, what);
}

/* A cleaner that has chosen a file looks at its age before it goes: what is put is young. */
static int freshen(const struct asking *q, const char *sha256, const char *what, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	char hex[65];
	int rc = cas_read(&b, q->paths->artifacts, sha256, PS_JSON_MAX, NULL);

	if (rc == 0)
		rc = cas_put_bytes(q->paths->artifacts, buf_str(&b), b.len, hex, err);
	else
		rc = gone(q, what, err);
	buf_clear(&b);
	return rc;
}

/* Artifacts are rows that the cleaner marks in a transaction; files of jobs are files alone. */
static int all_there(struct store_tx *tx, const struct asking *q, const struct manifest *m,
		     struct ps_err *err)
{
	bool there = true;
	int rc = 0;

	for (size_t i = 0; i < m->nartifacts && rc == 0 && there; i++) {
		rc = retention_has(tx, m->artifacts[i].sha256, &there, err);
		if (rc == 0 && (!there || !cas_has(q->paths->artifacts, m->artifacts[i].sha256)))
			rc = gone(q, m->artifacts[i].pipeline, err);
	}
	for (size_t i = 0; i < m->njobs && rc == 0; i++)
		for (size_t k = 0; k < m->jobs[i].nfiles && rc == 0; k++)
			rc = freshen(q, m->jobs[i].files[k].sha256, m->jobs[i].key, err);
	return rc;
}

static int check_release(struct store_tx *tx, const struct asking *q, struct ps_err *err)
{
	struct release r = { 0 };
	struct manifest m = { 0 };
	int rc = release_get(tx, q->label->release, &r, err);

	if (rc == 0)
		rc = manifest_read(&m, r.manifest, strlen(r.manifest), r.id, err);
	if (rc == 0)
		rc = all_there(tx, q, &m, err);
	manifest_clear(&m);
	release_clear(&r);
	return rc;
}

static int check_place(struct store_tx *tx, const struct asking *q, struct ps_err *err)
{
	struct repository r = { 0 };
	int rc = repository_get(tx, q->label->repository, &r, err);

	if (rc == 0 && !asking_fits(q->env, r.name, q->label->project))
		rc = ps_err_set(err, PS_EINVAL,
				"environment %s does not take project %s of repository %s",
				q->env->name, q->label->project, r.name);
	repository_clear(&r);
	return rc;
}

static int reopen(struct store_tx *tx, int64_t event, struct ps_err *err)
{
	struct ref_event e = { 0 };
	int rc = event_get(tx, event, &e, err);

	if (rc == 0 && strcmp(e.state, "done") == 0)
		rc = event_reopen(tx, event, false, err);
	event_clear(&e);
	return rc;
}

int asking_put(struct store_tx *tx, const struct asking *q, struct demand *out, struct ps_err *err)
{
	const struct label *l = q->label;
	struct demand first = { 0 }, d = {
		.event = l->event,
		.repository = l->repository,
		.project = l->project,
		.ref = l->ref,
		.commit_oid = l->commit_oid,
		.environment = q->env->name,
		.fabric = q->env->fabric,
		.priority = q->env->priority,
		.release = l->release,
		.asked = (char *)q->asked,
		.asked_by = (char *)q->by,
		.asked_why = (char *)q->why,
		.jobs = (char *)q->jobs,
	};
	int rc = check_place(tx, q, err);

	if (rc == 0)
		rc = check_release(tx, q, err);
	if (rc == 0)
		rc = demand_of_label(tx, l->event, l->project, l->release, &first, err);
	if (rc == 0) {
		d.survey = first.survey;
		d.toolchain = first.toolchain ? first.toolchain : (char *)"";
		rc = demand_insert(tx, &d, err);
	}
	if (rc == 0)
		rc = reopen(tx, l->event, err);
	if (rc == 0 && out)
		rc = demand_get(tx, d.id, out, err);
	demand_clear(&first);
	return rc;
}
