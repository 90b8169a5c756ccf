/* survey – see survey.h. One function per kind of thing; nothing here judges. */
#include "config.h"

#include "common/project/survey.h"

#include "common/base/fsutil.h"
#include "common/project/job.h"
#include "common/project/pipeline.h"
#include "common/project/project.h"

static char *text_of(const struct doc_node *node)
{
	const char *t = doc_text(node);

	return t ? xstrdup(t) : NULL;
}

/* Kind and oid of a project-relative path; false when it is not there. */
static bool look(struct tree *t, const char *project, const char *relative, struct tree_entry *e)
{
	char *path = project_at(project, relative);
	int rc = tree_stat(t, path, e, NULL);

	free(path);
	return rc == 0;
}

/* ---- shared inputs ---- */

static void add_input(struct tree *t, struct survey_project *p, size_t *cap, const char *path)
{
	struct tree_entry e;
	struct survey_file *to;

	if (!fs_is_clean_relative(path) || !look(t, p->path, path, &e) || e.kind != TREE_DIR)
		return;
	for (size_t i = 0; i < p->ninputs; i++) {
		size_t n = strlen(p->inputs[i].path);

		if (strncmp(p->inputs[i].path, path, n) == 0 && (path[n] == '/' || !path[n]))
			return;		/* there already, or inside one that is */
	}
	p->inputs = xgrow(p->inputs, p->ninputs, cap, sizeof(*p->inputs));
	to = &p->inputs[p->ninputs++];
	*to = (struct survey_file) { .path = xstrdup(path), .is_dir = true };
	memcpy(to->oid, e.oid, sizeof(to->oid));
}

static bool has_entries(const struct doc_node *map)
{
	return doc_is(map, DOC_MAP) && map->n > 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct survey_file *)a)->path, ((const struct survey_file *)b)->path);
}

/* BUILDS.md: what gemContainer.gems, functions and subgraphs name, and .prophecy; all of it for
 * every pipeline. */
static void shared_inputs(struct tree *t, struct survey_project *p)
{
	const struct doc_node *root = p->doc->root, *functions = doc_get(root, "functions");
	const struct doc_node *subgraphs = doc_get(root, "subgraphs");
	bool any = false;
	size_t cap = 0;

	add_input(t, p, &cap, ".prophecy");
	if (has_entries(doc_path(root, "gemContainer", "gems", NULL)))
		add_input(t, p, &cap, "gems");
	for (size_t i = 0; doc_is(functions, DOC_MAP) && i < functions->n; i++)
		any = any || has_entries(functions->pairs[i].value);
	if (any) {
		add_input(t, p, &cap, "functions");
		add_input(t, p, &cap, "udfs");
	}
	for (size_t i = 0; doc_is(subgraphs, DOC_MAP) && i < subgraphs->n; i++) {
		const char *key = doc_string(subgraphs->pairs[i].key);

		if (key && ps_starts(key, "subgraphs/"))
			add_input(t, p, &cap, key);
	}
	if (p->ninputs > 1)
		qsort(p->inputs, p->ninputs, sizeof(*p->inputs), by_path);
}

/* ---- pipelines ---- */

static int read_setup(struct tree *t, struct survey_project *p, struct survey_pipeline *pl,
		      struct ps_err *err)
{
	char *rel = xasprintf("%s/code/setup.py", pl->key), *path = project_at(p->path, rel);
	struct buf b = BUF_INIT;
	int rc = tree_read(t, path, SETUP_MAX, &b, err);

	if (rc == PS_ENOENT && strcmp(pl->language, "python") == 0)
		pl->problem = xasprintf("'%s' is not there", path);
	else if (rc == PS_ELIMIT)
		pl->problem = xasprintf("'%s' is larger than %d bytes", path, SETUP_MAX);
	if (rc == PS_ENOENT || rc == PS_ELIMIT)
		rc = 0;
	if (rc == 0 && b.len) {
		pipeline_setup_scan(buf_str(&b), b.len, &pl->package, &pl->version);
		if (pl->package && pl->version)
			pl->wheel = pipeline_wheel(pl->package, pl->version);
	}
	buf_clear(&b);
	free(path);
	free(rel);
	return rc;
}

static int read_instances(struct tree *t, struct survey_project *p, struct survey_pipeline *pl,
			  struct ps_err *err)
{
	char *folder = project_at(p->path, pl->key);
	struct pipeline_instances l;
	int rc = pipeline_instances(t, folder, &l, err);

	free(folder);
	if (rc < 0)
		return rc;
	pl->instances = xcalloc(l.n + 1, sizeof(*pl->instances));
	pl->ninstances = l.n;
	for (size_t i = 0; i < l.n; i++) {
		pl->instances[i].name = xstrdup(l.v[i].name);
		pl->instances[i].path = fs_join(pl->key, l.v[i].path);
		memcpy(pl->instances[i].oid, l.v[i].oid, TREE_OID);
	}
	pipeline_instances_clear(&l);
	return 0;
}

