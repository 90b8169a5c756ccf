/* pool – see pool.h. One worker is worker.c. */
#include "config.h"

#include "agent/gate/pool.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/gate/worker.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum { AGAIN_MS = 500, END_MS = 1000, LOST_MAX = 3 };

struct pool {
	struct loop *loop;
	const struct config *cfg;
	const struct ps_paths *paths;
	char program[DIGEST_HEX];
	const struct pool_ops *ops;
	void *arg;
	struct queue urgent, other;
	struct loop_watch *overdue;	/* the first urgent request that waits too long */
	struct loop_watch *again;	/* a worker could not be started, or died young */
	struct worker *workers;
	size_t n;
	bool ending;
};

/* The one ending of a request that no worker answers. */
static void give_up(struct pool *p, struct request *r, const char *why)
{
	struct buf lines = BUF_INIT;
	struct msg out;

	log_warn("pool", NULL, "'%s' %llu not done: %s", msg_name(r->m.type),
		 (unsigned long long)request_id(&r->m), why);
	request_problem(&r->m, why, &lines, &out);
	p->ops->on_answer(out.type, &out.u, p->arg);
	buf_clear(&lines);
	request_free(r);
}

/* Time spent waiting is the pusher's time too. */
static void on_overdue(void *arg)
{
	struct pool *p = arg;
	struct queue left;
	struct request *r;
	int64_t next = INT64_MAX;

	queue_init(&left);
	while ((r = queue_take(&p->urgent))) {
		if (queue_ms_until(r->until_ns) == 0) {
			give_up(p, r, "all workers of the gate were busy until the time was up");
			continue;
		}
		next = r->until_ns < next ? r->until_ns : next;
		queue_put(&left, r);
	}
	while ((r = queue_take(&left)))
		queue_put(&p->urgent, r);
	if (next != INT64_MAX && !p->ending)
		loop_timer_set(p->overdue, queue_ms_until(next));
}

/* A free worker, or NULL; *busy counts those with a request that is not urgent. */
static struct worker *free_worker(struct pool *p, size_t *busy)
{
	struct worker *found = NULL;

	*busy = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct worker *w = &p->workers[i];

		if (w->now)
			*busy += !w->now->kind->urgent;
		else if (worker_is_free(w))
			found = w;
	}
	return found;
}

static void dispatch(struct pool *p)
{
	while (!p->ending) {
		size_t busy;
		struct worker *w = free_worker(p, &busy);
		struct request *r;

		if (!w)
			return;
		r = queue_take(&p->urgent);
		if (r)
			r->m.u.judge.deadline_ms = (uint64_t)queue_ms_until(r->until_ns);
		else if (busy + 1 < p->n)	/* one is left for pushes */
			r = queue_take(&p->other);
		if (!r)
			return;
		worker_ask(w, r);
	}
}

static void fill(void *arg)
{
	struct pool *p = arg;
	struct ps_err err;

	for (size_t i = 0; i < p->n && !p->ending; i++) {
		struct worker *w = &p->workers[i];

		if (!worker_is_empty(w))
			continue;
		if (worker_start(w, p->cfg, p->paths, p->program, &err) < 0) {
			log_error("pool", NULL, "no worker: %s; trying again", err.msg);
			loop_timer_set(p->again, AGAIN_MS);
			break;
		}
	}
	dispatch(p);
}

static void on_answer(struct worker *w, struct request *r, const struct msg *answer)
{
	struct pool *p = w->arg;

	p->ops->on_answer(answer->type, &answer->u, p->arg);
	request_free(r);
	dispatch(p);
}

/* What a killed worker was writing. */
static void sweep(const struct pool *p)
{
	struct ps_err err = { 0 };

	if (fs_sweep_dead(p->paths->work_export, &err) < 0 ||
	    fs_sweep_dead(p->paths->artifacts, &err) < 0)
		log_warn("pool", NULL, "leftovers stay: %s", err.msg);
}

/*
 * Somebody killed the worker, or the request does: the next worker tells. Whoever waits in a push
 * has his own gate program for that, and no time.
 */
static void on_lost(struct worker *w, struct request *r, const char *why)
{
	struct pool *p = w->arg;

	if (r->kind->urgent || p->ending || ++r->lost >= LOST_MAX ||
	    queue_ms_until(r->until_ns) == 0) {
		give_up(p, r, why);
		return;
	}
	log_warn("pool", NULL, "'%s' %llu goes to another worker: %s", msg_name(r->m.type),
		 (unsigned long long)request_id(&r->m), why);
	queue_put(&p->other, r);
}

static void on_gone(struct worker *w, bool young)
{
	struct pool *p = w->arg;

	if (p->ending)
		return;
	sweep(p);
	if (young)
		loop_timer_set(p->again, AGAIN_MS);	/* the next would die at once too */
	else
		fill(p);
}

int pool_ask(struct pool *p, struct msg *m, struct ps_err *err)
{
	const struct request_kind *kind = request_kind(m->type);

	if (!kind)
		return ps_err_set(err, PS_EINVAL, "'%s' is nothing that the gate does", m->name);
	queue_put(kind->urgent ? &p->urgent : &p->other, request_new(kind, m));
	dispatch(p);
	on_overdue(p);
	return 0;
}

/* What was judged by another program is not believed. When this one cannot be read, nothing is. */
static void know_program(char hex[DIGEST_HEX])
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct ps_err err;

	if (fd < 0 || digest_fd(hex, fd, NULL, &err) < 0)
		random_hex(hex, PS_DIGEST_HEX / 2);
	if (fd >= 0)
		close(fd);
}

struct pool *pool_new(struct loop *l, size_t n, const struct config *cfg,
		      const struct ps_paths *paths, const struct pool_ops *ops, void *arg)
{
	static const struct worker_ops worker_ops = { on_answer, on_lost, on_gone };
	struct pool *p = xcalloc(1, sizeof(*p));

	PS_BUG_IF(n < 2, "a pool of %zu workers has none left for pushes", n);
	*p = (struct pool) {
		.loop = l, .cfg = cfg, .paths = paths, .ops = ops, .arg = arg, .n = n,
	};
	know_program(p->program);
	queue_init(&p->urgent);
	queue_init(&p->other);
	p->overdue = loop_timer(l, on_overdue, p);
	p->again = loop_timer(l, fill, p);
	p->workers = xcalloc(n, sizeof(*p->workers));
	for (size_t i = 0; i < n; i++)
		worker_init(&p->workers[i], l, &worker_ops, p);
	fill(p);
	return p;
}

void pool_config(struct pool *p, const struct config *cfg)
{
	p->cfg = cfg;
	for (size_t i = 0; i < p->n; i++)
		worker_retire(&p->workers[i]);
}

static void pool_destroy(void *arg)
{
	struct pool *p = arg;

	for (size_t i = 0; i < p->n; i++)
		worker_clear(&p->workers[i]);
	queue_clear(&p->urgent);
	queue_clear(&p->other);
	loop_watch_free(p->overdue);
	loop_watch_free(p->again);
	free(p->workers);
	free(p);
}

void pool_free(struct pool *p)
{
	int64_t until_ns = clock_boot_ns() + END_MS * 1000000ll;

	if (!p)
		return;
	p->ending = true;
	for (size_t i = 0; i < p->n; i++)
		worker_end(&p->workers[i]);
	for (size_t i = 0; i < p->n; i++)
		worker_reap(&p->workers[i], until_ns);
	loop_timer_stop(p->overdue);
	loop_timer_stop(p->again);
	loop_defer_free(p->loop, p, pool_destroy);	/* we may be called from on_answer */
}
