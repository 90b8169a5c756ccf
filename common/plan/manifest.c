/* manifest – see manifest.h. One table-free writer and one reader; the reader writes again and
 * compares, so that a stored release can only be the bytes its id was made from. */
#include "config.h"

#include "common/plan/manifest.h"

#include <jansson.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/plan/canon.h"

/* ---- checks and order ---- */

static int by_input(const void *a, const void *b)
{
	return strcmp(((const struct manifest_input *)a)->path,
		      ((const struct manifest_input *)b)->path);
}

static int by_pipeline(const void *a, const void *b)
{
	return strcmp(((const struct manifest_artifact *)a)->pipeline,
		      ((const struct manifest_artifact *)b)->pipeline);
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct manifest_job *)a)->key, ((const struct manifest_job *)b)->key);
}

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct manifest_file *)a)->path,
		      ((const struct manifest_file *)b)->path);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(void *v, size_t n, size_t size, int (*cmp)(const void *, const void *))
{
	if (n > 1)
		qsort(v, n, size, cmp);
}

static bool is_oid(const char *s)
{
	return s && (digest_is_hex(s, 40) || digest_is_hex(s, 64));
}

/* Not empty and UTF-8, which JSON must be. */
static bool is_text(const char *s)
{
	json_t *v = s && *s ? json_string(s) : NULL;

	json_decref(v);
	return v != NULL;
}

static int bad(struct ps_err *err, const char *what, const char *value)
{
	return ps_err_set(err, PS_EINVAL, "%s '%s' cannot be part of a release", what,
			  value ? value : "");
}

static int check_artifacts(struct manifest *m, struct ps_err *err)
{
	for (size_t i = 0; i < m->nartifacts; i++) {
		struct manifest_artifact *a = &m->artifacts[i];

		if (!is_text(a->pipeline) || (i && ps_streq(a[-1].pipeline, a->pipeline)))
			return bad(err, "the pipeline", a->pipeline);
		if (!is_text(a->file) || strchr(a->file, '/') || !fs_is_clean_relative(a->file))
			return bad(err, "the artifact", a->file);
		/* Two pipelines with one file name would fight for one path on the fabric. */
		for (size_t k = 0; k < i; k++)
			if (ps_streq(m->artifacts[k].file, a->file))
				return ps_err_set(err, PS_EINVAL, "'%s' and '%s' both build '%s'",
						  m->artifacts[k].pipeline, a->pipeline, a->file);
		if (!digest_is_hex(a->sha256, PS_DIGEST_HEX) || a->size < 0)
			return bad(err, "the artifact digest", a->sha256);
		sort(a->instances, a->ninstances, sizeof(*a->instances), by_text);
		for (size_t k = 0; k < a->ninstances; k++)
			if (!is_text(a->instances[k]) ||
			    (k && ps_streq(a->instances[k - 1], a->instances[k])))
				return bad(err, "the config instance", a->instances[k]);
	}
	return 0;
}

static int check_jobs(struct manifest *m, struct ps_err *err)
{
	for (size_t i = 0; i < m->njobs; i++) {
		struct manifest_job *j = &m->jobs[i];

		if (!is_text(j->key) || !fs_is_clean_relative(j->key) ||
		    (i && ps_streq(j[-1].key, j->key)))
			return bad(err, "the job", j->key);
		if (!is_text(j->name) || !is_text(j->provider))
			return bad(err, "the job without name or provider", j->key);
		sort(j->files, j->nfiles, sizeof(*j->files), by_file);
		for (size_t k = 0; k < j->nfiles; k++) {
			struct manifest_file *f = &j->files[k];

			if (!is_text(f->path) || !fs_is_clean_relative(f->path) ||
			    (k && ps_streq(f[-1].path, f->path)))
				return bad(err, "the file", f->path);
			if (!digest_is_hex(f->sha256, PS_DIGEST_HEX))
				return bad(err, "the file digest", f->sha256);
		}
	}
	return 0;
}

static int check(struct manifest *m, struct ps_err *err)
{
	int rc;

	if (!is_text(m->project) ||
	    (strcmp(m->project, ".") != 0 && !fs_is_clean_relative(m->project)))
		return bad(err, "the project", m->project);
	if (!is_oid(m->tree))
		return bad(err, "the tree", m->tree);
	if (!m->toolchain || (*m->toolchain && !digest_is_hex(m->toolchain, PS_DIGEST_HEX)))
		return bad(err, "the toolchain", m->toolchain);
	sort(m->inputs, m->ninputs, sizeof(*m->inputs), by_input);
	sort(m->artifacts, m->nartifacts, sizeof(*m->artifacts), by_pipeline);
	sort(m->jobs, m->njobs, sizeof(*m->jobs), by_key);
	for (size_t i = 0; i < m->ninputs; i++)
		if (!is_text(m->inputs[i].path) || !is_oid(m->inputs[i].oid) ||
		    (i && ps_streq(m->inputs[i - 1].path, m->inputs[i].path)))
			return bad(err, "the input", m->inputs[i].path);
	rc = check_artifacts(m, err);
	return rc < 0 ? rc : check_jobs(m, err);
}

