/* forecast – see forecast.h. */
#include "config.h"

#include "agent/flow/forecast.h"

#include "agent/flow/content.h"
#include "agent/flow/planning.h"
#include "agent/store/release.h"
#include "agent/store/repository.h"
#include "common/base/buf.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/config/mapping.h"

/* Keys that rows before this one will have asked for: they are built once. */
struct asked { char **v; size_t n, cap; };

struct making {
	struct store_tx *tx;
	const struct forecast_in *in;
	int64_t repository;		/* 0: the store does not know it yet */
	struct asked asked;
};

/* One row while it is made. */
struct subject {
	const struct wire_project *pr;
	const struct conf_environment *env;
	const struct conf_fabric *fabric;
	const char *ref;
	struct toolchain_choice toolchain;
	struct build *builds;		/* as found, one for each pipeline */
};

static int key_all(const struct subject *s, char **keys, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < s->pr->pipelines.n && rc == 0; i++) {
		const struct wire_pipeline *pl = &s->pr->pipelines.v[i];
		struct wire_tree_input *in;
		size_t n;

		keys[i] = xcalloc(1, DIGEST_HEX);
		in = content_inputs(s->pr, pl, &n);
		rc = content_key(pl, in, n, s->toolchain.digest, keys[i], err);
		free(in);
	}
	return rc;
}

static bool ask_once(struct asked *a, const char *key)
{
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], key) == 0)
			return false;
	a->v = xgrow(a->v, a->n, &a->cap, sizeof(*a->v));
	a->v[a->n++] = xstrdup(key);
	return true;
}

static struct forecast_counts count(struct making *m, struct subject *s, char **keys)
{
	struct forecast_counts n = { .pipelines = s->pr->pipelines.n };

	for (size_t i = 0; i < n.pipelines; i++) {
		const struct build *b = &s->builds[i];

		if (b->key && strcmp(b->state, "passed") == 0)
			continue;
		if (b->key || !ask_once(&m->asked, keys[i]))
			n.under_way++;
		else
			n.to_build++;
	}
	return n;
}

/* Finds the builds of the row and says what is to be done; *known: they could be named. */
static int foresee_builds(struct making *m, struct subject *s, struct forecast_row *row,
			  bool *known, struct ps_err *err)
{
	size_t npl = s->pr->pipelines.n;
	char **keys = xcalloc(npl, sizeof(*keys)), *why = content_hopeless(s->pr);
	int rc = 0;

	*known = !why && (!npl || s->toolchain.digest);
	if (why)
		forecast_say_hopeless(row, s->ref, s->pr->path, why);
	if (*known)
		rc = key_all(s, keys, err);
	if (*known && rc == 0)
		rc = builds_by_keys(m->tx, (const char *const *)keys, npl, s->builds, err);
	if (*known && rc == 0) {
		struct forecast_counts n = count(m, s, keys);

		forecast_say_builds(row, m->in, s->ref, s->pr->path, s->env, &n);
	}
	for (size_t i = 0; i < npl; i++)
		free(keys[i]);
	free(keys);
	free(why);
	return rc;
}

/* What a build that is still to come will have, as far as it matters. false: not even its file. */
static bool stand_in(struct build *b, const struct wire_pipeline *pl)
{
	if (!b->digest)
		b->digest = xstrdup(PLAN_UNBUILT);
	if (!b->name && pl->wheel)
		b->name = xstrdup(pl->wheel);
	b->pipeline = xstrdup(pl->key);
	return b->name != NULL;
}

static struct plan_template *given_templates(const struct wire_project *pr, size_t *n)
{
	struct plan_template *v;
	size_t all = 0;

	for (size_t i = 0; i < pr->jobs.n; i++)
		all += pr->jobs.v[i].files.n;
	v = xcalloc(all + 1, sizeof(*v));
	*n = 0;
	for (size_t i = 0; i < pr->jobs.n; i++)
		for (size_t k = 0; k < pr->jobs.v[i].files.n; k++) {
			const struct wire_file *f = &pr->jobs.v[i].files.v[k];

			if (f->bytes.n)
				v[(*n)++] = (struct plan_template) { f->digest, f->bytes.p,
								     f->bytes.n };
		}
	return v;
}

static bool has_job(const struct manifest *r, const char *key)
{
	for (size_t i = 0; i < r->njobs; i++)
		if (strcmp(r->jobs[i].key, key) == 0)
			return true;
	return false;
}

/* What an earlier release left behind is there already, this one changes nothing about it: moves
 * such rows to the end and returns how many others there are. */
static size_t without_old_orphans(struct deployed_jobs *known, const struct manifest *r)
{
	size_t n = 0;

	for (size_t i = 0; i < known->n; i++) {
		struct deployed_job swap = known->v[n];

		if (strcmp(known->v[i].state, "orphan") == 0 && !has_job(r, known->v[i].job))
			continue;
		known->v[n++] = known->v[i];
		known->v[i] = swap;
	}
	return n;
}

