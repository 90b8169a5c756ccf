/*
 * deploy – the role that changes fabrics. It acts on data that core sends (artifacts and
 * definitions by digest) and reads no repository code and no store.
 *
 * Each deployment is one forked child with straight-line code (run.c). The role only carries frames
 * between that child and core, and tells core when a child ended without a last word. When the role
 * ends, its children end with it: core starts the deployment again, and its steps look first.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/looks.h"
#include "agent/deploy/posts.h"
#include "agent/deploy/run.h"
#include "agent/loop/child.h"
#include "agent/loop/role.h"
#include "common/base/failpoint.h"
#include "common/base/id.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/wire/route.h"

enum { CLOSED = PS_BIT(0), EXITED = PS_BIT(1) };

struct deployment {
	struct role *role;
	struct deployment *next;
	uint64_t id, fence;
	char text[ID_TEXT]; /* d12 */
	struct peer *peer;  /* NULL once closed */
	struct child *child;
	unsigned seen; /* CLOSED | EXITED: in either order */
	int status;
	bool ended; /* the child had its last word */
};

static struct deployment *all;

static struct deployment *find(uint64_t id)
{
	struct deployment *d = all;

	while (d && d->id != id)
		d = d->next;
	return d;
}

static void tell_end(struct role *r, uint64_t id, uint64_t fence, const char *state,
		     const char *reason)
{
	struct wire_deploy_end end = { id, fence, state, reason, NULL };

	role_tell_core(r, MSG_deploy_end, &end);
}

/* ---- the child's end ---- */

static void note(struct deployment *d, unsigned what)
{
	char how[64], *reason;

	d->seen |= what;
	if (d->seen != (CLOSED | EXITED))
		return;
	for (struct deployment **at = &all; *at; at = &(*at)->next)
		if (*at == d) {
			*at = d->next;
			break;
		}
	if (!d->ended && !d->role->stopping) {
		reason = xasprintf("the deploying process ended early: %s",
				   spawn_status_text(how, d->status));
		log_warn("deploy", d->text, "%s", reason);
		tell_end(d->role, d->id, d->fence, "unknown", reason);
		free(reason);
	}
	loop_defer_free(d->role->loop, d, free);
}

static void on_child_msg(struct peer *p, struct msg *m, void *arg)
{
	struct deployment *d = arg;
	const char *why;

	(void)p;
	if (m->type == MSG_step_begin) {
		log_info("deploy", d->text, "step %u: %s", (unsigned)m->u.step_begin.step,
			 m->u.step_begin.what);
		role_tell_core(d->role, m->type, &m->u.step_begin);
	} else if (m->type == MSG_step_done) {
		role_tell_core(d->role, m->type, &m->u.step_done);
	} else if (m->type == MSG_deploy_end) {
		d->ended = true;
		why = m->u.deploy_end.reason ? m->u.deploy_end.reason : m->u.deploy_end.unverified;
		log_info("deploy", d->text, "%s%s%s", m->u.deploy_end.state, why ? ": " : "",
			 why ? why : "");
		role_tell_core(d->role, m->type, &m->u.deploy_end);
	}
}

static void on_child_close(struct peer *p, const char *why, void *arg)
{
	struct deployment *d = arg;

	(void)p;
	(void)why;
	d->peer = NULL;
	note(d, CLOSED);
}

static void on_child_exit(struct child *c, int status, void *arg)
{
	struct deployment *d = arg;

	(void)c;
	d->child = NULL;
	d->status = status;
	note(d, EXITED);
}

/* ---- the child's start ---- */

/* In the child: nothing of the role is used any more but the message. */
static void PS_NORETURN be_child(int sock, pid_t parent, const struct wire_deploy_start *start,
				 const char *keys)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	/* other deployments' sockets, and later their credentials, are not this one's */
	if (dup2(sock, 3) < 0 || close_range(4, ~0u, 0) < 0)
		_exit(1);
	failpoint_reopen();
	route_as(SPEAKER_deploying);
	_exit(deploy_run(3, start, keys));
}

