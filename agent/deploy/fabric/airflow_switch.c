/*
 * airflow_switch – from one set of DAGs to the next, all or nothing.
 *
 * What is about to be done stands in Airflow's variables before it is done, so whoever comes after
 * a crash finds the version that was in force, and which DAG is ours to wake. Archives are laid
 * there all at once and waited for together: Airflow looks for new files every five minutes unless
 * told otherwise. When one does not load, the versions before are laid there again.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

enum { BACK_MS = 60000, GONE_POLL_MS = 1000 };

/* ---- laying ---- */

/* New is whatever Airflow has no row of; it makes it paused. An orphan was paused by us. */
static bool is_ours_to_wake(const struct afl_one *o)
{
	if (!o->row.there)
		return o->def.enabled;
	return o->mark.wake || o->mark.orphan;
}

static struct afl_mark mark_of(const struct fabric_target *t, const struct afl_one *o)
{
	struct afl_mark m = o->mark;

	m.job = o->job;
	m.release = (char *)t->release;
	return m;
}

static int tell_coming(const struct fabric_target *t, const struct afl_one *o, struct ps_err *err)
{
	struct afl_mark m = mark_of(t, o);

	m.release = o->mark.release;
	memcpy(m.coming.definition, o->sha256, DIGEST_HEX);
	memcpy(m.coming.archive, o->archive, DIGEST_HEX);
	m.wake = o->wake;
	return afl_mark_write(t, o->def.dag_id, &m, err);
}

/* The text before: the new one alone proves nothing where it was the same. */
static int compare_source(struct afl *a, struct afl_one *o, struct ps_err *err)
{
	struct buf was = BUF_INIT;
	int rc = 0;

	o->differs = !o->row.there;
	/* of a file that is gone 2.x says 500 */
	if (o->row.there && o->row.active && o->row.file && ps_ends(o->row.file, "/dag.py"))
		rc = afl_source(a, o->def.dag_id, &o->row, &was, err);
	if (was.len)
		o->differs = !afl_same_text(buf_str(&was), buf_str(&o->source));
	buf_clear(&was);
	return rc == PS_ENOENT || rc == PS_EPERM ? 0 : rc;
}

static int lay_one(const struct fabric_target *t, struct afl_one *o, struct ps_err *err)
{
	struct afl *a = afl_of(t);
	char digest[DIGEST_HEX];
	int rc = compare_source(a, o, err);

	o->wake = is_ours_to_wake(o);
	if (rc == 0)
		rc = afl_lies(a, o->def.dag_id, "", digest, &o->before, err);
	if (rc == 0)
		rc = tell_coming(t, o, err);
	if (rc < 0)
		return rc;
	o->laid = true;
	return strcmp(digest, o->archive) == 0 ? 0 : afl_lay(a, o->def.dag_id, &o->bytes, err);
}

/* ---- and back ---- */

/* The version before from its definition, which is the same after a crash; where there is none, the
 * bytes that lay there. */
static int before_of(const struct fabric_target *t, const struct afl_one *o, struct buf *out,
		     struct ps_err *err)
{
	const char *definition = o->mark.in_force.definition;
	char digest[DIGEST_HEX];
	struct afl_def d = { NULL, NULL, false, NULL };
	int rc = PS_ENOENT;

	if (*definition)
		rc = afl_def_read(&d, t, o->job, definition, err);
	if (rc == 0)
		rc = afl_zip(t, &d, out, digest, err);
	afl_def_clear(&d);
	if (rc < 0 && o->before.len && strcmp(o->archive, o->lies) != 0) {
		buf_reset(out);
		buf_add(out, buf_str(&o->before), o->before.len);
		return 0;
	}
	if (!*definition && o->row.there && !afl_of(t)->place->read)
		return ps_err_set(err, PS_ENOTSUP,
				  "what was there of the DAG '%s' was not ours, and cannot be read",
				  o->def.dag_id);
	return *definition ? rc : 0;
}

static int put_back(const struct fabric_target *t, struct afl_one *o, struct ps_err *err)
{
	struct afl *a = afl_of(t);
	struct buf bytes = BUF_INIT;
	struct afl_mark m = mark_of(t, o);
	int rc = before_of(t, o, &bytes, err);

	if (rc == 0)
		rc = bytes.len ? afl_lay(a, o->def.dag_id, &bytes, err)
			       : afl_take_away(a, o->def.dag_id, err);
	m.release = o->mark.release;
	memset(&m.coming, 0, sizeof(m.coming));
	m.wake = false;
	if (rc == 0)
		rc = *m.in_force.definition ? afl_mark_write(t, o->def.dag_id, &m, err)
					    : afl_mark_remove(a, o->def.dag_id, err);
	buf_clear(&bytes);
	return rc;
}

static int wake_again(const struct fabric_target *t, struct afl_one *o, struct ps_err *err)
{
	struct afl_mark m = o->mark;
	int rc = afl_set_paused(afl_of(t), o->def.dag_id, false, err);

	m.orphan = false;
	m.job = o->job;
	return rc < 0 ? rc : afl_mark_write(t, o->def.dag_id, &m, err);
}

