/* planning – see planning.h. */
#include "config.h"

#include "agent/flow/planning.h"

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/plan/select.h"

/* Bytes that the plan is made from, and is not there without. */
struct material {
	struct plan_template *templates;
	size_t ntemplates;
	struct buf *bytes;			/* of the templates that were read */
	size_t nbytes;
	struct plan_known *known;
	struct buf *known_bytes, *seen_bytes;	/* as deployed; as a look found it */
	size_t nknown;
	struct plan_there *there;
	char *full_tag, *fabric_dir, *project_id;
};

static void material_drop(struct material *m)
{
	for (size_t i = 0; i < m->nbytes; i++)
		buf_clear(&m->bytes[i]);
	for (size_t i = 0; i < m->nknown; i++) {
		buf_clear(&m->known_bytes[i]);
		buf_clear(&m->seen_bytes[i]);
	}
	free(m->bytes);
	free(m->templates);
	free(m->known);
	free(m->known_bytes);
	free(m->seen_bytes);
	free(m->there);
	free(m->full_tag);
	free(m->fabric_dir);
	free(m->project_id);
}

static const struct plan_template *given(const struct planning *in, const char *sha256)
{
	for (size_t i = 0; i < in->ngiven; i++)
		if (ps_streq(in->given[i].sha256, sha256))
			return &in->given[i];
	return NULL;
}

/* Does the plan render it, or derive another from it? */
static bool is_wanted(const struct planning *in, const struct manifest_job *j)
{
	if (in->env->jobs_own && j->fabric_id == in->fabric->id)
		return true;
	for (size_t i = 0; i < in->env->nderive; i++)
		if (strcmp(in->env->derive[i].from, j->key) == 0)
			return true;
	return false;
}

/* Is this file one that the definition is made of? */
static bool is_part(const struct planning *in, const struct manifest_job *j,
		    const struct manifest_file *f)
{
	if (strcmp(j->provider, "airflow") == 0)
		return plan_dag_takes(f->path);
	return strcmp(f->path, MANIFEST_TEMPLATE) == 0 ||
	       ((enum plan_provider)in->fabric->provider == PLAN_DATABRICKS &&
		ps_starts(f->path, MANIFEST_CONFIGURATIONS));
}

static int read_template(const struct planning *in, struct material *m,
			 const struct manifest_file *f, struct ps_err *err)
{
	const struct plan_template *there = given(in, f->sha256);
	struct buf *b = &m->bytes[m->nbytes];
	int rc;

	if (there) {
		m->templates[m->ntemplates++] = *there;
		return 0;
	}
	m->nbytes++;
	rc = cas_read(b, in->paths->artifacts, f->sha256, PS_JSON_MAX, err);
	m->templates[m->ntemplates++] =
		(struct plan_template) { f->sha256, buf_str(b), b->len };
	return rc;
}

/* What the definitions of the jobs that go there are made of. */
static int read_templates(const struct planning *in, struct material *m, struct ps_err *err)
{
	const struct manifest *r = in->release;
	size_t all = 0;
	int rc = 0;

	for (size_t i = 0; i < r->njobs; i++)
		all += r->jobs[i].nfiles;
	m->bytes = xcalloc(all + 1, sizeof(*m->bytes));
	m->templates = xcalloc(all + 1, sizeof(*m->templates));
	for (size_t i = 0; i < r->njobs; i++)
		for (size_t k = 0; k < r->jobs[i].nfiles && rc == 0; k++)
			if (is_wanted(in, &r->jobs[i]) &&
			    is_part(in, &r->jobs[i], &r->jobs[i].files[k]))
				rc = read_template(in, m, &r->jobs[i].files[k], err);
	return rc;
}

static const char *observed(const struct planning *in, const char *job)
{
	for (size_t i = 0; in->observed && i < in->observed->n; i++)
		if (strcmp(in->observed->v[i].job, job) == 0)
			return in->observed->v[i].digest;
	return NULL;
}

