/* posts – see posts.h. */
#include "config.h"

#include "agent/deploy/posts.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/deploy/post.h"
#include "agent/loop/child.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/wire/route.h"

/* ---- credentials ---- */

struct credential {
	uint64_t offer;
	char *name;
	int fd;
};

static struct credential *creds;
static size_t ncreds, cap_creds;
static uint64_t in_force;

void posts_take_credential(struct role *r, const struct wire_credential *m)
{
	int fd = peer_take_fd(r->parent);

	if (fd < 0)
		return;
	creds = xgrow(creds, ncreds, &cap_creds, sizeof(*creds));
	creds[ncreds++] = (struct credential){ m->id, xstrdup(m->name), fd };
}

void posts_on_config(struct role *r)
{
	size_t n = 0;

	in_force = r->offer_id;
	for (size_t i = 0; i < ncreds; i++) {
		if (creds[i].offer >= in_force) {
			creds[n++] = creds[i];
			continue;
		}
		close(creds[i].fd);
		free(creds[i].name);
	}
	ncreds = n;
}

static int secret_of(const char *target)
{
	char *name = xasprintf("notify %s", target);
	int fd = -1;

	for (size_t i = 0; i < ncreds; i++)
		if (creds[i].offer == in_force && strcmp(creds[i].name, name) == 0)
			fd = creds[i].fd;
	free(name);
	return fd;
}

/* ---- children ---- */

enum { CLOSED = PS_BIT(0), EXITED = PS_BIT(1) };

struct posting {
	struct role *role;
	struct posting *next;
	uint64_t id, fence;
	struct peer *peer;
	struct child *child;
	unsigned seen; /* CLOSED | EXITED: in either order */
	int status;
	bool answered;
};

static struct posting *all;

static void answer_for(struct role *r, uint64_t id, uint64_t fence, const char *state,
		       const char *problem)
{
	struct wire_posted p = { .id = id, .fence = fence, .state = state, .problem = problem };

	role_tell_core(r, MSG_posted, &p);
}

static void note(struct posting *p, unsigned what)
{
	char how[64], *problem;

	p->seen |= what;
	if (p->seen != (CLOSED | EXITED))
		return;
	for (struct posting **at = &all; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	if (!p->answered && !p->role->stopping) {
		problem = xasprintf("the sending process ended early: %s",
				    spawn_status_text(how, p->status));
		answer_for(p->role, p->id, p->fence, "again", problem);
		free(problem);
	}
	loop_defer_free(p->role->loop, p, free);
}

static void on_msg(struct peer *peer, struct msg *m, void *arg)
{
	struct posting *p = arg;

	(void)peer;
	if (m->type != MSG_posted)
		return;
	p->answered = true;
	role_tell_core(p->role, m->type, &m->u.posted);
}

static void on_close(struct peer *peer, const char *why, void *arg)
{
	struct posting *p = arg;

	(void)peer;
	(void)why;
	p->peer = NULL;
	note(p, CLOSED);
}

static void on_exit_of(struct child *c, int status, void *arg)
{
	struct posting *p = arg;

	(void)c;
	p->child = NULL;
	p->status = status;
	note(p, EXITED);
}

/* In the child: its socket is 3, its secret 4, and nothing else is open. */
static void PS_NORETURN be_child(int sock, int secret, pid_t parent, const struct wire_post *m,
				 const struct conf_notify *n)
{
	int high = secret < 0 ? -1 : dup(secret);

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	if (dup2(sock, 3) < 0 || (high >= 0 && dup2(high, 4) < 0) ||
	    close_range(high < 0 ? 4 : 5, ~0u, 0) < 0)
		_exit(1);
	failpoint_reopen();
	route_as(SPEAKER_deploying);
	_exit(post_run(3, m, n, high < 0 ? -1 : 4));
}

static int start_child(struct posting *p, const struct wire_post *m, const struct conf_notify *n,
		       struct ps_err *err)
{
	static const struct peer_ops ops = { on_msg, on_close, MSG_ROLE_MAX, 1 << 20 };
	pid_t parent = getpid(), pid;
	int fds[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return ps_err_errno(err, "cannot make a socket pair");
	pid = fork();
	if (pid == 0)
		be_child(fds[1], secret_of(m->target), parent, m, n);
	rc = pid < 0 ? ps_err_errno(err, "cannot fork") : 0;
	close(fds[1]);
	if (rc == 0)
		rc = child_watch(&p->child, p->role->loop, pid, on_exit_of, p, err);
	if (rc < 0) {
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		close(fds[0]);
		return rc;
	}
	p->peer = peer_new(p->role->loop, fds[0], &ops, p);
	return 0;
}

void posts_start(struct role *r, const struct wire_post *m)
{
	const struct conf_notify *n = config_notify(r->cfg, m->target);
	struct posting *p;
	struct ps_err err = { 0 };

	if (!n) {
		answer_for(r, m->id, m->fence, "failed",
			   "penstock.yml names it no more under notify");
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->role = r;
	p->id = m->id;
	p->fence = m->fence;
	if (start_child(p, m, n, &err) < 0) {
		answer_for(r, m->id, m->fence, "again", err.msg);
		free(p);
		return;
	}
	p->next = all;
	all = p;
}

void posts_stop(void)
{
	while (all) {
		struct posting *p = all;
		struct peer *peer = p->peer;
		struct child *c = p->child;

		if (c) {
			child_signal(c, SIGKILL, false);
			waitpid(child_pid(c), &p->status, 0);
			child_forget(c);
			p->child = NULL;
			note(p, EXITED);
		}
		if (peer)
			peer_close(peer, "the role ends");
	}
}
