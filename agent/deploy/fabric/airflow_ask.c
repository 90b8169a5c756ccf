/* airflow_ask – one question to the server. What it says when it says no comes as a problem
 * document (2), as "detail" with a text, a list or an object (3), or as whatever a proxy says. */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <curl/curl.h>
#include <time.h>

#include "common/base/escape.h"

void afl_said_clear(struct afl_said *s)
{
	json_decref(s->doc);
	s->doc = NULL;
	buf_clear(&s->plain);
}

/* ---- what an answer says ---- */

static void add(struct buf *b, const json_t *v)
{
	const char *text = json_string_value(v);

	if (!text || !*text)
		return;
	if (b->len)
		buf_adds(b, ": ");
	buf_adds(b, text);
}

/* Of version 3: a text, a list of what is wrong with the question, or an object. */
static void add_detail(struct buf *b, const json_t *v)
{
	add(b, v);
	for (size_t i = 0; i < json_array_size(v); i++)
		add(b, json_object_get(json_array_get(v, i), "msg"));
	add(b, json_object_get(v, "reason"));
	add(b, json_object_get(v, "message"));
}

static void read_error(struct afl_said *s, const struct http_answer *a)
{
	json_t *doc = json_loadb(buf_str(&a->body), a->body.len, 0, NULL);
	struct buf b = BUF_INIT;

	s->status = a->status;
	if (json_is_object(doc)) {
		add(&b, json_object_get(doc, "title"));
		add_detail(&b, json_object_get(doc, "detail"));
	} else if (a->body.len && !doc) {
		buf_add(&b, buf_str(&a->body), a->body.len < 200 ? a->body.len : 200);
	}
	escape_line(s->text, sizeof(s->text), buf_str(&b));
	buf_clear(&b);
	json_decref(doc);
}

/* A server started anew takes no token of before, and says 403. */
enum http_means afl_means(const struct http_answer *a)
{
	struct afl_said s = { .status = a->status };

	if (a->status / 100 == 2)
		return HTTP_MEANS_ANSWER;
	read_error(&s, a);
	if (a->status == 401 || (a->status == 403 && strstr(s.text, "Invalid JWT")))
		return HTTP_MEANS_STALE;
	if (a->status == 429)
		return HTTP_MEANS_BUSY;
	return a->status == 408 || a->status >= 500 ? HTTP_MEANS_FAULT : HTTP_MEANS_ANSWER;
}

static int kind_of(int status)
{
	switch (status) {
	case 401:
	case 403:
		return PS_EPERM;
	case 404:
		return PS_ENOENT;
	case 409:
		return PS_EEXIST;
	default:
		return status / 100 == 4 ? PS_EINVAL : PS_EIO;
	}
}

static const char *advice(const struct afl *a, int status)
{
	if (status == 401 && a->major == 2)
		return "; is basic_auth among the server's auth_backends, and are user and "
		       "password right?";
	if (status == 401)
		return "; put a credential that counts where penstock.yml says, and reload";
	if (status == 403)
		return "; give that right to the user of penstock's credential";
	return "";
}

/* ---- asking ---- */

static int read_yes(const struct afl_ask *q, struct http_answer *a, struct afl_said *s,
		    struct ps_err *err)
{
	s->outcome = FABRIC_DONE;
	if (q->plain) {
		s->plain = a->body;
		a->body = (struct buf) BUF_INIT;
		return 0;
	}
	s->doc = a->body.len ? json_loadb(buf_str(&a->body), a->body.len, JSON_DECODE_ANY, NULL)
			     : json_object();
	if (s->doc)
		return 0;
	s->outcome = FABRIC_UNKNOWN;
	return ps_err_set(err, PS_EPROTO,
			  "%s: the answer is no JSON but %s; is 'host' of the fabric an Airflow?",
			  q->path, a->type ? a->type : "something else");
}

