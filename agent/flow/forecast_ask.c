/* forecast_ask – a forecast beside a push: made on the store's reader thread while the writer keeps
 * the intent, and dropped when it is not there in time. */
#include "config.h"

#include "agent/flow/forecast.h"

#include "agent/flow/word.h"
#include "common/base/log.h"

struct forecast {
	struct core *core;
	struct policy_now *policy;
	struct msg gate;		/* a verdict with projects and outlook, and nothing else */
	struct toolchain_now toolchain;
	char *path, *name;
	struct forecast_in in;
	struct forecast_rows rows;
	struct loop_watch *timer;	/* NULL: it has rung, or nobody listens */
	forecast_fn *fn;		/* NULL: called, or nobody listens */
	void *arg;
};

static void forecast_free(struct forecast *f)
{
	loop_watch_free(f->timer);
	policy_drop(f->policy);
	forecast_clear(&f->rows);
	msg_clear(&f->gate);
	toolchains_clear(&f->toolchain);
	free(f->path);
	free(f->name);
	free(f);
}

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct forecast *f = arg;

	return forecast_make(tx, &f->in, &f->rows, err);
}

static void tell(struct forecast *f, struct forecast_rows *rows)
{
	forecast_fn *fn = f->fn;

	f->fn = NULL;
	if (fn)
		fn(f->arg, rows);
}

static void made(void *arg, int rc, const struct ps_err *err)
{
	struct forecast *f = arg;

	if (rc < 0)
		log_warn("forecast", NULL, "none for '%s': %s", f->name, ps_err_msg(err, rc));
	tell(f, rc < 0 ? NULL : &f->rows);
	forecast_free(f);
}

static void on_time(void *arg)
{
	struct forecast *f = arg;

	log_info("forecast", NULL, "none for '%s': not in time", f->name);
	tell(f, NULL);
}

/* The word goes its own way from here: what is read on another thread must be ours alone. */
static void take_outlook(struct forecast *f, struct wire_verdict *v)
{
	f->gate.type = MSG_verdict;
	f->gate.u.verdict.projects = v->projects;
	f->gate.u.verdict.outlook = v->outlook;
	f->gate.u.verdict.skipped = v->skipped;
	v->projects.v = NULL;
	v->outlook.v = NULL;
	v->projects.n = v->outlook.n = 0;
}

struct forecast *forecast_start(struct core *c, struct word *w, int64_t limit_ms, forecast_fn *fn,
				void *arg)
{
	struct forecast *f;

	if (limit_ms <= 0 || w->verdict.type != MSG_verdict || !w->verdict.u.verdict.outlook.n)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->core = c;
	f->policy = policy_take(c->policy);
	take_outlook(f, &w->verdict.u.verdict);
	f->toolchain = toolchains_copy(&c->toolchain);
	f->path = xstrdup(word_repository(w));
	f->name = xstrdup(w->name);
	f->fn = fn;
	f->arg = arg;
	f->in = (struct forecast_in) {
		.cfg = f->policy->cfg, .paths = c->paths, .toolchain = &f->toolchain,
		.path = f->path, .name = f->name, .gate = &f->gate.u.verdict,
		.held = (!w->pusher && w->hold_unknown) || f->gate.u.verdict.skipped,
	};
	f->timer = loop_timer(c->loop, on_time, f);
	loop_timer_set(f->timer, limit_ms);
	store_read(c->store, run, made, f);
	return f;
}

void forecast_forget(struct forecast *f)
{
	if (!f)
		return;
	f->fn = NULL;
	loop_watch_free(f->timer);
	f->timer = NULL;
}
