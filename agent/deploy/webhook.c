/* webhook – a POST that its receiver can trust: signed, with a time; see post.h. */
#include "config.h"

#include "agent/deploy/post.h"

#include <curl/curl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/base/clock.h"

enum { CONNECT_MS = 10000, ALL_MS = 30000, ANSWER_MAX = 65536, AFTER_MAX_S = 86400 };

static struct curl_slist *header(struct curl_slist *l, const char *name, const char *value)
{
	char *text = xasprintf("%s: %s", name, value);
	struct curl_slist *longer = curl_slist_append(l, text);

	PS_BUG_IF(!longer, "no memory for a header");
	free(text);
	return longer;
}

static void sign(char out[72], const char *stamp, const char *body, const char *secret, size_t len)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char *text = xasprintf("%s.%s", stamp, body);

	PS_BUG_IF(
		!HMAC(EVP_sha256(), secret, (int)len, (unsigned char *)text, strlen(text), raw, &n),
		"no HMAC");
	snprintf(out, 72, "v1=");
	for (unsigned i = 0; i < n && i < 32; i++)
		snprintf(out + 3 + 2 * i, 3, "%02x", raw[i]);
	free(text);
}

/* What it answers is not kept; too much of it is no answer. */
static size_t swallow(char *data, size_t size, size_t n, void *arg)
{
	size_t *got = arg;

	(void)data;
	*got += size * n;
	return *got > ANSWER_MAX ? 0 : size * n;
}

static bool may_be_tried_again(long status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

static void judge(CURL *c, CURLcode code, const char *why, size_t got, struct post_end *end)
{
	curl_off_t after = 0;
	long status = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c, CURLINFO_RETRY_AFTER, &after);
	if (code == CURLE_WRITE_ERROR && got > ANSWER_MAX)
		post_ends(end, status / 100 == 2 ? "done" : "failed",
			  "it answered %ld with more than %d bytes", status, ANSWER_MAX);
	else if (code != CURLE_OK)
		post_ends(end, "again", "%s", *why ? why : curl_easy_strerror(code));
	else if (status / 100 == 2)
		end->state = "done";
	else if (may_be_tried_again(status))
		post_ends(end, "again", "it answered %ld", status);
	else
		post_ends(end, "failed", "it answered %ld%s", status,
			  status / 100 == 3 ? ", to go elsewhere, which is not followed" : "");
	end->after_ms = after > AFTER_MAX_S ? AFTER_MAX_S * 1000 : (int64_t)after * 1000;
}

void post_webhook(const struct wire_post *m, const struct conf_notify *n, const char *secret,
		  size_t len, struct post_end *end)
{
	char why[CURL_ERROR_SIZE] = "", stamp[32], signature[72];
	struct curl_slist *headers = NULL;
	size_t got = 0;
	CURL *c = curl_easy_init();
	CURLcode code;

	PS_BUG_IF(!c, "libcurl does not begin");
	snprintf(stamp, sizeof(stamp), "%lld", (long long)(clock_wall_ms() / 1000));
	sign(signature, stamp, m->payload, secret, len);
	headers = header(headers, "Content-Type", "application/json");
	headers = header(headers, "Penstock-Id", m->uid);
	headers = header(headers, "Penstock-Event", m->kind);
	headers = header(headers, "Penstock-Timestamp", stamp);
	headers = header(headers, "Penstock-Signature", signature);
	headers = header(headers, "Expect", "");
	curl_easy_setopt(c, CURLOPT_URL, n->url);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c, CURLOPT_POSTFIELDS, m->payload);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "penstock/" VERSION);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)ALL_MS);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, swallow);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &got);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	code = curl_easy_perform(c);
	judge(c, code, why, got, end);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c);
}