/* Waits shortly until what is there again has loaded; how that went is told, and changes nothing.
 */
static bool is_back(const struct fabric_target *t, const struct afl_work *w)
{
	struct afl_load *v = xcalloc(w->nlive + 1, sizeof(*v));
	int64_t since, limit = afl_of(t)->conf->load_ms;
	size_t n = 0;
	int rc = afl_clock(afl_of(t), &since, NULL);

	for (size_t i = 0; i < w->nlive; i++)
		if (w->v[i].laid && *w->v[i].mark.in_force.definition)
			v[n++] = (struct afl_load){ .dag_id = w->v[i].def.dag_id };
	if (rc == 0)
		rc = afl_wait(afl_of(t), v, n, since, limit < BACK_MS ? limit : BACK_MS, NULL);
	free(v);
	return rc == 0;
}

/* Puts everything back as it was; err keeps why, and learns how that went. */
static int go_back(const struct fabric_target *t, struct afl_work *w, int why,
		   enum fabric_outcome *outcome, struct ps_err *err)
{
	struct ps_err own = { 0 };
	int rc = 0;

	for (size_t i = 0; i < w->n; i++) { /* whatever becomes of one, the others too */
		int one = w->v[i].laid     ? put_back(t, &w->v[i], rc < 0 ? NULL : &own)
			  : w->v[i].paused ? wake_again(t, &w->v[i], rc < 0 ? NULL : &own)
					   : 0;

		rc = rc < 0 ? rc : one;
	}
	if (rc < 0) {
		*outcome = FABRIC_UNKNOWN;
		ps_err_prefix(err,
			      "the versions before could not be put back (%s); this was to be "
			      "done because",
			      own.msg);
	} else {
		*outcome = FABRIC_NOT_DONE;
		ps_err_prefix(err, is_back(t, w) ? "nothing was switched"
						 : "the versions before were put back, and Airflow "
						   "has not loaded them yet");
	}
	return why;
}

/* ---- orphans and what goes ---- */

static int pause_orphan(const struct fabric_target *t, struct afl_one *o, struct ps_err *err)
{
	struct afl_mark m = o->mark;
	int rc;

	if (!o->row.there || o->row.paused)
		return 0;
	m.orphan = true;
	m.job = o->job;
	rc = afl_mark_write(t, o->def.dag_id, &m, err);
	if (rc == 0)
		rc = afl_set_paused(afl_of(t), o->def.dag_id, true, err);
	o->paused = rc == 0;
	return rc;
}

static int wait_until_gone(const struct fabric_target *t, const char *dag_id, struct ps_err *err)
{
	struct afl *a = afl_of(t);

	int64_t pause = a->conf->http.retry_ms;

	for (int64_t left = a->conf->load_ms; left > 0; left -= pause) {
		struct afl_row r;
		int rc = afl_row(a, dag_id, &r, err);
		bool there = r.there && r.active;

		afl_row_clear(&r);
		if (rc < 0 || !there)
			return rc;
		pause = pause < GONE_POLL_MS ? pause + 1 : GONE_POLL_MS;
		afl_sleep(pause);
	}
	return ps_err_set(
		err, PS_ETIME,
		"the archive of the DAG '%s' is removed, and Airflow has not noticed after "
		"%lld s (load_within)",
		dag_id, (long long)(a->conf->load_ms / 1000));
}

/* Its archive, its row with all that Airflow remembers of its runs, our mark. */
static int remove_dag(const struct fabric_target *t, const char *dag_id, struct ps_err *err)
{
	char *path = xasprintf("/dags/%s", dag_id);
	struct afl_said s = { .doc = NULL };
	int rc = afl_take_away(afl_of(t), dag_id, err);

	if (rc == 0)
		rc = wait_until_gone(t, dag_id, err);
	if (rc == 0) {
		rc = afl_ask(
			afl_of(t),
			&(struct afl_ask){ .method = "DELETE", .path = path, .repeatable = true },
			&s, err);
		if (rc == PS_ENOENT)
			rc = 0;
		afl_said_clear(&s);
	}
	if (rc == 0)
		rc = afl_mark_remove(afl_of(t), dag_id, err);
	free(path);
	return rc;
}

static bool is_gone(const struct fabric_set *s, const char *job)
{
	size_t n = strlen(job);

	for (size_t i = 0; i < s->ngone; i++)
		if (strncmp(s->gone[i], job, n) == 0 && strcmp(s->gone[i] + n, ".json") == 0)
			return true;
	return false;
}

/* A job that is another DAG from now on leaves the old one behind: paused, and without its archive,
 * so that nothing of it starts and what Airflow remembers of it stays. */
static int retire(const struct fabric_target *t, const char *job, const char *dag_id,
		  struct ps_err *err)
{
	struct afl_one o = { .job = (char *)job };
	int rc = afl_mark_read(afl_of(t), dag_id, &o.mark, err);

