/* airflow_sets – what is there of a set of DAGs; getting it ready changes nothing in Airflow, so
 * that whatever would not do is found before anything is switched. */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/base/clock.h"

enum { MS_NS = 1000000, RUNS_POLL_MS = 3000 };

/* ---- what is there ---- */

static int gather_one(const struct fabric_target *t, struct afl_one *o, const struct fabric_file *f,
		      struct ps_err *err)
{
	const char *dot = strrchr(f->path, '.'), *supposed;
	int rc;

	o->path = f->path;
	o->sha256 = f->sha256;
	o->job = xstrndup(f->path, dot ? (size_t)(dot - f->path) : strlen(f->path));
	rc = afl_def_read(&o->def, t, o->job, f->sha256, err);
	if (rc < 0)
		return rc;
	rc = afl_mark_read(afl_of(t), o->def.dag_id, &o->mark, err);
	if (rc == 0)
		rc = afl_row(afl_of(t), o->def.dag_id, &o->row, err);
	/* where a version was on its way, nobody knows which one lies there */
	supposed = *o->mark.coming.definition ? "" : o->mark.in_force.archive;
	return rc < 0 ? rc : afl_lies(afl_of(t), o->def.dag_id, supposed, o->lies, NULL, err);
}

static bool is_in_force(const struct afl_one *o)
{
	return strcmp(o->mark.in_force.definition, o->sha256) == 0 &&
	       strcmp(o->mark.in_force.archive, o->lies) == 0 && o->row.there && o->row.active &&
	       !o->row.broken && afl_is_ours(&o->row, o->def.dag_id);
}

/* What was put there of this definition counts, whoever would pack it how today. */
static int make_archive(const struct fabric_target *t, struct afl_one *o, struct ps_err *err)
{
	o->changed = !is_in_force(o) || o->mark.wake || o->mark.orphan;
	return o->changed ? afl_zip(t, &o->def, &o->bytes, o->archive, err) : 0;
}

int afl_gather(const struct fabric_target *t, const struct fabric_set *s, struct afl_work *out,
	       struct ps_err *err)
{
	int rc;

	*out = (struct afl_work){ .v = xcalloc(s->nfiles + s->norphans + 1, sizeof(*out->v)) };
	rc = afl_set_read(t, &out->set, err);
	for (size_t i = 0; i < s->nfiles && rc == 0; i++) {
		struct afl_one *o = &out->v[out->n++];

		out->nlive++;
		rc = gather_one(t, o, &s->files[i], err);
		if (rc == 0)
			rc = afl_check_owner(t, o->def.dag_id, &o->mark, &o->row, err);
		if (rc == 0)
			rc = make_archive(t, o, err);
		if (rc == 0)
			rc = afl_def_file(&o->def, t, "dag.py", &o->source, err);
	}
	for (size_t i = 0; i < s->norphans && rc == 0; i++)
		rc = gather_one(t, &out->v[out->n++], &s->orphans[i], err);
	return rc;
}

void afl_work_clear(struct afl_work *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct afl_one *o = &w->v[i];

		free(o->job);
		afl_def_clear(&o->def);
		afl_mark_clear(&o->mark);
		afl_row_clear(&o->row);
		buf_clear(&o->bytes);
		buf_clear(&o->source);
		buf_clear(&o->before);
	}
	free(w->v);
	afl_set_clear(&w->set);
}

const struct afl_one *afl_live(const struct afl_work *w, const char *dag)
{
	for (size_t i = 0; i < w->nlive; i++)
		if (strcmp(w->v[i].def.dag_id, dag) == 0)
			return &w->v[i];
	return NULL;
}

/* ---- ready ---- */

/* Runs that are under way would go on with files of the new version. */
static int wait_for_runs(struct fabric_target *t, const struct afl_one *o, struct ps_err *err)
{
	struct afl *a = afl_of(t);
	int64_t until = clock_boot_ns() + a->conf->load_ms * MS_NS;
	size_t n = 0;
	int rc = o->row.there ? afl_active_runs(a, o->def.dag_id, &n, err) : 0;

	while (rc == 0 && n && a->conf->wait_active_runs && clock_boot_ns() < until) {
		afl_sleep(RUNS_POLL_MS);
		rc = afl_active_runs(a, o->def.dag_id, &n, err);
	}
	if (rc == 0 && n && a->conf->wait_active_runs)
		rc = ps_err_set(err, PS_EBUSY,
				"%zu runs of the DAG '%s' are not over after %lld s, and "
				"wait_active_runs is set: end them, then deploy again",
				n, o->def.dag_id, (long long)(a->conf->load_ms / 1000));
	else if (rc == 0 && n)
		snprintf(t->said, sizeof(t->said),
			 "%zu runs of '%s' go on, their next tasks with the new files", n,
			 o->def.dag_id);
	return rc;
}

static int put(struct fabric_target *t, const struct fabric_set *s, enum fabric_outcome *outcome,
	       struct ps_err *err)
{
	struct afl_work w;
	bool changed = false;
	int rc = afl_gather(t, s, &w, err);

	*outcome = FABRIC_NOT_DONE;
	for (size_t i = 0; i < w.nlive && rc == 0; i++)
		if (w.v[i].changed) {
			changed = true;
			rc = wait_for_runs(t, &w.v[i], err);
		}
	if (rc == 0)
		*outcome = changed ? FABRIC_DONE : FABRIC_ALREADY;
	afl_work_clear(&w);
	return rc;
}

/* ---- in force ---- */

static int observe(const struct fabric_target *t, struct buf *stamp, struct ps_err *err)
{
	struct afl_set set;
	int rc = afl_set_read(t, &set, err);

	if (rc == 0 && !set.stamp)
		rc = ps_err_set(err, PS_ENOENT, "nothing of '%s' is deployed there", t->place);
	if (rc == 0)
		buf_adds(stamp, set.stamp);
	afl_set_clear(&set);
	return rc;
}

static int check_one(const struct afl_one *o, bool live, struct ps_err *err)
{
	const char *why = NULL;

	if (!live) {
		if (o->row.there && o->row.active && !o->row.paused)
			why = "is not paused, though nothing wants it any more";
	} else if (!*o->lies) {
		why = "is not in Airflow's folder";
	} else if (strcmp(o->lies, o->mark.in_force.archive) != 0 ||
		   strcmp(o->sha256, o->mark.in_force.definition) != 0) {
		why = "has another archive than was put there";
	} else if (!is_in_force(o)) {
		why = "is there, and Airflow has not loaded it";
	}
	return why ? ps_err_set(err, PS_ECONFLICT, "the DAG '%s' of '%s' %s", o->def.dag_id, o->job,
				why)
		   : 0;
}

static int check(const struct fabric_target *t, const struct fabric_set *s, struct ps_err *err)
{
	struct afl_work w;
	int rc = afl_gather(t, s, &w, err);

	if (rc == 0 && !ps_streq(w.set.stamp, s->stamp))
		rc = ps_err_set(err, PS_ECONFLICT, "other definitions than ours are in force");
	for (size_t i = 0; i < w.n && rc == 0; i++)
		if (i < w.nlive || !afl_live(&w, w.v[i].def.dag_id))
			rc = check_one(&w.v[i], i < w.nlive, err);
	afl_work_clear(&w);
	return rc;
}

const struct fabric_sets afl_sets = { put, afl_switch, observe, check };
