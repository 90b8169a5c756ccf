/* What becomes of a call, by what a server does with each of its tries. The server is a process
 * here that plays a script, one word per request that comes. */
#include "config.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/deploy/http/http.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"

enum { SAW_MAX = 1 << 20 };

/* What the server saw, as it came. */
struct saw { unsigned requests, connections; size_t len; char text[SAW_MAX]; };
static struct saw *saw;

struct server { pid_t pid; char base[64]; };

/* ---- the server ---- */

static void put_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t w = send(fd, s, n, MSG_NOSIGNAL);

		if (w <= 0)
			return;
		s += w;
		n -= (size_t)w;
	}
}

/* Reads one request, whole; false: the peer has closed. */
static bool get_request(int fd)
{
	size_t from = saw->len, need = 0;

	for (;;) {
		char *head = saw->text + from, *end = strstr(head, "\r\n\r\n"), *length;
		ssize_t n;

		if (end && !need) {
			length = strstr(head, "Content-Length: ");
			need = (size_t)(end + 4 - head) +
			       (length && length < end ? strtoul(length + 16, NULL, 10) : 0);
		}
		if (end && saw->len - from >= need)
			break;
		n = recv(fd, saw->text + saw->len, SAW_MAX - 1 - saw->len, 0);
		if (n <= 0)
			return false;
		saw->len += (size_t)n;
	}
	saw->requests++;
	return true;
}

/* A server that says in its error what it was sent. */
static char *echo(void)
{
	const char *found = "Authorization: none\r\n", *at = saw->text;
	int n;

	while ((at = strstr(at, "Authorization: ")))
		found = at++;
	n = (int)strcspn(found, "\r");
	return xasprintf("HTTP/1.1 403 X\r\nContent-Length: %d\r\n\r\n%.*s", n, n, found);
}

/* One word of a script. false: the connection is over. */
static bool play(int fd, const char *word)
{
	char *text = NULL, *after = strchr(word, ';');
	int status = atoi(word);

	if (strcmp(word, "drop") == 0)
		return false;
	if (strcmp(word, "hang") == 0)
		pause();
	if (strcmp(word, "cut") == 0)
		text = xstrdup("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	else if (strcmp(word, "big") == 0)
		text = xasprintf("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n%05000d", 0);
	else if (strcmp(word, "echo") == 0)
		text = echo();
	else if (status / 100 == 3)
		text = xasprintf("HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:1/\r\n"
				 "Content-Length: 0\r\n\r\n", status);
	else
		text = xasprintf("HTTP/1.1 %d X\r\nX-Who: me\r\nContent-Type: text/plain\r\n%s%s%s"
				 "Content-Length: 4\r\n\r\nword", status,
				 after ? "Retry-After: " : "", after ? after + 1 : "",
				 after ? "\r\n" : "");
	put_all(fd, text, strlen(text));
	free(text);
	return strcmp(word, "cut") != 0;
}

/* Any connection may be the next to ask: the client keeps those it does not use. */
static void serve(int listener, char *script)
{
	struct pollfd at[9] = { { listener, POLLIN, 0 } };
	nfds_t n = 1;
	char *save = NULL, *word = strtok_r(script, " ", &save);

	while (word && poll(at, n, -1) > 0) {
		if (at[0].revents && n < PS_NELEM(at)) {
			at[n++] = (struct pollfd) { accept(listener, NULL, NULL), POLLIN, 0 };
			saw->connections++;
		}
		for (nfds_t i = 1; i < n && word; i++) {
			bool asked = at[i].revents && get_request(at[i].fd);
			bool on = asked && play(at[i].fd, word);

			if (asked)
				word = strtok_r(NULL, " ", &save);
			if (at[i].revents && !on) {
				close(at[i].fd);
				at[i--] = at[--n];
			}
		}
	}
	close(listener);	/* from now on it is refused */
	pause();
}

static void server_start(struct server *s, const char *script)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 && listen(fd, 9) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(s->base, sizeof(s->base), "http://127.0.0.1:%d/", ntohs(at.sin_port));
	saw->requests = saw->connections = 0;
	saw->len = 0;
	memset(saw->text, 0, sizeof(saw->text));
	if (!*script)
		close(fd);
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fd, xstrdup(script));
	}
	if (*script)
		close(fd);
}

