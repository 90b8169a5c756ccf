/*
 * load_events – pushes from N open connections at once, for tests/bench/events.py.
 *
 *	load_events SOCKET REPOSITORY A B CONNECTIONS SECONDS
 *
 * Speaks with a running core as hooks do, without starting a hook for each word. One push is:
 * a process that stands in for receive-pack, its pidfd with the first byte of an intent that the
 * gate program has judged (the form of a host with one account per person: nothing is judged again
 * while time is taken), the ref moved as git moves it (lock file, rename), the report, and the end
 * of that process. Each connection has a ref of its own, refs/heads/load-N, that goes A, B, A...
 *
 * Prints one line of JSON: reports acknowledged; how many of them named their event (where the push
 * before is still being settled, a report is kept and gets its place when its own push is over);
 * seconds; the median and worst time from report to acknowledgement; the median of an intent. Exit
 * 1 when core refused a word or named one event twice.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/wire/frame.h"

enum { STACK = 16384, ANSWER_S = 60, CONNECTIONS_MAX = 256 };
#define S 1000000000LL

struct line {			/* one connection */
	pthread_t thread;
	const char *repository, *oid[2];
	int no, sock;
	int64_t until;
	char ref[64], path[PATH_MAX], lock[PATH_MAX];
	void *stack;
	/* what came of it */
	uint64_t pushes;
	uint64_t *took, *intent; /* ns of each acknowledgement, and of the intent before */
	uint64_t *events;	/* numbers that core named */
	size_t n, cap;
	struct ps_err err;
};

static const char zeros[] = "0000000000000000000000000000000000000000";

/* ---- one push ---- */

static int stand_in(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

/* A process that lives as long as the push; it shares our memory, so it costs no copy of it. */
static int begin_push(struct line *l, pid_t *pid, int *pidfd, uint64_t *start)
{
	struct proc_stat st;

	*pid = clone(stand_in, (char *)l->stack + STACK, CLONE_VM | CLONE_PIDFD | SIGCHLD, NULL,
		     pidfd);
	if (*pid < 0)
		return ps_err_errno(&l->err, "cannot start a process");
	if (!proc_stat(&st, *pid))
		return ps_err_set(&l->err, PS_EIO, "the process %d cannot be seen", (int)*pid);
	*start = st.start;
	return 0;
}

static void end_push(pid_t pid, int pidfd)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(pidfd);
	}
}

/* As git moves a loose ref: its lock file, complete, takes its place. */
static int move_ref(struct line *l, const char *oid)
{
	int fd = open(l->lock, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	char text[48];
	int n = snprintf(text, sizeof(text), "%s\n", oid), rc = 0;

	if (fd < 0)
		return ps_err_errno(&l->err, "cannot lock '%s'", l->ref);
	if (write(fd, text, (size_t)n) != n || close(fd) < 0 || rename(l->lock, l->path) < 0)
		rc = ps_err_errno(&l->err, "cannot move '%s'", l->ref);
	return rc;
}

/* A question; its answer must have this verdict. Gives the first event it names, or 0. */
static int ask(struct line *l, enum msg_type type, const void *body, int fd, const char *verdict,
	       uint64_t *event)
{
	int64_t until = clock_boot_ns() + ANSWER_S * S;
	struct msg m;
	int rc = frame_send(l->sock, type, body, fd, until, &l->err);
	const char *e;

	if (rc == 0)
		rc = frame_recv(l->sock, &m, MSG_HOOK_MAX, NULL, until, &l->err);
	if (rc < 0)
		return rc;
	if (m.type != MSG_answer || strcmp(m.u.answer.verdict, verdict) != 0)
		rc = ps_err_set(&l->err, PS_EPROTO, "core answers '%s' '%s' to '%s'", m.name,
				m.type == MSG_answer ? m.u.answer.verdict : "", msg_name(type));
	e = rc == 0 ? strstr(m.u.answer.text, "event e") : NULL;
	*event = e ? strtoull(e + strlen("event e"), NULL, 10) : 0;
	msg_clear(&m);
	return rc;
}

static void note(struct line *l, int64_t intent, int64_t took, uint64_t event)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 1024;
		l->took = realloc(l->took, l->cap * sizeof(*l->took));
		l->intent = realloc(l->intent, l->cap * sizeof(*l->intent));
		l->events = realloc(l->events, l->cap * sizeof(*l->events));
		if (!l->took || !l->intent || !l->events)
			abort();
	}
	l->took[l->n] = (uint64_t)took;
	l->intent[l->n] = (uint64_t)intent;
	l->events[l->n++] = event;
}