int afl_ask(struct afl *a, const struct afl_ask *q, struct afl_said *s, struct ps_err *err)
{
	static const struct http_field text[] = { { "Accept", "text/plain" }, { NULL, NULL } };
	static const struct http_field json[] = { { "Accept", "application/json" },
						  { NULL, NULL } };
	char *body = q->body ? json_dumps(q->body, JSON_COMPACT) : NULL, *path = NULL;
	struct http_answer said = { .outcome = HTTP_NOTHING };
	int rc = a->major ? 0 : afl_begin(a, err);

	*s = (struct afl_said) { .outcome = FABRIC_NOT_DONE };
	json_decref(q->body);
	if (rc == 0) {
		path = xasprintf("%s%s", a->major == 3 ? "/api/v2" : "/api/v1", q->path);
		rc = http_call(a->http,
			       &(struct http_request) {
				       .method = q->method, .path = path, .query = q->query,
				       .headers = q->plain ? text : json,
				       .type = body ? "application/json" : NULL, .bytes = body,
				       .n = body ? strlen(body) : 0, .repeatable = q->repeatable,
				       .want = "Date" },
			       &said, err);
		s->status = said.status;
		if (said.wanted)
			a->server_ms = (int64_t)curl_getdate(said.wanted, NULL) * 1000;
		if (rc == 0 && said.status / 100 == 2) {
			rc = read_yes(q, &said, s, err);
		} else if (said.status) {
			read_error(s, &said);
			rc = ps_err_set(err, kind_of(said.status), "%s: Airflow answered %d%s%s%s",
					q->path, said.status, *s->text ? ": " : "", s->text,
					advice(a, said.status));
		}
		if (rc < 0 && (said.outcome == HTTP_UNKNOWN || said.maybe_before))
			s->outcome = FABRIC_UNKNOWN;
	}
	http_answer_clear(&said);
	free(path);
	free(body);
	return rc;
}

int afl_get(struct afl *a, const char *path, const struct http_field *query, json_t **doc,
	    struct ps_err *err)
{
	struct afl_said s;
	int rc = afl_ask(a, &(struct afl_ask) { .path = path, .query = query, .repeatable = true },
			 &s, err);

	*doc = rc == 0 ? json_incref(s.doc) : NULL;
	afl_said_clear(&s);
	return rc;
}

char *afl_dag_path(const char *dag_id, const char *tail)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "/dags/");
	http_escape(&b, dag_id, false);
	buf_adds(&b, tail);
	return buf_steal(&b);
}

int64_t afl_time_ms(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	int64_t ms, part = 0, weight = 100;

	if (!rest)
		return 0;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, weight /= 10)
			part += (*rest - '0') * weight;
	ms = (int64_t)timegm(&tm) * 1000 + part;
	if ((*rest == '+' || *rest == '-') && strlen(rest) == 6) {
		int64_t off = strtol(rest + 1, NULL, 10) * 60 + strtol(rest + 4, NULL, 10);

		off *= 60000;
		ms += *rest == '+' ? -off : off;
	}
	return ms;
}

/* ---- a DAG ---- */

int afl_dag(struct afl *a, const char *dag_id, json_t **dag, struct ps_err *err)
{
	char *path = afl_dag_path(dag_id, "");
	struct ps_err why = { 0 };
	struct afl_said s;
	int rc = afl_ask(a, &(struct afl_ask) { .path = path, .repeatable = true }, &s, &why);

	*dag = rc == 0 ? json_incref(s.doc) : NULL;
	if (rc == PS_ENOENT)
		rc = 0;
	else if (rc < 0 && err)
		*err = why;
	afl_said_clear(&s);
	free(path);
	return rc;
}

int afl_set_paused(struct afl *a, const char *dag_id, bool paused, struct ps_err *err)
{
	static const struct http_field mask[] = { { "update_mask", "is_paused" }, { NULL, NULL } };
	char *path = afl_dag_path(dag_id, "");
	struct afl_said s;
	int rc = afl_ask(a,
			 &(struct afl_ask) { .method = "PATCH", .path = path, .query = mask,
					     .body = json_pack("{sb}", "is_paused", paused),
					     .repeatable = true },
			 &s, err);

	afl_said_clear(&s);
	free(path);
	return rc;
}
