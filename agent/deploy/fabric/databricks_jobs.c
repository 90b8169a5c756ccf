/*
 * databricks_jobs – jobs put, paused and removed, one call each where it can be.
 *
 * A job is written whole (jobs/reset), with its stamp in the same call, so it is never there
 * without. A create whose answer is lost is found by that stamp.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include <time.h>

#include "common/base/fsutil.h"
#include "common/plan/canon.h"
#include "common/plan/render.h"

enum { CREATES = 3 };

static const char *const triggers[] = { "schedule", "trigger", "continuous" };
static const char paused[] = "PAUSED", unpaused[] = "UNPAUSED";

/* ---- the definition ---- */

int dbx_definition(const struct fabric_target *t, const struct fabric_job *j, json_t **doc,
		   struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = cas_read(&b, t->content, j->sha256, PS_JSON_MAX, err);

	if (rc == 0)
		rc = canon_read(doc, buf_str(&b), b.len, j->key, err);
	buf_clear(&b);
	if (rc == 0 && !render_request(*doc)) {
		json_decref(*doc);
		*doc = NULL;
		rc = ps_err_set(err, PS_EINVAL, "'%s' has no request", j->key);
	}
	return rc;
}

json_t *dbx_sent(const json_t *doc)
{
	static const char *const dropped[] = { "access_control_list", "version", "format" };
	json_t *s = json_deep_copy(render_request(doc));

	for (size_t i = 0; i < PS_NELEM(dropped); i++)
		json_object_del(s, dropped[i]);
	/* Version 2.2 of the interface queues runs where nothing is said, those before it did not:
	 * a job does not begin to queue because another program deploys it. */
	if (!json_object_get(s, "queue"))
		json_object_set_new(s, "queue", json_pack("{sb}", "enabled", 0));
	return s;
}

/* ---- pauses ---- */

static const char *pause_of(const json_t *settings, const char *trigger)
{
	const json_t *v = json_object_get(settings, trigger);
	const char *state = json_string_value(json_object_get(v, "pause_status"));

	if (!json_is_object(v))
		return NULL;
	return state ? state : unpaused;
}

bool dbx_is_paused(const json_t *settings)
{
	bool any = dbx_tag(settings, DBX_TAG_PAUSED) != NULL;

	for (size_t i = 0; i < PS_NELEM(triggers); i++) {
		const char *state = pause_of(settings, triggers[i]);

		if (state && strcmp(state, paused) != 0)
			return false;
		any |= state != NULL;
	}
	return any;
}

bool dbx_pauses_as(const json_t *wanted, const json_t *there)
{
	for (size_t i = 0; i < PS_NELEM(triggers); i++) {
		const char *state = pause_of(wanted, triggers[i]);

		if (state && !ps_streq(state, pause_of(there, triggers[i])))
			return false;
	}
	return true;
}

static void set_pause(json_t *settings, const char *trigger, const char *state)
{
	json_t *v = json_object_get(settings, trigger);

	if (!json_is_object(v) || !state)
		return;
	v = json_copy(v); /* others may look at it too */
	json_object_set_new(v, "pause_status", json_string(state));
	json_object_set_new(settings, trigger, v);
}

void dbx_set_pauses(json_t *settings, const json_t *there)
{
	for (size_t i = 0; i < PS_NELEM(triggers); i++)
		set_pause(settings, triggers[i], pause_of(there, triggers[i]));
}

/* Whether it runs by itself stays an operator's; what we paused as an orphan wakes. */
static void keep_pauses(json_t *sent, const json_t *there)
{
	bool ours = ps_streq(dbx_tag(there, DBX_TAG_PAUSED), "us");

	for (size_t i = 0; i < PS_NELEM(triggers); i++)
		if (pause_of(there, triggers[i]))
			set_pause(sent, triggers[i],
				  ours ? unpaused : pause_of(there, triggers[i]));
}

/* ---- calls ---- */

