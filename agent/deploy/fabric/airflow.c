/* airflow – an Airflow of version 2 or 3: see airflow_parts.h. Here: the table and the session. */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/base/escape.h"

enum { ANSWER_MAX = 32 << 20 };

/* ---- which version, and who we are ---- */

static int ask_version(struct afl *a, int major, bool *is, struct ps_err *err)
{
	const struct http_auth nobody = { NULL, NULL, NULL };
	struct http_answer said;
	json_t *doc;
	int rc = http_call(a->http,
			   &(struct http_request) { .path = major == 3 ? "/api/v2/version"
								       : "/api/v1/version",
						    .repeatable = true,
						    .auth = &nobody },
			   &said, err);

	doc = rc == 0 ? json_loadb(buf_str(&said.body), said.body.len, 0, NULL) : NULL;
	*is = rc == 0 && said.status == 200 &&
	      json_is_string(json_object_get(doc, "version"));
	json_decref(doc);
	http_answer_clear(&said);
	return rc;
}

int afl_token(struct http *h, void *afl, struct ps_err *err)
{
	struct afl *a = afl;
	const struct http_auth nobody = { NULL, NULL, NULL };
	json_t *form = json_pack("{ss ss}", "username", a->conf->user, "password", a->secret);
	char *body = form ? json_dumps(form, JSON_COMPACT) : NULL, text[200];
	const char *token;
	struct http_answer said = { .status = 0 };
	json_t *doc;
	int rc;

	json_decref(form);
	if (!body)
		return ps_err_set(err, PS_EINVAL, "user and password are no UTF-8");
	rc = http_call(h,
		       &(struct http_request) { .method = "POST", .path = "/auth/token",
						.type = "application/json", .bytes = body,
						.n = strlen(body), .repeatable = true,
						.auth = &nobody },
		       &said, err);
	explicit_bzero(body, strlen(body));
	free(body);
	doc = json_loadb(buf_str(&said.body), said.body.len, 0, NULL);
	token = json_string_value(json_object_get(doc, "access_token"));
	if (rc == 0 && !token) {
		const char *why = json_string_value(json_object_get(doc, "detail"));

		escape_line(text, sizeof(text), why ? why : "no access_token in the answer");
		rc = ps_err_set(err, said.status / 100 == 5 ? PS_EIO : PS_EPERM,
				"signing in as '%s': it answered %d: %s", a->conf->user,
				said.status, text);
	}
	if (rc == 0)
		http_sign_in(h, &(struct http_auth) { .bearer = token });
	json_decref(doc);
	http_answer_clear(&said);
	return rc;
}

int afl_begin(struct afl *a, struct ps_err *err)
{
	bool is = false;
	int rc = 0;

	for (int major = 3; rc == 0 && !is && major >= 2; major--) {
		rc = ask_version(a, major, &is, err);
		a->major = is ? major : 0;
	}
	if (rc == 0 && !is)
		rc = ps_err_set(err, PS_ENOTSUP,
				"there is no Airflow of version 2 or 3 behind '%s'; is 'host' of "
				"the fabric its web server?",
				a->conf->host);
	if (rc < 0 || !a->secret)
		return rc;
	if (!a->conf->user)
		http_sign_in(a->http, &(struct http_auth) { .bearer = a->secret });
	else if (a->major == 2)
		http_sign_in(a->http, &(struct http_auth) { .user = a->conf->user,
							    .password = a->secret });
	else
		rc = afl_token(a->http, a, err);
	return rc;
}

/* ---- the session ---- */

static struct http *open_uploader(const struct fabric_target *t)
{
	const struct conf_fabric *f = t->conf;
	struct http_settings s = fabric_http(f);
	struct http *h;

	s.base = f->uploader;
	s.means = afl_uploader_means;
	h = http_new(&s);
	if (f->uploader_user)
		http_sign_in(h, &(struct http_auth) { .user = f->uploader_user,
						      .password = t->uploader_secret });
	return h;
}

static int afl_open(struct fabric_target *t, struct ps_err *err)
{
	const struct conf_fabric *f = t->conf;
	struct http_settings s = fabric_http(f);
	struct afl *a;

	if (!t->secret && (f->token.kind || f->client_secret.kind))
		return fabric_no_credential(f, err);
	if (f->uploader_user && !t->uploader_secret)
		return fabric_no_credential(f, err);
	if (!f->dags)
		return ps_err_set(err, PS_ECONFIG,
				  "fabric '%s' has no dags folder: set 'dags' in its 'airflow' in "
				  "penstock.yml",
				  f->name);
	a = xcalloc(1, sizeof(*a));
	a->conf = f;
	a->secret = t->secret;
	a->place = f->uploader ? &afl_place_uploader
		   : f->dags[0] == '/' ? &afl_place_here : &afl_place_sftp;
	s.answer_max = ANSWER_MAX;
	s.means = afl_means;
	s.renew = f->user && t->secret ? afl_token : NULL;
	s.arg = a;
	a->http = http_new(&s);
	if (f->uploader)
		a->uploader = open_uploader(t);
	t->session = a;
	return 0;
}

static void afl_close(struct fabric_target *t)
{
	struct afl *a = afl_of(t);

	http_free(a->http);
	http_free(a->uploader);
	free(a);
	t->session = NULL;
}

static int afl_probe(struct fabric_target *t, struct ps_err *err)
{
	const struct http_field one[] = { { "limit", "1" }, { NULL, NULL } };
	static const char *const paths[] = { "/dags", "/importErrors", "/variables" };
	int rc = 0;

	for (size_t i = 0; i < PS_NELEM(paths) && rc == 0; i++) {
		struct afl_said s;

		rc = afl_ask(afl_of(t),
			     &(struct afl_ask) { .path = paths[i], .query = one,
						 .repeatable = true },
			     &s, err);
		afl_said_clear(&s);
	}
	return rc;
}

/* A DAG brings its own code: nothing lies beside it. */
static int afl_put_artifact(struct fabric_target *t, const struct fabric_file *f,
			    enum fabric_outcome *outcome, struct ps_err *err)
{
	(void)t;
	*outcome = FABRIC_NOT_DONE;
	return ps_err_set(err, PS_ENOTSUP, "an Airflow takes no artifact such as '%s'", f->path);
}

const struct fabric_driver fabric_airflow = {
	.name = "airflow",
	.open = afl_open,
	.close = afl_close,
	.probe = afl_probe,
	.put_artifact = afl_put_artifact,
	.look = afl_look,
	.sets = &afl_sets,
	.runs = &afl_runs,
};
