/* rules_job – rules 21 to 23, 28, 33, 38, 48, 75 and 101: a job's files and what they name. */
#include "config.h"

#include "common/gate/rules.h"
#include "common/project/job_rules.h"
#include "common/project/pipeline.h"

/* Of tasks and of components, each looked for among the other; Databricks takes 1000 tasks. */
enum { PARTS_MAX = 2000 };

struct job_at {
	struct rules *r;
	const struct rules_entry *e;
	char *file;			/* databricks-job.json from the top of the tree */
	const char *listed;		/* the pipeline whose instances these are; NULL: none */
	struct pipeline_instances instances;
};

static void on_job_rule(void *arg, enum job_rule rule, struct doc_pos at, const char *subject,
			const char *text, const char *near)
{
	const struct job_at *j = arg;
	char *key = xasprintf("%s %s", j->e->key, subject);

	rule_hit(j->r, rule == JOB_RULE_SHAPE ? RULE_JOB_SHAPE : RULE_TASKS, j->file, at, key, "%s",
		 text);
	if (near)
		diag_hint(&j->r->found, "the nearest is '%s'", near);
	free(key);
}

/* Rules 28 and 75: kept aside, because only the old side tells which of the two it is. */
static void references(struct job_at *j, const struct job_view *v)
{
	for (size_t i = 0; v->components && i < v->components->n; i++) {
		struct job_component c;
		const char *ref = job_component(&c, v->components->items[i]) ?
			doc_string(c.reference) : NULL;
		struct rules *r = j->r;
		bool declared, folder;
		char *path;

		if (!ref || !job_reference_is_local(ref))
			continue;
		path = project_at(r->p->path, ref);
		declared = rules_declares(r, PROJECT_PIPELINES, ref);
		folder = tree_is_dir(r->t, path);
		free(path);
		if (declared && folder)
			continue;
		r->dead = xgrow(r->dead, r->ndead, &r->cap, sizeof(*r->dead));
		r->dead[r->ndead++] = (struct rule_dead) {
			.project = xstrdup(r->p->path), .pipeline = xstrdup(ref),
				.file = xstrdup(j->file),
			.job = xstrdup(j->e->key), .at = c.reference->at,
				.declared = declared,
		};
	}
}

/* The instances of the pipeline of this project that a task runs, in j: listed once for tasks of it
 * that follow each other. *ref stays NULL when it runs none, or one without folder (another rule's
 * finding). */
static int instances_of(struct job_at *j, const struct job_view *v, const char *task_key,
			const char **ref, struct ps_err *err)
{
	struct job_component c;
	const char *local;
	char *folder;
	int rc = 0;

	*ref = NULL;
	if (!task_key || !job_component_of_task(&c, v, task_key))
		return 0;
	local = doc_string(c.reference);
	if (!local || !job_reference_is_local(local) || !project_key_is_safe(c.reference))
		return 0;
	if (ps_streq(j->listed, local)) {
		*ref = local;
		return 0;
	}
	pipeline_instances_clear(&j->instances);
	j->listed = NULL;
	folder = project_at(j->r->p->path, local);
	if (tree_is_dir(j->r->t, folder)) {
		rc = pipeline_instances(j->r->t, folder, &j->instances, err);
		j->listed = *ref = rc == 0 ? local : NULL;
	}
	free(folder);
	return rc;
}

/* Rule 48 for one task. */
static void uses_instance(struct job_at *j, const struct doc_node *task, const char *task_key,
			  const char *ref, const struct pipeline_instances *l)
{
	const struct doc_node *at = job_task_instance(task);
	const char *name = doc_string(at);
	char *key;

	if (!name || pipeline_instance_is_default(name) || strstr(name, "{{") ||
	    pipeline_has_instance(l, name))
		return;
	key = xasprintf("%s %s", j->e->key, task_key);
	rule_hit(j->r, RULE_USES_INSTANCE, j->file, at->at, key,
		 "task '%s' picks config instance '%s', which '%s' does not have", task_key, name,
		 ref);
	for (size_t i = 0; i < l->n; i++)
		rule_near(j->r, name, (const char *const *)&l->v[i].name, 1);
	free(key);
}

/* Rule 49: an environment makes a job of this one that runs with an instance of its own. */
static void derived_instance(struct job_at *j, const struct doc_node *task, const char *task_key,
			     const char *ref, const struct pipeline_instances *l)
{
	const struct config *c = j->r->config;

	for (size_t i = 0; c && i < c->nenvironments; i++)
		for (size_t k = 0; k < c->environments[i].nderive; k++) {
			const struct conf_derive *d = &c->environments[i].derive[k];
			char *key;

			if (!d->config || strcmp(d->from, j->e->key) != 0 ||
			    pipeline_has_instance(l, d->config))
				continue;
			key = xasprintf("%s %s %s", j->e->key, task_key, d->config);
			rule_hit(j->r, RULE_DERIVED_INSTANCE, j->file,
				 doc_get(task, "task_key")->at, key,
				 "environment %s derives '%s' with config instance '%s', which "
				 "'%s' does not have", c->environments[i].name, d->as, d->config,
				 ref);
			free(key);
		}
}

static int instances(struct job_at *j, const struct job_view *v, const struct doc_node *task,
		     struct ps_err *err)
{
	const char *task_key = doc_string(doc_get(task, "task_key")), *ref;
	int rc = instances_of(j, v, task_key, &ref, err);