/* ---- writing ---- */

static json_t *texts(char *const *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(v[i]));
	return a;
}

static json_t *job_json(const struct manifest_job *j)
{
	json_t *files = json_array();

	for (size_t i = 0; i < j->nfiles; i++)
		json_array_append_new(files, json_pack("{ss ss}", "path", j->files[i].path,
						       "sha256", j->files[i].sha256));
	return json_pack("{ss ss ss sI so}", "key", j->key, "name", j->name, "provider",
			 j->provider, "fabric_id", (json_int_t)j->fabric_id, "files", files);
}

static json_t *to_json(const struct manifest *m)
{
	json_t *inputs = json_array(), *artifacts = json_array(), *jobs = json_array();

	for (size_t i = 0; i < m->ninputs; i++)
		json_array_append_new(inputs, json_pack("{ss ss}", "path", m->inputs[i].path, "oid",
							m->inputs[i].oid));
	for (size_t i = 0; i < m->nartifacts; i++) {
		const struct manifest_artifact *a = &m->artifacts[i];

		json_array_append_new(artifacts,
				      json_pack("{ss ss ss sI so}", "pipeline", a->pipeline, "file",
						a->file, "sha256", a->sha256, "size",
						(json_int_t)a->size, "instances",
						texts(a->instances, a->ninstances)));
	}
	for (size_t i = 0; i < m->njobs; i++)
		json_array_append_new(jobs, job_json(&m->jobs[i]));
	return json_pack("{si ss ss ss so so so}", "format", MANIFEST_FORMAT, "project", m->project,
			 "tree", m->tree, "toolchain", m->toolchain, "inputs", inputs, "artifacts",
			 artifacts, "jobs", jobs);
}

int manifest_write(struct manifest *m, struct buf *out, char id[65], struct ps_err *err)
{
	size_t from = out->len;
	json_t *v;
	int rc = check(m, err);

	if (rc < 0)
		return rc;
	v = to_json(m);
	rc = canon_write(v, out, err);
	json_decref(v);
	if (rc == 0)
		digest_bytes(id, buf_str(out) + from, out->len - from);
	return rc;
}

/* ---- reading ---- */

static char *dup_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return xstrdup(s ? s : "");
}

static void copy_digest(char to[65], const json_t *o)
{
	const char *s = json_string_value(json_object_get(o, "sha256"));

	snprintf(to, 65, "%s", s ? s : "");
}

static void *rows(const json_t *o, const char *key, size_t size, size_t *n)
{
	*n = json_array_size(json_object_get(o, key));
	return xcalloc(*n + 1, size);
}

static void read_lists(struct manifest *m, const json_t *v)
{
	m->inputs = rows(v, "inputs", sizeof(*m->inputs), &m->ninputs);
	for (size_t i = 0; i < m->ninputs; i++) {
		const json_t *o = json_array_get(json_object_get(v, "inputs"), i);

		m->inputs[i].path = dup_text(o, "path");
		m->inputs[i].oid = dup_text(o, "oid");
	}
	m->artifacts = rows(v, "artifacts", sizeof(*m->artifacts), &m->nartifacts);
	for (size_t i = 0; i < m->nartifacts; i++) {
		const json_t *o = json_array_get(json_object_get(v, "artifacts"), i);
		struct manifest_artifact *a = &m->artifacts[i];

		a->pipeline = dup_text(o, "pipeline");
		a->file = dup_text(o, "file");
		copy_digest(a->sha256, o);
		a->size = json_integer_value(json_object_get(o, "size"));
		a->instances = rows(o, "instances", sizeof(*a->instances), &a->ninstances);
		for (size_t k = 0; k < a->ninstances; k++) {
			const char *s = json_string_value(
				json_array_get(json_object_get(o, "instances"), k));

			a->instances[k] = xstrdup(s ? s : "");
		}
	}
	m->jobs = rows(v, "jobs", sizeof(*m->jobs), &m->njobs);
	for (size_t i = 0; i < m->njobs; i++) {
		const json_t *o = json_array_get(json_object_get(v, "jobs"), i);
		struct manifest_job *j = &m->jobs[i];

		j->key = dup_text(o, "key");
		j->name = dup_text(o, "name");
		j->provider = dup_text(o, "provider");
		j->fabric_id = json_integer_value(json_object_get(o, "fabric_id"));
		j->files = rows(o, "files", sizeof(*j->files), &j->nfiles);
		for (size_t k = 0; k < j->nfiles; k++) {
			const json_t *f = json_array_get(json_object_get(o, "files"), k);

			j->files[k].path = dup_text(f, "path");
			copy_digest(j->files[k].sha256, f);
		}
	}
}