static int push(struct line *l, uint64_t no, pid_t pid, int pidfd, uint64_t start)
{
	const char *old = no ? l->oid[(no - 1) % 2] : zeros, *new = l->oid[no % 2];
	struct wire_ref_line line = { .ref = l->ref, .old = old, .new = new, .seen = old };
	char id[WIRE_ID];
	struct wire_intent in = {
		.push = id, .repository = l->repository, .as = "ana", .boot = clock_boot_id(),
		.stamp = (uint64_t)clock_boot_ns(), .pid = (uint64_t)pid, .pid_start = start,
		.verdict = "accept", .refs = { &line, 1 }, .uid = getuid(),
	};
	struct wire_report report = {
		.push = id, .repository = l->repository, .as = "ana", .boot = in.boot,
		.refs = { &line, 1 }, .pid = (uint64_t)pid, .pid_start = start,
	};
	uint64_t event;
	int64_t asked = clock_boot_ns(), intent;
	int rc;

	/* pids come again quickly here: the number keeps two pushes of one clock tick apart */
	snprintf(id, sizeof(id), "load-%d-%llu-%d-%llu", l->no, (unsigned long long)no, (int)pid,
		 (unsigned long long)start);
	rc = ask(l, MSG_intent, &in, pidfd, "accept", &event);
	intent = clock_boot_ns() - asked;
	if (rc == 0)
		rc = move_ref(l, new);
	line.seen = NULL;
	asked = clock_boot_ns();
	report.stamp = (uint64_t)asked;
	if (rc == 0)
		rc = ask(l, MSG_report, &report, -1, "kept", &event);
	if (rc == 0)
		note(l, intent, clock_boot_ns() - asked, event);
	return rc;
}

static void *run(void *arg)
{
	struct line *l = arg;
	int rc = 0;

	while (rc == 0 && clock_boot_ns() < l->until) {
		pid_t pid = 0;
		uint64_t start = 0;
		int pidfd = -1;

		rc = begin_push(l, &pid, &pidfd, &start);
		if (rc == 0)
			rc = push(l, l->pushes++, pid, pidfd, start);
		end_push(pid, pidfd);
	}
	return NULL;
}

/* ---- all of them ---- */

static int line_init(struct line *l, int no, char **argv)
{
	l->no = no;
	l->repository = argv[2];
	l->oid[0] = argv[3];
	l->oid[1] = argv[4];
	snprintf(l->ref, sizeof(l->ref), "refs/heads/load-%d", no);
	snprintf(l->path, sizeof(l->path), "%s/%s", argv[2], l->ref);
	snprintf(l->lock, sizeof(l->lock), "%s.lock", l->path);
	l->stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (l->stack == MAP_FAILED)
		return ps_err_errno(&l->err, "no memory for a stack");
	l->sock = frame_connect(argv[1], 5000, &l->err);
	return l->sock < 0 ? l->sock : 0;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int tell(struct line *lines, int n, int64_t began, int64_t ended)
{
	uint64_t *took, *intent, *events;
	size_t all = 0, at = 0, named = 0, twice = 0;

	for (int i = 0; i < n; i++)
		all += lines[i].n;
	took = xcalloc(all + 1, sizeof(*took));
	intent = xcalloc(all + 1, sizeof(*intent));
	events = xcalloc(all + 1, sizeof(*events));
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k < lines[i].n; k++, at++) {
			took[at] = lines[i].took[k];
			intent[at] = lines[i].intent[k];
			events[at] = lines[i].events[k];
		}
	qsort(took, all, sizeof(*took), by_number);
	qsort(intent, all, sizeof(*intent), by_number);
	qsort(events, all, sizeof(*events), by_number);
	for (size_t i = 0; i < all; i++) {
		named += events[i] != 0;
		twice += i && events[i] && events[i] == events[i - 1];
	}
	printf("{\"events\": %zu, \"named\": %zu, \"seconds\": %.6f, \"median_ms\": %.3f, "
	       "\"worst_ms\": %.3f, \"intent_ms\": %.3f}\n", all, named,
	       (double)(ended - began) / 1e9,
	       (double)took[all / 2] / 1e6, all ? (double)took[all - 1] / 1e6 : 0.0,
	       (double)intent[all / 2] / 1e6);
	free(took);
	free(intent);
	free(events);
	return all && !twice ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct line lines[CONNECTIONS_MAX];
	int n = argc == 7 ? atoi(argv[5]) : 0, rc = 0;
	int64_t began, ended;

	if (n < 1 || n > CONNECTIONS_MAX) {
		fprintf(stderr, "usage: load_events SOCKET REPOSITORY A B CONNECTIONS SECONDS\n");
		return 2;
	}
	for (int i = 0; i < n && rc == 0; i++)
		rc = line_init(&lines[i], i, argv);
	began = clock_boot_ns();
	for (int i = 0; i < n && rc == 0; i++) {
		lines[i].until = began + (int64_t)(atof(argv[6]) * 1e9);
		if (pthread_create(&lines[i].thread, NULL, run, &lines[i]) != 0)
			rc = ps_err_set(&lines[i].err, PS_EIO, "cannot start a thread");
	}
	for (int i = 0; i < n; i++)
		if (lines[i].thread)
			pthread_join(lines[i].thread, NULL);
	ended = clock_boot_ns();
	for (int i = 0; i < n; i++)
		if (lines[i].err.code) {
			fprintf(stderr, "load_events: connection %d: %s\n", i, lines[i].err.msg);
			rc = 1;
		}
	return tell(lines, n, began, ended) || rc ? 1 : 0;
}