/* Takes body over. */
static int write_job(struct fabric_target *t, const char *path, json_t *body, bool repeatable,
		     struct dbx_said *s, struct ps_err *err)
{
	return dbx_ask(
		dbx_of(t),
		&(struct dbx_ask){
			.method = "POST", .path = path, .body = body, .repeatable = repeatable },
		s, err);
}

static void pause_between(const struct fabric_target *t, int tries)
{
	int64_t ms = t->conf->http.retry_ms * (1 << tries);
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL); /* cut short by a signal: then it looks sooner */
}

static int create(struct fabric_target *t, const struct fabric_job *j, json_t *sent,
		  const json_t *acl, json_int_t *id, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	int rc = dbx_stamp_put(sent, t, j, err);

	if (rc == 0 && json_array_size(acl))
		json_object_set(sent, "access_control_list", (json_t *)acl);
	for (int i = 0; rc == 0 && i < CREATES; i++) {
		struct ps_err why = { 0 };
		struct dbx_said s;
		json_t *made;

		rc = write_job(t, "/api/2.2/jobs/create", json_incref(sent), false, &s, &why);
		*id = json_integer_value(json_object_get(s.doc, "job_id"));
		*outcome = rc == 0 && !*id ? FABRIC_UNKNOWN : s.outcome;
		dbx_said_clear(&s);
		if (*outcome != FABRIC_UNKNOWN) {
			if (rc == 0)
				dbx_note(dbx_of(t), *id, sent);
			else if (err)
				*err = why;
			return rc;
		}
		pause_between(t, i);
		rc = dbx_find(t, j, true, &made, err);
		if (rc == 0 && made) {
			*id = dbx_id(made);
			*outcome = FABRIC_DONE;
			json_decref(made);
			return 0;
		}
		if (rc == 0 && i + 1 == CREATES)
			rc = ps_err_set(err, PS_EIO, "'%s': %s; a look found no such job", j->key,
					ps_err_msg(&why, PS_EIO));
	}
	return rc;
}

static int reset(struct fabric_target *t, const struct fabric_job *j, json_t *sent,
		 const json_t *acl, const json_t *job, enum fabric_outcome *outcome,
		 struct ps_err *err)
{
	struct dbx_said s;
	int rc = dbx_stamp_put(sent, t, j, err);

	if (rc == 0)
		rc = dbx_rights_put(t, j->key, job, acl, err);
	if (rc < 0)
		return rc;
	rc = write_job(t, "/api/2.2/jobs/reset",
		       json_pack("{sI sO}", "job_id", dbx_id(job), "new_settings", sent), true, &s,
		       err);
	*outcome = s.outcome;
	dbx_said_clear(&s);
	return rc;
}

static bool is_there(const struct fabric_job *j, const json_t *doc, const json_t *sent,
		     const json_t *there)
{
	return dbx_is_last(there, j->sha256) && !dbx_tag(there, DBX_TAG_PAUSED) &&
	       dbx_is_as(sent, there) && (!render_enforces(doc) || dbx_pauses_as(sent, there));
}

static int put(struct fabric_target *t, const struct fabric_job *j, char **id,
	       enum fabric_outcome *outcome, struct ps_err *err)
{
	json_t *doc = NULL, *job = NULL, *sent = NULL;
	const json_t *acl, *there;
	json_int_t number = 0;
	int rc = dbx_definition(t, j, &doc, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0)
		rc = dbx_find(t, j, false, &job, err);
	if (rc < 0)
		goto out;
	sent = dbx_sent(doc);
	there = dbx_settings(job);
	acl = json_object_get(render_request(doc), "access_control_list");
	number = dbx_id(job);
	if (job && !render_enforces(doc))
		keep_pauses(sent, there);
	rc = dbx_brought_put(t, j->key, doc, err);
	if (rc == 0 && !job)
		rc = create(t, j, sent, acl, &number, outcome, err);
	else if (rc == 0 && is_there(j, doc, sent, there))
		*outcome = FABRIC_ALREADY;
	else if (rc == 0)
		rc = reset(t, j, sent, acl, job, outcome, err);
	if (number)
		*id = xasprintf("%lld", (long long)number);
out:
	json_decref(sent);
	json_decref(job);
	json_decref(doc);
	return rc;
}

