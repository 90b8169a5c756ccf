/*
 * hook_ask – the question of this hook, put in order of preference, each within its share of the
 * budget: core; the gate program, when core does not answer or cannot decide; and the spool, for
 * what core must know but could not be told. What the spool has is taken by core as if it had come
 * by the socket: the same push id, so nothing doubles.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/spawn.h"
#include "common/wire/frame.h"
#include "common/wire/spool.h"
#include "hooks/hook.h"

/* kept back for the spool at the end of the budget */
enum { MS = 1000000, RESERVE_MS = 300 };

/* What came of asking somebody. */
enum outcome { ACCEPTED, REFUSED, NO_ANSWER };

static int64_t ms_left(int64_t until_ns)
{
	int64_t left = (until_ns - clock_boot_ns()) / MS;

	return left > 0 ? left : 0;
}

static struct wire_intent intent_of(const struct hook *h)
{
	return (struct wire_intent) {
		.push = h->push, .repository = h->repository, .pusher = h->pusher, .as = h->as,
		.boot = clock_boot_id(), .stamp = (uint64_t)clock_boot_ns(), .pid = h->pid,
		.pid_start = h->pid_start, .object_dir = h->object_dir, .alternates = h->alternates,
		.refs = { h->refs, h->nrefs }, .uid = (uint64_t)getuid(),
		.begun = (uint64_t)h->start_ns, .dry_run = h->dry_run, .skip = h->skip,
	};
}

/* ---- core ---- */

/* One question on a connection that is open: the answer is in *m, to be cleared. */
static int ask(int sock, enum msg_type type, const void *body, int fd, int64_t until_ns,
	       struct msg *m, struct ps_err *err)
{
	int rc = frame_send(sock, type, body, fd, until_ns, err);

	if (rc == 0)
		rc = frame_recv(sock, m, MSG_HOOK_MAX, NULL, until_ns, err);
	if (rc == 0 && m->type != MSG_answer) {
		msg_clear(m);
		rc = ps_err_set(err, PS_EPROTO, "core does not understand this hook");
	}
	return rc;
}

/* Core's verdict. *sock stays open for telling it later what the gate program said. */
static enum outcome ask_core(struct hook *h, int *sock, struct ps_err *err)
{
	struct wire_intent in = intent_of(h);
	int64_t half = clock_boot_ns() + (h->end_ns - clock_boot_ns()) / 2;
	enum outcome out = NO_ANSWER;
	struct msg m;

	*sock = h->socket ? frame_connect(h->socket, HOOK_CONNECT_MS, err) :
		ps_err_set(err, PS_EAGENT, "no socket is known");
	if (*sock < 0)
		return NO_ANSWER;
	in.budget_ms = (uint64_t)ms_left(half);
	if (ask(*sock, MSG_intent, &in, h->pidfd, half, &m, err) < 0) {
		/* a late answer is ignored: whoever hung up is recorded, never judged */
		close(*sock);
		*sock = -1;
		return NO_ANSWER;
	}
	if (strcmp(m.u.answer.verdict, "accept") == 0 ||
	    strcmp(m.u.answer.verdict, "refuse") == 0) {
		out = *m.u.answer.verdict == 'a' ? ACCEPTED : REFUSED;
		if (out == REFUSED)
			hook_lines_begin(h->refusal_prefix);
		hook_relay(m.u.answer.text);
	}
	msg_clear(&m);
	return out;
}

/* ---- the gate program ---- */

/* Only what finds the quarantine, and the language: TRUST.md. Names that may not be there are
 * left. */
static const char **gate_env(const struct hook *h)
{
	static const char *const kept[] = { "GIT_OBJECT_DIRECTORY",
					    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
					    "GIT_QUARANTINE_PATH", "LANG", "LC_ALL", "LC_CTYPE",
					    "LC_MESSAGES",
#ifdef PENSTOCK_FAILPOINTS
					    "PENSTOCK_FAILPOINTS", "PENSTOCK_FAILPOINT_LOG",
#endif
	};
	const char **env = xcalloc(PS_NELEM(kept) + 2, sizeof(*env));
	size_t n = 0;

	env[n++] = xasprintf("GIT_DIR=%s", h->repository);
	for (size_t i = 0; i < PS_NELEM(kept); i++)
		if (getenv(kept[i]))
			env[n++] = xasprintf("%s=%s", kept[i], getenv(kept[i]));
	return env;
}

static void free_env(const char **env)
{
	for (size_t i = 0; env[i]; i++)
		free((char *)env[i]);
	free(env);
}

/* The commands as a file: no pipe that fills while both sides wait. */
static int commands_file(const struct hook *h, struct ps_err *err)
{
	int fd = memfd_create("commands", MFD_CLOEXEC);
	const char *at = buf_str(&h->input);
	size_t n = h->input.len;

	while (fd >= 0 && n) {
		ssize_t w = write(fd, at, n);

		if (w < 0) {
			close(fd);
			fd = -1;
			break;
		}
		at += w;
		n -= (size_t)w;
	}
	if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return ps_err_errno(err, "cannot hold the commands for the gate program");
	return fd;
}

