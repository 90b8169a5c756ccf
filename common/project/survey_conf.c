/*
 * survey_conf – the configuration files of a project: its own, and those that it keeps for
 * pipelines of other projects.
 */
#include "config.h"

#include "common/project/survey.h"

#include "common/base/fsutil.h"
#include "common/project/project.h"

#define OWN_FOLDER "projectConfigurations/config/code/configs"

struct found {
	struct tree *t;
	struct survey_project *p;
	size_t cap;
};

static bool is_taken(const struct survey_project *p, const char *target)
{
	for (size_t i = 0; i < p->nconfigurations; i++)
		if (strcmp(p->configurations[i].target, target) == 0)
			return true;
	return false;
}

/* Takes both texts over. */
static void take(struct found *f, char *path, char *target)
{
	struct survey_project *p = f->p;
	char *full = project_at(p->path, path);
	bool there = fs_is_clean_relative(path) && fs_is_clean_relative(target) &&
		     tree_is_file(f->t, full) && !is_taken(p, target);

	free(full);
	if (there && p->nconfigurations < SURVEY_CONFIGURATIONS_MAX) {
		p->configurations = xgrow(p->configurations, p->nconfigurations, &f->cap,
					  sizeof(*p->configurations));
		p->configurations[p->nconfigurations++] =
			(struct survey_configuration) { path, target };
		return;
	}
	free(path);
	free(target);
	if (there && !p->problem)
		p->problem = xasprintf("it has more than %d configuration files",
				       SURVEY_CONFIGURATIONS_MAX);
}

/* Prophecy's tool puts these last: of two with one name this is the one that stays. */
static int own_ones(struct found *f, struct ps_err *err)
{
	char *folder = project_at(f->p->path, OWN_FOLDER);
	struct tree_list l = { NULL, 0 };
	int rc = tree_is_dir(f->t, folder) ? tree_list(f->t, folder, &l, err) : 0;

	for (size_t i = 0; i < l.n && rc == 0; i++)
		if (ps_ends(l.v[i].name, ".json"))
			take(f, xasprintf(OWN_FOLDER "/%s", l.v[i].name),
			     xasprintf("configurations/%s", l.v[i].name));
	tree_list_clear(&l);
	free(folder);
	return rc;
}

/* The `configurations` of one entry; below: its folder on the fabric, with a '/' behind. */
static void declared_ones(struct found *f, const struct doc_node *entry, const char *below)
{
	const struct doc_node *map = doc_get(entry, "configurations");

	for (size_t i = 0; doc_is(map, DOC_MAP) && i < map->n; i++) {
		const char *key = doc_string(map->pairs[i].key);
		const char *name = doc_text(doc_get(map->pairs[i].value, "name"));

		if (key && !name) {
			const char *slash = strrchr(key, '/');

			name = slash ? slash + 1 : key;
		}
		if (key && !map->pairs[i].hidden)
			take(f, xasprintf("%s.json", key),
			     xasprintf("configurations/%s%s.json", below, name));
	}
}

static void declared(struct found *f, const char *section)
{
	const struct doc_node *map = doc_get(f->p->doc->root, section);
	bool of_pipelines = strcmp(section, "pipelineConfigurations") == 0;

	for (size_t i = 0; doc_is(map, DOC_MAP) && i < map->n; i++) {
		const struct doc_node *entry = map->pairs[i].value;
		const char *base = doc_string(doc_get(entry, "basePipeline"));
		char *below = xasprintf("%s%s", of_pipelines && base ? base : "",
					of_pipelines ? "/" : "");

		if (!map->pairs[i].hidden)
			declared_ones(f, entry, below);
		free(below);
	}
}

static int by_target(const void *a, const void *b)
{
	return strcmp(((const struct survey_configuration *)a)->target,
		      ((const struct survey_configuration *)b)->target);
}

int survey_look_configurations(struct tree *t, struct survey_project *p, struct ps_err *err)
{
	struct found f = { .t = t, .p = p };
	int rc;

	if (!p->doc)
		return 0;
	rc = own_ones(&f, err);
	declared(&f, "projectConfigurations");
	declared(&f, "pipelineConfigurations");
	if (p->nconfigurations > 1)
		qsort(p->configurations, p->nconfigurations, sizeof(*p->configurations), by_target);
	return rc;
}

void survey_configurations_clear(struct survey_project *p)
{
	for (size_t i = 0; i < p->nconfigurations; i++) {
		free((char *)p->configurations[i].path);
		free((char *)p->configurations[i].target);
	}
	free(p->configurations);
	p->configurations = NULL;
	p->nconfigurations = 0;
}
