#include "config.h"

#include "cli/client.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "cli/late_curl.h"
#include "common/base/fsutil.h"

enum { ANSWER_MAX = 64 << 20, CONNECT_MS = 2000, LOOK_MS = 10000, QUICK_MS = 500, ACT_MS = 60000,
       TELL_S = 5 };

struct answer {
	struct buf body;
	long status;
	int64_t next, elided, length;
	bool ended;
	char state[32];
};

void client_part(struct buf *path, const char *text)
{
	buf_addch(path, '/');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    strchr("-._~", c))
			buf_addch(path, (char)c);
		else
			buf_addf(path, "%%%02X", c);
	}
}

void client_param(struct buf *path, const char *name, const char *value)
{
	struct buf enc = BUF_INIT;

	if (!value)
		return;
	client_part(&enc, value);
	buf_addf(path, "%c%s=%s", strchr(buf_str(path), '?') ? '&' : '?', name, buf_str(&enc) + 1);
	buf_clear(&enc);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;

	if (a->body.len + size * n > ANSWER_MAX)
		return 0;
	buf_add(&a->body, data, size * n);
	return size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;
	char line[256];
	size_t len = size * n < sizeof(line) - 1 ? size * n : sizeof(line) - 1;

	memcpy(line, data, len);
	line[len] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (strncasecmp(line, "Penstock-Next: ", 15) == 0)
		a->next = strtoll(line + 15, NULL, 10);
	else if (strncasecmp(line, "Penstock-Elided: ", 17) == 0)
		a->elided = strtoll(line + 17, NULL, 10);
	else if (strncasecmp(line, "Penstock-Length: ", 17) == 0)
		a->length = strtoll(line + 17, NULL, 10);
	else if (strncasecmp(line, "Penstock-Ended: ", 16) == 0)
		a->ended = line[16] == '1';
	else if (strncasecmp(line, "Penstock-State: ", 16) == 0)
		snprintf(a->state, sizeof(a->state), "%.31s", line + 16);
	return size * n;
}

/* What a long act tells while it lasts; NULL: it has ACT_MS. */
struct patience { struct cli *cli; client_tell_fn *tell; time_t told; };

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct patience *p = arg;
	struct timespec now;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!p->told)
		p->told = now.tv_sec;
	if (now.tv_sec - p->told < TELL_S)
		return 0;
	p->told = now.tv_sec;
	p->tell(p->cli);
	return 0;
}

static char *url_of(const struct cli *cli, const char *path)
{
	const char *base = cli->url ? cli->url : "http://penstock";
	size_t n = strlen(base);

	while (n && base[n - 1] == '/')
		n--;
	return xasprintf("%.*s/api/v1%s", (int)n, base, path);
}

static CURLcode exchange(const struct late_curl *curl, struct cli *cli, const char *path,
			 const char *body, struct patience *patience, struct answer *a)
{
	int dir = cli->url ? -1 : open(cli->paths.run, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *url = url_of(cli, path), sock[64];
	struct curl_slist *headers = NULL;
	char *as = cli->as ? xasprintf("Penstock-As: %s", cli->as) : NULL;
	char *token = cli->token ? xasprintf("Authorization: Bearer %s", cli->token) : NULL;
	CURL *c = curl->easy_init();
	CURLcode rc = CURLE_FAILED_INIT;

	if ((dir >= 0 || cli->url) && c) {
		/* no limit of 108 bytes */
		snprintf(sock, sizeof(sock), "/proc/self/fd/%d/api.sock", dir);
		if (!cli->url)
			curl->easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, sock);
		curl->easy_setopt(c, CURLOPT_URL, url);
		curl->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
		curl->easy_setopt(c, CURLOPT_PROXY, "");
		curl->easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, cli->quick ? (long)QUICK_MS :
				 (long)CONNECT_MS);
		if (patience) {
			curl->easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
			curl->easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
			curl->easy_setopt(c, CURLOPT_XFERINFODATA, patience);
		} else {
			curl->easy_setopt(c, CURLOPT_TIMEOUT_MS, cli->quick ? (long)QUICK_MS :
					 (long)(body ? ACT_MS : LOOK_MS));
		}
		curl->easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
		curl->easy_setopt(c, CURLOPT_WRITEDATA, a);
		curl->easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
		curl->easy_setopt(c, CURLOPT_HEADERDATA, a);
		if (body) {
			headers = curl->slist_append(headers, "Content-Type: application/json");
			headers = curl->slist_append(headers, "Expect:");
			curl->easy_setopt(c, CURLOPT_POSTFIELDS, body);
		}
		if (as)
			headers = curl->slist_append(headers, as);
		if (token)
			headers = curl->slist_append(headers, token);
		curl->easy_setopt(c, CURLOPT_HTTPHEADER, headers);
		rc = curl->easy_perform(c);
		curl->easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
	}
	curl->slist_free_all(headers);
	curl->easy_cleanup(c);
	free(as);
	free(token);
	free(url);
	if (dir >= 0)
		close(dir);
	return rc;
}

/* One request. PS_EAGENT when nobody answers; a status that is no success is no error here. */
static int ask(struct cli *cli, const char *path, const char *body, struct patience *patience,
	       struct answer *a, struct ps_err *err)
{
	const struct late_curl *curl = late_curl(err);
	CURLcode rc;

