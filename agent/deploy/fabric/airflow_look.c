/* airflow_look – DAGs as they are in force: what the dags folder has of each, and whether the
 * server has it paused. */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/base/digest.h"
#include "common/plan/canon.h"

/* The definition with the files that are there. */
static int tell_other(const struct afl_def *d, const struct afl_zip *z, struct fabric_seen *out,
		      struct ps_err *err)
{
	json_t *doc = json_copy(d->doc);
	struct buf b = BUF_INIT;
	int rc;

	json_object_set(doc, "files", z->files);
	rc = canon_write_any(doc, &b, err);
	digest_bytes(out->sha256, buf_str(&b), b.len);
	out->definition = buf_steal(&b);
	json_decref(doc);
	return rc;
}

static int look_at(struct fabric_target *t, const struct fabric_job *j, struct fabric_seen *out,
		   struct ps_err *err)
{
	struct afl_zip z = { NULL, NULL };
	json_t *dag = NULL;
	struct afl_def d;
	int64_t since_ms;
	int rc = afl_def_read(&d, t, j, err);

	if (rc == 0)
		rc = afl_place_read(t, d.dag_id, &z, &since_ms, err);
	/* what is another's is not there, as far as this job goes */
	if (rc == 0 && z.files && afl_zip_owner(&z, t, j, NULL) < 0)
		afl_zip_clear(&z);
	if (rc == 0 && z.files) {
		rc = afl_dag(afl_of(t), d.dag_id, &dag, err);
		out->id = xstrdup(d.dag_id);
		out->release = xstrdup_null(afl_zip_says(&z, "release"));
		out->paused = !dag || json_is_true(json_object_get(dag, "is_paused"));
	}
	if (rc == 0 && z.files && json_equal(z.files, (json_t *)d.files))
		snprintf(out->sha256, sizeof(out->sha256), "%s", j->sha256);
	else if (rc == 0 && z.files)
		rc = tell_other(&d, &z, out, err);
	json_decref(dag);
	afl_zip_clear(&z);
	afl_def_clear(&d);
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
