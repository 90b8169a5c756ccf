/*
 * fuzz_hook – what git and its host tell a hook: a line with the host's identity (a letter, and
 * for env:NAME the name), the environment, one variable per line up to an empty line, and then
 * standard input.
 */
#include "config.h"

#include <unistd.h>

#include "common/base/escape.h"
#include "hooks/hook.h"
#include "tests/fuzz/fuzz.h"

/* The linker puts these in place of read and write: standard input is memory, and what the pusher
 * would see is looked at. */
ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);

static struct { bool on; const char *at, *end; } git;

ssize_t __wrap_read(int fd, void *to, size_t n)
{
	if (!git.on || fd != STDIN_FILENO)
		return __real_read(fd, to, n);
	n = n < (size_t)(git.end - git.at) ? n : (size_t)(git.end - git.at);
	if (n)
		memcpy(to, git.at, n);
	git.at += n;
	return (ssize_t)n;
}

ssize_t __wrap_write(int fd, const void *from, size_t n)
{
	if (!git.on || fd != STDERR_FILENO)
		return __real_write(fd, from, n);
	git.on = false;			/* the check itself may write */
	fuzz_check_text(from, n);
	git.on = true;
	return (ssize_t)n;
}

/* The next line of the input, a copy; NULL at the end. */
static char *take_line(const char **at, const char *end)
{
	const char *nl = memchr(*at, '\n', (size_t)(end - *at));
	char *line;

	if (*at == end)
		return NULL;
	line = xstrndup(*at, (size_t)((nl ? nl : end) - *at));
	*at = nl ? nl + 1 : end;
	return line;
}

static char **take_environment(const char **at, const char *end)
{
	char **env = xcalloc(1, sizeof(*env)), *line;
	size_t n = 0;

	while ((line = take_line(at, end)) && *line) {
		env = xrealloc(env, (n + 2) * sizeof(*env));
		env[n++] = line;
		env[n] = NULL;
	}
	free(line);
	return env;
}

/* What core is told; a text too long for a frame is an answer, too. */
static void check_intent(const struct hook *h)
{
	struct wire_intent in = {
		.push = h->push, .repository = h->repository, .pusher = h->pusher, .as = h->as,
		.boot = "boot", .object_dir = h->object_dir, .alternates = h->alternates,
		.refs = { h->refs, h->nrefs },
	};
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	struct msg m;
	int rc = msg_encode(&b, MSG_intent, &in, &err);

	FUZZ_CHECK(rc == 0 || rc == PS_ELIMIT, "not told: %s", err.msg);
	if (rc == 0) {
		FUZZ_CHECK(msg_decode(&m, b.data + 4, b.len - 4, &err) == 0, "not heard: %s",
			   err.msg);
		FUZZ_CHECK(m.u.intent.refs.n == h->nrefs, "refs are lost");
		msg_clear(&m);
	}
	buf_clear(&b);
}

static void check_hook(struct hook *h)
{
	struct ps_err err = { 0 };
	char safe[4 * WIRE_ID + 1];
	int rc;

	git.on = true;
	rc = hook_read_input(h, &err);
	FUZZ_CHECK(git.at == git.end, "git would get SIGPIPE");
	if (rc == 0)
		rc = hook_repository(h, &err);
	if (rc < 0)
		hook_say("error: refused: %s", err.msg);
	if (rc == 0)
		hook_find_pusher(h);
	for (size_t i = 0; rc == 0 && i < h->nrefs; i++)
		hook_say("%s %s", h->refs[i].ref, h->refs[i].new);
	git.on = false;
	FUZZ_CHECK(!h->pusher || strcmp(escape_line(safe, sizeof(safe), h->pusher), h->pusher) == 0,
		   "a pusher named '%s'", safe);
	if (rc == 0)
		check_intent(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	char *first = take_line(&at, end), **env = take_environment(&at, end), **was = environ;
	struct policy_root root = {
		.path = xstrdup(""), .identity = first && *first ? (uint32_t)*first & 15 : 0,
		.identity_env = first && *first ? xstrdup(first + 1) : NULL,
	};
	struct hook h = {
		.pidfd = -1, .push = "m-b-1-2", .has_policy = true, .post = first && *first & 64,
		.policy = { .trusted_caller = true, .trusted_uid = getuid(), .roots = &root,
			    .nroots = 1 },
	};

	git.at = at;
	git.end = end;
	environ = env;
	check_hook(&h);
	environ = was;
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(env);
	free(first);
	free(root.path);
	free(root.identity_env);
	free(h.repository);
	free(h.object_dir);
	free(h.refs);
	buf_clear(&h.input);
	buf_clear(&h.text);
	return 0;
}
