/* databricks_ask – one question to the workspace. What it says when it says no comes in a dozen
 * shapes (error_code as text or number, none, SCIM, "CODE: text", a page of HTML, nothing). */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include <ctype.h>

#include "common/base/clock.h"
#include "common/base/escape.h"

void dbx_said_clear(struct dbx_said *s)
{
	json_decref(s->doc);
	s->doc = NULL;
	buf_clear(&s->plain);
	PS_FREE(s->wanted);
}

/* ---- what an answer says ---- */

static void set_code(struct dbx_said *s, const json_t *v)
{
	if (json_is_string(v))
		escape_line(s->code, sizeof(s->code), json_string_value(v));
	else if (json_is_integer(v))
		snprintf(s->code, sizeof(s->code), "%lld", (long long)json_integer_value(v));
}

static bool from_json(struct dbx_said *s, const char *bytes, size_t n)
{
	static const char *const keys[] = { "message", "error_description", "error", "detail" };
	json_t *doc = json_loadb(bytes, n, 0, NULL);
	bool is = json_is_object(doc);

	for (size_t i = 0; i < PS_NELEM(keys) && is && !*s->text; i++) {
		const char *text = json_string_value(json_object_get(doc, keys[i]));

		escape_line(s->text, sizeof(s->text), text ? text : "");
	}
	if (is)
		set_code(s, json_object_get(doc, "error_code"));
	json_decref(doc);
	return is;
}

static void from_text(struct dbx_said *s, const char *text)
{
	const char *pre = strstr(text, "<pre>"), *end;
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
	char *part;

	if (n && strncmp(text + n, ": ", 2) == 0 && n < sizeof(s->code)) {
		snprintf(s->code, n + 1, "%s", text);
		text += n + 2;
	} else if (pre) {
		text = pre + strlen("<pre>");
		while (isspace((unsigned char)*text))
			text++;
	}
	end = pre ? strstr(text, "</pre>") : NULL;
	part = xstrndup(text, end ? (size_t)(end - text) : strnlen(text, 200));
	escape_line(s->text, sizeof(s->text), part);
	free(part);
}

static void read_error(struct dbx_said *s, const struct http_answer *a)
{
	s->status = a->status;
	if (a->body.len && !from_json(s, buf_str(&a->body), a->body.len))
		from_text(s, buf_str(&a->body));
}

/* ---- what it means ---- */

static bool code_is(const struct dbx_said *s, const char *const *codes)
{
	for (; *codes; codes++)
		if (strcmp(s->code, *codes) == 0)
			return true;
	return false;
}

static bool text_has(const struct dbx_said *s, const char *const *texts)
{
	for (; *texts; texts++)
		if (strstr(s->text, *texts))
			return true;
	return false;
}

static const char *const quota_codes[] = { "QUOTA_EXCEEDED", "RESOURCE_LIMIT_EXCEEDED", NULL };
static const char *const quota_texts[] = { "There were already ", "quota for the number", NULL };
static const char *const busy_codes[] = { "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED",
					  "TOO_MANY_REQUESTS", NULL };
/* It has not begun with it yet. */
static const char *const busy_texts[] = {
	"token bucket limit has been exceeded",
	"does not have any associated worker environments",
	"There is no worker environment with id",
	"Unknown worker environment",
	"UnknownWorkerEnvironmentException",
	"ClusterNotReadyException",
	NULL,
};
static const char *const stale_texts[] = { "Invalid access token", "token expired",
					   "Token is expiring", NULL };
static const char *const no_api_texts[] = { "Bad Target", "No API found", NULL };
static const char *const absent_texts[] = { "does not exist", "doesn't exist", NULL };
static const char *const absent_codes[] = { "RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", NULL };
static const char *const exists_codes[] = { "RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS", NULL };

static bool is_quota(const struct dbx_said *s)
{
	return code_is(s, quota_codes) || text_has(s, quota_texts);
}

enum http_means dbx_means(const struct http_answer *a)
{
	struct dbx_said s = { .status = a->status };

	if (a->status / 100 == 2)
		return HTTP_MEANS_ANSWER;
	read_error(&s, a);
	if (is_quota(&s))
		return HTTP_MEANS_ANSWER;
	if (a->status == 429 || code_is(&s, busy_codes) || text_has(&s, busy_texts))
		return HTTP_MEANS_BUSY;
	/* a 503 of the interface itself; one of a gateway has no code, and may hide anything */
	if (a->status == 503 && *s.code)
		return HTTP_MEANS_BUSY;
	if (a->status == 401 || (a->status == 403 && text_has(&s, stale_texts)))
		return HTTP_MEANS_STALE;
	if (a->status == 408 || a->status >= 500)
		return HTTP_MEANS_FAULT;
	return HTTP_MEANS_ANSWER;
}

