/*
 * airflow_jobs – put, pause and remove a DAG.
 *
 * A DAG that the server sees for the first time is paused by it. It is woken when its definition
 * says enabled and core has never known it to be there; from then on a pause is somebody's, unless
 * we made it for an orphan.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <time.h>

#include "common/base/clock.h"

/* ---- what is there ---- */

/* Is this very definition there already? PS_ECONFLICT: the place is another's. */
static int is_there(struct fabric_target *t, const struct fabric_job *j, const struct afl_def *d,
		    bool *same, int64_t *since_ms, struct ps_err *err)
{
	struct afl_zip z;
	struct ps_err why = { 0 };
	int rc = afl_place_read(t, d->dag_id, &z, since_ms, &why);

	*same = false;
	if (rc == PS_EINVAL) /* not a whole archive: somebody's accident, which ours replaces */
		rc = 0;
	else if (rc < 0 && err)
		*err = why;
	else if (z.files)
		rc = afl_zip_owner(&z, t, j, err);
	if (rc == 0 && z.files)
		*same = ps_streq(afl_zip_says(&z, "definition"), j->sha256) &&
			json_equal(z.files, (json_t *)d->files);
	afl_zip_clear(&z);
	return rc;
}

/* Runs of it that are not over. */
static int active_runs(struct fabric_target *t, const char *dag_id, size_t *n, struct ps_err *err)
{
	static const struct http_field query[] = { { "state", "running" }, { "state", "queued" },
						   { "limit", "100" }, { NULL, NULL } };
	char *path = afl_dag_path(dag_id, "/dagRuns");
	struct ps_err why = { 0 };
	struct afl_said s;
	int rc = afl_ask(afl_of(t),
			 &(struct afl_ask) { .path = path, .query = query, .repeatable = true },
			 &s, &why);

	*n = json_array_size(json_object_get(s.doc, "dag_runs"));
	if (rc == PS_ENOENT)
		rc = 0;
	else if (rc < 0 && err)
		*err = why;
	afl_said_clear(&s);
	free(path);
	return rc;
}

/* A run reads its files task by task: with wait_active_runs nothing is changed under one. */
static int wait_for_runs(struct fabric_target *t, const char *dag_id, struct ps_err *err)
{
	int64_t until = clock_boot_ns() + t->conf->load_ms * 1000000LL;
	size_t n = 0;
	int rc = active_runs(t, dag_id, &n, err);

	while (rc == 0 && n && t->conf->wait_active_runs && clock_boot_ns() < until) {
		nanosleep(&(struct timespec) { 2, 0 }, NULL);
		rc = active_runs(t, dag_id, &n, err);
	}
	if (rc == 0 && n && t->conf->wait_active_runs)
		rc = ps_err_set(err, PS_EBUSY,
				"%zu runs of '%s' are not over, and wait_active_runs is set", n,
				dag_id);
	else if (rc == 0 && n)
		snprintf(t->said, sizeof(t->said), "%zu runs of it were under way", n);
	return rc;
}

/* ---- put ---- */

/* It could not be loaded: what was there is there again, and the error is the one of loading. */
static int take_back(struct fabric_target *t, const struct afl_def *d, int rc,
		     enum fabric_outcome *outcome, struct ps_err *err)
{
	struct ps_err why = { 0 };

	if (afl_place_restore(t, d->dag_id, &why) < 0) {
		*outcome = FABRIC_UNKNOWN;
		return ps_err_set(err, rc, "%s; and what was there could not be put back: %s",
				  err->msg, why.msg);
	}
	*outcome = FABRIC_NOT_DONE;
	return rc;
}

/* Wakes what is ours to wake. */
static int wake(struct fabric_target *t, const struct fabric_job *j, const struct afl_def *d,
		struct ps_err *err)
{
	bool slept = afl_place_slept(t, d->dag_id);
	enum fabric_outcome outcome;
	int rc = 0;

	if (slept || (d->enabled && !j->id))
		rc = afl_set_paused(afl_of(t), d->dag_id, false, &outcome, err);
	if (rc == 0 && slept)
		rc = afl_place_note_sleep(t, d->dag_id, false, err);
	return rc;
}

