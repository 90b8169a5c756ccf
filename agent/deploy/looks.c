/* looks – see looks.h. */
#include "config.h"

#include "agent/deploy/looks.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/deploy/observe.h"
#include "agent/loop/child.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/wire/route.h"

enum { CLOSED = PS_BIT(0), EXITED = PS_BIT(1) };

struct looking {
	struct role *role;
	struct looking *next;
	uint64_t id; /* core's question */
	struct peer *peer;
	struct child *child;
	unsigned seen; /* CLOSED | EXITED: in either order */
	int status;
	bool answered;
};

static struct looking *all;

static void answer_for(struct role *r, uint64_t id, const char *problem)
{
	struct wire_observed answer = { .id = id, .problem = problem };

	log_warn("deploy", NULL, "%s", problem);
	role_tell_core(r, MSG_observed, &answer);
}

static void note(struct looking *l, unsigned what)
{
	char how[64], *problem;

	l->seen |= what;
	if (l->seen != (CLOSED | EXITED))
		return;
	for (struct looking **at = &all; *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			break;
		}
	if (!l->answered && !l->role->stopping) {
		problem = xasprintf("the looking process ended early: %s",
				    spawn_status_text(how, l->status));
		answer_for(l->role, l->id, problem);
		free(problem);
	}
	loop_defer_free(l->role->loop, l, free);
}

static void on_msg(struct peer *p, struct msg *m, void *arg)
{
	struct looking *l = arg;

	(void)p;
	if (m->type != MSG_observed)
		return;
	l->answered = true;
	role_tell_core(l->role, m->type, &m->u.observed);
}

static void on_close(struct peer *p, const char *why, void *arg)
{
	struct looking *l = arg;

	(void)p;
	(void)why;
	l->peer = NULL;
	note(l, CLOSED);
}

static void on_exit_of(struct child *c, int status, void *arg)
{
	struct looking *l = arg;

	(void)c;
	l->child = NULL;
	l->status = status;
	note(l, EXITED);
}

/* In the child: nothing of the role is used any more but the message. */
static void PS_NORETURN be_child(int sock, pid_t parent, const struct wire_observe *m)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	if (dup2(sock, 3) < 0 || close_range(4, ~0u, 0) < 0)
		_exit(1);
	failpoint_reopen();
	route_as(SPEAKER_deploying);
	_exit(observe_run(3, m));
}

static int start_child(struct looking *l, const struct wire_observe *m, struct ps_err *err)
{
	static const struct peer_ops ops = { on_msg, on_close, MSG_ROLE_MAX, 1 << 20 };
	pid_t parent = getpid(), pid;
	int fds[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return ps_err_errno(err, "cannot make a socket pair");
	pid = fork();
	if (pid == 0)
		be_child(fds[1], parent, m);
	rc = pid < 0 ? ps_err_errno(err, "cannot fork") : 0;
	close(fds[1]);
	if (rc == 0)
		rc = child_watch(&l->child, l->role->loop, pid, on_exit_of, l, err);
	if (rc < 0) {
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		close(fds[0]);
		return rc;
	}
	l->peer = peer_new(l->role->loop, fds[0], &ops, l);
	return 0;
}

void looks_start(struct role *r, const struct wire_observe *m)
{
	struct looking *l = xcalloc(1, sizeof(*l));
	struct ps_err err = { 0 };

	l->role = r;
	l->id = m->id;
	if (start_child(l, m, &err) < 0) {
		answer_for(r, m->id, err.msg);
		free(l);
		return;
	}
	l->next = all;
	all = l;
}

void looks_stop(void)
{
	while (all) {
		struct looking *l = all;
		struct peer *p = l->peer;
		struct child *c = l->child;

		if (c) {
			child_signal(c, SIGKILL, false);
			waitpid(child_pid(c), &l->status, 0);
			child_forget(c);
			l->child = NULL;
			note(l, EXITED);
		}
		if (p)
			peer_close(p, "the role ends");
	}
}
