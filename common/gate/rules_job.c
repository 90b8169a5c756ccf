/* rules_job – rules 21 to 23, 28, 33, 38, 48, 75 and 101: a job's files and what they name. */
#include "config.h"

#include "common/gate/rules.h"
#include "common/project/job_rules.h"
#include "common/project/pipeline.h"

struct job_at {
	struct rules *r;
	const struct rules_entry *e;
	char *file;			/* databricks-job.json from the top of the tree */
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

/* Rule 48 for one task. */
static int uses_instance(struct job_at *j, const struct job_view *v, const struct doc_node *task,
			 struct ps_err *err)
{
	const struct doc_node *at = job_task_instance(task);
	const char *name = doc_string(at), *task_key = doc_string(doc_get(task, "task_key")), *ref;
	struct pipeline_instances l;
	struct job_component c;
	bool found = false;
	char *folder, *key;
	int rc;

	if (!name || !task_key || strcmp(name, "default") == 0 || strstr(name, "{{") ||
	    !job_component_of_task(&c, v, task_key))
		return 0;
	ref = doc_string(c.reference);
	if (!ref || !job_reference_is_local(ref) || !project_key_is_safe(c.reference))
		return 0;
	folder = project_at(j->r->p->path, ref);
	rc = tree_is_dir(j->r->t, folder) ? pipeline_instances(j->r->t, folder, &l, err) : 1;
	free(folder);
	if (rc)
		return rc < 0 ? rc : 0;	/* no folder: another rule's finding */
	for (size_t i = 0; i < l.n; i++)
		found = found || strcmp(l.v[i].name, name) == 0;
	if (!found) {
		key = xasprintf("%s %s", j->e->key, task_key);
		rule_hit(j->r, RULE_USES_INSTANCE, j->file, at->at, key,
			 "task '%s' picks config instance '%s', which '%s' "
			 "does not have", task_key, name, ref);
		for (size_t i = 0; i < l.n; i++)
			rule_near(j->r, name, (const char *const *)&l.v[i].name, 1);
		free(key);
	}
	pipeline_instances_clear(&l);
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

/* Rules 21, 22, 23, 28, 33, 48. */
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
	if (rc == 0 && d) {
		job_view(&v, d->root);
		job_rules_check(&v, on_job_rule, j);
		references(j, &v);
		fabric(j, j->file, v.fabric, told);
		for (size_t i = 0; v.tasks && i < v.tasks->n && rc == 0 &&
		     rules_in_time(r, j->file); i++)
			rc = uses_instance(j, &v, v.tasks->items[i], err);
		if (rc == 0)
			rc = rules_request(r, j->e, value, j->file, &v, err);
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
