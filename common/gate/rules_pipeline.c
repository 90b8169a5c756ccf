/* rules_pipeline – rules 13 to 20, 47, 50, 63 and 114: a pipeline's folder. */
#include "config.h"

#include "common/gate/rules.h"
#include "common/project/pipeline.h"

/* Rule 63: setup.py says the version of the project. */
static void versions(struct rules *r, const struct rules_entry *e, const char *rel,
		     const struct buf *b)
{
	const char *declared = rules_version(r);
	char *name, *version, *path = project_at(r->p->path, rel);

	pipeline_setup_scan(buf_str(b), b->len, &name, &version);
	if (version && *declared && strcmp(version, declared) != 0)
		rule_hit(r, RULE_VERSIONS, path, (struct doc_pos) { 1, 1 }, e->key,
			 "the version is '%s', pbt_project.yml says '%s'", version, declared);
	free(name);
	free(version);
	free(path);
}

/* Rules 14 and 15: what the build starts from, by the project's language. Rule 2 on the way. */
static int build_file(struct rules *r, const struct rules_entry *e, enum rule_id id,
		      const char *name, struct ps_err *err)
{
	char *rel = xasprintf("%s/code/%s", e->key, name);
	struct buf b = BUF_INIT;
	bool is_there, usable;
	int rc = rules_read(r, rel, SETUP_MAX, &b, &is_there, &usable, err);

	if (rc == 0 && !is_there && !r->late)
		rule_hit(r, id, r->p->file, e->at, e->key,
			 "pipeline '%s' has no file '%s'", e->key, rel);
	else if (rc == 0 && usable && id == RULE_SETUP_PY && rule_wanted(r, RULE_VERSIONS))
		versions(r, e, rel, &b);
	buf_clear(&b);
	free(rel);
	return rc;
}

/* Rules 19 and 20: what Prophecy itself found wrong when the pipeline was saved. */
static void diagnostics(struct rules *r, const struct rules_entry *e, const char *file,
			const struct doc_node *root)
{
	const struct doc_node *all = doc_get(root, "diagnostics");

	for (size_t i = 0; doc_is(all, DOC_LIST) && i < all->n; i++) {
		const struct doc_node *severity = doc_get(all->items[i], "severity"),
			*message = doc_get(all->items[i], "message");
		const char *text = doc_string(message) ? message->text : "no message";
		bool error = doc_is(severity, DOC_INT) && severity->num == 1;
		char *key;

		if (!error && !(doc_is(severity, DOC_INT) && severity->num == 2 &&
				rule_wanted(r, RULE_DIAGNOSTIC_WARNING)))
			continue;
		key = xasprintf("%s %.200s", e->key, text);
		rule_hit(r, error ? RULE_DIAGNOSTIC : RULE_DIAGNOSTIC_WARNING, file,
			 all->items[i]->at, key, "Prophecy says: %.300s", text);
		free(key);
	}
}

/* Rules 17 and 18. */
static int workflow(struct rules *r, const struct rules_entry *e, struct ps_err *err)
{
	char *rel = xasprintf("%s/code/.prophecy/workflow.latest.json", e->key),
		*path = project_at(r->p->path, rel);
	struct doc *d = NULL;
	bool is_there;
	int rc = rules_json(r, RULE_WORKFLOW, rel, &d, &is_there, err);

	if (rc == 0 && !is_there && !r->late)
		rule_hit(r, RULE_NO_WORKFLOW, r->p->file, e->at, e->key,
			 "pipeline '%s' has no file '%s'", e->key, rel);
	if (rc == 0 && d)
		diagnostics(r, e, path, d->root);
	doc_free(d);
	free(path);
	free(rel);
	return rc;
}

/* Rule 50: what pbt_aspects.yml lists has a file among the instances. */
static int aspects(struct rules *r, const struct rules_entry *e, const struct pipeline_instances *l,
		   struct ps_err *err)
{
	char *rel = xasprintf("%s/pbt_aspects.yml", e->key), *path = project_at(r->p->path, rel);
	const struct doc_node *names;
	struct buf b = BUF_INIT;
	struct doc *d = NULL;
	struct doc_fault fault;
	bool is_there, usable;
	int rc = rules_read(r, rel, PS_YAML_MAX, &b, &is_there, &usable, err);

	if (rc == 0 && usable && doc_yaml(&d, buf_str(&b), b.len, &fault) == 0) {
		names = doc_get(d->root, "configurations");
		for (size_t i = 0; doc_is(names, DOC_LIST) && i < names->n; i++) {
			const char *name = doc_string(names->items[i]);
			bool found = !name || pipeline_instance_is_default(name);
			char *key;

			for (size_t k = 0; k < l->n && !found; k++)
				found = strcmp(l->v[k].name, name) == 0;
			if (found)
				continue;
			key = xasprintf("%s %s", e->key, name);
			rule_hit(r, RULE_ASPECT, path, names->items[i]->at, key,
				 "config instance '%s' is listed and has no file", name);
			free(key);
		}
		doc_free(d);
	}
	buf_clear(&b);
	free(path);
	free(rel);
	return rc;
}

/* Rules 47 and 114: a run reads them as HOCON, which is JSON with commas at the end, comments, bare
 * keys and more, and an empty file. What ends in the middle neither reader takes. */
static int instances(struct rules *r, const struct rules_entry *e, const char *folder,
		     struct ps_err *err)
{
	struct pipeline_instances l;
	int rc = pipeline_instances(r->t, folder, &l, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < l.n && rc == 0 && !r->late; i++) {
		char *rel = xasprintf("%s/%s", e->key, l.v[i].path);

		rc = rules_json_shape(r, RULE_INSTANCE, RULE_LOOSE_INSTANCE, rel, err);
		free(rel);
	}
	/* a pipeline without any keeps them elsewhere, or has its defaults alone */
	if (rc == 0 && l.n && !r->late)
		rc = aspects(r, e, &l, err);
	pipeline_instances_clear(&l);
	return rc;
}

int rules_pipeline(struct rules *r, const struct rules_entry *e, struct ps_err *err)
{
	bool python = strcmp(rules_language(r), "python") == 0;
	bool scala = strcmp(rules_language(r), "scala") == 0;
	char *folder = project_at(r->p->path, e->key);
	int rc = 0;

	if (!tree_is_dir(r->t, folder)) {
		if (python || scala)
			rule_hit(r, RULE_FOLDER, r->p->file, e->at, e->key,
				 "pipeline '%s' has no folder '%s'", e->key, folder);
	} else {
		if (python)
			rc = build_file(r, e, RULE_SETUP_PY, "setup.py", err);
		else if (scala)
			rc = build_file(r, e, RULE_POM_XML, "pom.xml", err);
		if (rc == 0 && !r->late)
			rc = workflow(r, e, err);
		if (rc == 0 && !r->late)
			rc = instances(r, e, folder, err);
	}
	free(folder);
	return rc;
}