int manifest_read(struct manifest *m, const char *bytes, size_t n, const char *id,
		  struct ps_err *err)
{
	struct manifest got = { 0 };
	struct buf again = BUF_INIT;
	char digest[DIGEST_HEX];
	json_t *v = NULL;
	int rc;

	digest_bytes(digest, bytes, n);
	if (strcmp(digest, id) != 0)
		return ps_err_set(err, PS_ECONFLICT, "release %.12s has other bytes: %.12s", id,
				  digest);
	rc = canon_read(&v, bytes, n, "release manifest", err);
	if (rc < 0)
		return rc;
	if (json_integer_value(json_object_get(v, "format")) != MANIFEST_FORMAT) {
		rc = ps_err_set(err, PS_ENOTSUP, "release %.12s has another format than %d", id,
				MANIFEST_FORMAT);
		goto out;
	}
	got.project = dup_text(v, "project");
	got.tree = dup_text(v, "tree");
	got.toolchain = dup_text(v, "toolchain");
	read_lists(&got, v);
	rc = manifest_write(&got, &again, digest, err);
	if (rc == 0 && strcmp(digest, id) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "release %.12s is not canonical", id);
	if (rc == 0) {
		*m = got;
		memset(&got, 0, sizeof(got));
	}
out:
	manifest_clear(&got);
	buf_clear(&again);
	json_decref(v);
	return rc;
}

void manifest_clear(struct manifest *m)
{
	for (size_t i = 0; i < m->ninputs; i++) {
		free(m->inputs[i].path);
		free(m->inputs[i].oid);
	}
	for (size_t i = 0; i < m->nartifacts; i++) {
		struct manifest_artifact *a = &m->artifacts[i];

		for (size_t k = 0; k < a->ninstances; k++)
			free(a->instances[k]);
		free(a->instances);
		free(a->pipeline);
		free(a->file);
	}
	for (size_t i = 0; i < m->njobs; i++) {
		struct manifest_job *j = &m->jobs[i];

		for (size_t k = 0; k < j->nfiles; k++)
			free(j->files[k].path);
		free(j->files);
		free(j->key);
		free(j->name);
		free(j->provider);
	}
	free(m->inputs);
	free(m->artifacts);
	free(m->jobs);
	free(m->project);
	free(m->tree);
	free(m->toolchain);
	memset(m, 0, sizeof(*m));
}

const struct manifest_file *manifest_job_file(const struct manifest_job *j, const char *path)
{
	for (size_t i = 0; i < j->nfiles; i++)
		if (ps_streq(j->files[i].path, path))
			return &j->files[i];
	return NULL;
}

const struct manifest_artifact *manifest_artifact_named(const struct manifest *m, const char *file)
{
	for (size_t i = 0; i < m->nartifacts; i++)
		if (ps_streq(m->artifacts[i].file, file))
			return &m->artifacts[i];
	return NULL;
}

bool manifest_has_instance(const struct manifest_artifact *a, const char *instance)
{
	for (size_t i = 0; i < a->ninstances; i++)
		if (ps_streq(a->instances[i], instance))
			return true;
	return false;
}

/* ---- what a label makes of it ---- */

int release_version(char **out, const char *ref, const char *project_version, const char *id,
		    struct ps_err *err)
{
	char *version;

	if (ps_starts(ref, "refs/tags/")) {
		version = xstrdup(strrchr(ref, '/') + 1);
	} else if (ps_starts(ref, "refs/heads/")) {
		if (!project_version || !*project_version)
			return ps_err_set(err, PS_EINVAL,
					  "the project has no version: add one to pbt_project.yml");
		version = xasprintf("%s-%.*s", project_version, MANIFEST_SHORT, id);
	} else {
		return ps_err_set(err, PS_EINVAL, "'%s' is neither a branch nor a tag", ref);
	}
	if (strchr(version, '/') || !fs_is_clean_relative(version)) {
		int rc = ps_err_set(err, PS_EINVAL,
				    "version '%s' cannot be part of an artifact's path", version);

		free(version);
		return rc;
	}
	*out = version;
	return 0;
}

int release_full_tag(char **out, const char *ref, const char *version, struct ps_err *err)
{
	if (ps_starts(ref, "refs/tags/"))
		*out = xstrdup(ref + strlen("refs/tags/"));
	else if (ps_starts(ref, "refs/heads/"))
		*out = xasprintf("%s/%s", ref + strlen("refs/heads/"), version);
	else
		return ps_err_set(err, PS_EINVAL, "'%s' is neither a branch nor a tag", ref);
	return 0;
}
