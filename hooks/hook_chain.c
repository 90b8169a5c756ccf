/* hook_chain – the hook that was there before ours. See hook.h. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "hooks/hook.h"

/* Ourselves by another name, after an install that was cut short: calling it would never end. */
static bool is_us(const char *path)
{
	struct stat a, b;

	return stat(path, &a) == 0 && stat("/proc/self/exe", &b) == 0 && a.st_dev == b.st_dev &&
		a.st_ino == b.st_ino;
}

void chain_find(struct chain *c, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	char *path = slash ? xasprintf("%.*s/../penstock.kept%s", (int)(slash - argv[0]), argv[0],
				       slash) : NULL;

	*c = (struct chain) { .argv = argv, .sigpipe = SIG_DFL };
	if (path && access(path, X_OK) == 0 && !is_us(path))
		c->path = path;
	else
		free(path);
}

int chain_take_input(const struct chain *c)
{
	struct ps_err err = { 0 };
	char bytes[65536];
	int fd = memfd_create("input", MFD_CLOEXEC), rc = 0;
	ssize_t n;

	if (fd < 0)
		rc = ps_err_errno(&err, "cannot keep what git says");
	while (rc == 0 && (n = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
		if (n > 0)
			rc = fs_write_all(fd, bytes, (size_t)n, &err);
		else if (errno != EINTR)
			rc = ps_err_errno(&err, "cannot read what git says");
	}
	if (rc == 0 && (lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0))
		rc = ps_err_errno(&err, "cannot hand on what git says");
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		hook_say("error: '%s' was not called: %s", c->path, err.msg);
	return rc;
}

int chain_exec(const struct chain *c)
{
	char *const script[] = { "/bin/sh", c->path, NULL };
	sigset_t alarms;

	alarm(0);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	signal(SIGPIPE, c->sigpipe);
	if (sigprocmask(SIG_UNBLOCK, &alarms, NULL) == 0 &&
	    lseek(STDIN_FILENO, 0, SEEK_SET) == 0) {
		execv(c->path, c->argv);
		if (errno == ENOEXEC)	/* without a first line that says how: as git does */
			execv(script[0], script);
	}
	hook_say("error: the hook '%s' cannot be started: %s", c->path, strerror(errno));
	return 1;
}

int chain_run(const struct chain *c)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(chain_exec(c));
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0 || lseek(STDIN_FILENO, 0, SEEK_SET) < 0) {
		hook_say("error: the hook '%s' was not run to its end: %s", c->path,
			 strerror(errno));
		return 1;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
