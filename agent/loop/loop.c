/* loop – see loop.h. */
#include "config.h"

#include "agent/loop/loop.h"

#include <event2/event.h>

struct loop_watch {
	struct event *ev;
	loop_fn *fn;
	void *arg;
};

struct doomed {
	void *p;
	void (*free_fn)(void *);
};

struct loop {
	struct event_base *base;
	struct event *sweep;
	struct doomed *doomed;
	size_t ndoomed, cap_doomed;
};

static void sweep(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	(void)fd;
	(void)what;
	/* free_fn may doom more: they go to the end and are taken in this same sweep */
	for (size_t i = 0; i < l->ndoomed; i++)
		l->doomed[i].free_fn(l->doomed[i].p);
	l->ndoomed = 0;
}

int loop_new(struct loop **out, struct ps_err *err)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->base = event_base_new();
	l->sweep = l->base ? event_new(l->base, -1, 0, sweep, l) : NULL;
	if (!l->sweep) {
		loop_free(l);
		return ps_err_set(err, PS_EIO, "cannot start the event loop");
	}
	*out = l;
	return 0;
}

int loop_run(struct loop *l, struct ps_err *err)
{
	if (event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0)
		return ps_err_set(err, PS_EIO, "the event loop failed");
	return 0;
}

void loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	sweep(-1, 0, l);
	if (l->sweep)
		event_free(l->sweep);
	if (l->base)
		event_base_free(l->base);
	free(l->doomed);
	free(l);
}

static void call(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	(void)fd;
	(void)what;
	w->fn(w->arg);
}

static struct loop_watch *watch(struct loop *l, int fd, short what, loop_fn *fn, void *arg)
{
	struct loop_watch *w = xcalloc(1, sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	w->ev = event_new(l->base, fd, what, call, w);
	PS_BUG_IF(!w->ev, "event_new failed for descriptor %d", fd);
	if (what)
		PS_BUG_IF(event_add(w->ev, NULL) < 0, "event_add failed for descriptor %d", fd);
	return w;
}

struct loop_watch *loop_timer(struct loop *l, loop_fn *fn, void *arg)
{
	return watch(l, -1, 0, fn, arg);
}

void loop_timer_set(struct loop_watch *w, int64_t ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	PS_BUG_IF(event_add(w->ev, &tv) < 0, "event_add failed for a timer");
}

void loop_timer_stop(struct loop_watch *w)
{
	event_del(w->ev);
}

struct loop_watch *loop_readable(struct loop *l, int fd, loop_fn *fn, void *arg)
{
	return watch(l, fd, EV_READ | EV_PERSIST, fn, arg);
}

struct loop_watch *loop_writable(struct loop *l, int fd, loop_fn *fn, void *arg)
{
	return watch(l, fd, EV_WRITE | EV_PERSIST, fn, arg);
}

struct loop_watch *loop_signal(struct loop *l, int signum, loop_fn *fn, void *arg)
{
	return watch(l, signum, EV_SIGNAL | EV_PERSIST, fn, arg);
}

static void watch_free(void *p)
{
	free(p);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;
	event_del(w->ev);
	event_free(w->ev);
	watch_free(w);
}

void loop_defer_free(struct loop *l, void *p, void (*free_fn)(void *))
{
	l->doomed = xgrow(l->doomed, l->ndoomed, &l->cap_doomed, sizeof(*l->doomed));
	l->doomed[l->ndoomed++] = (struct doomed) { p, free_fn };
	event_active(l->sweep, EV_TIMEOUT, 1);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}