static void server_stop(const struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

/* ---- calls ---- */

static int another(struct http *h, void *arg, struct ps_err *err)
{
	unsigned *times = arg;

	(void)err;
	++*times;
	http_sign_in(h, &(struct http_auth) { .bearer = "second" });
	return 0;
}

static enum http_means means(const struct http_answer *a)
{
	return a->status == 503 && strcmp(buf_str(&a->body), "word") == 0 ? HTTP_MEANS_BUSY
									   : http_means(a);
}

static struct http_settings quick(const struct server *s)
{
	struct http_settings set = http_settings(s->base);

	set.tries = 3;
	set.pause_ms = 2;
	set.pause_max_ms = 4;
	set.try_ms = 400;
	set.budget_ms = 2500;
	set.answer_max = 1000;
	return set;
}

struct row {
	const char *script;
	bool repeatable;
	enum http_outcome outcome;
	int status;
	unsigned tries;
	bool before;	/* maybe_before */
	const char *says;	/* NULL: no error */
};

static const struct row rows[] = {
	{ "200", true, HTTP_ANSWERED, 200, 1, false, NULL },
	{ "404", false, HTTP_ANSWERED, 404, 1, false, NULL },
	{ "500", true, HTTP_ANSWERED, 500, 1, false, NULL },
	{ "302", true, HTTP_ANSWERED, 302, 1, false, NULL },
	{ "429 429 200", false, HTTP_ANSWERED, 200, 3, false, NULL },
	{ "503 200", false, HTTP_ANSWERED, 200, 2, false, NULL }, /* busy, by means() */
	{ "429 429 429", false, HTTP_NOTHING, 429, 3, false, "tried 3 times: it answered 429" },
	{ "429;1 200", true, HTTP_ANSWERED, 200, 2, false, NULL },
	{ "429;99 200", true, HTTP_NOTHING, 429, 1, false, "it answered 429" },
	{ "502 200", true, HTTP_ANSWERED, 200, 2, true, NULL },
	{ "502 200", false, HTTP_UNKNOWN, 502, 1, false, "POST /x: it answered 502" },
	{ "drop 200", true, HTTP_ANSWERED, 200, 2, true, NULL },
	{ "drop 200", false, HTTP_UNKNOWN, 0, 1, false, "POST /x: " },
	{ "cut 200", true, HTTP_ANSWERED, 200, 2, true, NULL },
	{ "cut 200", false, HTTP_UNKNOWN, 0, 1, false, "POST /x: " },
	{ "hang", false, HTTP_UNKNOWN, 0, 1, false, "timed out" },
	{ "big 200", true, HTTP_UNKNOWN, 0, 1, false, "more than 1000 bytes" },
	{ "drop", true, HTTP_UNKNOWN, 0, 3, true, "tried 3 times" }, /* then refused */
	{ "drop 429 429", true, HTTP_UNKNOWN, 429, 3, true, "it answered 429" },
	{ "", true, HTTP_NOTHING, 0, 3, false, "tried 3 times" },
	{ "", false, HTTP_NOTHING, 0, 3, false, "tried 3 times" },
	{ "401 200", false, HTTP_ANSWERED, 200, 2, false, NULL },
	{ "401 401 200", false, HTTP_NOTHING, 401, 2, false, "it answered 401" },
};

static void one_row(void **state)
{
	const struct row *r = *state;
	struct server s;
	struct http_settings set;
	struct http_answer a;
	struct ps_err err = { 0 };
	unsigned renewed = 0;
	struct http *h;
	int rc;

	server_start(&s, r->script);
	set = quick(&s);
	set.means = means;
	set.renew = another;
	set.arg = &renewed;
	h = http_new(&set);
	rc = http_call(h, &(struct http_request) { .method = "POST", .path = "/x", .bytes = "{}",
						   .n = 2, .repeatable = r->repeatable }, &a, &err);
	server_stop(&s);
	assert_int_equal(rc == 0, !r->says);
	if (r->says && !strstr(err.msg, r->says))
		fail_msg("'%s' does not say '%s'", err.msg, r->says);
	assert_int_equal(a.outcome, r->outcome);
	assert_int_equal(a.status, r->status);
	assert_int_equal(a.tries, r->tries);
	assert_int_equal(a.maybe_before, r->before);
	assert_int_equal(renewed, ps_starts(r->script, "401"));
	http_answer_clear(&a);
	http_free(h);
}

/* libcurl repeats by itself what it had sent on a connection that it kept; see http_send.c. */
static void what_may_not_be_repeated_is_sent_once(void **state)
{
	struct server s;
	struct http_settings set;
	struct http_answer a;
	struct ps_err err = { 0 };
	struct http *h;

	(void)state;
	server_start(&s, "200 200 drop 200 200");
	set = quick(&s);
	h = http_new(&set);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(http_call(h, &(struct http_request) { .path = "/get",
								       .repeatable = true },
					   &a, &err), 0);
		http_answer_clear(&a);
	}
	assert_int_equal(saw->connections, 1);
	assert_true(http_call(h, &(struct http_request) { .method = "POST", .path = "/make",
							  .bytes = "{}", .n = 2 }, &a, &err) < 0);
	assert_int_equal(a.outcome, HTTP_UNKNOWN);
	assert_int_equal(saw->requests, 3);
	http_answer_clear(&a);
	http_free(h);
	server_stop(&s);
}