static int kind_of(const struct dbx_said *s)
{
	if (is_quota(s))
		return PS_ELIMIT;
	if (s->status == 401 || s->status == 403)
		return PS_EPERM;
	if (s->status == 404 &&
	    (text_has(s, no_api_texts) || ps_streq(s->code, "ENDPOINT_NOT_FOUND")))
		return PS_ENOTSUP;
	if (code_is(s, absent_codes) ||
	    ((s->status == 404 || ps_streq(s->code, "INVALID_PARAMETER_VALUE")) &&
	     text_has(s, absent_texts)))
		return PS_ENOENT;
	if (s->status == 409 || code_is(s, exists_codes))
		return PS_EEXIST;
	if (s->status == 429 || code_is(s, busy_codes))
		return PS_EBUSY;
	return s->status / 100 == 4 ? PS_EINVAL : PS_EIO;
}

/* What somebody can do about it; "": what it says is all there is. */
static const char *advice(const struct dbx_said *s)
{
	switch (kind_of(s)) {
	case PS_EPERM:
		if (s->status == 401 || text_has(s, stale_texts))
			return "; put a credential that counts where penstock.yml says, and reload";
		if (strstr(s->text, "required scopes"))
			return "; name the scopes in 'oauth' of the fabric, or make a secret for "
			       "all of them";
		if (strstr(s->text, "DBFS root is disabled"))
			return "; set 'volume' of the fabric in penstock.yml";
		return "; give that right to the user of penstock's credential";
	case PS_ELIMIT:
		return "; the workspace's limit, which waiting or removing what is not needed "
		       "lifts";
	case PS_ENOTSUP:
		return "; is 'host' of the fabric a workspace?";
	default:
		return "";
	}
}

static int refused(const struct dbx_ask *q, const struct dbx_said *s, struct ps_err *err)
{
	return ps_err_set(err, kind_of(s), "%s: the workspace answered %d%s%s%s%s%s", q->path,
			  s->status, *s->code ? " " : "", s->code, *s->text ? ": " : "", s->text,
			  advice(s));
}

/* ---- asking ---- */

/* Ahead of its end; where that does not work, the one that is there goes on to its end. */
static int have_token(struct dbx *d, struct ps_err *err)
{
	bool first = d->renew_at_ns == 0;
	int rc;

	if (!d->conf->client_id || (!first && clock_boot_ns() < d->renew_at_ns))
		return 0;
	rc = dbx_token(d->http, d, err);
	return first ? rc : 0;
}

static int read_yes(const struct dbx_ask *q, struct http_answer *a, struct dbx_said *s,
		    struct ps_err *err)
{
	s->outcome = FABRIC_DONE;
	s->wanted = a->wanted;
	a->wanted = NULL;
	if (q->plain) {
		s->plain = a->body;
		a->body = (struct buf)BUF_INIT;
		return 0;
	}
	s->doc = a->body.len ? json_loadb(buf_str(&a->body), a->body.len, 0, NULL) : json_object();
	if (json_is_object(s->doc))
		return 0;
	/* a page to sign in at, a proxy's words: nobody knows whether the workspace heard of it */
	s->outcome = FABRIC_UNKNOWN;
	return ps_err_set(err, PS_EPROTO,
			  "%s: the answer is no JSON but %s; is 'host' of the fabric a workspace?",
			  q->path, a->type ? a->type : "something else");
}

int dbx_ask(struct dbx *d, const struct dbx_ask *q, struct dbx_said *s, struct ps_err *err)
{
	char *body = q->body ? json_dumps(q->body, JSON_COMPACT) : NULL;
	struct http_request r = {
		.method = q->method,
		.path = q->path,
		.query = q->query,
		.file = q->file,
		.repeatable = q->repeatable,
		.want = q->want,
		.bytes = body,
		.n = body ? strlen(body) : 0,
		.type = body      ? "application/json"
			: q->file ? "application/octet-stream"
				  : NULL,
	};
	struct http_answer a = { .outcome = HTTP_NOTHING };
	int rc;

	*s = (struct dbx_said){ .outcome = FABRIC_NOT_DONE };
	json_decref(q->body);
	rc = have_token(d, err);
	if (rc == 0) {
		rc = http_call(d->http, &r, &a, err);
		s->status = a.status;
		if (rc == 0 && a.status / 100 == 2) {
			rc = read_yes(q, &a, s, err);
		} else if (a.status) {
			read_error(s, &a);
			rc = refused(q, s, err);
		}
		/* where an earlier try may have been carried out, a refusal proves nothing */
		if (rc < 0 && (a.outcome == HTTP_UNKNOWN || a.maybe_before))
			s->outcome = FABRIC_UNKNOWN;
	}
	http_answer_clear(&a);
	free(body);
	return rc;
}
