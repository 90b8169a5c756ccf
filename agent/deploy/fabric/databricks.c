/* databricks – a workspace of Databricks: see databricks_parts.h. Here: the table and the session.
 *
 * Signing in is by a token of the workspace, or by OAuth for machines: a token for an hour, fetched
 * by client id and secret, renewed before it ends and whenever the workspace does not take it. */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include "common/base/clock.h"

enum { EARLY_MAX_S = 1200, ANSWER_MAX = 64 << 20 };

static const char token_path[] = "/oidc/v1/token";

/* ---- tokens ---- */

/* One page of the sign-in server, which is asked without our token. */
static int ask_json(struct http *h, const struct http_request *q, json_t **doc, struct ps_err *err)
{
	struct http_answer a;
	int rc = http_call(h, q, &a, err);

	*doc = a.status ? json_loadb(buf_str(&a.body), a.body.len, 0, NULL) : NULL;
	if (a.status / 100 != 2 || !json_is_object(*doc)) {
		const char *error = json_string_value(json_object_get(*doc, "error"));
		const char *text = json_string_value(json_object_get(*doc, "error_description"));

		if (a.status)
			rc = ps_err_set(err, a.status / 100 == 5 ? PS_EIO : PS_EPERM,
					"signing in: it answered %d%s%s%s%s", a.status,
					error ? " " : "", error ? error : "", text ? ": " : "",
					text ? text : "");
		json_decref(*doc);
		*doc = NULL;
	}
	http_answer_clear(&a);
	return rc;
}

/* Where tokens come from. An address that would take the secret in clear does not count. */
static void find_token_url(struct http *h, struct dbx *d)
{
	const struct http_auth nobody = { NULL, NULL, NULL };
	const char *url;
	json_t *doc = NULL;

	if (ask_json(h,
		     &(struct http_request){ .path = "/oidc/.well-known/oauth-authorization-server",
					     .repeatable = true,
					     .auth = &nobody },
		     &doc, NULL) < 0)
		return;
	url = json_string_value(json_object_get(doc, "token_endpoint"));
	if (url && (ps_starts(url, "https://") || ps_starts(url, d->conf->host)))
		d->token_url = xstrdup(url);
	json_decref(doc);
}

static int64_t seconds_of(const json_t *v)
{
	if (json_is_string(v))
		return strtoll(json_string_value(v), NULL, 10);
	return json_integer_value(v);
}

int dbx_token(struct http *h, void *arg, struct ps_err *err)
{
	struct dbx *d = arg;
	const struct http_auth client = { NULL, d->conf->client_id, d->secret };
	struct buf form = BUF_INIT;
	const char *token;
	json_t *doc = NULL;
	int64_t life, early;
	int rc;

	if (!d->token_url)
		find_token_url(h, d);
	buf_adds(&form, "grant_type=client_credentials&scope=");
	http_escape(&form, d->conf->scope, false);
	rc = ask_json(h,
		      &(struct http_request){ .method = "POST",
					      .path = d->token_url ? d->token_url : token_path,
					      .type = "application/x-www-form-urlencoded",
					      .bytes = buf_str(&form),
					      .n = form.len,
					      .repeatable = true,
					      .auth = &client },
		      &doc, err);
	buf_clear(&form);
	token = json_string_value(json_object_get(doc, "access_token"));
	if (rc == 0 && !token)
		rc = ps_err_set(err, PS_EPROTO, "signing in: the answer has no access_token");
	if (rc < 0)
		return ps_err_prefix(err, "client '%s'", d->conf->client_id);
	life = seconds_of(json_object_get(doc, "expires_in"));
	early = life / 2 < EARLY_MAX_S ? life / 2 : EARLY_MAX_S;
	d->renew_at_ns = clock_boot_ns() + (life - early) * 1000000000LL;
	http_sign_in(h, &(struct http_auth){ .bearer = token });
	json_decref(doc);
	return 0;
}

/* ---- the session ---- */

static int dbx_open(struct fabric_target *t, struct ps_err *err)
{
	const struct conf_fabric *f = t->conf;
	struct http_settings s = fabric_http(f);
	struct dbx *d;

	if (!t->secret)
		return fabric_no_credential(f, err);
	d = xcalloc(1, sizeof(*d));
	d->conf = f;
	d->secret = t->secret;
	s.answer_max = ANSWER_MAX;
	s.means = dbx_means;
	s.renew = f->client_id ? dbx_token : NULL;
	s.arg = d;
	d->http = http_new(&s);
	if (!f->client_id)
		http_sign_in(d->http, &(struct http_auth){ .bearer = t->secret });
	t->session = d;
	return 0;
}

static void dbx_close(struct fabric_target *t)
{
	struct dbx *d = dbx_of(t);

	http_free(d->http);
	dbx_forget_list(d);
	free(d->token_url);
	free(d);
	t->session = NULL;
}

/* Who we are there, and whether jobs can be read. What may be written tells only the attempt. */
static int dbx_probe(struct fabric_target *t, struct ps_err *err)
{
	const struct http_field one[] = { { "limit", "1" }, { NULL, NULL } };
	const struct dbx_ask asks[] = {
		{ .path = "/api/2.0/preview/scim/v2/Me", .repeatable = true },
		{ .path = "/api/2.2/jobs/list", .query = one, .repeatable = true },
	};
	int rc = 0;

	for (size_t i = 0; i < PS_NELEM(asks) && rc == 0; i++) {
		struct dbx_said s;

		rc = dbx_ask(dbx_of(t), &asks[i], &s, err);
		dbx_said_clear(&s);
	}
	return rc;
}

const struct fabric_driver fabric_databricks = {
	.name = "databricks",
	.open = dbx_open,
	.close = dbx_close,
	.probe = dbx_probe,
	.put_artifact = dbx_put_artifact,
	.look = dbx_look,
	.jobs = &dbx_jobs,
	.runs = &dbx_runs,
};
