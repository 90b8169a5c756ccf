/*
 * databricks_scopes – values that jobs find in secret scopes of the workspace, as penstock.yml
 * gives them by reference: dbt's tokens, passwords in {{secrets/SCOPE/KEY}}.
 *
 * Put is what a job of the deployment names, each time, since a value can be written and not
 * compared. A scope that is not there is made without a manager but us (Prophecy's tool lets every
 * user of the workspace manage it, and read what is in it); readers get the right to read and no
 * other. What else somebody may do there is not ours, and is told where it is too much.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include "common/base/fsutil.h"

/* ---- which of them ---- */

/* Both names stand in the definition: in a component, a configuration, or a script. */
static bool is_named(const struct conf_scoped *s, const char *definition)
{
	return strstr(definition, s->scope) && strstr(definition, s->key);
}

/* named[i]: a job of these names the ith one. */
static int find_named(const struct fabric_target *t, const struct fabric_job *jobs, size_t n,
		      bool *named, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct buf b = BUF_INIT;

		rc = cas_read(&b, t->content, jobs[i].sha256, PS_JSON_MAX, err);
		for (size_t k = 0; rc == 0 && k < t->conf->nscoped; k++)
			named[k] |= is_named(&t->conf->scoped[k], buf_str(&b));
		buf_clear(&b);
	}
	return rc;
}

/* ---- asking; body is taken over ---- */

static int ask(struct fabric_target *t, const char *method, const char *what, json_t *body,
	       const struct http_field *query, json_t **answer, struct ps_err *err)
{
	char *path = xasprintf("/api/2.0/secrets/%s", what);
	struct dbx_said s;
	int rc = dbx_ask(dbx_of(t),
			 &(struct dbx_ask){ .method = method,
					    .path = path,
					    .body = body,
					    .query = query,
					    .repeatable = true },
			 &s, err);

	if (rc == 0 && answer)
		*answer = json_incref(s.doc);
	dbx_said_clear(&s);
	free(path);
	return rc;
}

static int write_value(struct fabric_target *t, size_t i, struct ps_err *err)
{
	const struct conf_scoped *s = &t->conf->scoped[i];
	json_t *body = json_pack("{ss ss ss}", "scope", s->scope, "key", s->key, "string_value",
				 t->scoped[i]);

	return body ? ask(t, "POST", "put", body, NULL, NULL, err)
		    : ps_err_set(err, PS_EINVAL, "its value is no UTF-8");
}

static int make_scope(struct fabric_target *t, const char *scope, struct ps_err *err)
{
	int rc = ask(t, "POST", "scopes/create", json_pack("{ss}", "scope", scope), NULL, NULL,
		     err);

	return rc == PS_EEXIST ? 0 : rc; /* by a try whose answer was lost */
}

/* ---- who may read ---- */

static const char *permission_of(const json_t *acls, const char *principal)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(acls, "items"), i, item)
		if (ps_streq(json_string_value(json_object_get(item, "principal")), principal))
			return json_string_value(json_object_get(item, "permission"));
	return NULL;
}

static void tell(struct fabric_target *t, const char *what, const char *scope)
{
	size_t n = strlen(t->said);

	snprintf(t->said + n, sizeof(t->said) - n, "%s%s scope %s", n ? "; " : "", what, scope);
}

/* A right to read is given where there is none: a higher one is somebody else's. */
static int let_read(struct fabric_target *t, const struct conf_scoped *s, struct ps_err *err)
{
	const struct http_field query[] = { { "scope", s->scope }, { NULL, NULL } };
	json_t *acls = NULL;
	int rc = ask(t, NULL, "acls/list", NULL, query, &acls, err);

	if (rc == PS_EPERM && !s->readers.n) /* another's scope, which we may write to */
		return 0;
	if (rc == 0 && ps_streq(permission_of(acls, "users"), "MANAGE"))
		tell(t, "every user may manage", s->scope);
	for (size_t i = 0; rc == 0 && i < s->readers.n; i++)
		if (!permission_of(acls, s->readers.v[i]))
			rc = ask(t, "POST", "acls/put",
				 json_pack("{ss ss ss}", "scope", s->scope, "principal",
					   s->readers.v[i], "permission", "READ"),
				 NULL, NULL, err);
	json_decref(acls);
	return rc;
}

/* ---- the whole ---- */

static int put_one(struct fabric_target *t, size_t i, struct ps_err *err)
{
	const struct conf_scoped *s = &t->conf->scoped[i];
	struct ps_err why = { 0 };
	int rc;

	if (!t->scoped || !t->scoped[i])
		return ps_err_set(err, PS_ECONFIG,
				  "it has no value: it could not be opened when the configuration "
				  "was loaded; see the agent's log");
	rc = write_value(t, i, &why);
	if (rc == PS_ENOENT) {
		rc = make_scope(t, s->scope, err);
		if (rc == 0)
			rc = write_value(t, i, err);
	} else if (rc < 0 && err) {
		*err = why;
	}
	return rc < 0 ? rc : let_read(t, s, err);
}

int dbx_scopes_put(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
		   enum fabric_outcome *outcome, struct ps_err *err)
{
	bool named[CONF_SCOPED_MAX] = { false };
	int rc = find_named(t, jobs, n, named, err);

	*outcome = FABRIC_NOT_DONE;
	for (size_t i = 0; rc == 0 && i < t->conf->nscoped; i++) {
		const struct conf_scoped *s = &t->conf->scoped[i];

		if (!named[i])
			continue;
		rc = put_one(t, i, err);
		if (rc < 0)
			return ps_err_prefix(err, "the secret '%s' of scope '%s'", s->key,
					     s->scope);
		*outcome = FABRIC_DONE;
	}
	if (rc == 0 && *outcome == FABRIC_NOT_DONE)
		snprintf(t->said, sizeof(t->said), "no job names one");
	return rc;
}
