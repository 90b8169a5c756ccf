/* worker – see worker.h. */
#include "config.h"

#include "agent/deploy/worker.h"

#include <signal.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/loop/child.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/wire/route.h"

enum { CLOSED = PS_BIT(0), EXITED = PS_BIT(1) };
/* descriptors of the child */
enum { SOCK = 3, SECRET = 4, FIRST_FREE = SECRET + 2 + SECRET_SCOPED };

static struct worker *all;

/* ---- its end ---- */

/* It is over when its socket is closed and it has exited, in either order. */
static void note(struct worker *w, unsigned what)
{
	char how[64], *why;

	w->seen |= what;
	if (w->seen != (CLOSED | EXITED))
		return;
	for (struct worker **at = &all; *at; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	if (!w->answered && !w->role->stopping) {
		why = xasprintf("%s ended early: %s", w->kind->what,
				spawn_status_text(how, w->status));
		w->kind->on_lost(w, why);
		free(why);
	}
	loop_defer_free(w->role->loop, w, free);
}

static void on_msg(struct peer *p, struct msg *m, void *arg)
{
	struct worker *w = arg;

	(void)p;
	w->kind->on_msg(w, m);
}

static void on_close(struct peer *p, const char *why, void *arg)
{
	struct worker *w = arg;

	(void)p;
	(void)why;
	w->peer = NULL;
	note(w, CLOSED);
}

static void on_child_exit(struct child *c, int status, void *arg)
{
	struct worker *w = arg;

	(void)c;
	w->child = NULL;
	w->status = status;
	note(w, EXITED);
}

/* ---- its start ---- */

/* In the child: nothing of the role is used any more but the job; other workers' sockets and
 * credentials are not this one's. */
static void PS_NORETURN be_child(const struct worker_kind *kind, int sock, struct secret_fds secret,
				 pid_t parent, const void *job)
{
	int *from[2 + SECRET_SCOPED] = { &secret.own, &secret.uploader }, next = SECRET;
	size_t n = 2;

	for (size_t i = 0; i < secret.nscoped; i++)
		from[n++] = &secret.scoped[i];

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	/* first out of the way of what is put into its place */
	for (size_t i = 0; i < n; i++)
		if (*from[i] >= 0 && (*from[i] = fcntl(*from[i], F_DUPFD, FIRST_FREE)) < 0)
			_exit(1);
	if (dup2(sock, SOCK) < 0)
		_exit(1);
	for (size_t i = 0; i < n; i++)
		if (*from[i] >= 0 && (*from[i] = dup2(*from[i], next++)) < 0)
			_exit(1);
	if (close_range((unsigned)next, ~0u, 0) < 0)
		_exit(1);
	failpoint_reopen();
	route_as(SPEAKER_deploying);
	_exit(kind->run(SOCK, secret, job));
}

int worker_start(struct role *r, const struct worker_kind *kind, uint64_t id, uint64_t fence,
		 struct secret_fds secret, const void *job, struct ps_err *err)
{
	static const struct peer_ops ops = { on_msg, on_close, MSG_ROLE_MAX, 1 << 20 };
	struct worker *w;
	int fds[2], rc;
	pid_t parent = getpid(), pid;

	if (FAIL_AT("deploy.fork") || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return ps_err_errno(err, "cannot make a socket pair");
	pid = fork();
	if (pid == 0)
		be_child(kind, fds[1], secret, parent, job);
	rc = pid < 0 ? ps_err_errno(err, "cannot fork") : 0;
	close(fds[1]);
	w = xcalloc(1, sizeof(*w));
	*w = (struct worker) { .role = r, .kind = kind, .id = id, .fence = fence, .next = all };
	if (rc == 0)
		rc = child_watch(&w->child, r->loop, pid, on_child_exit, w, err);
	if (rc < 0) {
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		close(fds[0]);
		free(w);
		return rc;
	}
	w->peer = peer_new(r->loop, fds[0], &ops, w);
	all = w;
	return 0;
}

/* ---- while it works ---- */

struct worker *worker_find(const struct worker_kind *kind, uint64_t id)
{
	struct worker *w = all;

	while (w && (w->kind != kind || w->id != id))
		w = w->next;
	return w;
}

void worker_tell(struct worker *w, enum msg_type type, const void *body)
{
	struct ps_err err = { 0 };

	if (w->peer && peer_send(w->peer, type, body, &err) < 0)
		log_warn("deploy", NULL, "%s: %s", w->kind->what, err.msg);
}

void worker_kill(struct worker *w)
{
	if (w->child)
		child_signal(w->child, SIGKILL, false);
}

void workers_stop(void)
{
	while (all) {
		struct worker *w = all;
		struct peer *p = w->peer;
		struct child *c = w->child;

		if (c) {
			child_signal(c, SIGKILL, false);
			waitpid(child_pid(c), &w->status, 0);
			child_forget(c);
			w->child = NULL;
			note(w, EXITED);
		}
		if (p)
			peer_close(p, "the role ends");
	}
}