/* What Prophecy's own tool runs: a pipeline without it has no tests. */
static bool has_tests(struct tree *t, struct survey_project *p, const struct survey_pipeline *pl)
{
	char *rel = xasprintf("%s/code/test/TestSuite.py", pl->key);
	struct tree_entry e;
	bool there = look(t, p->path, rel, &e) && (e.kind == TREE_FILE || e.kind == TREE_EXEC);

	free(rel);
	return there;
}

static int one_pipeline(struct tree *t, struct survey_project *p, const struct doc_pair *e,
			struct survey_pipeline *pl, struct ps_err *err)
{
	const char *language = doc_text(doc_get(e->value, "language"));
	struct tree_entry at;
	int rc = 0;

	*pl = (struct survey_pipeline) { .key = xstrdup(e->key->text),
					 .name = text_of(doc_get(e->value, "name")) };
	if (!pl->name)
		pl->name = xstrdup(pl->key);
	pl->language = xstrdup(language ? language : p->language ? p->language : "");
	if (!project_key_is_safe(e->key)) {
		pl->problem = xstrdup("its key is not a path below the project");
	} else if (!look(t, p->path, pl->key, &at) || at.kind != TREE_DIR) {
		pl->problem = xasprintf("its folder '%s' is not there", pl->key);
	} else {
		memcpy(pl->oid, at.oid, sizeof(pl->oid));
		pl->tests = has_tests(t, p, pl);
		rc = read_setup(t, p, pl, err);
		if (rc == 0)
			rc = read_instances(t, p, pl, err);
	}
	return rc;
}

static int pipeline_order(const void *a, const void *b)
{
	return strcmp(((const struct survey_pipeline *)a)->key,
		      ((const struct survey_pipeline *)b)->key);
}

static int all_pipelines(struct tree *t, struct survey_project *p, const struct project *file,
			 struct ps_err *err)
{
	const struct doc_pair *e;
	size_t cap = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (e = project_next(file, PROJECT_PIPELINES, &i));) {
		p->pipelines = xgrow(p->pipelines, p->npipelines, &cap, sizeof(*p->pipelines));
		rc = one_pipeline(t, p, e, &p->pipelines[p->npipelines++], err);
	}
	if (p->npipelines > 1)
		qsort(p->pipelines, p->npipelines, sizeof(*p->pipelines), pipeline_order);
	return rc;
}

/* ---- jobs ---- */

struct files { struct survey_job *job; size_t cap, skip; };

static void add_template(struct survey_job *j, size_t *cap, const char *path, const char *oid)
{
	struct survey_file *to;

	j->templates = xgrow(j->templates, j->ntemplates, cap, sizeof(*j->templates));
	to = &j->templates[j->ntemplates++];
	*to = (struct survey_file) { .path = xstrdup(path) };
	memcpy(to->oid, oid, TREE_OID);
}

static int each_file(void *arg, const char *path, const struct tree_entry *e, struct ps_err *err)
{
	struct files *f = arg;

	(void)err;
	if (e->kind == TREE_FILE || e->kind == TREE_EXEC)
		add_template(f->job, &f->cap, path + f->skip, e->oid);
	return 0;
}

static int read_templates(struct tree *t, struct survey_project *p, struct survey_job *j,
			  struct ps_err *err)
{
	char *rel = xasprintf("%s/code%s", j->key, j->provider == SURVEY_DATABRICKS ?
			      "/databricks-job.json" : "");
	struct files f = { .job = j, .skip = strcmp(p->path, ".") == 0 ? 0 : strlen(p->path) + 1 };
	char *path = project_at(p->path, rel);
	struct tree_entry e;
	int rc = tree_stat(t, path, &e, err);

	if (j->provider == SURVEY_DATABRICKS && rc == 0 &&
	    (e.kind == TREE_FILE || e.kind == TREE_EXEC))
		add_template(j, &f.cap, rel, e.oid);
	else if (j->provider == SURVEY_AIRFLOW && rc == 0 && e.kind == TREE_DIR)
		rc = tree_walk(t, path, each_file, &f, err);
	if (rc == PS_ENOENT)
		rc = 0;
	if (rc == 0 && !j->ntemplates)
		j->problem = xasprintf("'%s' is not there", path);
	free(path);
	free(rel);
	return rc;
}

static int job_order(const void *a, const void *b)
{
	return strcmp(((const struct survey_job *)a)->key, ((const struct survey_job *)b)->key);
}

static int one_job(struct tree *t, struct survey_project *p, const struct doc_pair *e,
		   struct survey_job *j, struct ps_err *err)
{
	const struct doc_node *enabled = doc_get(e->value, "enabled");
	const char *word;

	*j = (struct survey_job) {
		.key = xstrdup(e->key->text), .name = text_of(doc_get(e->value, "name")),
		.fabric = job_fabric_number(doc_get(e->value, "fabricUID")),
		.enabled = doc_is(enabled, DOC_BOOL) && enabled->num,
	};
	j->provider = job_provider(e->value, &word) == JOB_DATABRICKS ? SURVEY_DATABRICKS :
		SURVEY_AIRFLOW;
	j->scheduler = word ? xstrdup(word) : NULL;
	if (!j->name)
		j->name = xstrdup(j->key);
	if (!project_key_is_safe(e->key)) {
		j->problem = xstrdup("its key is not a path below the project");
		return 0;
	}
	return read_templates(t, p, j, err);
}

