/* outlook – see outlook.h. A value that is remembered is a message of the survey with one project,
 * which has what the value is about and nothing else. */
#include "config.h"

#include "common/gate/outlook.h"

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/plan/manifest.h"
#include "common/project/project.h"
#include "common/project/survey.h"

static char *keep_text(struct outlook *o, char *text)
{
	o->texts = xgrow(o->texts, o->ntexts, &o->cap_texts, sizeof(*o->texts));
	o->texts[o->ntexts++] = text;
	return text;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

/* A list of a value, as a copy that may be changed. */
#define COPY_LIST(list)                                                                            \
	((list).v = (void *)keep_text(o, xmemdup((list).v, (list).n * sizeof(*(list).v))))

/* ---- values ---- */

/* The value's project, owned by the outlook; NULL when the bytes are no such value. */
static const struct wire_project *take_value(struct outlook *o, const struct buf *bytes)
{
	struct msg m;

	if (bytes->len <= 4 || msg_decode(&m, bytes->data + 4, bytes->len - 4, NULL) < 0)
		return NULL;
	if (m.type != MSG_surveyed || m.u.surveyed.projects.n != 1) {
		msg_clear(&m);
		return NULL;
	}
	o->owned = xgrow(o->owned, o->nowned, &o->cap_owned, sizeof(*o->owned));
	o->owned[o->nowned++] = m;
	return &m.u.surveyed.projects.v[0];
}

static const struct wire_project *known(struct outlook *o, struct memo *m, const struct memo_key *k)
{
	const struct buf *bytes = memo_get(m, k);

	return bytes ? take_value(o, bytes) : NULL;
}

/* Remembers it, and gives what a later push will get. */
static const struct wire_project *remember(struct outlook *o, struct memo *m,
					   const struct memo_key *k, const struct wire_project *p)
{
	struct wire_surveyed a = { .projects = { p, 1 } };
	struct buf bytes = BUF_INIT;
	const struct wire_project *value = NULL;

	if (msg_encode(&bytes, MSG_surveyed, &a, NULL) == 0)
		value = take_value(o, &bytes);
	if (value)
		memo_put(m, k, &bytes);
	buf_clear(&bytes);
	return value;
}

/* ---- the project file ---- */

static struct wire_pipeline *declared_pipelines(struct outlook *o, const struct survey_project *p)
{
	struct wire_pipeline *v = xcalloc(p->npipelines, sizeof(*v));

	for (size_t i = 0; i < p->npipelines; i++) {
		const struct survey_pipeline *s = &p->pipelines[i];
		char hex[DIGEST_HEX], *problem, *reduced = survey_reduced(p, s->key, &problem);

		digest_bytes(hex, reduced, strlen(reduced));
		free(reduced);
		free(problem);		/* builds do not ask for it either */
		v[i] = (struct wire_pipeline) {
			.key = s->key, .name = or_empty(s->name), .language = s->language,
			.reduced = "", .reduced_digest = keep_text(o, xstrdup(hex)),
		};
	}
	return v;
}

static struct wire_job *declared_jobs(const struct survey_project *p)
{
	struct wire_job *v = xcalloc(p->njobs, sizeof(*v));

	for (size_t i = 0; i < p->njobs; i++)
		v[i] = (struct wire_job) {
			.key = p->jobs[i].key, .name = or_empty(p->jobs[i].name),
			.provider = survey_provider_word(p->jobs[i].provider),
			.fabric_id = p->jobs[i].fabric,
		};
	return v;
}

static struct wire_tree_input *declared_inputs(const struct survey_project *p)
{
	struct wire_tree_input *v = xcalloc(p->ninputs, sizeof(*v));

	for (size_t i = 0; i < p->ninputs; i++)
		v[i] = (struct wire_tree_input) { p->inputs[i].path, "", true };
	return v;
}

static const struct wire_project *read_declared(struct outlook *o, struct memo *m, struct tree *t,
						const char *path, const struct memo_key *k)
{
	const struct wire_project *value = NULL;
	struct survey_project p;

	if (survey_declared(t, path, &p, NULL) == 0) {
		struct wire_pipeline *pipelines = declared_pipelines(o, &p);
		struct wire_job *jobs = declared_jobs(&p);
		struct wire_tree_input *inputs = declared_inputs(&p);

		value = remember(o, m, k, &(struct wire_project) {
			.path = path, .oid = "", .name = or_empty(p.name),
			.version = or_empty(p.version), .language = or_empty(p.language),
			.problem = survey_lack(&p), .pipelines = { pipelines, p.npipelines },
			.jobs = { jobs, p.njobs }, .shared = { inputs, p.ninputs },
		});
		free(pipelines);
		free(jobs);
		free(inputs);
	}
	survey_project_clear(&p);
	return value;
}

/* ---- one pipeline ---- */

static const struct wire_project *read_pipeline(struct outlook *o, struct memo *m, struct tree *t,
						const char *project,
						const struct wire_pipeline *entry,
						const struct memo_key *k)
{
	struct survey_project p = { .path = (char *)project };
	struct survey_pipeline s = { .key = xstrdup(entry->key),
				     .language = xstrdup(or_empty(entry->language)) };
	const struct wire_project *value = NULL;

	if (survey_look_pipeline(t, &p, &s, NULL) == 0) {
		const char **names = xcalloc(s.ninstances, sizeof(*names));
		struct wire_pipeline told = {
			.key = entry->key, .name = "", .wheel = s.wheel, .reduced = "",
			.instances = { names, s.ninstances },
		};

		for (size_t i = 0; i < s.ninstances; i++)
			names[i] = s.instances[i].name;
		value = remember(o, m, k, &(struct wire_project) {
			.path = "", .oid = "", .name = "", .version = "", .language = "",
			.pipelines = { &told, 1 },
		});
		free(names);
	}
	survey_pipeline_clear(&s);
	return value;
}

static bool folder_oid(struct tree *t, const char *project, const char *key, char oid[TREE_OID])
{
	char *path = project_at(project, key);
	struct tree_entry e;
	bool there = fs_is_clean_relative(key) && tree_stat(t, path, &e, NULL) == 0 &&
		e.kind == TREE_DIR;

	if (there)
		memcpy(oid, e.oid, TREE_OID);
	free(path);
	return there;
}

static bool look_pipeline(struct outlook *o, struct memo *m, struct tree *t, const char *project,
			  struct wire_pipeline *pl)
{
	const struct wire_project *value;
	char oid[TREE_OID];
	struct memo_key k;

	if (!folder_oid(t, project, pl->key, oid))
		return true;		/* cannot be built: without oid, as in a survey */
	memo_key(m, &k, "outlook pipeline", project, pl->key, or_empty(pl->language), oid, NULL);
	value = known(o, m, &k);
	if (!value)
		value = read_pipeline(o, m, t, project, pl, &k);
	if (!value || value->pipelines.n != 1)
		return false;
	pl->oid = keep_text(o, xstrdup(oid));
	pl->wheel = value->pipelines.v[0].wheel;
	pl->instances = value->pipelines.v[0].instances;
	return true;
}

/* ---- one job ---- */

static bool digest_of(struct tree *t, const char *project, const char *path, char hex[DIGEST_HEX])
{
	char *full = project_at(project, path);
	struct buf bytes = BUF_INIT;
	bool ok = tree_read(t, full, PS_JSON_MAX, &bytes, NULL) == 0;

	if (ok)
		digest_bytes(hex, buf_str(&bytes), bytes.len);
	buf_clear(&bytes);
	free(full);
	return ok;
}

/* A template that cannot be read ends the list, as in a survey. */
static struct wire_file *digest_templates(struct outlook *o, struct tree *t, const char *project,
					  const struct survey_job *s, size_t *n)
{
	struct wire_file *v = xcalloc(s->ntemplates, sizeof(*v));
	char hex[DIGEST_HEX];

	for (*n = 0; *n < s->ntemplates; ++*n) {
		const char *path = s->templates[*n].path;

		if (!digest_of(t, project, path, hex))
			break;
		v[*n] = (struct wire_file) { .path = survey_below(s->key, path),
					     .digest = keep_text(o, xstrdup(hex)) };
	}
	return v;
}

static const struct wire_project *read_job(struct outlook *o, struct memo *m, struct tree *t,
					   const char *project, const struct wire_job *entry,
					   const struct memo_key *k)
{
	bool airflow = strcmp(entry->provider, survey_provider_word(SURVEY_AIRFLOW)) == 0;
	struct survey_project p = { .path = (char *)project };
	struct survey_job s = { .key = xstrdup(entry->key),
				.provider = airflow ? SURVEY_AIRFLOW : SURVEY_DATABRICKS };
	const struct wire_project *value = NULL;

	if (survey_look_job(t, &p, &s, NULL) == 0) {
		size_t n;
		struct wire_file *files = digest_templates(o, t, project, &s, &n);
		struct wire_job told = { .key = entry->key, .name = "", .provider = entry->provider,
					 .files = { files, n } };

		value = remember(o, m, k, &(struct wire_project) {
			.path = "", .oid = "", .name = "", .version = "", .language = "",
			.jobs = { &told, 1 },
		});
		free(files);
	}
	survey_job_clear(&s);
	return value;
}

/* Of the files only the definition is rendered. */
static bool add_bytes(struct outlook *o, struct tree *t, const char *project,
		      const struct wire_job *job, struct wire_file *f)
{
	char *rel, *full;
	struct buf bytes = BUF_INIT;
	bool ok;

	if (strcmp(f->path, MANIFEST_TEMPLATE) != 0 || cas_has(o->content, f->digest))
		return true;
	rel = fs_join(job->key, f->path);
	full = project_at(project, rel);
	ok = tree_read(t, full, OUTLOOK_BYTES_MAX - o->bytes, &bytes, NULL) == 0;
	o->bytes += bytes.len;
	f->bytes.n = bytes.len;
	f->bytes.p = keep_text(o, buf_steal(&bytes));
	free(full);
	free(rel);
	return ok;
}

static bool look_job(struct outlook *o, struct memo *m, struct tree *t, const char *project,
		     struct wire_job *job)
{
	const struct wire_project *value;
	struct wire_file *files;
	char oid[TREE_OID];
	struct memo_key k;
	bool ok = true;

	if (!folder_oid(t, project, job->key, oid))
		return true;
	memo_key(m, &k, "outlook job", project, job->key, job->provider, oid, NULL);
	value = known(o, m, &k);
	if (!value)
		value = read_job(o, m, t, project, job, &k);
	if (!value || value->jobs.n != 1)
		return false;
	job->files = value->jobs.v[0].files;
	COPY_LIST(job->files);
	files = (struct wire_file *)job->files.v;
	for (size_t i = 0; i < job->files.n && ok; i++)
		ok = add_bytes(o, t, project, job, &files[i]);
	return ok;
}

/* ---- configuration files ---- */

static bool has_configurations(struct tree *t, const char *project)
{
	static const char *const folders[] = { SURVEY_CONFIGURATIONS };
	bool any = false;

	for (size_t i = 0; i < PS_NELEM(folders); i++) {
		char *path = project_at(project, folders[i]);

		any = any || tree_is_dir(t, path);
		free(path);
	}
	return any;
}

/* The bytes of one go along once, however many jobs have it. */
static bool read_configuration(struct outlook *o, struct tree *t, const char *project,
			       const struct survey_configuration *c, struct wire_file *out)
{
	char *full = project_at(project, c->path), hex[DIGEST_HEX];
	struct buf bytes = BUF_INIT;
	bool ok = tree_read(t, full, PS_JSON_MAX, &bytes, NULL) == 0;

	digest_bytes(hex, buf_str(&bytes), bytes.len);
	*out = (struct wire_file) { .path = keep_text(o, xstrdup(c->target)),
				    .digest = keep_text(o, xstrdup(hex)) };
	if (ok && !cas_has(o->content, hex)) {
		o->bytes += bytes.len;
		ok = o->bytes <= OUTLOOK_BYTES_MAX;
		out->bytes.n = bytes.len;
		out->bytes.p = keep_text(o, buf_steal(&bytes));
	}
	buf_clear(&bytes);
	free(full);
	return ok;
}

static bool append_files(struct outlook *o, struct wire_job *job, struct wire_file *v, size_t n)
{
	struct wire_file *all = xcalloc(job->files.n + n, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		o->bytes += strlen(v[i].path) + DIGEST_HEX;
	memcpy(all, job->files.v, job->files.n * sizeof(*all));
	memcpy(all + job->files.n, v, n * sizeof(*v));
	job->files.v = (void *)keep_text(o, (char *)all);
	job->files.n += n;
	for (size_t i = 0; i < n; i++)
		v[i].bytes.n = 0;
	return o->bytes <= OUTLOOK_BYTES_MAX;
}

/* They go with every job for Databricks, as in a survey. Few projects have any, and nothing of them
 * is remembered. */
static bool look_configurations(struct outlook *o, struct tree *t, const char *path,
				struct wire_project *to)
{
	struct wire_job *jobs = (struct wire_job *)to->jobs.v;
	struct survey_project p = { .path = NULL };
	struct wire_file *v = NULL;
	bool ok;

	if (!has_configurations(t, path))
		return true;
	ok = survey_declared(t, path, &p, NULL) == 0 &&
	     survey_look_configurations(t, &p, NULL) == 0;
	v = xcalloc(p.nconfigurations, sizeof(*v));
	for (size_t i = 0; i < p.nconfigurations && ok; i++)
		ok = read_configuration(o, t, path, &p.configurations[i], &v[i]);
	for (size_t i = 0; i < to->jobs.n && ok; i++)
		if (jobs[i].files.n &&
		    strcmp(jobs[i].provider, survey_provider_word(SURVEY_DATABRICKS)) == 0)
			ok = append_files(o, &jobs[i], v, p.nconfigurations);
	free(v);
	survey_project_clear(&p);
	return ok;
}

/* ---- the whole ---- */

static bool in_time(struct outlook *o)
{
	return !FAIL_AT("gate.outlook") && clock_boot_ns() < o->until_ns;
}

static void look_inputs(struct outlook *o, struct tree *t, const char *project,
			struct wire_project *p)
{
	struct wire_tree_input *v = (struct wire_tree_input *)p->shared.v;
	size_t n = 0;

	for (size_t i = 0; i < p->shared.n; i++) {
		struct survey_file f = { .path = (char *)v[i].path };
		bool inside = false;

		for (size_t k = 0; k < n; k++)
			inside = inside || survey_inside(v[i].path, v[k].path);
		if (inside || !survey_input(t, project, &f))
			continue;
		v[n++] = (struct wire_tree_input) { v[i].path, keep_text(o, xstrdup(f.oid)), true };
	}
	p->shared.n = n;
}

/* Fills in what the project file alone does not tell. Lists are ours to change: they are copies. */
static bool look_entries(struct outlook *o, struct memo *m, struct tree *t, const char *path,
			 struct wire_project *p)
{
	struct wire_pipeline *pipelines = (struct wire_pipeline *)p->pipelines.v;
	struct wire_job *jobs = (struct wire_job *)p->jobs.v;
	bool ok = true;

	look_inputs(o, t, path, p);
	for (size_t i = 0; i < p->pipelines.n && ok; i++)
		ok = in_time(o) && look_pipeline(o, m, t, path, &pipelines[i]);
	for (size_t i = 0; i < p->jobs.n && ok; i++)
		ok = in_time(o) && look_job(o, m, t, path, &jobs[i]);
	return ok && in_time(o) && look_configurations(o, t, path, p);
}

static bool add_project(struct outlook *o, struct memo *m, struct tree *t, const char *path,
			struct wire_project *out)
{
	char file[TREE_OID] = "", *at = project_at(path, PROJECT_FILE);
	const struct wire_project *value = NULL;
	struct tree_entry folder, e;
	struct memo_key k;
	bool there = tree_stat(t, strcmp(path, ".") == 0 ? "" : path, &folder, NULL) == 0 &&
		tree_stat(t, at, &e, NULL) == 0;

	free(at);
	if (!there)
		return false;
	memcpy(file, e.oid, sizeof(file));
	memo_key(m, &k, "outlook file", path, file, NULL);
	value = known(o, m, &k);
	if (!value)
		value = read_declared(o, m, t, path, &k);
	if (!value)
		return false;
	*out = *value;
	out->path = keep_text(o, xstrdup(path));
	out->oid = keep_text(o, xstrdup(folder.oid));
	o->entries += out->pipelines.n + out->jobs.n;
	if (o->entries > OUTLOOK_ENTRIES_MAX)
		return false;
	COPY_LIST(out->pipelines);
	COPY_LIST(out->jobs);
	COPY_LIST(out->shared);
	return look_entries(o, m, t, path, out);
}

/* Its place in projects: a branch and a tag of one tree hold the same. */
static size_t project_of(struct outlook *o, struct memo *m, struct tree *t, const char *tree,
			 const char *path)
{
	for (size_t i = 0; i < o->nprojects; i++)
		if (strcmp(o->trees[i], tree) == 0 && strcmp(o->projects[i].path, path) == 0)
			return i;
	o->gone = !in_time(o) || !add_project(o, m, t, path, &o->projects[o->nprojects]);
	if (o->gone)
		return 0;
	o->trees[o->nprojects] = keep_text(o, xstrdup(tree));
	return o->nprojects++;
}

void outlook_add(struct outlook *o, struct memo *m, struct tree *t, const char *tree,
		 const char *path, const char *ref, size_t line)
{
	size_t at;

	if (o->gone || o->nrows == OUTLOOK_ROWS_MAX)
		return;
	at = project_of(o, m, t, tree, path);
	if (!o->gone)
		o->rows[o->nrows++] = (struct wire_outlook) {
			.ref = keep_text(o, xstrdup(ref)), .project = at, .line = line,
		};
}

void outlook_clear(struct outlook *o)
{
	for (size_t i = 0; i < o->nowned; i++)
		msg_clear(&o->owned[i]);
	for (size_t i = 0; i < o->ntexts; i++)
		free(o->texts[i]);
	free(o->owned);
	free(o->texts);
	*o = (struct outlook) { .gone = true };
}
