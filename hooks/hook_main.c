/*
 * hook_main – pre-receive and post-receive, told apart by the name git starts us by. See hook.h.
 *
 * A hook that was there before ours (hook_chain.c) has the last word in post-receive and the first
 * in pre-receive: what it refuses is nobody else's business, and no push waits for ours twice.
 */
#include "config.h"

#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/wire/route.h"
#include "hooks/hook.h"

static volatile sig_atomic_t code_when_stuck;	/* for on_alarm(): what on_timeout says */
static struct chain *volatile last_word;	/* likewise: what runs after us */

/* The last resort against a file system that hangs: no read or write of ours can hold the push. */
static void on_alarm(int sig)
{
	static const char text[] = "event not recorded now; the next reconcile will find it: "
		"penstock's hook was stuck\n";

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(code_when_stuck);
	if (last_word)
		chain_exec(last_word);
	_exit(code_when_stuck);
}

/* "pre-receive"; where a host starts all of a folder, "pre-receive.d/penstock". */
static char *event_of(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0, *up;

	if (strcmp(name, "penstock") != 0 || !slash)
		return xstrdup(name);
	for (up = slash; up > argv0 && up[-1] != '/';)
		up--;
	return xstrndup(up, (size_t)(slash - up) - (slash - up > 2 ? 2 : 0));
}

static void set_budget(struct hook *h)
{
	int64_t ms = h->has_policy && h->policy.budget_ms > 0 ? h->policy.budget_ms :
		HOOK_BUDGET_MS;

	h->end_ns = h->start_ns + ms * 1000000;
	code_when_stuck = h->post || (h->policy.on_timeout_accept && !h->dry_run) ? 0 : 1;
	alarm((unsigned)(ms / 1000 + 2));
}

static int run(struct hook *h, const char *argv0)
{
	struct ps_err err = { 0 };
	int rc;

	rc = hook_read_input(h, &err);
	if (rc < 0) {
		hook_say("%s: %s",
			 h->post ? "event not recorded now; the next reconcile will find it" :
			 "error: refused", err.msg);
		return h->post ? 0 : 1;
	}
	if (h->nrefs == 0 && !h->over_limit)
		return 0;
	hook_find_options(h);
	if (hook_repository(h, &err) < 0) {
		hook_say("event not recorded now; the next reconcile will find it: %s", err.msg);
		return h->dry_run && !h->post ? 1 : 0;
	}
	if (hook_bearings(h, argv0, &err) < 0)
		hook_say("warning: %s; run: penstock install %s", err.msg, h->repository);
	else if (policy_read_head(&h->policy, h->policy_path, &err) == 0)
		h->has_policy = true;
	set_budget(h);
	hook_find_push(h);
	hook_find_pusher(h);
	return h->post ? hook_post_receive(h) : hook_pre_receive(h);
}

/* Ours alone, whatever else runs before and after it. */
static int ours(struct hook *h, const char *argv0)
{
	int code;

	h->start_ns = clock_boot_ns();
	signal(SIGALRM, on_alarm);
	alarm(HOOK_BUDGET_MS / 1000 + 2);
	code = run(h, argv0);
	if (h->pidfd >= 0)
		close(h->pidfd);
	policy_head_clear(&h->policy);
	buf_clear(&h->input);
	buf_clear(&h->text);
	free(h->refs);
	free(h->socket);
	free(h->policy_path);
	free(h->gate);
	free(h->repository);
	free(h->object_dir);
	return code;
}

int main(int argc, char **argv)
{
	struct hook h = { .pidfd = -1, .policy = { .on_timeout_accept = true } };
	char *event = event_of(argv[0]);
	struct chain chain;
	int code = 0;

	route_as(SPEAKER_hook);
	failpoint_main(argc, argv);
	h.post = strcmp(event, "post-receive") == 0;
	if (!h.post && strcmp(event, "pre-receive") != 0) {
		hook_say("'%s' is started by git as hooks/pre-receive or hooks/post-receive",
			 event);
		free(event);
		return 2;
	}
	free(event);
	chain_find(&chain, argv);
	/* the client may hang up; the push goes on */
	chain.sigpipe = signal(SIGPIPE, SIG_IGN);
	if (chain.path && chain_take_input(&chain) < 0)
		code = 1;
	else if (chain.path && !h.post)
		code = chain_run(&chain);
	if (code == 0) {
		last_word = h.post && chain.path ? &chain : NULL;
		code = ours(&h, argv[0]);
	}
	if (h.post && chain.path)
		code = chain_exec(&chain);
	free(chain.path);
	return code;
}
