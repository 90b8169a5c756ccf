/*
 * penstock-gate – the gate role: everything that reads repositories, for core.
 *
 * Core asks, the pool hands the request to a worker, the worker's answer goes back. This process
 * itself opens no repository. No network, no credential, no store (a test reads what it is linked
 * to).
 */
#include "config.h"

#include <sys/prctl.h>
#include <unistd.h>

#include "agent/gate/pool.h"
#include "agent/gate/work.h"
#include "agent/loop/role.h"
#include "common/base/log.h"

enum { WORKERS_MAX = 4 };

/* What core asked before our first configuration was in force. */
struct early { struct msg *v; size_t n, cap; };

static struct early early;

static void on_answer(enum msg_type type, const void *body, void *arg)
{
	role_tell_core(arg, type, body);
}

static size_t workers_wanted(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return (size_t)(cpus < 1 ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : cpus) + 1;
}

static void sweep(const struct role *r)
{
	struct ps_err err;

	if (work_sweep_exports(&r->paths, &err) < 0)
		log_warn("export", NULL, "leftovers stay: %s", err.msg);
}

static void ask(struct role *r, struct msg *m)
{
	struct ps_err err;

	if (pool_ask(r->self, m, &err) < 0)
		log_warn("role", "gate", "%s", err.msg);
}

static int start(struct role *r, struct ps_err *err)
{
	static const struct pool_ops ops = { on_answer };

	(void)err;
	sweep(r);
	r->self = pool_new(r->loop, workers_wanted(), r->cfg, &r->paths, &ops, r);
	for (size_t i = 0; i < early.n; i++) {
		ask(r, &early.v[i]);
		msg_clear(&early.v[i]);
	}
	early.n = 0;
	return 0;
}

static void on_config(struct role *r)
{
	pool_config(r->self, r->cfg);
}

static void on_core(struct role *r, struct msg *m)
{
	if (m->type == MSG_hello)
		return;
	if (r->self) {
		ask(r, m);
		return;
	}
	early.v = xgrow(early.v, early.n, &early.cap, sizeof(*early.v));
	early.v[early.n++] = *m;
	m->type = MSG_NONE;
}

static void on_stop(struct role *r)
{
	while (early.n)
		msg_clear(&early.v[--early.n]);
	PS_FREE(early.v);
	pool_free(r->self);
	if (r->self)
		sweep(r);
	r->self = NULL;
}

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.name = "gate", .has_core = true, .start = start, .on_config = on_config,
		.on_core = on_core, .on_stop = on_stop,
	};

#ifndef PENSTOCK_SANITIZED	/* the leak checker looks at us by ptrace */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warn("role", "gate", "cannot be made undumpable");
#endif
	return role_main(argc, argv, &ops);
}