static void what_is_sent(void **state)
{
	static const char bytes[] = "0123456789";
	struct http_file file = { memfd_create("body", MFD_CLOEXEC), 10 };
	const struct http_part parts[] = {
		{ .name = "path", .bytes = "a/b", .n = 3 },
		{ .name = "file", .filename = "x.whl", .type = "application/zip", .file = &file },
	};
	const struct http_field query[] = { { "name", "a b&c" }, { "n", "1" }, { NULL, NULL } };
	const struct http_field headers[] = { { "X-Own", "yes" }, { NULL, NULL } };
	const struct http_auth basic = { NULL, "me", "pw" };
	struct server s;
	struct http_settings set;
	struct http_answer a;
	struct ps_err err = { 0 };
	struct http *h;
	const struct http_request asked[] = {
		{ .path = "/q", .query = query, .headers = headers, .want = "x-who" },
		{ .method = "PUT", .path = "/file", .file = &file, .type = "application/octet-stream",
		  .repeatable = true },
		{ .method = "POST", .path = "/form", .parts = parts, .nparts = 2, .auth = &basic,
		  .repeatable = true },
		{ .method = "HEAD", .path = "/head" },
	};

	(void)state;
	assert_int_equal(write(file.fd, bytes, 10), 10);
	server_start(&s, "200 drop 200 200 200");
	set = quick(&s);
	h = http_new(&set);
	http_sign_in(h, &(struct http_auth) { .bearer = "first" });
	for (size_t i = 0; i < PS_NELEM(asked); i++) {
		if (http_call(h, &asked[i], &a, &err) != 0)
			fail_msg("%zu: %s", i, err.msg);
		if (i == 0)
			assert_string_equal(a.wanted, "me");
		assert_string_equal(buf_str(&a.body), i == 3 ? "" : "word");
		http_answer_clear(&a);
	}
	server_stop(&s);
	close(file.fd);
	assert_non_null(strstr(saw->text, "GET /q?name=a%20b%26c&n=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(saw->text, "User-Agent: penstock/"));
	assert_non_null(strstr(saw->text, "X-Own: yes"));
	assert_non_null(strstr(saw->text, "Authorization: Bearer first"));
	assert_non_null(strstr(saw->text, "Authorization: Basic bWU6cHc="));
	assert_non_null(strstr(saw->text, "name=\"file\"; filename=\"x.whl\"\r\n"
					  "Content-Type: application/zip\r\n\r\n0123456789\r\n"));
	/* the whole file again in the second try */
	assert_non_null(strstr(saw->text, "0123456789PUT /file"));
	assert_non_null(strstr(saw->text, "0123456789POST /form"));
	assert_non_null(strstr(saw->text, "HEAD /head"));
	http_free(h);
}

static void a_repeated_credential_is_not_told(void **state)
{
	const struct http_auth basic = { NULL, "somebody", "pass \"word" };
	const struct http_request asked[] = { { .path = "/a" }, { .path = "/b", .auth = &basic },
					      { .path = "/c" } };
	const char *const said[] = { "Authorization: Bearer **********",
				     "Authorization: Basic ****************************",
				     "Authorization: Bearer brief" };
	struct server s;
	struct http_settings set;
	struct http_answer a;
	struct ps_err err = { 0 };
	struct http *h;

	(void)state;
	server_start(&s, "echo echo echo");
	set = quick(&s);
	h = http_new(&set);
	for (size_t i = 0; i < PS_NELEM(asked); i++) {
		http_sign_in(h, &(struct http_auth) { .bearer = i == 2 ? "brief" : "my-token-1" });
		assert_int_equal(http_call(h, &asked[i], &a, &err), 0);
		assert_int_equal(a.status, 403);
		assert_string_equal(buf_str(&a.body), said[i]);
		http_answer_clear(&a);
	}
	http_free(h);
	server_stop(&s);
}

static void not_faster_than_allowed(void **state)
{
	int64_t from = clock_boot_ns();
	struct server s;
	struct http_settings set;
	struct http_answer a;
	struct ps_err err = { 0 };
	struct http *h;

	(void)state;
	server_start(&s, "200 200 200 200 200");
	set = quick(&s);
	set.per_second = 50;
	h = http_new(&set);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(http_call(h, &(struct http_request) { .path = "/" }, &a, &err), 0);
		http_answer_clear(&a);
	}
	assert_true(clock_boot_ns() - from >= 80 * 1000000LL);
	assert_int_equal(http_sent(h), 5);
	http_free(h);
	server_stop(&s);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 4];
	size_t n = PS_NELEM(rows);
	int rc;

	setenv("http_proxy", "http://127.0.0.1:1", 1); /* the environment does not count */
	saw = mmap(NULL, sizeof(*saw), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (saw == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < n; i++)
		t[i] = (struct CMUnitTest) {
			xasprintf("%s%s", *rows[i].script ? rows[i].script : "refused",
				  rows[i].repeatable ? "" : ", once"),
			one_row, NULL, NULL, (void *)&rows[i],
		};
	t[n++] = (struct CMUnitTest) cmocka_unit_test(what_may_not_be_repeated_is_sent_once);
	t[n++] = (struct CMUnitTest) cmocka_unit_test(what_is_sent);
	t[n++] = (struct CMUnitTest) cmocka_unit_test(a_repeated_credential_is_not_told);
	t[n++] = (struct CMUnitTest) cmocka_unit_test(not_faster_than_allowed);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	rc = _cmocka_run_group_tests("http", t, n, NULL, NULL);
	for (size_t i = 0; i < PS_NELEM(rows); i++)
		free((char *)t[i].name);
	return rc;
}
