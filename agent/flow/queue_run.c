/* queue_run – a run under way, by whichever role: its tasks' states and its end into the store. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/note.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

static int write_task(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct note *n = arg;

	const struct task_word w = { n->task, n->state, n->reason, n->text, n->name, n->at_ms };
	int rc = run_renew(tx, n->id, n->fence, n->lease_ms, err);

	return rc < 0 ? rc : task_set(tx, n->id, n->fence, &w, err);
}

static void task_done(void *arg, int rc, const struct ps_err *err)
{
	struct note *n = arg;

	if (rc < 0)
		log_info("run", NULL, "x%lld: %s", (long long)n->id, ps_err_msg(err, rc));
	note_free(n);
}

void queue_task_state(struct core *c, const struct wire_task_state *m, int64_t lease_ms)
{
	struct note *n = note_new(c, m->run, m->fence);

	n->task = xstrdup(m->task);
	n->state = xstrdup(m->state);
	n->reason = xstrdup_null(m->reason);
	n->text = xstrdup_null(m->last);
	n->name = xstrdup_null(m->url);
	n->at_ms = m->at_ms;
	n->lease_ms = clock_wall_ms() + lease_ms;
	store_write(c->store, STORE_NORMAL, write_task, task_done, n);
}

static int write_run_end(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct note *n = arg;

	return run_finish(tx, n->id, n->fence, n->state, n->reason, err);
}

void queue_run_end(struct core *c, uint64_t run, uint64_t fence, const char *state,
		   const char *reason)
{
	struct note *n = note_new(c, run, fence);

	n->state = xstrdup(state);
	n->reason = xstrdup_null(reason);
	store_write(c->store, STORE_FULL, write_run_end, note_done, n);
}

void queue_run_start(struct core *c, const struct act *a)
{
	struct run_spec spec;
	struct ps_err err = { 0 };
	char *dir = fs_join(c->paths->fabrics, a->run.fabric);
	char *logs = xasprintf("%s/x%lld", c->paths->logs, (long long)a->id);

	if (!a->prefix) {
		queue_run_end(c, (uint64_t)a->id, (uint64_t)a->fence, "failed", a->no_prefix);
	} else if (run_spec_read(&spec, a->run.spec, &err) < 0) {
		queue_run_end(c, (uint64_t)a->id, (uint64_t)a->fence, "failed", err.msg);
	} else {
		struct wire_run_start m = { .run = (uint64_t)a->id, .fence = (uint64_t)a->fence,
					    .slot = (uint64_t)a->slot, .fabric_dir = dir,
					    .prefix = a->prefix, .log_dir = logs };

		m.tasks.v = spec.tasks;
		m.tasks.n = spec.n;
		m.passed.v = (const char *const *)a->passed.v;
		m.passed.n = a->passed.n;
		if (!core_tell(c, CORE_BUILD, MSG_run_start, &m))
			queue_run_end(c, (uint64_t)a->id, (uint64_t)a->fence, "failed",
				      "the build role is not running");
		run_spec_clear(&spec);
	}
	free(logs);
	free(dir);
}
