/* rules_prophecy_job – rules 34, 39 to 41, 43, 44 and 46: what prophecy-job.json says, and what an
 * Airflow job needs beside it. */
#include "config.h"

#include "common/gate/rules.h"

struct job {
	struct rules *r;
	const struct rules_entry *e;
	const struct doc_node *value, *meta;
	const char *file;
};

static void hit(const struct job *j, enum rule_id id, const struct doc_node *at,
		const char *subject, const char *fmt, ...) PS_PRINTF(5, 6);

static void hit(const struct job *j, enum rule_id id, const struct doc_node *at,
		const char *subject, const char *fmt, ...)
{
	char *key = xasprintf("%s %s", j->e->key, subject), *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	rule_hit(j->r, id, j->file, at->at, key, "%s", text);
	free(text);
	free(key);
}

static void as_declared(const struct job *j, const char *scheduler)
{
	const struct doc_node *type = doc_get(j->meta, "type"), *id = doc_get(j->meta, "jobId"),
			      *name = doc_get(j->meta, "name"),
			      *fabric = doc_get(j->meta, "fabricId"),
			      *declared = doc_get(j->value, "name"),
			      *uid = doc_get(j->value, "fabricUID");

	if (doc_string(type) && scheduler && strcmp(type->text, scheduler) != 0)
		hit(j, RULE_META_TYPE, type, "type", "the type is '%s', pbt_project.yml says '%s'",
		    type->text, scheduler);
	if (doc_string(id) && !ps_ends(id->text, j->e->key))
		hit(j, RULE_META_ID, id, "jobId", "the jobId is '%s', the key is '%s'", id->text,
		    j->e->key);
	if (doc_string(name) && doc_string(declared) && strcmp(name->text, declared->text) != 0)
		hit(j, RULE_JOB_NAMES, name, "meta name",
		    "the name is '%s', pbt_project.yml says '%s'", name->text, declared->text);
	if (doc_text(fabric) && doc_is(uid, DOC_INT) && job_fabric_number(fabric) != uid->num)
		hit(j, RULE_FABRIC_DIFFERS, fabric, "meta fabric",
		    "fabricId is %s, pbt_project.yml says %s", doc_text(fabric), uid->text);
}

static void connections(const struct job *j, const struct doc_node *root)
{
	static const char *const ends[] = { "source", "target" };
	const struct doc_node *processes = doc_get(root, "processes"),
			      *all = doc_get(root, "connections");

	for (size_t i = 0; doc_is(all, DOC_LIST) && i < all->n && rules_in_time(j->r, j->file); i++)
		for (size_t k = 0; k < PS_NELEM(ends); k++) {
			const struct doc_node *end = doc_get(all->items[i], ends[k]);

			if (doc_string(end) && doc_is(processes, DOC_MAP) &&
			    !doc_get(processes, end->text))
				hit(j, RULE_CONNECTION, end, end->text,
				    "the %s of a connection, '%s', is no process of this job",
				    ends[k], end->text);
		}
}

/* Rules 43 and 44. */
static void airflow(const struct job *j)
{
	const struct doc_node *name = doc_get(j->meta, "dagName"),
			      *enabled = doc_get(j->value, "enabled");
	char *rel = xasprintf("%s/code/dag.py", j->e->key), *path = project_at(j->r->p->path, rel);

	if (doc_is(j->meta, DOC_MAP) && (!doc_string(name) || !name->len))
		hit(j, RULE_DAG_NAME, name ? name : j->meta, "dagName", "the DAG has no name");
	if (doc_is(enabled, DOC_BOOL) && enabled->num && !tree_is_file(j->r->t, path))
		rule_hit(
			j->r, RULE_DAG_FILE, j->r->p->file, j->e->at, j->e->key,
			"job '%s' is enabled and has no '%s'; open it in Prophecy, its diagnostics "
			"say why",
			j->e->key, rel);
	free(path);
	free(rel);
}

/* A Databricks job under a scheduler that Prophecy no longer writes: it needs no DAG, and rule 39
 * tells that the two differ. */
static bool is_mislabelled(const struct job *j, const char *scheduler)
{
	return strcmp(scheduler, "Airflow") == 0 &&
		ps_streq(doc_string(doc_get(j->meta, "type")), "Databricks");
}

void rules_prophecy_job(struct rules *r, const struct rules_entry *e, const struct doc_node *value,
			const char *file, const struct doc_node *root)
{
	struct job j = {
		.r = r, .e = e, .value = value, .meta = doc_get(root, "metainfo"), .file = file
	};
	const char *scheduler;

	if (job_provider(value, &scheduler) == JOB_AIRFLOW && scheduler &&
	    !is_mislabelled(&j, scheduler))
		airflow(&j);
	as_declared(&j, scheduler);
	connections(&j, root);
}
