/* junit – see junit.h: the file, the child without privileges, and what it tells. */
#include "config.h"

#include "agent/build/junit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

enum { TOLD_MAX = 128 << 20, CHILD_MEMORY = 256 << 20, CHILD_CPU_S = 20, WAIT_MS = 60000 };
enum { FIELDS = 8 };

static const char *const words[JUNIT_OUTCOMES] = {
	[JUNIT_PASSED] = "passed",
	[JUNIT_FAILED] = "failed",
	[JUNIT_ERROR] = "error",
	[JUNIT_SKIPPED] = "skipped",
};

const char *junit_word(enum junit_outcome o)
{
	return words[o];
}

/* ---- the child ---- */

/* All that parsing needs once the report is open. Everything else kills it. */
static const int allowed[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(exit), SCMP_SYS(exit_group),
	SCMP_SYS(brk), SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask),
#ifdef PENSTOCK_SANITIZED
	SCMP_SYS(sched_yield), SCMP_SYS(mprotect), SCMP_SYS(clock_gettime),
	SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid),
#endif
};

static void limit(int which, rlim_t n)
{
	if (setrlimit((__rlimit_resource_t)which, &(struct rlimit){ n, n }) < 0)
		_exit(3);
}

static void drop_all(uid_t uid)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (!ctx)
		_exit(3);
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
			       setresuid(uid, uid, uid) < 0))
		_exit(3);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) /* a new uid forgets an earlier one */
		_exit(3);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, CHILD_CPU_S);
	limit(RLIMIT_NOFILE, 0);
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_FSIZE, 0);
#ifndef PENSTOCK_SANITIZED
	limit(RLIMIT_AS, CHILD_MEMORY);
#endif
	for (size_t i = 0; i < PS_NELEM(allowed); i++)
		if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0) < 0)
			_exit(3);
	/* sets no_new_privs too */
	if (seccomp_load(ctx) < 0)
		_exit(3);
}

/* Tells records and, last, "!" with why it is no report, or "=" when it is one. */
static void child(int fd, int out, uid_t uid) PS_NORETURN;
static void child(int fd, int out, uid_t uid)
{
	const char *why;

	drop_all(uid);
	why = junit_parse(fd, out);
	if (write(out, why ? "!" : "=", 1) != 1 ||
	    (why && write(out, why, strlen(why)) != (ssize_t)strlen(why)) ||
	    write(out, "", 1) != 1)
		_exit(2);
	_exit(0);
}

/* ---- the parent ---- */

static int open_report(const char *path, struct ps_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return ps_err_errno(err, "cannot open the report of the tests");
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = ps_err_set(err, PS_EINVAL, "the report of the tests is no regular file");
	else if (st.st_size > JUNIT_BYTES_MAX)
		rc = ps_err_set(err, PS_EINVAL, "the report of the tests is larger than %d MB",
				JUNIT_BYTES_MAX >> 20);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

/* All that the child says, within the time it has. False: too much, or too slow. */
static bool collect(int fd, struct buf *told)
{
	int64_t until = clock_boot_ns() + WAIT_MS * INT64_C(1000000);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (told->len < TOLD_MAX) {
		int64_t left = (until - clock_boot_ns()) / 1000000;
		ssize_t n;

		if (left <= 0 || (poll(&p, 1, (int)left) < 0 && errno != EINTR))
			return false;
		if (!p.revents)
			continue;
		n = read(fd, buf_room(told, 65536), 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		if (n == 0)
			return true;
		buf_grew(told, (size_t)n);
	}
	return false;
}

static int parse_apart(int fd, uid_t uid, struct buf *told, struct ps_err *err)
{
	int out[2], status = -1;
	char how[64];
	bool all;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC) < 0)
		return ps_err_errno(err, "cannot make a pipe");
	pid = fork();
	if (pid == 0) {
		close(out[0]);
		child(fd, out[1], uid);
	}
	close(out[1]);
	if (pid < 0) {
		close(out[0]);
		return ps_err_errno(err, "cannot start a process");
	}
	all = collect(out[0], told);
	close(out[0]);
	if (!all)
		kill(pid, SIGKILL);
	if (spawn_wait(pid, &status, err) < 0)
		return err->code;
	if (all && status == 0)
		return 0;
	return ps_err_set(err, PS_EINVAL, "the report of the tests could not be read: %s",
			  all ? spawn_status_text(how, status)
			      : "it took too long, or is too large");
}

