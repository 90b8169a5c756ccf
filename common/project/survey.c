/* survey – see survey.h. One function per kind of thing; nothing here judges. */
#include "config.h"

#include "common/project/survey.h"

#include "common/base/fsutil.h"
#include "common/project/job.h"
#include "common/project/pipeline.h"
#include "common/project/project.h"

const char *survey_provider_word(enum survey_provider p)
{
	return p == SURVEY_AIRFLOW ? "airflow" : "databricks";
}

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

static void name_input(struct survey_project *p, size_t *cap, const char *path)
{
	if (!fs_is_clean_relative(path))
		return;
	p->inputs = xgrow(p->inputs, p->ninputs, cap, sizeof(*p->inputs));
	p->inputs[p->ninputs++] = (struct survey_file) { .path = xstrdup(path), .is_dir = true };
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
static void name_inputs(struct survey_project *p)
{
	const struct doc_node *root = p->doc->root, *functions = doc_get(root, "functions");
	const struct doc_node *subgraphs = doc_get(root, "subgraphs");
	bool any = false;
	size_t cap = 0;

	name_input(p, &cap, ".prophecy");
	if (has_entries(doc_path(root, "gemContainer", "gems", NULL)))
		name_input(p, &cap, "gems");
	for (size_t i = 0; doc_is(functions, DOC_MAP) && i < functions->n; i++)
		any = any || has_entries(functions->pairs[i].value);
	if (any) {
		name_input(p, &cap, "functions");
		name_input(p, &cap, "udfs");
	}
	for (size_t i = 0; doc_is(subgraphs, DOC_MAP) && i < subgraphs->n; i++) {
		const char *key = doc_string(subgraphs->pairs[i].key);

		if (key && ps_starts(key, "subgraphs/"))
			name_input(p, &cap, key);
	}
	if (p->ninputs > 1)
		qsort(p->inputs, p->ninputs, sizeof(*p->inputs), by_path);
}

bool survey_input(struct tree *t, const char *project, struct survey_file *f)
{
	struct tree_entry e;

	if (!look(t, project, f->path, &e) || e.kind != TREE_DIR)
		return false;
	memcpy(f->oid, e.oid, sizeof(f->oid));
	return true;
}

/* In order of path: what is inside another one comes behind it. */
bool survey_inside(const char *path, const char *of)
{
	size_t n = strlen(of);

	return strncmp(of, path, n) == 0 && (path[n] == '/' || !path[n]);
}

/* Only those that are there stay, and none that is inside another one. */
static void look_inputs(struct tree *t, struct survey_project *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->ninputs; i++) {
		struct survey_file *f = &p->inputs[i];
		bool inside = false;

		for (size_t k = 0; k < n; k++)
			inside = inside || survey_inside(f->path, p->inputs[k].path);
		if (!inside && survey_input(t, p->path, f))
			p->inputs[n++] = *f;
		else
			free(f->path);
	}
	p->ninputs = n;
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
	else if (rc == 0 && project_is_pointer(&b))
		pl->problem = xasprintf("'%s' is " PROJECT_POINTER, path);
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

int survey_look_pipeline(struct tree *t, struct survey_project *p, struct survey_pipeline *pl,
			 struct ps_err *err)
{
	struct tree_entry at;
	int rc;

	if (!fs_is_clean_relative(pl->key)) {
		pl->problem = xstrdup("its key is not a path below the project");
		return 0;
	}
	if (!look(t, p->path, pl->key, &at) || at.kind != TREE_DIR) {
		pl->problem = xasprintf("its folder '%s' is not there", pl->key);
		return 0;
	}
	memcpy(pl->oid, at.oid, sizeof(pl->oid));
	pl->tests = has_tests(t, p, pl);
	rc = read_setup(t, p, pl, err);
	return rc < 0 ? rc : read_instances(t, p, pl, err);
}

static struct survey_pipeline name_pipeline(const struct survey_project *p,
					    const struct doc_pair *e)
{
	const char *language = doc_text(doc_get(e->value, "language"));
	struct survey_pipeline pl = { .key = xstrdup(e->key->text),
				      .name = text_of(doc_get(e->value, "name")) };

	if (!pl.name)
		pl.name = xstrdup(pl.key);
	pl.language = xstrdup(language ? language : p->language ? p->language : "");
	return pl;
}

static int pipeline_order(const void *a, const void *b)
{
	return strcmp(((const struct survey_pipeline *)a)->key,
		      ((const struct survey_pipeline *)b)->key);
}

static void name_pipelines(struct survey_project *p, const struct project *file)
{
	const struct doc_pair *e;
	size_t cap = 0;

	for (size_t i = 0; (e = project_next(file, PROJECT_PIPELINES, &i));) {
		p->pipelines = xgrow(p->pipelines, p->npipelines, &cap, sizeof(*p->pipelines));
		p->pipelines[p->npipelines++] = name_pipeline(p, e);
	}
	if (p->npipelines > 1)
		qsort(p->pipelines, p->npipelines, sizeof(*p->pipelines), pipeline_order);
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

int survey_look_job(struct tree *t, struct survey_project *p, struct survey_job *j,
		    struct ps_err *err)
{
	if (fs_is_clean_relative(j->key))
		return read_templates(t, p, j, err);
	j->problem = xstrdup("its key is not a path below the project");
	return 0;
}

static struct survey_job name_job(const struct doc_pair *e)
{
	const struct doc_node *enabled = doc_get(e->value, "enabled");
	struct survey_job j = {
		.key = xstrdup(e->key->text), .name = text_of(doc_get(e->value, "name")),
		.fabric = job_fabric_number(doc_get(e->value, "fabricUID")),
		.enabled = doc_is(enabled, DOC_BOOL) && enabled->num,
	};
	const char *word;

	j.provider = job_provider(e->value, &word) == JOB_DATABRICKS ? SURVEY_DATABRICKS :
		SURVEY_AIRFLOW;
	j.scheduler = word ? xstrdup(word) : NULL;
	if (!j.name)
		j.name = xstrdup(j.key);
	return j;
}

static void name_jobs(struct survey_project *p, const struct project *file)
{
	const struct doc_pair *e;
	size_t cap = 0;

	for (size_t i = 0; (e = project_next(file, PROJECT_JOBS, &i));) {
		p->jobs = xgrow(p->jobs, p->njobs, &cap, sizeof(*p->jobs));
		p->jobs[p->njobs++] = name_job(e);
	}
	if (p->njobs > 1)
		qsort(p->jobs, p->njobs, sizeof(*p->jobs), job_order);
}

/* ---- projects ---- */

int survey_declared(struct tree *t, const char *path, struct survey_project *p, struct ps_err *err)
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
		name_inputs(p);
		name_pipelines(p, &file);
		name_jobs(p, &file);
		file.doc = NULL;		/* the survey's now */
	}
	project_clear(&file);
	return 0;
}