	if (rc < 0 || !ref)
		return rc;
	uses_instance(j, task, task_key, ref, &j->instances);
	if (rule_wanted(j->r, RULE_DERIVED_INSTANCE))
		derived_instance(j, task, task_key, ref, &j->instances);
	return 0;
}

/* Rule 101, for the entry's fabricUID and again for a file that names another one. */
static void fabric(struct job_at *j, const char *path, const struct doc_node *node, int64_t told)
{
	int64_t id = job_fabric_number(node);
	char *key;

	if (!j->r->config || !id || id == told || config_fabric_by_id(j->r->config, id))
		return;
	key = xasprintf("%s %lld", j->e->key, (long long)id);
	rule_hit(j->r, RULE_FABRIC, path, node->at, key,
		 "job '%s' names fabric %lld, which no fabric of penstock.yml "
		 "has as id", j->e->key, (long long)id);
	free(key);
}

static bool has_too_many(const struct doc_node *list)
{
	return list && list->n > PARTS_MAX;
}

/* What tasks and components say of each other: rules 48, 49 and those of rules_request.c. */
static int parts(struct job_at *j, const struct doc_node *value, struct job_view *v,
		 struct ps_err *err)
{
	int rc = 0;

	if (has_too_many(v->tasks) || has_too_many(v->components)) {
		rule_hit(j->r, RULE_UNCHECKED, j->file, v->root->at, j->e->key,
			 "more than %d tasks or components: not checked one by one", PARTS_MAX);
		v->components = NULL;
	}
	for (size_t i = 0; v->components && v->tasks && i < v->tasks->n && rc == 0 &&
	     rules_in_time(j->r, j->file); i++)
		rc = instances(j, v, v->tasks->items[i], err);
	pipeline_instances_clear(&j->instances);
	j->listed = NULL;
	return rc < 0 ? rc : rules_request(j->r, j->e, value, j->file, v, err);
}

/* Rules 21, 22, 23, 28, 33, 48, 49. */
static int databricks(struct job_at *j, const struct doc_node *value, int64_t told,
		      struct ps_err *err)
{
	char *rel = xasprintf("%s/code/databricks-job.json", j->e->key);
	struct rules *r = j->r;
	struct doc *d = NULL;
	struct job_view v;
	bool is_there;
	int rc = rules_json(r, RULE_JOB_JSON, rel, &d, &is_there, err);

	if (rc == 0 && !is_there && !r->late)
		rule_hit(r, RULE_JOB_FILE, r->p->file, j->e->at, j->e->key,
			 "job '%s' has no file '%s'", j->e->key, rel);
	/* unlike the other files it is read and written anew by whoever makes a release of it */
	if (rc == 0 && d && d->word.line)
		rule_hit(r, RULE_JOB_JSON, j->file, d->word, rel,
			 "not JSON: it has no numbers but those of digits");
	if (rc == 0 && d) {
		job_view(&v, d->root);
		job_rules_check(&v, on_job_rule, j);
		references(j, &v);
		fabric(j, j->file, v.fabric, told);
		rc = parts(j, value, &v, err);
	}
	doc_free(d);
	free(rel);
	return rc;
}

/* Rule 38. A Databricks job without any file has been told by rule 21 already. */
static int prophecy_job(struct job_at *j, const struct doc_node *value, bool tell_missing,
			struct ps_err *err)
{
	static const char *const parts[] = { "metainfo", "processes", "connections" };
	char *rel = xasprintf("%s/code/prophecy-job.json", j->e->key),
		*path = project_at(j->r->p->path, rel);
	struct doc *d = NULL;
	bool is_there;
	int rc = rules_json(j->r, RULE_PROPHECY_JOB, rel, &d, &is_there, err);

	if (rc == 0 && !is_there && !j->r->late && tell_missing)
		rule_hit(j->r, RULE_PROPHECY_JOB_LACKS, j->r->p->file, j->e->at,
			 j->e->key,
			 "job '%s' has no file '%s'", j->e->key, rel);
	for (size_t i = 0; rc == 0 && d && i < PS_NELEM(parts); i++) {
		char *key;

		if (doc_get(d->root, parts[i]))
			continue;
		key = xasprintf("%s %s", j->e->key, parts[i]);
		rule_hit(j->r, RULE_PROPHECY_JOB_LACKS, path, d->root->at, key, "'%s' is missing",
			 parts[i]);
		free(key);
	}
	if (rc == 0 && d)
		rules_prophecy_job(j->r, j->e, value, path, d->root);
	doc_free(d);
	free(path);
	free(rel);
	return rc;
}

int rules_job(struct rules *r, const struct rules_entry *e, struct ps_err *err)
{
	struct job_at j = { .r = r, .e = e };
	const struct doc_node *value = rules_value(r, e, err), *uid = doc_get(value, "fabricUID");
	char *rel = xasprintf("%s/code/databricks-job.json", e->key);
	bool has_file = true;
	int rc = value ? 0 : PS_EIO;

	j.file = project_at(r->p->path, rel);
	if (rc == 0)
		fabric(&j, r->p->file, uid, 0);
	if (rc == 0 && job_provider(value, NULL) == JOB_DATABRICKS) {
		has_file = tree_is_file(r->t, j.file);
		rc = databricks(&j, value, job_fabric_number(uid), err);
	}
	if (rc == 0 && !r->late)
		rc = prophecy_job(&j, value, has_file, err);
	free(j.file);
	free(rel);
	return rc;
}