	o.def.dag_id = (char *)dag_id;
	if (rc == 0)
		rc = afl_row(afl_of(t), dag_id, &o.row, err);
	if (rc == 0)
		rc = pause_orphan(t, &o, err);
	if (rc == 0)
		rc = afl_take_away(afl_of(t), dag_id, err);
	afl_mark_clear(&o.mark);
	afl_row_clear(&o.row);
	return rc;
}

static int clear_away(const struct fabric_target *t, const struct fabric_set *s,
		      const struct afl_work *w, struct ps_err *err)
{
	const char *job;
	json_t *v;
	int rc = 0;

	json_object_foreach(w->set.dags, job, v)
	{
		const char *dag = json_string_value(v), *now = NULL;

		for (size_t i = 0; i < w->n; i++)
			if (strcmp(w->v[i].job, job) == 0)
				now = w->v[i].def.dag_id;
		if (rc < 0 || !dag || !afl_is_dag_id(dag) || afl_live(w, dag))
			continue;
		if (is_gone(s, job))
			rc = remove_dag(t, dag, err);
		else if (now && strcmp(now, dag) != 0)
			rc = retire(t, job, dag, err);
	}
	return rc;
}

/* ---- the switch ---- */

static int load_all(const struct fabric_target *t, struct afl_work *w, struct ps_err *err)
{
	struct afl_load *v = xcalloc(w->nlive + 1, sizeof(*v));
	int64_t since;
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < w->nlive && rc == 0; i++)
		if (w->v[i].changed)
			rc = lay_one(t, &w->v[i], err);
	if (rc == 0)
		rc = afl_clock(afl_of(t), &since, err);
	for (size_t i = 0; i < w->nlive; i++)
		if (w->v[i].changed)
			v[n++] = (struct afl_load){ .dag_id = w->v[i].def.dag_id,
						    .source = buf_str(&w->v[i].source),
						    .differs = w->v[i].differs };
	if (rc == 0 && n)
		rc = afl_wait(afl_of(t), v, n, since, afl_of(t)->conf->load_ms, err);
	free(v);
	return rc;
}

/* One that is new starts by itself or not as its job says, whatever Airflow makes of new ones. */
static int settle(const struct fabric_target *t, const struct afl_one *o, struct ps_err *err)
{
	struct afl_mark m = mark_of(t, o);
	int rc = 0;

	if (o->wake)
		rc = afl_set_paused(afl_of(t), o->def.dag_id, false, err);
	else if (!o->row.there && !o->def.enabled)
		rc = afl_set_paused(afl_of(t), o->def.dag_id, true, err);
	memcpy(m.in_force.definition, o->sha256, DIGEST_HEX);
	memcpy(m.in_force.archive, o->archive, DIGEST_HEX);
	memset(&m.coming, 0, sizeof(m.coming));
	m.wake = m.orphan = false;
	return rc < 0 ? rc : afl_mark_write(t, o->def.dag_id, &m, err);
}

static json_t *dags_of(const struct afl_work *w)
{
	json_t *dags = json_object();

	for (size_t i = 0; i < w->n; i++)
		json_object_set_new(dags, w->v[i].job, json_string(w->v[i].def.dag_id));
	return dags;
}

static bool is_all_there(const struct fabric_set *s, const struct afl_work *w)
{
	bool there = ps_streq(w->set.stamp, s->stamp);
	const char *job;
	json_t *dag;

	json_object_foreach(w->set.dags, job, dag)
		there = there && !is_gone(s, job);
	for (size_t i = 0; i < w->n; i++)
		there = there && !w->v[i].changed &&
			(i < w->nlive || !w->v[i].row.there || w->v[i].row.paused);
	return there;
}

int afl_switch(struct fabric_target *t, const struct fabric_set *s, enum fabric_outcome *outcome,
	       struct ps_err *err)
{
	struct afl_work w;
	json_t *dags;
	int rc = afl_gather(t, s, &w, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc < 0 || is_all_there(s, &w)) {
		if (rc == 0)
			*outcome = FABRIC_ALREADY;
		afl_work_clear(&w);
		return rc;
	}
	for (size_t i = w.nlive; i < w.n && rc == 0; i++)
		if (!afl_live(&w, w.v[i].def.dag_id))
			rc = pause_orphan(t, &w.v[i], err);
	if (rc == 0)
		rc = load_all(t, &w, err);
	if (rc < 0) {
		rc = go_back(t, &w, rc, outcome, err);
		afl_work_clear(&w);
		return rc;
	}
	*outcome = FABRIC_UNKNOWN;
	for (size_t i = 0; i < w.nlive && rc == 0; i++)
		if (w.v[i].changed)
			rc = settle(t, &w.v[i], err);
	if (rc == 0)
		rc = clear_away(t, s, &w, err);
	dags = dags_of(&w);
	if (rc == 0)
		rc = afl_set_write(t, s->stamp, dags, err);
	if (rc == 0)
		*outcome = FABRIC_DONE;
	json_decref(dags);
	afl_work_clear(&w);
	return rc;
}
