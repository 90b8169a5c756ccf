/* http_send – one try of a call, by libcurl; see http.h. */
#include "config.h"

#include "agent/deploy/http/http_parts.h"

#include <errno.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { RETRY_AFTER_MAX_S = 86400, BLOT_MIN = 6 };

/* A file that is sent, and where its next byte is. */
struct source { const struct http_file *file; curl_off_t at; };

/* What one try needs; curl holds pointers into it until it is over. */
struct sending {
	struct http *h;
	const struct http_request *q;
	struct http_answer *a;
	struct curl_slist *headers;
	char *url, why[CURL_ERROR_SIZE];
	curl_mime *form;
	struct source body, *parts;
	bool too_much;
};

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct sending *s = arg;

	if (s->a->body.len + size * n > s->h->s.answer_max) {
		s->too_much = true;
		return 0;
	}
	buf_add(&s->a->body, data, size * n);
	return size * n;
}

static size_t give(char *out, size_t size, size_t n, void *arg)
{
	struct source *s = arg;
	curl_off_t left = s->file->size - s->at;
	size_t want = size * n < (size_t)left ? size * n : (size_t)left;
	ssize_t got;

	do
		got = pread(s->file->fd, out, want, s->at);
	while (got < 0 && errno == EINTR);
	if (got < 0 || (got == 0 && want))
		return CURL_READFUNC_ABORT;	/* shorter than was said */
	s->at += got;
	return (size_t)got;
}

static int rewind_to(void *arg, curl_off_t offset, int origin)
{
	struct source *s = arg;

	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	s->at = offset;
	return CURL_SEEKFUNC_OK;
}

static void header(struct sending *s, const char *name, const char *value)
{
	/* a header without a value is taken out; "name;" is one that is empty */
	char *text = xasprintf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(s->headers, text);

	PS_BUG_IF(!longer, "no memory for a header");
	s->headers = longer;
	explicit_bzero(text, strlen(text));
	free(text);
}

static bool is_whole(const char *path)
{
	return ps_starts(path, "https://") || ps_starts(path, "http://");
}

static void make_url(struct sending *s)
{
	const char *path = s->q->path, *base = is_whole(path) ? "" : s->h->s.base;
	size_t n = strlen(base);
	struct buf b = BUF_INIT;

	while (n && base[n - 1] == '/')
		n--;
	buf_add(&b, base, n);
	buf_adds(&b, path);
	for (const struct http_field *f = s->q->query; f && f->name; f++) {
		buf_addch(&b, f == s->q->query ? '?' : '&');
		http_escape(&b, f->name, false);
		buf_addch(&b, '=');
		http_escape(&b, f->value, false);
	}
	s->url = buf_steal(&b);
	curl_easy_setopt(s->h->curl, CURLOPT_URL, s->url);
}

static void sign(struct sending *s)
{
	const struct http *h = s->h;
	struct http_auth own = { h->bearer, h->user, h->password };
	const struct http_auth *a = s->q->auth;

	if (!a && is_whole(s->q->path))
		return;
	if (!a)
		a = &own;
	if (a->bearer) {
		char *value = xasprintf("Bearer %s", a->bearer);

		header(s, "Authorization", value);
		explicit_bzero(value, strlen(value));
		free(value);
	} else if (a->user) {
		curl_easy_setopt(h->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(h->curl, CURLOPT_USERNAME, a->user);
		curl_easy_setopt(h->curl, CURLOPT_PASSWORD, a->password ? a->password : "");
	}
}

static void add_part(struct sending *s, const struct http_part *p, struct source *src)
{
	curl_mimepart *part = curl_mime_addpart(s->form);
	CURLcode code;

	PS_BUG_IF(!part, "no memory for a part of a form");
	code = curl_mime_name(part, p->name);
	if (code == CURLE_OK && p->filename)
		code = curl_mime_filename(part, p->filename);
	if (code == CURLE_OK && p->type)
		code = curl_mime_type(part, p->type);
	if (code == CURLE_OK && p->file) {
		src->file = p->file;
		code = curl_mime_data_cb(part, p->file->size, give, rewind_to, NULL, src);
	} else if (code == CURLE_OK) {
		code = curl_mime_data(part, p->bytes, p->n);
	}
	PS_BUG_IF(code != CURLE_OK, "a part of a form: %s", curl_easy_strerror(code));
}

static void set_form(struct sending *s)
{
	s->form = curl_mime_init(s->h->curl);
	PS_BUG_IF(!s->form, "no memory for a form");
	s->parts = xcalloc(s->q->nparts, sizeof(*s->parts));
	for (size_t i = 0; i < s->q->nparts; i++)
		add_part(s, &s->q->parts[i], &s->parts[i]);
	curl_easy_setopt(s->h->curl, CURLOPT_MIMEPOST, s->form);
}

static void set_body(struct sending *s)
{
	const struct http_request *q = s->q;
	CURL *c = s->h->curl;

	if (q->type)
		header(s, "Content-Type", q->type);
	if (q->parts) {
		set_form(s);
	} else if (q->file) {
		s->body.file = q->file;
		curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
		curl_easy_setopt(c, CURLOPT_READDATA, &s->body);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, rewind_to);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, &s->body);
		curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)q->file->size);
	} else if (q->bytes) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)q->n);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->bytes);
	} else if (ps_streq(q->method, "HEAD")) {
		curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else if (ps_streq(q->method, "POST")) {
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, "");
	}
	if (q->method)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
}