	if (!curl)
		return PS_EIO;
	rc = exchange(curl, cli, path, body, patience, a);
	if (rc == CURLE_OK)
		return 0;
	if (rc == CURLE_WRITE_ERROR)
		return ps_err_set(err, PS_ELIMIT, "the agent's answer is larger than %d bytes",
				  ANSWER_MAX);
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return ps_err_set(err, PS_ETIME, "the agent does not answer");
	if (cli->url)
		return ps_err_set(err, PS_EAGENT, "nobody answers at '%s': %s", cli->url,
				  curl->easy_strerror(rc));
	return ps_err_set(err, PS_EAGENT, "the agent does not run");
}

static int no_agent(struct cli *cli, const struct ps_err *err)
{
	char *dir = cli_quote(cli->paths.base);
	char *log = cli->paths.system ? xstrdup("journalctl -u penstock") :
		xasprintf("tail %s/penstockd.log", cli->paths.logs);
	char *start = cli->paths.system ? xstrdup("systemctl start penstock") :
		xasprintf("penstockd --detach %s", dir);
	const char *next = err->code == PS_EAGENT ? start : err->code == PS_ETIME ? log : NULL;
	int code = cli_fail_err(cli, err, cli->url ? NULL : next);	/* it is elsewhere */

	free(start);
	free(log);
	free(dir);
	return code;
}

/* Says what a problem document says. */
static int problem(struct cli *cli, const struct answer *a)
{
	json_t *doc = json_loadb(buf_str(&a->body), a->body.len, 0, NULL);
	const char *detail = json_string_value(json_object_get(doc, "detail"));
	const char *next = json_string_value(json_object_get(doc, "next"));
	char *full = next && ps_starts(next, "penstock ")
		? xasprintf("%s %s", cli_self(cli), next + strlen("penstock ")) : NULL;
	int code = a->status == 400 || a->status == 405 ? CLI_USAGE : a->status == 503 ?
		CLI_NO_AGENT : CLI_NO;

	if (!detail)
		detail = json_string_value(json_object_get(doc, "title"));
	if (detail)
		cli_fail(cli, code, full ? full : next, "%s", detail);
	else
		cli_fail(cli, code, NULL, "the agent answered with status %ld", a->status);
	free(full);
	json_decref(doc);
	return code;
}

static int finish(struct cli *cli, struct answer *a, json_t **out)
{
	json_error_t why;
	int code = 0;

	if (a->status < 200 || a->status > 299)
		code = problem(cli, a);
	else if (!(*out = json_loadb(buf_str(&a->body), a->body.len, JSON_REJECT_DUPLICATES, &why)))
		code = cli_fail(cli, CLI_NO, NULL, "the agent's answer cannot be read: %s",
				why.text);
	buf_clear(&a->body);
	return code;
}

int client_get(struct cli *cli, const char *path, json_t **out)
{
	struct answer a = { .body = BUF_INIT };
	struct ps_err err = { 0 };

	*out = NULL;
	if (ask(cli, path, NULL, NULL, &a, &err) < 0) {
		buf_clear(&a.body);
		return no_agent(cli, &err);
	}
	return finish(cli, &a, out);
}

static int post(struct cli *cli, const char *path, const json_t *body, json_t **out, bool quiet,
		struct patience *patience)
{
	struct answer a = { .body = BUF_INIT };
	struct ps_err err = { 0 };
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	int rc = ask(cli, path, text ? text : "{}", patience, &a, &err);

	*out = NULL;
	free(text);
	if (rc < 0) {
		buf_clear(&a.body);
		return quiet && rc == PS_EAGENT ? CLI_NO_AGENT : no_agent(cli, &err);
	}
	return finish(cli, &a, out);
}

int client_post(struct cli *cli, const char *path, const json_t *body, json_t **out)
{
	return post(cli, path, body, out, false, NULL);
}

int client_post_long(struct cli *cli, const char *path, const json_t *body, client_tell_fn *tell,
		     json_t **out)
{
	return post(cli, path, body, out, false, &(struct patience) { cli, tell, 0 });
}

int client_post_quiet(struct cli *cli, const char *path, const json_t *body, json_t **out)
{
	return post(cli, path, body, out, true, NULL);
}

json_t *client_status(struct cli *cli)
{
	return client_peek(cli, "/status");
}

json_t *client_peek(struct cli *cli, const char *path)
{
	struct answer a = { .body = BUF_INIT };
	json_t *doc = NULL;

	if (ask(cli, path, NULL, NULL, &a, NULL) == 0 && a.status == 200)
		doc = json_loadb(buf_str(&a.body), a.body.len, 0, NULL);
	buf_clear(&a.body);
	return doc;
}

int client_log_read(struct cli *cli, const char *path, bool patient, struct client_log *log)
{
	struct answer a = { .body = BUF_INIT, .next = -1 };
	struct ps_err err = { 0 };
	int code = 0;

	if (ask(cli, path, NULL, NULL, &a, &err) < 0)
		code = patient ? CLI_NO_AGENT : no_agent(cli, &err);
	else if (a.status == 503 && patient)
		code = CLI_NO_AGENT;
	else if (a.status != 200)
		code = problem(cli, &a);
	else if (a.next < 0)
		code = cli_fail(cli, CLI_NO, NULL, "the agent's answer is no log");
	if (code == 0) {
		buf_add(&log->bytes, buf_str(&a.body), a.body.len);
		log->next = a.next;
		log->elided = a.elided;
		log->length = a.length;
		log->ended = a.ended;
		snprintf(log->state, sizeof(log->state), "%s", a.state);
	}
	buf_clear(&a.body);
	return code;
}

bool client_agent_up(struct cli *cli)
{
	struct answer a = { .body = BUF_INIT };
	int rc = ask(cli, "/status", NULL, NULL, &a, NULL);

	buf_clear(&a.body);
	return rc == 0;
}
