/* spawn – see spawn.h. */
#include "config.h"

#include "common/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

/* Closes [from, to]; close_range(2) is in every kernel that has pidfds and user namespaces. */
static void close_between(unsigned from, unsigned to)
{
	if (from <= to)
		syscall(SYS_close_range, from, to, 0);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Everything but 0-2, keep and tell is closed. */
static void close_others(const int *keep, size_t nkeep, int tell)
{
	int all[64];
	size_t n = 0;
	unsigned from = 3;

	for (size_t i = 0; i < nkeep && n < PS_NELEM(all) - 1; i++)
		all[n++] = keep[i];
	all[n++] = tell;
	qsort(all, n, sizeof(*all), by_number);
	for (size_t i = 0; i < n; i++) {
		if ((unsigned)all[i] < from)
			continue;
		close_between(from, (unsigned)all[i] - 1);
		from = (unsigned)all[i] + 1;
	}
	close_between(from, ~0u);
}

static int put_at(int fd, int want, int mode)
{
	if (fd < 0) {
		fd = open("/dev/null", mode | O_CLOEXEC);
		if (fd < 0)
			return -1;
	}
	return fd == want ? fcntl(fd, F_SETFD, 0) : dup2(fd, want);
}

static void child(const struct spawn *s, pid_t parent, int tell) PS_NORETURN;
static void child(const struct spawn *s, pid_t parent, int tell)
{
	static char *const none[] = { NULL };
	sigset_t empty;
	int in = s->in, out = s->out, errout = s->errout, e;

	sigemptyset(&empty);
	sigprocmask(SIG_SETMASK, &empty, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (s->new_group)
		setpgid(0, 0);
	if (s->detached)
		setsid();
	else if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(127);
	/* Lift what could be overwritten by the dup2 calls below. */
	if (out >= 0 && out < 1)
		out = fcntl(out, F_DUPFD_CLOEXEC, 3);
	if (errout >= 0 && errout < 2)
		errout = fcntl(errout, F_DUPFD_CLOEXEC, 3);
	if (put_at(in, 0, O_RDONLY) < 0 || put_at(out, 1, O_WRONLY) < 0 ||
	    put_at(errout, 2, O_WRONLY) < 0)
		goto fail;
	close_others(s->keep, s->nkeep, tell);
	for (size_t i = 0; i < s->nkeep; i++)
		if (fcntl(s->keep[i], F_SETFD, 0) < 0)
			goto fail;
	if (s->cwd && chdir(s->cwd) < 0)
		goto fail;
	execve(s->argv[0], (char *const *)s->argv, s->env ? (char *const *)s->env : none);
fail:
	e = errno;
	if (write(tell, &e, sizeof(e)) < 0)
		_exit(126);
	_exit(127);
}

pid_t spawn_start(const struct spawn *s, struct ps_err *err)
{
	pid_t parent = getpid(), pid;
	int tell[2], e = 0;
	ssize_t n;

	if (pipe2(tell, O_CLOEXEC) < 0)
		return ps_err_errno(err, "cannot make a pipe for '%s'", s->argv[0]);
	pid = fork();
	if (pid == 0) {
		/* above the standard three, whatever numbers the caller had free */
		int up = fcntl(tell[1], F_DUPFD_CLOEXEC, 3);

		child(s, parent, up < 0 ? tell[1] : up);
	}
	close(tell[1]);
	if (pid < 0) {
		close(tell[0]);
		return ps_err_errno(err, "cannot start '%s'", s->argv[0]);
	}
	do {
		n = read(tell[0], &e, sizeof(e));
	} while (n < 0 && errno == EINTR);
	close(tell[0]);
	if (n == (ssize_t)sizeof(e)) {
		waitpid(pid, NULL, 0);
		errno = e;
		return ps_err_errno(err, "cannot start '%s'", s->argv[0]);
	}
	return pid;
}

int spawn_wait(pid_t pid, int *status, struct ps_err *err)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return ps_err_errno(err, "cannot wait for process %d", (int)pid);
	return 0;
}

int spawn_capture(const struct spawn *s, struct buf *out, size_t max, int *status,
		  struct ps_err *err)
{
	struct spawn copy = *s;
	int fds[2], rc, rc2;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return ps_err_errno(err, "cannot make a pipe for '%s'", s->argv[0]);
	copy.out = fds[1];
	pid = spawn_start(&copy, err);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return (int)pid;
	}
	rc = fs_read_fd(out, fds[0], max, err);
	close(fds[0]);
	if (rc < 0)
		kill(pid, SIGKILL);
	rc2 = spawn_wait(pid, status, rc < 0 ? NULL : err);
	return rc < 0 ? rc : rc2;
}

const char *spawn_status_text(char *out, int status)
{
	if (WIFSIGNALED(status))
		snprintf(out, 64, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(out, 64, "exit status %d", WEXITSTATUS(status));
	return out;
}