static char *text_or_null(const char *s)
{
	return *s ? xstrdup(s) : NULL;
}

static bool is_bad(enum junit_outcome o)
{
	return o == JUNIT_FAILED || o == JUNIT_ERROR;
}

/* One test into the list. When it is full a failed one takes the place of one that is not. */
static void keep(struct junit *j, size_t *cap, size_t *next, char *const f[FIELDS])
{
	enum junit_outcome o = (enum junit_outcome)atoi(f[0]);
	struct junit_case c = { .outcome = o, .took_ms = atoll(f[1]) }, *to = NULL;

	if (j->n < JUNIT_CASES_MAX) {
		j->v = xgrow(j->v, j->n, cap, sizeof(*j->v));
		to = &j->v[j->n++];
	} else if (is_bad(o)) {
		while (*next < j->n && is_bad(j->v[*next].outcome))
			(*next)++;
		to = *next < j->n ? &j->v[*next] : NULL;
		if (to) {
			struct junit old = { .v = xcalloc(1, sizeof(*to)), .n = 1 };

			old.v[0] = *to;
			junit_clear(&old);
		}
	}
	if (!to)
		return;
	c.file = xstrdup(f[2]);
	c.class_name = xstrdup(f[3]);
	c.name = xstrdup(f[4]);
	c.message = text_or_null(f[5]);
	c.trace = text_or_null(f[6]);
	*to = c;
}

/* The next text of what was told; NULL at its end, or when it is no UTF-8. */
static char *next_text(char **at, const char *end)
{
	char *text = *at, *stop = text < end ? memchr(text, '\0', (size_t)(end - text)) : NULL;

	if (!stop || !utf8_valid(text, (size_t)(stop - text)))
		return NULL;
	*at = stop + 1;
	return text;
}

static int confused(struct ps_err *err)
{
	return ps_err_set(err, PS_EINVAL, "the reader of the report says what no report can say");
}

/* The child may be anybody's by now: what it says is checked, not believed. */
static int take_told(struct junit *j, struct buf *told, struct ps_err *err)
{
	char *at = told->data, *end = at + told->len, *f[FIELDS] = { NULL };
	size_t cap = 0, next = 0;

	while ((f[0] = next_text(&at, end)) && *f[0] != '=' && *f[0] != '!') {
		for (size_t i = 1; i < FIELDS; i++)
			if (!(f[i] = next_text(&at, end)))
				return confused(err);
		if (f[0][0] < '0' || f[0][0] >= '0' + JUNIT_OUTCOMES || f[0][1] || f[7][0] != '.')
			return confused(err);
		j->count[f[0][0] - '0']++;
		keep(j, &cap, &next, f);
	}
	if (!f[0])
		return confused(err);
	if (*f[0] == '!')
		return ps_err_set(err, PS_EINVAL, "the report of the tests is no JUnit XML: %s",
				  f[0] + 1);
	return 0;
}

int junit_read(struct junit *out, const char *path, uid_t uid, struct ps_err *err)
{
	struct buf told = BUF_INIT;
	int fd = open_report(path, err), rc;

	*out = (struct junit){ NULL, 0, { 0 } };
	if (fd < 0)
		return fd;
	rc = parse_apart(fd, uid, &told, err);
	close(fd);
	if (rc == 0)
		rc = take_told(out, &told, err);
	if (rc < 0)
		junit_clear(out);
	buf_clear(&told);
	return rc;
}

void junit_clear(struct junit *j)
{
	for (size_t i = 0; i < j->n; i++) {
		free(j->v[i].file);
		free(j->v[i].class_name);
		free(j->v[i].name);
		free(j->v[i].message);
		free(j->v[i].trace);
	}
	free(j->v);
	*j = (struct junit){ NULL, 0, { 0 } };
}