static int one_project(struct tree *t, const char *path, struct survey_project *p,
		       struct ps_err *err)
{
	int rc = survey_declared(t, path, p, err);

	if (rc == 0)
		look_inputs(t, p);
	for (size_t i = 0; i < p->npipelines && rc == 0; i++)
		rc = survey_look_pipeline(t, p, &p->pipelines[i], err);
	for (size_t i = 0; i < p->njobs && rc == 0; i++)
		rc = survey_look_job(t, p, &p->jobs[i], err);
	return rc < 0 ? rc : survey_look_configurations(t, p, err);
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

void survey_pipeline_clear(struct survey_pipeline *pl)
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

void survey_job_clear(struct survey_job *j)
{
	clear_files(j->templates, j->ntemplates);
	free(j->key);
	free(j->name);
	free(j->scheduler);
	free(j->problem);
}

void survey_project_clear(struct survey_project *p)
{
	for (size_t i = 0; i < p->npipelines; i++)
		survey_pipeline_clear(&p->pipelines[i]);
	for (size_t i = 0; i < p->njobs; i++)
		survey_job_clear(&p->jobs[i]);
	clear_files(p->inputs, p->ninputs);
	survey_configurations_clear(p);
	free(p->pipelines);
	free(p->jobs);
	doc_free(p->doc);
	free(p->path);
	free(p->name);
	free(p->version);
	free(p->language);
	free(p->problem);
	*p = (struct survey_project) { .path = NULL };
}

void survey_clear(struct survey *s)
{
	for (size_t i = 0; i < s->nprojects; i++)
		survey_project_clear(&s->projects[i]);
	free(s->projects);
	*s = (struct survey) { NULL, 0 };
}

const char *survey_lack(const struct survey_project *p)
{
	if (p->problem)
		return p->problem;
	if (!p->name)
		return "pbt_project.yml has no 'name' that can be used";
	if (!p->version)
		return "pbt_project.yml has no 'version' that can be used";
	return p->language ? NULL : "pbt_project.yml has no 'language' that can be used";
}

const char *survey_below(const char *folder, const char *path)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : path;
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