static int make_plan(struct making *m, const struct subject *s, struct manifest *r,
		     struct plan *plan, struct ps_err *err)
{
	struct deployed_jobs known = { NULL, 0 };
	struct deployed_artifacts there = { NULL, 0 };
	struct planning in = {
		.cfg = m->in->cfg, .paths = m->in->paths, .env = s->env, .fabric = s->fabric,
		.repository = m->in->name, .project = s->pr->path, .ref = s->ref, .release = r,
		.known = &known, .there = &there,
	};
	struct plan_template *given = given_templates(s->pr, &in.ngiven);
	struct buf text = BUF_INIT;
	char id[65], *version = NULL;
	size_t all;
	int rc = manifest_write(r, &text, id, err);

	if (rc == 0)
		rc = release_version(&version, s->ref, s->pr->version, id, err);
	if (rc == 0 && m->repository)
		rc = deployed_jobs(m->tx, s->fabric->name, m->repository, s->pr->path, &known, err);
	if (rc == 0 && m->repository)
		rc = deployed_artifacts(m->tx, s->fabric->name, m->repository, s->pr->path, &there,
					err);
	all = known.n;
	known.n = without_old_orphans(&known, r);
	in.release_id = id;
	in.version = version;
	in.given = given;
	if (rc == 0)
		rc = planning_make(&in, plan, err);
	known.n = all;
	deployed_jobs_clear(&known);
	deployed_artifacts_clear(&there);
	buf_clear(&text);
	free(version);
	free(given);
	return rc;
}

static int foresee_plan(struct making *m, struct subject *s, struct forecast_row *row,
			struct ps_err *err)
{
	struct builds builds = { s->builds, s->pr->pipelines.n };
	struct plan plan = { 0 };
	struct ps_err why = { 0 };
	struct manifest r;
	int rc;

	for (size_t i = 0; i < builds.n; i++)
		if (!stand_in(&s->builds[i], &s->pr->pipelines.v[i]))
			return 0;
	content_manifest(&r, s->pr, &builds, builds.n ? s->toolchain.digest : "");
	rc = make_plan(m, s, &r, &plan, &why);
	if (rc == PS_ESTORE && err)
		*err = why;
	else if (rc < 0)	/* the push is told afterwards */
		log_info("forecast", NULL, "no plan for %s of '%s': %s", s->ref, m->in->name,
			 ps_err_msg(&why, rc));
	if (rc == 0)
		forecast_say_plan(row, s->fabric, &plan);
	plan_clear(&plan);
	content_manifest_drop(&r);
	return rc == PS_ESTORE ? rc : 0;
}

static int foresee(struct making *m, const struct wire_outlook *o, struct forecast_row *row,
		   struct ps_err *err)
{
	const struct wire_verdict *gate = m->in->gate;
	struct subject s = { .ref = o->ref };
	bool known;
	int rc;

	row->line = (size_t)o->line;
	if (o->project >= gate->projects.n)
		return ps_err_set(err, PS_EPROTO, "the gate's outlook names no project of its own");
	s.pr = &gate->projects.v[o->project];
	s.env = mapping_find(m->in->cfg, m->in->name, s.pr->path, s.ref, NULL);
	s.fabric = s.env ? config_fabric(m->in->cfg, s.env->fabric) : NULL;
	if (!s.fabric)
		return 0;		/* the gate has another configuration yet */
	toolchains_choose(&s.toolchain, m->in->toolchain, m->in->cfg, m->in->name, s.pr->path,
			  s.env->name, s.pr->language);
	s.builds = xcalloc(s.pr->pipelines.n, sizeof(*s.builds));
	rc = foresee_builds(m, &s, row, &known, err);
	if (rc == 0 && known)
		rc = foresee_plan(m, &s, row, err);
	for (size_t i = 0; i < s.pr->pipelines.n; i++)
		build_clear(&s.builds[i]);
	free(s.builds);
	return rc;
}

int forecast_make(struct store_tx *tx, const struct forecast_in *in, struct forecast_rows *out,
		  struct ps_err *err)
{
	struct making m = { .tx = tx, .in = in };
	struct repository r = { 0 };
	int rc = FAIL_AT("core.forecast") ? ps_err_errno(err, "cannot look ahead") :
		repository_by_path(tx, in->path, &r, err);

	m.repository = rc == 0 ? r.id : 0;
	rc = rc == PS_ENOENT ? 0 : rc;
	repository_clear(&r);
	out->v = xcalloc(in->gate->outlook.n, sizeof(*out->v));
	while (out->n < in->gate->outlook.n && rc == 0) {
		rc = foresee(&m, &in->gate->outlook.v[out->n], &out->v[out->n], err);
		out->n++;
	}
	for (size_t i = 0; i < m.asked.n; i++)
		free(m.asked.v[i]);
	free(m.asked.v);
	return rc;
}

void forecast_clear(struct forecast_rows *l)
{
	for (size_t i = 0; i < l->n; i++) {
		for (size_t k = 0; k < l->v[i].nitems; k++)
			free(l->v[i].items[k]);
		free(l->v[i].items);
		free(l->v[i].builds);
		free(l->v[i].fabric);
	}
	free(l->v);
	*l = (struct forecast_rows) { NULL, 0 };
}
