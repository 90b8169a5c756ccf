/*
 * plan_dag – the definition of an Airflow job: {"dag_id", "enabled", "files": {path: SHA-256}}.
 *
 * While it is made, "files" holds the texts themselves, so that placeholders are replaced as in any
 * other definition; then each text becomes its digest, and the bytes go beside it. Which files of
 * code/ belong to a DAG is what Prophecy's own tool takes.
 */
#include "config.h"

#include "common/plan/plan_parts.h"

#include "common/base/digest.h"
#include "common/plan/canon.h"

#define CODE "code/"

static const char about[] = CODE "prophecy-job.json";

bool plan_dag_takes(const char *path)
{
	static const char *const ends[] = { ".py", ".json", ".conf", ".scala" };
	static const char *const not_in[] = { "build", "dist", "__pycache__" };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (!ps_starts(path, CODE))
		return false;
	for (const char *part = path, *end; (end = strchr(part, '/')); part = end + 1)
		for (size_t i = 0; i < PS_NELEM(not_in); i++)
			if (strlen(not_in[i]) == (size_t)(end - part) &&
			    strncmp(part, not_in[i], (size_t)(end - part)) == 0)
				return false;
	if (ps_starts(path, CODE "resources/") || strcmp(name, "pom.xml") == 0)
		return true;
	for (size_t i = 0; i < PS_NELEM(ends); i++)
		if (ps_ends(name, ends[i]))
			return true;
	return false;
}

/* What another name becomes in an archive depends on who packs it and on who reads it. */
static bool is_plain(const char *path)
{
	while (*path >= ' ' && *path < 127)
		path++;
	return !*path;
}

/* Its files as texts; NULL when one is none, which is a problem of the plan (0). */
static int read_files(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
		      const char *subject, json_t **files, struct ps_err *err)
{
	*files = json_object();
	for (size_t i = 0; i < mj->nfiles && *files; i++) {
		const struct manifest_file *f = &mj->files[i];
		const struct plan_template *t;

		if (!plan_dag_takes(f->path))
			continue;
		t = plan_template_of(in, f->sha256);
		if (!t) {
			json_decref(*files);
			*files = NULL;
			return ps_err_set(err, PS_ENOENT, "'%s' of job '%s' is not at hand",
					  f->path, mj->key);
		}
		if (!is_plain(f->path)) {
			plan_problem(p, "%s: '%s': the names of a DAG's files must be ASCII",
				     subject, f->path);
			json_decref(*files);
			*files = NULL;
			continue;
		}
		/* jansson takes no text that is not UTF-8, nor one that has a NUL */
		if (memchr(t->bytes ? t->bytes : "", '\0', t->n) ||
		    json_object_set_new(*files, f->path + strlen(CODE),
					json_stringn(t->bytes ? t->bytes : "", t->n)) < 0) {
			plan_problem(p, "%s: '%s' is no text in UTF-8, which a DAG cannot take",
				     subject, f->path);
			json_decref(*files);
			*files = NULL;
		}
	}
	return 0;
}

/* What prophecy-job.json says of it. */
static const json_t *metainfo(const json_t *files, json_t **doc)
{
	const char *text = json_string_value(json_object_get(files, about + strlen(CODE)));

	*doc = text ? json_loads(text, 0, NULL) : NULL;
	return json_object_get(*doc, "metainfo");
}

int plan_dag_template(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
		      const char *subject, json_t **out, struct ps_err *err)
{
	json_t *files = NULL, *doc = NULL;
	const json_t *info, *fabric;
	const char *id;
	int rc = read_files(p, in, mj, subject, &files, err);

	if (rc < 0 || !files)
		return rc;
	info = metainfo(files, &doc);
	id = json_string_value(json_object_get(info, "dagName"));
	fabric = json_object_get(info, "fabricId");
	if (!json_object_get(files, "dag.py"))
		plan_problem(p, "%s has no code/dag.py: release it again in the editor", subject);
	else if (!id)
		plan_problem(p, "%s: %s names no dagName in its metainfo", subject, about);
	else if (json_is_string(fabric) && strtoll(json_string_value(fabric), NULL, 10) &&
		 strtoll(json_string_value(fabric), NULL, 10) != in->fabric_id)
		plan_problem(p,
			     "%s: its definition names fabric %s, the project file %lld: make "
			     "them equal",
			     subject, json_string_value(fabric), (long long)in->fabric_id);
	else
		*out = json_pack("{ss sb sO}", "dag_id", id, "enabled",
				 json_is_true(json_object_get(info, "enabled")), "files", files);
	json_decref(doc);
	json_decref(files);
	return 0;
}

void plan_dag_fold(json_t *doc, struct plan_job *j)
{
	json_t *files = json_object_get(doc, "files"), *text;
	const char *path;
	void *next;

	j->files = xcalloc(json_object_size(files) + 1, sizeof(*j->files));
	json_object_foreach_safe(files, next, path, text) {
		struct plan_file *f = &j->files[j->nfiles++];

		f->n = json_string_length(text);
		f->bytes = xstrndup(json_string_value(text), f->n);
		digest_bytes(f->sha256, f->bytes, f->n);
		json_object_set_new(files, path, json_string(f->sha256));
	}
}
