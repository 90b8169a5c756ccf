/*
 * airflow_mark – what we wrote down in Airflow itself, as variables that its admins see:
 *
 *	penstock.dag.<dag_id>	whose the DAG is, which version is in force, which one is coming
 *	penstock.set.<16 digits>	of a place: the set in force, and which DAG each of its jobs
 *is
 *
 * Where archives lie often cannot be read back, and the archive itself must have the bytes that
 * Prophecy's own tool would send; variables are there in both majors and outlive the server.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/plan/canon.h"

enum { SET_DIGITS = 16 };

/* ---- variables ---- */

/* *doc: what it says, an object; PS_ENOENT: there is none. */
static int read_variable(struct afl *a, const char *key, json_t **doc, struct ps_err *err)
{
	char *path = xasprintf("/variables/%s", key);
	const char *text;
	json_t *said;
	int rc = afl_get(a, path, NULL, &said, err);

	*doc = NULL;
	text = json_string_value(json_object_get(said, "value"));
	if (rc == 0 &&
	    (!text || canon_read(doc, text, strlen(text), key, NULL) < 0 || !json_is_object(*doc)))
		rc = ps_err_set(err, PS_ECONFLICT,
				"the variable '%s' in Airflow is not as penstock wrote it: remove "
				"it there, then deploy again",
				key);
	json_decref(said);
	free(path);
	return rc;
}

/* One that is there is changed: 3.x does not take a second one, 2.x would. */
static int write_variable(struct afl *a, const char *key, const json_t *doc,
			  const char *description, struct ps_err *err)
{
	char *path = xasprintf("/variables/%s", key);
	struct buf value = BUF_INIT;
	struct afl_said s;
	json_t *body;
	int rc = canon_write(doc, &value, err);

	body = json_pack("{ss ss ss}", "key", key, "value", buf_str(&value), "description",
			 description);
	buf_clear(&value);
	if (rc == 0) {
		rc = afl_ask(a,
			     &(struct afl_ask){ .method = "PATCH",
						.path = path,
						.body = json_incref(body),
						.repeatable = true },
			     &s, err);
		afl_said_clear(&s);
	}
	if (rc == PS_ENOENT) {
		rc = afl_ask(a,
			     &(struct afl_ask){ .method = "POST",
						.path = "/variables",
						.body = json_incref(body),
						.repeatable = true },
			     &s, err);
		afl_said_clear(&s);
	}
	json_decref(body);
	free(path);
	return rc;
}

/* ---- of a set ---- */

static void set_key(const struct fabric_target *t, char *out, size_t size)
{
	char hex[DIGEST_HEX];

	digest_bytes(hex, t->owner, strlen(t->owner));
	snprintf(out, size, "penstock.set.%.*s", SET_DIGITS, hex);
}

int afl_set_read(const struct fabric_target *t, struct afl_set *out, struct ps_err *err)
{
	json_t *doc = NULL;
	char key[64];
	int rc;

	*out = (struct afl_set){ .stamp = NULL };
	set_key(t, key, sizeof(key));
	rc = read_variable(afl_of(t), key, &doc, err);
	out->stamp = xstrdup_null(json_string_value(json_object_get(doc, "set")));
	out->dags = json_is_object(json_object_get(doc, "dags"))
			    ? json_incref(json_object_get(doc, "dags"))
			    : json_object();
	json_decref(doc);
	return rc == PS_ENOENT ? 0 : rc;
}

int afl_set_write(const struct fabric_target *t, const char *stamp, const json_t *dags,
		  struct ps_err *err)
{
	json_t *doc = json_pack("{ss ss ss sO}", "repository", t->repository, "project", t->project,
				"set", stamp, "dags", dags);
	char *says = xasprintf("penstock: what is deployed from %s, project %s; leave it alone",
			       t->repository, t->project);
	char key[64];
	int rc;

	set_key(t, key, sizeof(key));
	rc = write_variable(afl_of(t), key, doc, says, err);
	free(says);
	json_decref(doc);
	return rc;
}

void afl_set_clear(struct afl_set *s)
{
	free(s->stamp);
	json_decref(s->dags);
	*s = (struct afl_set){ .stamp = NULL };
}

