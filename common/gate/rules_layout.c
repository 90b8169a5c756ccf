/* rules_layout – rules 55, 56 and 73: what lies in the project's folder and nobody declared. */
#include "config.h"

#include "common/gate/rules.h"

static int undeclared(struct rules *r, enum project_kind kind, const char *section,
		      const char *what, enum rule_id id, struct ps_err *err)
{
	char *dir = project_at(r->p->path, section);
	struct tree_list l = { NULL, 0 };
	bool there = (r->p->outline.maps & PS_BIT(kind)) && tree_is_dir(r->t, dir);
	int rc = there ? tree_list(r->t, dir, &l, err) : 0;

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		char *key, *path, *code;

		if (l.v[i].kind != TREE_DIR)
			continue;
		key = xasprintf("%s/%s", section, l.v[i].name);
		path = project_at(r->p->path, key);
		code = xasprintf("%s/code", path);
		/* without code it is something else, such as a virtualenv */
		if (!outline_find(&r->p->outline, kind, key) && tree_is_dir(r->t, code))
			rule_hit(r, id, path, (struct doc_pos){ 1, 1 }, key,
				 "the folder of a %s that pbt_project.yml does not declare", what);
		free(code);
		free(path);
		free(key);
	}
	tree_list_clear(&l);
	free(dir);
	return rc;
}

int rules_layout(struct rules *r, struct ps_err *err)
{
	const char *language = rules_language(r);
	int rc = 0;

	if (!r->p->outline.usable)
		return 0;
	if (strcmp(language, "sql") == 0) {
		char *dbt = project_at(r->p->path, "dbt_project.yml");

		if (!tree_is_file(r->t, dbt))
			rule_hit(r, RULE_DBT, r->p->file, (struct doc_pos){ 1, 1 }, "dbt",
				 "an sql project without dbt_project.yml");
		free(dbt);
		return 0; /* what lies in pipelines/ is declared elsewhere there */
	}
	if (strcmp(language, "python") == 0 || strcmp(language, "scala") == 0)
		rc = undeclared(r, PROJECT_PIPELINES, "pipelines", "pipeline", RULE_STRAY_PIPELINE,
				err);
	if (rc == 0)
		rc = undeclared(r, PROJECT_JOBS, "jobs", "job", RULE_STRAY_JOB, err);
	return rc;
}