/* Under the name of before it is no job of ours any more. */
static int forget(struct fabric_target *t, const char *dag_id, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	char *path = afl_dag_path(dag_id, "");
	struct ps_err why = { 0 };
	struct afl_said s;
	int rc = afl_place_remove(t, dag_id, outcome, err);

	if (rc == 0) {
		rc = afl_ask(afl_of(t),
			     &(struct afl_ask) { .method = "DELETE", .path = path, .plain = true,
						 .repeatable = true },
			     &s, &why);
		if (rc == 0)
			*outcome = FABRIC_DONE;
		else if (rc == PS_ENOENT)
			rc = 0;
		else if (err)
			*err = why;
		afl_said_clear(&s);
	}
	free(path);
	return rc;
}

static int put_def(struct fabric_target *t, const struct fabric_job *j, const struct afl_def *d,
		   enum fabric_outcome *outcome, struct ps_err *err)
{
	int64_t since_ms = 0;
	bool same = false;
	int rc = is_there(t, j, d, &same, &since_ms, err);

	if (rc == 0 && !same)
		rc = wait_for_runs(t, d->dag_id, err);
	if (rc == 0 && same)
		*outcome = FABRIC_ALREADY;
	else if (rc == 0)
		rc = afl_place_put(t, j, d, &since_ms, outcome, err);
	if (rc < 0)
		return rc;
	rc = afl_load_wait(t, d, since_ms, err);
	if (rc == PS_ECONFLICT || rc == PS_EBUSY)
		return take_back(t, d, rc, outcome, err);
	if (rc == 0)
		rc = afl_place_keep(t, d->dag_id, err);
	if (rc == 0)
		rc = wake(t, j, d, err);
	if (rc < 0)
		*outcome = FABRIC_UNKNOWN;
	return rc;
}

static int put(struct fabric_target *t, const struct fabric_job *j, char **id,
	       enum fabric_outcome *outcome, struct ps_err *err)
{
	enum fabric_outcome gone;
	struct afl_def d;
	int rc = afl_def_read(&d, t, j, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0)
		rc = put_def(t, j, &d, outcome, err);
	if (rc == 0)
		*id = xstrdup(d.dag_id);
	if (rc == 0 && j->id && strcmp(j->id, d.dag_id) != 0)
		rc = forget(t, j->id, &gone, err);
	afl_def_clear(&d);
	return rc;
}

/* ---- pause, remove ---- */

/* Its id: what core knows, else what its definition says. free() it. */
static int id_of(const struct fabric_target *t, const struct fabric_job *j, char **id,
		 struct ps_err *err)
{
	struct afl_def d = { NULL, NULL, false, NULL };
	int rc = j->id ? 0 : afl_def_read(&d, t, j, err);

	*id = rc == 0 ? xstrdup(j->id ? j->id : d.dag_id) : NULL;
	afl_def_clear(&d);
	return rc;
}

/* Does the archive belong to this job, or to nobody? */
static int check_owner(struct fabric_target *t, const struct fabric_job *j, const char *dag_id,
		       struct ps_err *err)
{
	struct afl_zip z;
	int64_t since_ms;
	int rc = afl_place_read(t, dag_id, &z, &since_ms, err);

	if (rc == 0 && z.files)
		rc = afl_zip_owner(&z, t, j, err);
	afl_zip_clear(&z);
	return rc;
}

static int pause_job(struct fabric_target *t, const struct fabric_job *j,
		     enum fabric_outcome *outcome, struct ps_err *err)
{
	json_t *dag = NULL;
	char *id = NULL;
	int rc = id_of(t, j, &id, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0)
		rc = check_owner(t, j, id, err);
	if (rc == 0)
		rc = afl_dag(afl_of(t), id, &dag, err);
	if (rc == 0 && (!dag || json_is_true(json_object_get(dag, "is_paused")))) {
		*outcome = FABRIC_ALREADY;
	} else if (rc == 0) {
		/* first the note: without one it would never be woken */
		rc = afl_place_note_sleep(t, id, true, err);
		if (rc == 0)
			rc = afl_set_paused(afl_of(t), id, true, outcome, err);
	}
	json_decref(dag);
	free(id);
	return rc;
}

static int remove_job(struct fabric_target *t, const struct fabric_job *j,
		      enum fabric_outcome *outcome, struct ps_err *err)
{
	char *id = NULL;
	int rc = id_of(t, j, &id, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0)
		rc = check_owner(t, j, id, err);
	if (rc == 0)
		rc = forget(t, id, outcome, err);
	free(id);
	return rc;
}

const struct fabric_jobs afl_jobs = { put, pause_job, remove_job };