static int start_child(struct deployment *d, const struct wire_deploy_start *start,
		       struct ps_err *err)
{
	static const struct peer_ops ops = { on_child_msg, on_child_close, MSG_ROLE_MAX, 1 << 20 };
	int fds[2], rc;
	pid_t parent = getpid(), pid;

	if (FAIL_AT("deploy.fork") || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return ps_err_errno(err, "cannot make a socket pair");
	pid = fork();
	if (pid < 0) {
		rc = ps_err_errno(err, "cannot fork");
		close(fds[0]);
		close(fds[1]);
		return rc;
	}
	if (pid == 0)
		be_child(fds[1], parent, start, d->role->paths.keys);
	close(fds[1]);
	rc = child_watch(&d->child, d->role->loop, pid, on_child_exit, d, err);
	if (rc < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(fds[0]);
		return rc;
	}
	d->peer = peer_new(d->role->loop, fds[0], &ops, d);
	return 0;
}

static void start(struct role *r, const struct wire_deploy_start *m)
{
	struct deployment *d = find(m->deployment);
	struct ps_err err = { 0 };

	/* a claim that is over ends first, also when its child is stopped; its end is told of the
	 * newer claim, so that core starts that one at once */
	if (d && m->fence > d->fence) {
		d->fence = m->fence;
		d->ended = false;
		if (d->child)
			child_signal(d->child, SIGKILL, false);
		log_warn("deploy", d->text, "another claim has it now: this child ends");
		return;
	}
	if (d) {
		log_warn("deploy", d->text, "is running already: asked again, ignored");
		return;
	}
	d = xcalloc(1, sizeof(*d));
	d->role = r;
	d->id = m->deployment;
	d->fence = m->fence;
	id_text(d->text, 'd', (int64_t)d->id);
	if (start_child(d, m, &err) < 0) {
		log_error("deploy", d->text, "%s", err.msg);
		tell_end(r, d->id, d->fence, "unknown", err.msg);
		free(d);
		return;
	}
	d->next = all;
	all = d;
}

/* ---- the role ---- */

static int deploy_start(struct role *r, struct ps_err *err)
{
	(void)err;
	posts_on_config(r);
	return 0;
}

static void deploy_on_core(struct role *r, struct msg *m)
{
	struct deployment *d;
	struct ps_err err;

	if (m->type == MSG_deploy_start) {
		start(r, &m->u.deploy_start);
	} else if (m->type == MSG_step_ok) {
		d = find(m->u.step_ok.deployment);
		if (d && d->peer && peer_send(d->peer, MSG_step_ok, &m->u.step_ok, &err) < 0)
			log_warn("deploy", d->text, "%s", err.msg);
	} else if (m->type == MSG_post) {
		posts_start(r, &m->u.post);
	} else if (m->type == MSG_observe) {
		looks_start(r, &m->u.observe);
	}
}

static void deploy_on_parent(struct role *r, struct msg *m)
{
	if (m->type == MSG_credential)
		posts_take_credential(r, &m->u.credential);
}

/* Kills and reaps every child; core asks again when the role is back. */
static void deploy_on_stop(struct role *r)
{
	(void)r;
	looks_stop();
	posts_stop();
	while (all) {
		struct deployment *d = all;
		struct peer *p = d->peer;
		struct child *c = d->child;

		if (c) {
			child_signal(c, SIGKILL, false);
			waitpid(child_pid(c), &d->status, 0);
			child_forget(c);
			d->child = NULL;
			note(d, EXITED);
		}
		if (p)
			peer_close(p, "the role ends");
	}
}

static size_t deploy_facts(struct role *r, const char **out, size_t max)
{
	(void)r;
	return fabric_driver_list(out, max);
}

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.name = "deploy",
		.has_core = true,
		.start = deploy_start,
		.on_config = posts_on_config,
		.on_core = deploy_on_core,
		.on_parent = deploy_on_parent,
		.on_stop = deploy_on_stop,
		.facts = deploy_facts,
	};

	return role_main(argc, argv, &ops);
}