static void prepare(struct sending *s, int64_t within_ms)
{
	const struct http_settings *set = &s->h->s;
	int64_t whole = within_ms < set->try_ms ? within_ms : set->try_ms;
	CURL *c = s->h->curl;

	curl_easy_reset(c);
	make_url(s);
	set_body(s);
	sign(s);
	header(s, "Expect", "");
	for (const struct http_field *f = s->q->headers; f && f->name; f++)
		header(s, f->name, f->value);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, s->headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "penstock/" VERSION);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_PROXY, set->proxy ? set->proxy : "");
	if (set->ca)
		curl_easy_setopt(c, CURLOPT_CAINFO, set->ca);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)set->connect_ms);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)whole);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)((set->stall_ms + 999) / 1000));
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->why);
	/* On a connection that it keeps, libcurl sends anything once more by itself when the server
	 * closes it without a byte; a call that may not be repeated gets one of its own. */
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, s->q->repeatable ? 0L : 1L);
}

/* Nothing of the request left: not even its first line. */
static bool nothing_sent(CURL *c)
{
	long bytes = 0;

	curl_easy_getinfo(c, CURLINFO_REQUEST_SIZE, &bytes);
	return bytes == 0;
}

static int error_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return PS_ETIME;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return PS_EPERM;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_ABORTED_BY_CALLBACK:
		return PS_EINVAL;
	default:
		return PS_EIO;
	}
}

static void read_headers(struct sending *s)
{
	struct curl_header *found;
	curl_off_t after = 0;
	const char *type = NULL;
	CURL *c = s->h->curl;

	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	s->a->type = xstrdup_null(type);
	curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &after);
	s->a->retry_after_ms = (after > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : after) * 1000;
	if (s->q->want &&
	    curl_easy_header(c, s->q->want, 0, CURLH_HEADER, -1, &found) == CURLHE_OK)
		s->a->wanted = xstrdup(found->value);
}

/* Too short a one could be any word. */
static void blot(struct buf *body, const char *secret)
{
	size_t n = secret ? strlen(secret) : 0;
	char *at;

	while (n >= BLOT_MIN && body->len && (at = memmem(body->data, body->len, secret, n)))
		memset(at, '*', n);
}

/* As JSON writes it. */
static void blot_escaped(struct buf *body, const char *secret)
{
	struct buf text = BUF_INIT;

	for (const char *c = secret ? secret : ""; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_addch(&text, '\\');
		buf_addch(&text, *c);
	}
	blot(body, buf_str(&text));
	buf_clear(&text);
}

static void blot_basic(struct buf *body, const struct http_auth *a)
{
	char *line = xasprintf("%s:%s", a->user, a->password);
	char *coded = xcalloc(1, strlen(line) * 4 / 3 + 5);

	EVP_EncodeBlock((unsigned char *)coded, (unsigned char *)line, (int)strlen(line));
	blot(body, coded);
	free(coded);
	free(line);
}

/* A server that repeats in an error what it was sent must not bring it into logs and histories. */
static void blot_credentials(const struct http *h, const struct http_auth *own, struct buf *body)
{
	const struct http_auth all[] = { { h->bearer, h->user, h->password },
					 own ? *own : (struct http_auth) { NULL, NULL, NULL } };

	for (size_t i = 0; i < PS_NELEM(all); i++) {
		blot(body, all[i].bearer);
		blot(body, all[i].password);
		blot_escaped(body, all[i].password);
		if (all[i].user && all[i].password)
			blot_basic(body, &all[i]);
	}
}

int http_send(struct http *h, const struct http_request *q, int64_t within_ms,
	      struct http_answer *out, struct ps_err *err)
{
	struct sending s = { .h = h, .q = q, .a = out };
	long status = 0;
	CURLcode code;
	int rc = 0;

	prepare(&s, within_ms);
	h->sent++;
	code = curl_easy_perform(h->curl);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
	out->status = (int)status;
	out->retry_after_ms = 0;
	out->outcome = HTTP_ANSWERED;
	if (status >= 400)
		blot_credentials(h, q->auth, &out->body);
	if (code == CURLE_OK) {
		read_headers(&s);
	} else if (s.too_much) {
		rc = ps_err_set(err, PS_ELIMIT, "it answered %ld with more than %zu bytes", status,
				h->s.answer_max);
	} else {
		rc = ps_err_set(err, error_of(code), "%s",
				*s.why ? s.why : curl_easy_strerror(code));
	}
	if (rc < 0) {
		out->outcome = nothing_sent(h->curl) ? HTTP_NOTHING : HTTP_UNKNOWN;
		out->status = 0;
	}
	curl_mime_free(s.form);
	curl_slist_free_all(s.headers);
	free(s.parts);
	free(s.url);
	return rc;
}
