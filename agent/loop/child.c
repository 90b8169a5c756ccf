/* child – see child.h. */
#include "config.h"

#include "agent/loop/child.h"

#include <signal.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
	struct loop *loop;
	pid_t pid;
	int pidfd;
	struct loop_watch *watch;
	child_fn *done;
	void *arg;
};

static void child_free(void *arg)
{
	struct child *c = arg;

	close(c->pidfd);
	free(c);
}

static void child_drop(struct child *c)
{
	loop_watch_free(c->watch);
	c->watch = NULL;
	loop_defer_free(c->loop, c, child_free);
}

static void exited(void *arg)
{
	struct child *c = arg;
	int status = 0;
	pid_t pid = waitpid(c->pid, &status, WNOHANG);

	if (pid == 0)
		return;
	if (pid < 0)		/* somebody else took it: nobody knows how it ended, so not well */
		status = W_EXITCODE(127, 0);
	child_drop(c);
	c->done(c, status, c->arg);
}

int child_watch(struct child **out, struct loop *l, pid_t pid, child_fn *done, void *arg,
		struct ps_err *err)
{
	struct child *c;
	int fd = pidfd_open(pid, 0);

	if (fd < 0)
		return ps_err_errno(err, "cannot watch process %d", (int)pid);
	c = xcalloc(1, sizeof(*c));
	*c = (struct child) { .loop = l, .pid = pid, .pidfd = fd, .done = done, .arg = arg };
	c->watch = loop_readable(l, fd, exited, c);
	*out = c;
	return 0;
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}

void child_signal(struct child *c, int sig, bool group)
{
	/* the pidfd cannot name a stranger; the group is ours as long as its leader is not
	 * reaped */
	if (group)
		kill(-c->pid, sig);
	pidfd_send_signal(c->pidfd, sig, NULL, 0);
}

void child_forget(struct child *c)
{
	if (c)
		child_drop(c);
}