static pid_t start_gate(const struct hook *h, int in, int result, int64_t until_ns,
			struct ps_err *err)
{
	char number[16], budget[24], *pusher = NULL, *as = NULL;
	const char *argv[16] = { h->gate, "check", "--pre-receive", "--policy", h->policy_path,
				 "--result-fd", number, "--budget", budget };
	size_t n = 9;
	const char **env = gate_env(h);
	struct spawn s = { .argv = argv, .env = env, .in = in, .out = -1, .errout = STDERR_FILENO,
			   .keep = &result, .nkeep = 1, .new_group = true };
	pid_t pid;

	/* one word each: no name is taken for an option */
	if (h->pusher)
		argv[n++] = pusher = xasprintf("--pusher=%s", h->pusher);
	if (h->as)
		argv[n++] = as = xasprintf("--as=%s", h->as);
	if (h->dry_run)
		argv[n++] = "--dry-run";
	if (h->skip)
		argv[n++] = "--skip";
	snprintf(number, sizeof(number), "%d", result);
	snprintf(budget, sizeof(budget), "%lld", (long long)ms_left(until_ns));
	pid = spawn_start(&s, err);
	free(pusher);
	free(as);
	free_env(env);
	return pid;
}

/* Runs the gate program until until_ns; its verdict is in *m, to be cleared after 0. */
static int run_gate(const struct hook *h, int64_t until_ns, struct msg *m, struct ps_err *err)
{
	int pair[2], in, rc, status;
	pid_t pid;

	if (!h->gate)
		return ps_err_set(err, PS_ENOENT, "no gate program is known");
	in = commands_file(h, err);
	if (in < 0)
		return in;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		close(in);
		return ps_err_errno(err, "cannot make a socketpair");
	}
	pid = start_gate(h, in, pair[1], until_ns, err);
	close(in);
	close(pair[1]);
	rc = pid < 0 ? (int)pid : frame_recv(pair[0], m, MSG_HOOK_MAX, NULL, until_ns, err);
	close(pair[0]);
	if (pid > 0) {			/* it has said what it had to say, or had its time */
		kill(-pid, SIGKILL);
		if (spawn_wait(pid, &status, NULL) < 0)
			hook_say("warning: the gate program cannot be waited for");
	}
	if (rc == 0 && m->type != MSG_verdict) {
		msg_clear(m);
		rc = ps_err_set(err, PS_EPROTO, "the gate program said '%s'", m->name);
	}
	return rc;
}

/* ---- leaving word ---- */

static const char *spool_dir(const struct hook *h, char **mine)
{
	const char *slash = h->policy_path ? strrchr(h->policy_path, '/') : NULL;

	if (h->has_policy && h->policy.spool)
		return h->policy.spool;
	if (!slash)
		return NULL;
	/* without a policy nobody says where it is: the two always stand side by side */
	*mine = xasprintf("%.*s/spool", (int)(slash - h->policy_path), h->policy_path);
	return *mine;
}

/* Only post-receive says what became of it: one push, one line. core: it answers, but cannot
 * record. */
static void leave_word(const struct hook *h, enum msg_type type, const void *body, bool core)
{
	const char *who = core ? "agent could not record it" : "agent not running";
	int64_t until = clock_boot_ns() + (int64_t)HOOK_SPOOL_MS * MS;
	char *mine = NULL;
	const char *dir = spool_dir(h, &mine);
	struct ps_err err = { 0 };
	int kept = dir ? spool_put(dir, type, body, until, &err) :
			 ps_err_set(&err, PS_ENOENT, "no spool is known");

	if (!h->post)
		;			/* what was not kept now can still be kept then */
	else if (kept == SPOOL_SYNCED)
		hook_say("%s; event kept", who);
	else if (kept == SPOOL_KEPT)
		hook_say("%s; event kept, not yet synced", who);
	else
		hook_say("event not recorded now; the next reconcile will find it%s%s",
			 err.code ? ": " : "", err.code ? err.msg : "");
	free(mine);
}

/* The intent, judged here or not at all, goes to core where it listens, else to the spool. verdict:
 * "accept" by the gate program, "none" without a policy, "timeout". */
static void record(struct hook *h, int sock, const char *verdict, const struct wire_verdict *by)
{
	struct wire_intent in = intent_of(h);
	struct msg m;

	if (h->dry_run)
		return;			/* nothing will move */
	in.verdict = verdict;
	in.object_dir = in.alternates = NULL;
	if (by && by->refs.n == h->nrefs) {
		in.refs.v = by->refs.v;
		if (by->stamp)
			in.stamp = by->stamp;	/* the values seen are of that moment */
	}
	if (sock >= 0 && ask(sock, MSG_intent, &in, h->pidfd,
			     clock_boot_ns() + (int64_t)HOOK_SPOOL_MS * MS, &m, NULL) == 0) {
		if (strcmp(m.u.answer.verdict, "accept") == 0)
			hook_relay(m.u.answer.text);
		msg_clear(&m);
		return;			/* what core does not take, post-receive says */
	}
	leave_word(h, MSG_intent, &in, false);
}

