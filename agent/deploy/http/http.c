/* http – see http.h: how often a call is tried, and what that comes to. */
#include "config.h"

#include "agent/deploy/http/http_parts.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "common/base/clock.h"

enum { MS_NS = 1000000, TIME_LEFT_MIN_MS = 50 };

struct http_settings http_settings(const char *base)
{
	return (struct http_settings) {
		.base = base, .tries = 6, .connect_ms = 10000, .stall_ms = 60000, .try_ms = 120000,
		.budget_ms = 120000, .pause_ms = 500, .pause_max_ms = 10000,
		.answer_max = 32 << 20,
	};
}

struct http *http_new(const struct http_settings *s)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->s = *s;
	h->curl = curl_easy_init();
	PS_BUG_IF(!h->curl, "libcurl does not begin");
	return h;
}

static void wipe(char **s)
{
	if (*s)
		explicit_bzero(*s, strlen(*s));
	PS_FREE(*s);
}

void http_sign_in(struct http *h, const struct http_auth *auth)
{
	wipe(&h->bearer);
	wipe(&h->user);
	wipe(&h->password);
	if (!auth)
		return;
	h->bearer = xstrdup_null(auth->bearer);
	h->user = xstrdup_null(auth->user);
	h->password = xstrdup_null(auth->password);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	http_sign_in(h, NULL);
	curl_easy_cleanup(h->curl);
	free(h);
}

void http_answer_clear(struct http_answer *a)
{
	buf_clear(&a->body);
	PS_FREE(a->type);
	PS_FREE(a->wanted);
}

unsigned http_sent(const struct http *h)
{
	return h->sent;
}

void http_escape(struct buf *out, const char *s, bool keep_slash)
{
	static const char plain[] = "-._~";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    strchr(plain, c) || (keep_slash && c == '/'))
			buf_addch(out, (char)c);
		else
			buf_addf(out, "%%%02X", c);
	}
}

enum http_means http_means(const struct http_answer *a)
{
	if (a->status == 429)
		return HTTP_MEANS_BUSY;
	if (a->status == 401)
		return HTTP_MEANS_STALE;
	if (a->status == 408 || (a->status >= 502 && a->status <= 504))
		return HTTP_MEANS_FAULT;
	return HTTP_MEANS_ANSWER;
}

/* ---- time ---- */

static int64_t now_ms(void)
{
	return clock_boot_ns() / MS_NS;
}

static void sleep_ns(int64_t ns)
{
	struct timespec t = { ns / (1000 * (int64_t)MS_NS), ns % (1000 * (int64_t)MS_NS) };

	while (ns > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static void wait_for_turn(struct http *h)
{
	int64_t now = clock_boot_ns(), gap;

	if (!h->s.per_second)
		return;
	gap = 1000 * (int64_t)MS_NS / h->s.per_second;
	if (h->next_ns > now)
		sleep_ns(h->next_ns - now);
	else
		h->next_ns = now;
	h->next_ns += gap;
}

/* How long before the next try; half of it is chance, so that many who were turned away at once do
 * not come back at once. */
static int64_t pause_before(const struct http *h, unsigned tries, int64_t retry_after_ms)
{
	int64_t ms = h->s.pause_ms;
	uint32_t chance = 0;

	if (retry_after_ms > 0)
		return retry_after_ms;
	for (unsigned i = 1; i < tries && ms < h->s.pause_max_ms; i++)
		ms *= 2;
	if (ms > h->s.pause_max_ms)
		ms = h->s.pause_max_ms;
	if (getrandom(&chance, sizeof(chance), 0) < 0)
		chance = UINT32_MAX / 2; /* no chance then: any pause is as good */
	return ms / 2 + (int64_t)((uint64_t)ms / 2 * chance / UINT32_MAX);
}

/* ---- tries ---- */

/* What one try came to, from what was sent and what came back. */
static enum http_means read_answer(const struct http *h, struct http_answer *a)
{
	enum http_means m = h->s.means ? h->s.means(a) : http_means(a);

	if (m == HTTP_MEANS_BUSY || m == HTTP_MEANS_STALE)
		a->outcome = HTTP_NOTHING;
	else if (m == HTTP_MEANS_FAULT)
		a->outcome = HTTP_UNKNOWN;
	return m;
}

static int renew(struct http *h, struct ps_err *err)
{
	int rc;

	h->renewing = true;
	rc = h->s.renew(h, h->s.arg, err);
	h->renewing = false;
	return rc;
}

struct course { int64_t until_ms; bool renewed, lost; /* lost: a try may have been carried out */ };

/*
 * After a try that did not end the call: may there be another? 1: yes, the pause is over. 0: no.
 * Negative: no, and err says more than the try's own error.
 */
static int may_go_on(struct http *h, const struct http_request *q, struct course *c,
		     const struct http_answer *a, enum http_means m, bool temporary,
		     struct ps_err *err)
{
	int64_t pause;
	int rc;

	if (m == HTTP_MEANS_STALE) {
		if (!h->s.renew || h->renewing || c->renewed || q->auth)
			return 0;
		c->renewed = true;
		rc = renew(h, err);
		return rc < 0 ? rc : 1;
	}
	if (!temporary || a->tries >= h->s.tries ||
	    (a->outcome == HTTP_UNKNOWN && !q->repeatable))
		return 0;
	pause = pause_before(h, a->tries, a->retry_after_ms);
	if (now_ms() + pause + TIME_LEFT_MIN_MS > c->until_ms)
		return 0;
	sleep_ns(pause * MS_NS);
	return 1;
}

static const char *method(const struct http_request *q)
{
	return q->method ? q->method : "GET";
}

/* The end of a call that was not answered: the error says how it went. */
static int give_up(const struct http_request *q, const struct http_answer *a, int rc,
		   struct ps_err *err)
{
	if (a->status && rc == 0)
		rc = ps_err_set(err, PS_EIO, "it answered %d", a->status);
	if (a->tries > 1)
		ps_err_prefix(err, "%s %s, tried %u times", method(q), q->path, a->tries);
	else
		ps_err_prefix(err, "%s %s", method(q), q->path);
	return rc;
}

int http_call(struct http *h, const struct http_request *q, struct http_answer *out,
	      struct ps_err *err)
{
	struct course c = { .until_ms = now_ms() + h->s.budget_ms };
	unsigned tries = 0;

	*out = (struct http_answer) { .outcome = HTTP_NOTHING };
	for (;;) {
		enum http_means m = HTTP_MEANS_ANSWER;
		struct ps_err own = { 0 };
		int64_t left;
		bool temporary;
		int rc, go;

		http_answer_clear(out);
		wait_for_turn(h);
		left = c.until_ms - now_ms();
		rc = http_send(h, q, left > TIME_LEFT_MIN_MS ? left : TIME_LEFT_MIN_MS, out, &own);
		out->tries = ++tries;
		out->maybe_before = c.lost;
		if (rc == 0) {
			m = read_answer(h, out);
			if (m == HTTP_MEANS_ANSWER)
				return 0;
		}
		/* a certificate that is not believed will not be in a minute either */
		temporary = rc != PS_EPERM && rc != PS_EINVAL && rc != PS_ELIMIT;
		go = may_go_on(h, q, &c, out, m, temporary, &own);
		if (go > 0) {
			c.lost |= out->outcome == HTTP_UNKNOWN;
			continue;
		}
		if (c.lost)
			out->outcome = HTTP_UNKNOWN;
		rc = give_up(q, out, go < 0 ? go : rc, &own);
		if (err)
			*err = own;
		return rc;
	}
}