/* ---- what is not wanted any more ---- */

/* Made by us: found by what only we know, not by a name that others use too. */
static bool is_ours(const struct fabric_target *t, const struct fabric_job *j, const json_t *job)
{
	char own[DBX_STAMP];

	return ps_streq(dbx_tag(dbx_settings(job), DBX_TAG_JOB), dbx_stamp(own, t, j->key)) ||
	       (j->id && strtoll(j->id, NULL, 10) == dbx_id(job));
}

/* Finds what is to be paused or removed; none, or not ours: *job NULL. */
static int find_ours(struct fabric_target *t, const struct fabric_job *j, json_t **job,
		     struct ps_err *err)
{
	int rc = dbx_find(t, j, false, job, err);

	if (rc == 0 && *job && !is_ours(t, j, *job)) {
		json_decref(*job);
		*job = NULL;
	}
	return rc;
}

/* The fields of settings that make it an orphan at rest. */
static json_t *at_rest(const json_t *there)
{
	json_t *out = json_object(), *tags = json_deep_copy(json_object_get(there, "tags"));
	const char *was = dbx_tag(there, DBX_TAG_PAUSED);
	bool awake = false;

	for (size_t i = 0; i < PS_NELEM(triggers); i++) {
		const char *state = pause_of(there, triggers[i]);
		json_t *v;

		if (!state || strcmp(state, paused) == 0)
			continue;
		awake = true;
		v = json_deep_copy(json_object_get(there, triggers[i]));
		json_object_set_new(v, "pause_status", json_string(paused));
		json_object_set_new(out, triggers[i], v);
	}
	if (!tags)
		tags = json_object();
	json_object_set_new(tags, DBX_TAG_PAUSED, json_string(awake ? "us" : was ? was : "before"));
	json_object_set_new(out, "tags", tags);
	return out;
}

static int pause_job(struct fabric_target *t, const struct fabric_job *j,
		     enum fabric_outcome *outcome, struct ps_err *err)
{
	json_t *job = NULL;
	const json_t *there;
	struct dbx_said s;
	int rc = find_ours(t, j, &job, err);

	*outcome = rc == 0 ? FABRIC_ALREADY : FABRIC_NOT_DONE;
	there = dbx_settings(job);
	if (rc == 0 && job && !(dbx_tag(there, DBX_TAG_PAUSED) && dbx_is_paused(there))) {
		rc = write_job(
			t, "/api/2.2/jobs/update",
			json_pack("{sI so}", "job_id", dbx_id(job), "new_settings", at_rest(there)),
			true, &s, err);
		*outcome = s.outcome;
		dbx_said_clear(&s);
	}
	json_decref(job);
	return rc;
}

static int remove_job(struct fabric_target *t, const struct fabric_job *j,
		      enum fabric_outcome *outcome, struct ps_err *err)
{
	json_t *job = NULL;
	struct dbx_said s;
	int rc = find_ours(t, j, &job, err);

	*outcome = rc == 0 ? FABRIC_ALREADY : FABRIC_NOT_DONE;
	if (rc == 0 && job) {
		struct ps_err why = { 0 };

		rc = write_job(t, "/api/2.2/jobs/delete", json_pack("{sI}", "job_id", dbx_id(job)),
			       true, &s, &why);
		*outcome = s.outcome;
		dbx_said_clear(&s);
		if (rc == PS_ENOENT) {
			*outcome = FABRIC_DONE;
			rc = 0;
		} else if (rc < 0 && err) {
			*err = why;
		}
	}
	json_decref(job);
	return rc;
}

const struct fabric_jobs dbx_jobs = { dbx_scopes_put, put, pause_job, remove_job };