static int all_jobs(struct tree *t, struct survey_project *p, const struct project *file,
		    struct ps_err *err)
{
	const struct doc_pair *e;
	size_t cap = 0;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (e = project_next(file, PROJECT_JOBS, &i));) {
		p->jobs = xgrow(p->jobs, p->njobs, &cap, sizeof(*p->jobs));
		rc = one_job(t, p, e, &p->jobs[p->njobs++], err);
	}
	if (p->njobs > 1)
		qsort(p->jobs, p->njobs, sizeof(*p->jobs), job_order);
	return rc;
}

/* ---- projects ---- */

static int one_project(struct tree *t, const char *path, struct survey_project *p,
		       struct ps_err *err)
{
	struct project file;
	struct tree_entry e;
	int rc;

	*p = (struct survey_project) { .path = xstrdup(path) };
	rc = tree_stat(t, strcmp(path, ".") == 0 ? "" : path, &e, err);
	if (rc == 0)
		rc = project_read(t, path, &file, err);
	if (rc < 0)
		return rc;
	memcpy(p->oid, e.oid, sizeof(p->oid));
	if (file.rc < 0) {
		p->problem = xasprintf("%s:%u:%u: %s", file.file, file.fault.at.line,
				       file.fault.at.col, file.fault.text);
	} else if (!doc_is(file.doc->root, DOC_MAP)) {
		p->problem = xasprintf("%s is not a map", file.file);
	} else {
		p->doc = file.doc;
		p->name = text_of(doc_get(p->doc->root, "name"));
		p->version = text_of(doc_get(p->doc->root, "version"));
		p->language = text_of(doc_get(p->doc->root, "language"));
		shared_inputs(t, p);
		rc = all_pipelines(t, p, &file, err);
		if (rc == 0)
			rc = all_jobs(t, p, &file, err);
		file.doc = NULL;		/* the survey's now */
	}
	project_clear(&file);
	return rc;
}

int survey_tree(struct tree *root, struct survey *out, struct ps_err *err)
{
	struct project_paths paths;
	int rc;

	*out = (struct survey) { NULL, 0 };
	rc = project_find(root, "", &paths, err);
	if (rc < 0)
		return rc;
	out->projects = xcalloc(paths.n + 1, sizeof(*out->projects));
	for (size_t i = 0; i < paths.n && rc == 0; i++)
		rc = one_project(root, paths.v[i], &out->projects[out->nprojects++], err);
	project_paths_clear(&paths);
	return rc;
}

static void clear_pipeline(struct survey_pipeline *pl)
{
	for (size_t i = 0; i < pl->ninstances; i++) {
		free(pl->instances[i].name);
		free(pl->instances[i].path);
	}
	free(pl->instances);
	free(pl->key);
	free(pl->name);
	free(pl->language);
	free(pl->package);
	free(pl->version);
	free(pl->wheel);
	free(pl->problem);
}

static void clear_files(struct survey_file *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i].path);
	free(v);
}

static void clear_project(struct survey_project *p)
{
	for (size_t i = 0; i < p->npipelines; i++)
		clear_pipeline(&p->pipelines[i]);
	for (size_t i = 0; i < p->njobs; i++) {
		clear_files(p->jobs[i].templates, p->jobs[i].ntemplates);
		free(p->jobs[i].key);
		free(p->jobs[i].name);
		free(p->jobs[i].scheduler);
		free(p->jobs[i].problem);
	}
	clear_files(p->inputs, p->ninputs);
	free(p->pipelines);
	free(p->jobs);
	doc_free(p->doc);
	free(p->path);
	free(p->name);
	free(p->version);
	free(p->language);
	free(p->problem);
}

void survey_clear(struct survey *s)
{
	for (size_t i = 0; i < s->nprojects; i++)
		clear_project(&s->projects[i]);
	free(s->projects);
	*s = (struct survey) { NULL, 0 };
}

const struct survey_project *survey_project(const struct survey *s, const char *path)
{
	for (size_t i = 0; i < s->nprojects; i++)
		if (strcmp(s->projects[i].path, path) == 0)
			return &s->projects[i];
	return NULL;
}

const struct survey_pipeline *survey_pipeline(const struct survey_project *p, const char *key)
{
	for (size_t i = 0; i < p->npipelines; i++)
		if (strcmp(p->pipelines[i].key, key) == 0)
			return &p->pipelines[i];
	return NULL;
}

const struct survey_job *survey_job(const struct survey_project *p, const char *key)
{
	for (size_t i = 0; i < p->njobs; i++)
		if (strcmp(p->jobs[i].key, key) == 0)
			return &p->jobs[i];
	return NULL;
}
