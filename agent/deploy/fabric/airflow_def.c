/* airflow_def – see airflow_parts.h. */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/base/fsutil.h"
#include "common/plan/canon.h"

bool afl_is_dag_id(const char *s)
{
	size_t n = s ? strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "abcdefghijklmnopqrstuvwxyz0123456789_.-")
		     : 0;

	return n && n <= 250 && !s[n] && s[0] != '.';
}

int afl_def_read(struct afl_def *out, const struct fabric_target *t, const char *job,
		 const char *sha256, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	const char *path;
	json_t *v;
	int rc = cas_read(&b, t->content, sha256, PS_JSON_MAX, err);

	memset(out, 0, sizeof(*out));
	if (rc == 0)
		rc = canon_read(&out->doc, buf_str(&b), b.len, job, err);
	buf_clear(&b);
	if (rc < 0)
		return rc;
	out->dag_id = json_string_value(json_object_get(out->doc, "dag_id"));
	out->enabled = json_is_true(json_object_get(out->doc, "enabled"));
	out->files = json_object_get(out->doc, "files");
	if (!afl_is_dag_id(out->dag_id) || !json_object_get(out->files, "dag.py"))
		rc = ps_err_set(err, PS_EPROTO, "'%s' is no definition of a DAG", job);
	json_object_foreach((json_t *)out->files, path,
			    v) if (rc == 0 && (!fs_is_clean_relative(path) || !json_is_string(v)))
		rc = ps_err_set(err, PS_EPROTO, "'%s' of '%s' is no file", path, job);
	return rc;
}

void afl_def_clear(struct afl_def *d)
{
	json_decref(d->doc);
	d->doc = NULL;
}

int afl_def_file(const struct afl_def *d, const struct fabric_target *t, const char *path,
		 struct buf *out, struct ps_err *err)
{
	const char *sha256 = json_string_value(json_object_get(d->files, path));

	return sha256 ? cas_read(out, t->content, sha256, PS_JSON_MAX, err)
		      : ps_err_set(err, PS_ENOENT, "the DAG has no file '%s'", path);
}
