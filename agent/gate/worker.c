/* worker – see worker.h. What the process itself does is in work.c. */
#include "config.h"

#include "agent/gate/worker.h"

#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/gate/work.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/spawn.h"

enum { YOUNG_MS = 1000 };

static struct request *take_request(struct worker *w)
{
	struct request *r = w->now;

	w->now = NULL;
	loop_timer_stop(w->timer);
	return r;
}

/* Called when the socket or the process is gone; acts when both are. */
static void over(struct worker *w)
{
	struct request *r;
	char how[64], why[128];
	bool young;

	if (w->peer || w->child || w->ended)
		return;
	r = take_request(w);
	young = !r && !w->served && !w->stale &&
		clock_boot_ns() - w->born_ns < YOUNG_MS * 1000000ll;
	if (r) {
		snprintf(why, sizeof(why), "the worker ended in the middle of it (%s)",
			 spawn_status_text(how, w->status));
		w->ops->on_lost(w, r, why);
	}
	w->ops->on_gone(w, young);
}

static void on_exit_of(struct child *c, int status, void *arg)
{
	struct worker *w = arg;

	(void)c;
	w->child = NULL;
	w->status = status;
	if (w->peer && !w->now)		/* with a request its answer may still be in the socket */
		peer_close(w->peer, "worker ended");
	else
		over(w);
}

static void on_close(struct peer *peer, const char *why, void *arg)
{
	struct worker *w = arg;

	(void)peer;
	w->peer = NULL;
	if (w->ended)
		return;
	if (w->now)
		log_warn("worker", NULL, "%d: %s", w->child ? (int)child_pid(w->child) : 0, why);
	if (w->child)
		child_signal(w->child, SIGKILL, false);
	over(w);
}

static void on_msg(struct peer *peer, struct msg *m, void *arg)
{
	struct worker *w = arg;

	if (!w->now || m->type != w->now->kind->answer ||
	    request_id(m) != request_id(&w->now->m)) {
		peer_close(peer, "a worker answered what was not asked");
		return;
	}
	w->served = true;
	w->ops->on_answer(w, take_request(w), m);
	if (w->stale && w->peer && !w->now)
		peer_close(w->peer, "newer configuration");
}

static void on_time_up(void *arg)
{
	struct worker *w = arg;
	struct request *r = take_request(w);
	char why[80];

	if (!r)
		return;
	snprintf(why, sizeof(why), "it took longer than %lld ms",
		 (long long)request_limit_ms(&r->m));
	if (w->peer)
		peer_close(w->peer, why);
	w->ops->on_lost(w, r, why);
}

void worker_init(struct worker *w, struct loop *l, const struct worker_ops *ops, void *arg)
{
	*w = (struct worker) { .loop = l, .ops = ops, .arg = arg };
	w->timer = loop_timer(l, on_time_up, w);
}

int worker_start(struct worker *w, const struct config *cfg, const struct ps_paths *paths,
		 const char *program, struct ps_err *err)
{
	static const struct peer_ops ops = { on_msg, on_close, MSG_ROLE_MAX, 64 << 20 };
	pid_t pid, role = getpid();
	int sp[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp) < 0)
		return ps_err_errno(err, "cannot make a socketpair");
	pid = fork();
	if (pid == 0) {
		struct work work = { .sock = sp[1], .cfg = cfg, .paths = paths,
				     .program = program };

		work_main(&work, role);
	}
	close(sp[1]);
	if (pid < 0)
		rc = ps_err_errno(err, "cannot fork");
	else
		rc = child_watch(&w->child, w->loop, pid, on_exit_of, w, err);
	if (rc < 0) {
		close(sp[0]);
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		return rc;
	}
	w->peer = peer_new(w->loop, sp[0], &ops, w);
	w->born_ns = clock_boot_ns();
	w->served = w->stale = false;
	return 0;
}

bool worker_is_empty(const struct worker *w)
{
	return !w->peer && !w->child && !w->ended;
}

bool worker_is_free(const struct worker *w)
{
	return w->peer && w->child && !w->now && !w->stale && !w->ended;
}

void worker_ask(struct worker *w, struct request *r)
{
	struct ps_err err;

	if (!r->kind->urgent)
		r->until_ns = clock_boot_ns() + request_limit_ms(&r->m) * 1000000;
	w->now = r;
	loop_timer_set(w->timer, queue_ms_until(r->until_ns));
	if (peer_send(w->peer, r->m.type, &r->m.u, &err) < 0)
		w->ops->on_lost(w, take_request(w), err.msg);
}

void worker_retire(struct worker *w)
{
	w->stale = w->peer || w->child;
	if (w->peer && !w->now)
		peer_close(w->peer, "newer configuration");
}

void worker_end(struct worker *w)
{
	w->ended = true;		/* on_close kills nobody now: a ref may be half locked */
	loop_timer_stop(w->timer);
	if (w->peer)
		peer_close(w->peer, "the role ends");
}

void worker_reap(struct worker *w, int64_t until_ns)
{
	struct pollfd f = { .fd = -1, .events = POLLIN };
	pid_t pid;

	if (!w->child)
		return;
	pid = child_pid(w->child);
	f.fd = pidfd_open(pid, 0);
	if (f.fd < 0 || poll(&f, 1, (int)queue_ms_until(until_ns)) != 1)
		kill(pid, SIGKILL);	/* ours and not waited for: the number is still his */
	if (f.fd >= 0)
		close(f.fd);
	waitpid(pid, NULL, 0);
	child_forget(w->child);
	w->child = NULL;
}

void worker_clear(struct worker *w)
{
	request_free(w->now);
	loop_watch_free(w->timer);
}