/* Time is over: the admin has said what happens then. */
static int out_of_time(struct hook *h, int sock, const char *slow, const struct wire_verdict *by)
{
	if (!h->policy.on_timeout_accept) {
		hook_lines_begin(h->refusal_prefix);
		hook_say("error: refused, not judged within %lld ms: %s",
			 (long long)((clock_boot_ns() - h->start_ns) / MS), slow);
		hook_say("hint: push again; repositories.default.on_timeout decides this");
		return 1;
	}
	hook_say("warning: not judged within %lld ms%s: %s",
		 (long long)((clock_boot_ns() - h->start_ns) / MS),
		 h->dry_run ? "" : ", event held", slow);
	record(h, sock, "timeout", by);
	return 0;
}

/* Core did not decide: judge here. core_err says why it did not. */
static int judge_here(struct hook *h, int sock, const struct ps_err *core_err)
{
	int64_t until = h->end_ns - (int64_t)RESERVE_MS * MS;
	struct ps_err err = { 0 };
	char slow[1200];
	int code = 1, rc;
	struct msg m;

	rc = run_gate(h, until, &m, &err);
	if (rc < 0 || strcmp(m.u.verdict.verdict, "undecided") == 0) {
		const char *what = rc < 0 ? err.msg : m.u.verdict.problem ? m.u.verdict.problem :
			"undecided";

		snprintf(slow, sizeof(slow), "gate program: %.500s; core: %.500s", what,
			 core_err->code ? core_err->msg : "undecided");
		if (rc == 0 && *m.u.verdict.text)
			hook_relay(m.u.verdict.text);
		code = out_of_time(h, sock, slow, rc == 0 ? &m.u.verdict : NULL);
	} else {
		code = strcmp(m.u.verdict.verdict, "accept") == 0 ? 0 : 1;
		if (code == 1)
			hook_lines_begin(h->refusal_prefix);
		hook_relay(m.u.verdict.text);
		if (code == 0)
			record(h, sock, m.u.verdict.skipped ? "skip" : "accept", &m.u.verdict);
	}
	if (rc == 0)
		msg_clear(&m);
	return code;
}

int hook_pre_receive(struct hook *h)
{
	struct ps_err err = { 0 };
	enum outcome core;
	int sock, code;

	if (h->over_limit) {
		hook_lines_begin(h->refusal_prefix);
		hook_say("error: refused: more than %d refs in one push; push them in parts",
			 PS_PUSH_REFS_MAX);
		return 1;
	}
	core = ask_core(h, &sock, &err);
	if (core != NO_ANSWER) {
		code = core == ACCEPTED ? 0 : 1;
	} else if (!h->has_policy) {
		hook_say("no policy: not judged%s", h->dry_run ? "" : ", event held");
		record(h, sock, "none", NULL);
		code = 0;
	} else {
		code = judge_here(h, sock, &err);
	}
	if (sock >= 0)
		close(sock);
	if (code == 0 && h->dry_run) {	/* not judged, or by a core that knows no dry run */
		hook_lines_begin(h->refusal_prefix);
		hook_say("hint: penstock.dry-run: nothing was changed");
		code = 1;
	}
	if (code == 0 && FAIL_AT("hook.accepted"))
		code = 1;
	return code;
}

int hook_post_receive(struct hook *h)
{
	int64_t until = clock_boot_ns() + (int64_t)(HOOK_CONNECT_MS + HOOK_REPORT_MS) * MS;
	struct wire_report report = {
		.push = h->push, .repository = h->repository, .pusher = h->pusher, .as = h->as,
		.boot = clock_boot_id(), .stamp = (uint64_t)clock_boot_ns(),
		.refs = { h->refs, h->nrefs }, .pid = h->pid, .pid_start = h->pid_start,
	};
	bool told = false, core = false;
	struct msg m;
	int sock;

	if (h->over_limit || FAIL_AT("hook.report")) {
		hook_say("event not recorded now; the next reconcile will find it");
		return 0;
	}
	sock = h->socket ? frame_connect(h->socket, HOOK_CONNECT_MS, NULL) : PS_EAGENT;
	if (sock >= 0 && ask(sock, MSG_report, &report, -1, until, &m, NULL) == 0) {
		/* with a text it is settled: kept, or core listens to nobody here and would not to
		 * the spool either; without one it could not be kept: the spool can. keep: it can
		 * later */
		told = strcmp(m.u.answer.verdict, "keep") != 0 &&
			(strcmp(m.u.answer.verdict, "kept") == 0 || *m.u.answer.text);
		core = true;
		hook_relay(m.u.answer.text);
		msg_clear(&m);
	}
	if (sock >= 0)
		close(sock);
	if (!told)
		leave_word(h, MSG_report, &report, core);
	return 0;
}