/* ---- of a DAG ---- */

static char *dag_key(const char *dag_id)
{
	return xasprintf("penstock.dag.%s", dag_id);
}

static void read_version(const json_t *doc, struct afl_version *out)
{
	const char *definition = json_string_value(json_object_get(doc, "definition"));
	const char *archive = json_string_value(json_object_get(doc, "archive"));

	if (!definition || !archive || !digest_is_hex(definition, PS_DIGEST_HEX) ||
	    !digest_is_hex(archive, PS_DIGEST_HEX))
		return;
	memcpy(out->definition, definition, DIGEST_HEX);
	memcpy(out->archive, archive, DIGEST_HEX);
}

static json_t *version_json(const struct afl_version *v)
{
	if (!*v->definition)
		return json_null();
	return json_pack("{ss ss}", "definition", v->definition, "archive", v->archive);
}

static char *text_at(const json_t *doc, const char *key)
{
	return xstrdup_null(json_string_value(json_object_get(doc, key)));
}

int afl_mark_read(struct afl *a, const char *dag_id, struct afl_mark *out, struct ps_err *err)
{
	char *key = dag_key(dag_id);
	json_t *doc = NULL;
	int rc = read_variable(a, key, &doc, err);

	memset(out, 0, sizeof(*out));
	if (rc == 0) {
		out->there = true;
		out->repository = text_at(doc, "repository");
		out->project = text_at(doc, "project");
		out->job = text_at(doc, "job");
		out->release = text_at(doc, "release");
		read_version(json_object_get(doc, "in_force"), &out->in_force);
		read_version(json_object_get(doc, "coming"), &out->coming);
		out->wake = json_is_true(json_object_get(doc, "wake"));
		out->orphan = json_is_true(json_object_get(doc, "orphan"));
	}
	json_decref(doc);
	free(key);
	return rc == PS_ENOENT ? 0 : rc;
}

int afl_mark_write(const struct fabric_target *t, const char *dag_id, const struct afl_mark *m,
		   struct ps_err *err)
{
	json_t *doc =
		json_pack("{ss ss ss ss? sI so so sb sb}", "repository", t->repository, "project",
			  t->project, "job", m->job, "release", m->release, "fence",
			  (json_int_t)t->fence, "in_force", version_json(&m->in_force), "coming",
			  version_json(&m->coming), "wake", m->wake, "orphan", m->orphan);
	char *key = dag_key(dag_id);
	int rc = write_variable(afl_of(t), key, doc,
				"penstock: what it has put there; leave it alone", err);

	free(key);
	json_decref(doc);
	return rc;
}

int afl_mark_remove(struct afl *a, const char *dag_id, struct ps_err *err)
{
	char *path = xasprintf("/variables/penstock.dag.%s", dag_id);
	struct afl_said s;
	int rc = afl_ask(a,
			 &(struct afl_ask){ .method = "DELETE", .path = path, .repeatable = true },
			 &s, err);

	afl_said_clear(&s);
	free(path);
	return rc == PS_ENOENT ? 0 : rc;
}

void afl_mark_clear(struct afl_mark *m)
{
	free(m->repository);
	free(m->project);
	free(m->job);
	free(m->release);
	memset(m, 0, sizeof(*m));
}

/* One that nobody has marked is taken where it comes from the archive that we would write. */
int afl_check_owner(const struct fabric_target *t, const char *dag_id, const struct afl_mark *m,
		    const struct afl_row *r, struct ps_err *err)
{
	if (m->there &&
	    (!ps_streq(m->repository, t->repository) || !ps_streq(m->project, t->project)))
		return ps_err_set(err, PS_ECONFLICT,
				  "the DAG '%s' belongs to project %s of repository %s: two "
				  "projects cannot have one DAG",
				  dag_id, m->project ? m->project : "?",
				  m->repository ? m->repository : "?");
	if (!m->there && r->there && r->active && !afl_is_ours(r, dag_id))
		return ps_err_set(
			err, PS_ECONFLICT,
			"the DAG '%s' is there already, from '%s': remove that file first, "
			"or give the job another dagName",
			dag_id, r->file ? r->file : "?");
	return 0;
}
