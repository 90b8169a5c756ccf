/* airflow_look – each DAG as it is in force. */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/plan/canon.h"

/* The definition with what is there beside it: other bytes, or nothing that Airflow has loaded. */
static int tell_other(const struct fabric_target *t, const char *definition, const char *archive,
		      bool loaded, struct fabric_seen *out, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	json_t *doc = NULL;
	int rc = cas_read(&b, t->content, definition, PS_JSON_MAX, err);

	if (rc == 0)
		rc = canon_read(&doc, buf_str(&b), b.len, "the definition of a DAG", err);
	if (rc == 0 && archive)
		json_object_set_new(doc, "archive", json_string(archive));
	if (rc == 0 && !loaded)
		json_object_set_new(doc, "loaded", json_false());
	buf_reset(&b);
	if (rc == 0)
		rc = canon_write(doc, &b, err);
	if (rc == 0) {
		digest_bytes(out->sha256, buf_str(&b), b.len);
		out->definition = buf_steal(&b);
	}
	json_decref(doc);
	buf_clear(&b);
	return rc;
}

static int look_at(struct fabric_target *t, const struct fabric_job *j, struct fabric_seen *out,
		   struct ps_err *err)
{
	struct afl *a = afl_of(t);
	struct afl_def d = { NULL, NULL, false, NULL };
	struct afl_mark m = { false };
	struct afl_row r = { false };
	char lies[DIGEST_HEX] = "";
	int rc = afl_def_read(&d, t, j->key, j->sha256, err);

	if (rc == 0)
		rc = afl_mark_read(a, d.dag_id, &m, err);
	if (rc == 0)
		rc = afl_row(a, d.dag_id, &r, err);
	if (rc == 0)
		rc = afl_lies(a, d.dag_id, m.in_force.archive, lies, NULL, err);
	if (rc == 0 && *lies) {
		const struct afl_version *v = &m.in_force;
		const char *definition = *v->definition ? v->definition : j->sha256;
		bool loaded = r.there && r.active && !r.broken && afl_is_ours(&r, d.dag_id);
		bool as_put = strcmp(lies, v->archive) == 0;

		if (as_put && loaded && strcmp(v->definition, j->sha256) == 0)
			memcpy(out->sha256, j->sha256, sizeof(out->sha256));
		else
			rc = tell_other(t, definition, as_put ? NULL : lies, loaded, out, err);
		out->id = xstrdup(d.dag_id);
		out->release = xstrdup_null(m.release);
		out->paused = r.there && r.paused;
	}
	afl_def_clear(&d);
	afl_mark_clear(&m);
	afl_row_clear(&r);
	return rc;
}

int afl_look(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
	     struct fabric_seen *out, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = look_at(t, &jobs[i], &out[i], err);
	return rc;
}
