/* rules_pipeline – rules 13 to 18 and 47: a pipeline's folder. */
#include "config.h"

#include "common/gate/rules.h"
#include "common/project/pipeline.h"

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
	buf_clear(&b);
	free(rel);
	return rc;
}

/* Rule 47. */
static int instances(struct rules *r, const struct rules_entry *e, const char *folder,
		     struct ps_err *err)
{
	struct pipeline_instances l;
	int rc = pipeline_instances(r->t, folder, &l, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < l.n && rc == 0 && !r->late; i++) {
		char *rel = xasprintf("%s/%s", e->key, l.v[i].path);

		rc = rules_json_shape(r, RULE_INSTANCE, rel, err);
		free(rel);
	}
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
		char *workflow = xasprintf("%s/code/.prophecy/workflow.latest.json", e->key);

		if (python)
			rc = build_file(r, e, RULE_SETUP_PY, "setup.py", err);
		else if (scala)
			rc = build_file(r, e, RULE_POM_XML, "pom.xml", err);
		if (rc == 0)
			rc = rules_json_shape(r, RULE_WORKFLOW, workflow, err);
		if (rc == 0 && !r->late)
			rc = instances(r, e, folder, err);
		free(workflow);
	}
	free(folder);
	return rc;
}
