/* spool, the writing side: for the hook. See spool.h. */
#include "config.h"

#include "common/wire/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"

/* What the child says on the pipe: where it is; after SAY_FAILED comes the message. */
enum { SAY_KEPT = 'k', SAY_SYNCED = 's', SAY_FAILED = 'f' };

static int put_file(int dirfd, int pipe_fd, const struct buf *frame, struct ps_err *err)
{
	char hex[33], tmp[48], name[48];
	int fd, rc;

	random_hex(hex, 16);
	snprintf(tmp, sizeof(tmp), ".tmp-%s", hex);
	snprintf(name, sizeof(name), "%s.msg", hex);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd < 0)
		return ps_err_errno(err, "cannot make a file");
	rc = fchmod(fd, 0640) < 0 ? ps_err_errno(err, "cannot set the mode") : 0;
	if (rc == 0)
		rc = FAIL_AT("spool.write") ? ps_err_errno(err, "cannot write") :
		     fs_write_all(fd, frame->data, frame->len, err);
	if (rc == 0 && (FAIL_AT("spool.fsync") || fsync(fd) < 0))
		rc = ps_err_errno(err, "cannot sync");
	if (rc == 0 && (FAIL_AT("spool.rename") || renameat(dirfd, tmp, dirfd, name) < 0))
		rc = ps_err_errno(err, "cannot rename");
	if (rc < 0) {
		unlinkat(dirfd, tmp, 0);
		close(fd);
		return rc;
	}
	rc = fs_write_all(pipe_fd, &(char) { SAY_KEPT }, 1, err);
	if (!FAIL_AT("spool.syncfs") && syncfs(fd) == 0)
		rc = fs_write_all(pipe_fd, &(char) { SAY_SYNCED }, 1, err);
	close(fd);
	return rc;
}

/* A child must not hold the pusher's connection open: git waits until nobody has its stderr. */
static void let_go_of_git(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	signal(SIGPIPE, SIG_IGN);
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
}

static void child(int dirfd, int pipe_fd, const struct buf *frame) PS_NORETURN;
static void child(int dirfd, int pipe_fd, const struct buf *frame)
{
	struct ps_err err = { 0 };
	char say[1 + sizeof(err.msg)];

	let_go_of_git();
	if (put_file(dirfd, pipe_fd, frame, &err) < 0) {
		snprintf(say, sizeof(say), "%c%s", SAY_FAILED, err.msg);
		if (write(pipe_fd, say, strlen(say)) < 0)
			_exit(1);
	}
	_exit(0);
}

/* Listens to the child until it has said all or the time is over. */
static int listen_to(int fd, int64_t deadline_ns, struct ps_err *err)
{
	int kept = SPOOL_NOT_KEPT;
	char text[sizeof(err->msg) + 1];

	for (;;) {
		int64_t left = (deadline_ns - clock_boot_ns()) / 1000000;
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;
		int ready = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (ready == 0 || (ready < 0 && errno != EINTR))
			return kept;
		if (ready < 0)
			continue;
		n = read(fd, text, sizeof(text) - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return kept;
		text[n] = '\0';
		if (text[0] == SAY_FAILED)
			return ps_err_set(err, PS_EIO, "%s", text + 1);
		kept = text[n - 1] == SAY_SYNCED ? SPOOL_SYNCED : SPOOL_KEPT;
		if (kept == SPOOL_SYNCED)
			return kept;
	}
}

int spool_put(const char *dir, enum msg_type type, const void *body, int64_t deadline_ns,
	      struct ps_err *err)
{
	struct buf frame = BUF_INIT;
	int dirfd, pipes[2], rc;
	pid_t pid;

	rc = msg_encode(&frame, type, body, err);
	if (rc < 0)
		return rc;
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);	/* writers may not read it */
	if (dirfd < 0) {
		rc = ps_err_errno(err, "cannot open the spool '%s'", dir);
		buf_clear(&frame);
		return rc;
	}
	if (pipe2(pipes, O_CLOEXEC) < 0) {
		rc = ps_err_errno(err, "cannot make a pipe");
		goto out;
	}
	pid = fork();
	if (pid == 0)
		child(dirfd, pipes[1], &frame);
	close(pipes[1]);
	if (pid < 0)
		rc = ps_err_errno(err, "cannot fork");
	else
		rc = listen_to(pipes[0], deadline_ns, err);
	if (rc == SPOOL_SYNCED || rc < 0)
		waitpid(pid, NULL, 0);		/* it has nothing left to wait for */
	if (rc < 0)
		ps_err_prefix(err, "cannot put into the spool '%s'", dir);
	close(pipes[0]);
out:
	close(dirfd);
	buf_clear(&frame);
	return rc;
}