static void read_known(const struct planning *in, struct material *m)
{
	m->nknown = in->known->n;
	m->known = xcalloc(m->nknown, sizeof(*m->known));
	m->known_bytes = xcalloc(m->nknown, sizeof(*m->known_bytes));
	m->seen_bytes = xcalloc(m->nknown, sizeof(*m->seen_bytes));
	for (size_t i = 0; i < m->nknown; i++) {
		const struct deployed_job *j = &in->known->v[i];
		struct buf *b = &m->known_bytes[i], *o = &m->seen_bytes[i];
		const char *found = observed(in, j->job);
		bool seen = found && *found &&
			    cas_read(o, in->paths->artifacts, found, PS_JSON_MAX, NULL) == 0;
		bool there = cas_read(b, in->paths->artifacts, j->digest, PS_JSON_MAX, NULL) == 0;

		m->known[i] = (struct plan_known) { .key = j->job, .name = j->name,
						    .digest = j->digest,
						    .bytes = there ? buf_str(b) : NULL,
						    .n = b->len,
						    .observed = found,
						    .seen = seen ? buf_str(o) : NULL,
						    .nseen = o->len,
						    .version = *j->version ? j->version : NULL,
						    .ref = j->ref,
						    .orphan = strcmp(j->state, "orphan") == 0 };
	}
}

static size_t list_there(const struct planning *in, struct material *m)
{
	size_t n = in->there ? in->there->n : 0;

	m->there = xcalloc(n + 1, sizeof(*m->there));
	for (size_t i = 0; i < n; i++)
		m->there[i] = (struct plan_there) { in->there->v[i].path, in->there->v[i].digest };
	return n;
}

static int make(const struct planning *in, struct material *m, struct plan *out, struct ps_err *err)
{
	const struct conf_environment *env = in->env;
	const struct conf_project *pr = config_project(in->cfg, in->repository, in->project);
	struct plan_input to = {
		.release = in->release, .release_id = in->release_id, .environment = env->name,
		.repository = in->repository,
		.provider = (enum plan_provider)in->fabric->provider,
		.fabric_id = in->fabric->id, .artifact_base = in->fabric->volume,
		.customer = pr ? pr->customer : NULL,
		.control_plane = pr ? pr->control_plane : NULL, .templates = m->templates,
		.ntemplates = m->ntemplates, .known = m->known, .nknown = m->nknown,
		.ref = in->ref, .nthere = list_there(in, m), .jobs_own = env->jobs_own,
		.derive = env->derive, .nderive = env->nderive,
	};

	to.there = m->there;
	m->fabric_dir = fs_join(in->paths->fabrics, in->fabric->name);
	to.fabric_address = in->fabric->host ? in->fabric->host : m->fabric_dir;
	m->project_id = pr && pr->id ? xasprintf("%lld", (long long)pr->id) : NULL;
	to.params = (struct render_params) { .project_id = m->project_id,
					     .release_version = in->version,
					     .full_release_tag = m->full_tag,
					     .prophecy_url = pr ? pr->url : NULL };
	return plan_make(out, &to, err);
}

/* Cuts the plan down to what was asked for. */
static int cut(const struct planning *in, const struct material *m, struct plan *out,
	       struct ps_err *err)
{
	json_t *a = json_loads(in->jobs, 0, NULL);
	size_t n = json_array_size(a);
	const char **keys = xcalloc(n + 1, sizeof(*keys));
	int rc = json_is_array(a) ? 0
		 : ps_err_set(err, PS_ESTORE, "a stored list of jobs is not what was written");

	for (size_t i = 0; i < n; i++) {
		const char *key = json_string_value(json_array_get(a, i));

		keys[i] = key ? key : "";
	}
	if (rc == 0 && in->prune)
		plan_prune(out, m->known, m->nknown, keys, n);
	else if (rc == 0)
		plan_select(out, m->known, m->nknown, keys, n);
	if (rc < 0)
		plan_clear(out);
	free(keys);
	json_decref(a);
	return rc;
}

int planning_make(const struct planning *in, struct plan *out, struct ps_err *err)
{
	struct material m = { .nbytes = 0 };
	int rc = release_full_tag(&m.full_tag, in->ref, in->version, err);

	if (rc == 0)
		rc = read_templates(in, &m, err);
	if (rc == 0) {
		read_known(in, &m);
		rc = make(in, &m, out, err);
		if (rc == 0 && in->jobs)
			rc = cut(in, &m, out, err);
	}
	material_drop(&m);
	return rc;
}
