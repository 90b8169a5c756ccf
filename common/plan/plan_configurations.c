/*
 * plan_configurations – the project's configuration files go with each of its jobs on Databricks:
 * which of them a job reads may be told by a parameter, or only by its code while it runs.
 *
 * They come behind the placeholders: their bytes are those of the commit.
 */
#include "config.h"

#include "common/plan/plan_parts.h"

static bool is_configuration(const char *path)
{
	return ps_starts(path, MANIFEST_CONFIGURATIONS);
}

bool plan_has_configurations(const struct plan_input *in)
{
	const struct manifest *m = in->release;

	if (in->provider != PLAN_DATABRICKS)
		return false;
	for (size_t i = 0; i < m->njobs; i++)
		for (size_t k = 0; k < m->jobs[i].nfiles; k++)
			if (is_configuration(m->jobs[i].files[k].path))
				return true;
	return false;
}

bool plan_configurations_at_hand(const struct plan_input *in, const struct manifest_job *mj,
				 struct ps_err *err)
{
	for (size_t i = 0; i < mj->nfiles; i++)
		if (is_configuration(mj->files[i].path) &&
		    !plan_template_of(in, mj->files[i].sha256)) {
			ps_err_set(err, PS_ENOENT, "'%s' of job '%s' is not at hand",
				   mj->files[i].path, mj->key);
			return false;
		}
	return true;
}

/* The release's folder, from "prophecy/artifacts" on, with a '/' behind. */
static char *folder_of(const struct plan_input *in, const char *version)
{
	return xasprintf("prophecy/artifacts/%s/%s/%s/%s/", in->customer, in->control_plane,
			 in->params.project_id, version);
}

static int add(const struct plan_input *in, const struct manifest_file *f, const char *folder,
	       json_t *all, struct ps_err *err)
{
	const struct plan_template *t = plan_template_of(in, f->sha256);
	const char *bytes = t->bytes ? t->bytes : "";
	char *path = xasprintf("%s/%s%s", in->artifact_base ? in->artifact_base : "dbfs:/FileStore",
			       folder, f->path);
	int rc = 0;

	if (memchr(bytes, '\0', t->n) ||
	    json_object_set_new(all, path, json_stringn(bytes, t->n)) < 0)
		rc = ps_err_set(err, PS_EINVAL,
				"the configuration file '%s' is no text in UTF-8: write it as one",
				f->path);
	free(path);
	return rc;
}

int plan_configurations(const struct plan_input *in, const struct manifest_job *mj,
			const char *version, json_t *doc, struct ps_err *err)
{
	json_t *all = json_object(), *own = json_object_get(doc, RENDER_OWN);
	char *folder = folder_of(in, version);
	int rc = 0;

	for (size_t i = 0; i < mj->nfiles && rc == 0; i++)
		if (is_configuration(mj->files[i].path))
			rc = add(in, &mj->files[i], folder, all, err);
	if (json_object_size(all) && !own) {
		own = json_object();
		json_object_set_new(doc, RENDER_OWN, own);
	}
	if (json_object_size(all))
		json_object_set(own, RENDER_CONFIGURATIONS, all);
	json_decref(all);
	free(folder);
	return rc;
}

/* ---- what a job names ---- */

struct check {
	struct plan *plan;
	const char *key, *folder; /* the release's configurations */
	const json_t *there;
};

static bool is_there(const struct check *c, const char *rel)
{
	json_t *all = (json_t *)c->there;

	for (void *it = json_object_iter(all); it; it = json_object_iter_next(all, it))
		if (ps_streq(render_artifact_path(json_object_iter_key(it)), rel))
			return true;
	return false;
}

static void check_texts(const struct check *c, const json_t *v)
{
	const char *text = json_string_value(v), *rel = text ? render_artifact_path(text) : NULL;
	json_t *sub;
	const char *key;
	size_t i;

	if (rel && ps_starts(rel, c->folder) && ps_ends(rel, ".json") && !is_there(c, rel))
		plan_problem(c->plan,
			     "job '%s' names '%s', which is no configuration file of this release: "
			     "commit it",
			     c->key, text);
	json_object_foreach((json_t *)v, key, sub)
		check_texts(c, sub);
	json_array_foreach((json_t *)v, i, sub)
		check_texts(c, sub);
}

void plan_configurations_check(struct plan *p, const struct plan_input *in, const char *key,
			       const char *version, const json_t *doc)
{
	struct check c = { p, key, NULL,
			   json_object_get(json_object_get(doc, RENDER_OWN),
					   RENDER_CONFIGURATIONS) };
	char *folder, *below;

	if (in->provider != PLAN_DATABRICKS || !in->customer || !in->control_plane ||
	    !in->params.project_id || !version)
		return;
	folder = folder_of(in, version);
	c.folder = below = xasprintf("%s" MANIFEST_CONFIGURATIONS, folder);
	check_texts(&c, render_request(doc));
	free(below);
	free(folder);
}
