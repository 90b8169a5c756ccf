/* queue_test – claimed tests: export by the gate, work by the build role, their end in the
 * store. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/note.h"
#include "agent/flow/survey_json.h"
#include "common/base/digest.h"
#include "common/base/log.h"

enum { EXPORT_LIMIT_MS = 300000 };

/* ---- how it ended ---- */

struct ending { /* on its way to the store; the copy is its own */
	struct core *core;
	int64_t id, fence;
	struct test_result result;
	char *why; /* set: it goes back into the line */
};

static int write_end(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct ending *e = arg;

	return e->why ? test_requeue(tx, e->id, e->fence, e->why, err)
		      : test_finish(tx, e->id, e->fence, &e->result, err);
}

static void end_done(void *arg, int rc, const struct ps_err *err)
{
	struct ending *e = arg;

	if (rc < 0)
		log_info("test", NULL, "t%lld: %s", (long long)e->id, ps_err_msg(err, rc));
	core_kick(e->core);
	test_result_clear(&e->result);
	free(e->why);
	free(e);
}

static struct ending *ending_new(struct core *c, int64_t id, int64_t fence)
{
	struct ending *e = xcalloc(1, sizeof(*e));

	e->core = c;
	e->id = id;
	e->fence = fence;
	return e;
}

static void test_again(struct core *c, int64_t id, int64_t fence, const char *why)
{
	struct ending *e = ending_new(c, id, fence);

	e->why = xstrdup(why);
	log_warn("test", NULL, "t%lld goes back into the queue: %s", (long long)id, why);
	store_write(c->store, STORE_FULL, write_end, end_done, e);
}

static void fail_test(struct core *c, int64_t id, int64_t fence, const char *why)
{
	struct ending *e = ending_new(c, id, fence);

	e->result.test.state = xstrdup("failed");
	e->result.test.reason = xstrdup(why);
	store_write(c->store, STORE_FULL, write_end, end_done, e);
}

static void copy_result(struct test_result *r, const struct wire_test_end *m)
{
	r->test = (struct test) {
		.state = xstrdup(m->state), .reason = xstrdup_null(m->reason), .flaky = m->flaky,
		.passed = (int64_t)m->passed, .failed = (int64_t)m->failed,
		.errors = (int64_t)m->errors, .skipped = (int64_t)m->skipped,
		.last_lines = xstrdup_null(m->last_lines),
	};
	r->cases.v = xcalloc(m->cases.n + 1, sizeof(*r->cases.v));
	r->cases.n = m->cases.n;
	for (size_t i = 0; i < m->cases.n; i++) {
		const struct wire_test_case *c = &m->cases.v[i];

		r->cases.v[i] = (struct test_case) {
			.path = xstrdup(c->path), .outcome = xstrdup(c->outcome),
			.flaky = c->flaky, .took_ms = c->took_ms,
			.message = xstrdup_null(c->message), .trace = xstrdup_null(c->trace),
		};
	}
}

void queue_test_end(struct core *c, const struct wire_test_end *m)
{
	struct ending *e;

	if (strcmp(m->state, "passed") != 0 && strcmp(m->state, "cancelled") != 0)
		/* it may have changed: the next key is of the new one */
		core_ask_toolchain(c);
	if (strcmp(m->state, "again") == 0) {
		test_again(c, (int64_t)m->test, (int64_t)m->fence,
			   m->reason ? m->reason : "the build role could not do it");
		return;
	}
	e = ending_new(c, (int64_t)m->test, (int64_t)m->fence);
	copy_result(&e->result, m);
	store_write(c->store, STORE_FULL, write_end, end_done, e);
}

/* ---- how it begins ---- */

struct starting { /* claimed tests whose export is being made */
	struct core *core;
	struct test test;
	struct build build;
	struct build_spec spec;
	struct wire_tree_input input; /* the pipeline's own folder: nothing else is laid out */
	int64_t fence, slot;
	char *dest;
};

static void starting_free(struct starting *s)
{
	spec_clear(&s->spec);
	test_clear(&s->test);
	build_clear(&s->build);
	free(s->dest);
	free(s);
}

static void send_test(struct starting *s)
{
	struct core *c = s->core;
	char project[DIGEST_HEX], *log = ps_paths_test_log(c->paths, s->test.id);
	struct wire_test_start m = {
		.test = (uint64_t)s->test.id, .fence = (uint64_t)s->fence,
		.slot = (uint64_t)s->slot, .export = s->dest, .pipeline = s->test.pipeline,
		.digest = s->build.digest, .fabric_name = s->test.fabric_name,
		.prefix = s->build.prefix, .log = log, .inputs = { &s->input, 1 },
		.project_digest = project, .toolchain = s->build.toolchain,
		.retries = c->policy->cfg->tests.retries,
	};

	digest_bytes(project, s->spec.reduced, strlen(s->spec.reduced));
	if (!core_tell(c, CORE_BUILD, MSG_test_start, &m))
		test_again(c, s->test.id, s->fence, "the build role is not running");
	free(log);
}

static int write_started(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct starting *s = arg;

	return test_started(tx, s->test.id, s->fence, err);
}

/* The claim is still ours, and the store says that it runs: now it may. */
static void on_started(void *arg, int rc, const struct ps_err *err)
{
	struct starting *s = arg;

	if (rc < 0 && rc != PS_ESTALE)
		test_again(s->core, s->test.id, s->fence, ps_err_msg(err, rc));
	else if (rc < 0) {
		log_info("test", NULL, "t%lld is not started: %s", (long long)s->test.id,
			 ps_err_msg(err, rc));
		/* what was exported for this claim goes, too */
		queue_stop(s->core, 't', s->test.id, s->fence, NULL);
	} else if (!s->core->role->stopping) /* else the next start queues it again */
		send_test(s);
	core_kick(s->core);
	starting_free(s);
}

static void on_exported(void *arg, struct msg *m, const char *problem)
{
	struct starting *s = arg;

	if (!m) {
		test_again(s->core, s->test.id, s->fence, problem);
	} else if (m->u.done.problem) {
		fail_test(s->core, s->test.id, s->fence, m->u.done.problem);
	} else {
		store_write(s->core->store, STORE_NORMAL, write_started, on_started, s);
		return;
	}
	starting_free(s);
}

/* The pipeline's folder among the build's inputs. */
static bool find_input(struct starting *s)
{
	for (size_t i = 0; i < s->spec.n; i++) {
		if (!ps_streq(s->spec.inputs[i].path, s->test.pipeline))
			continue;
		s->input = s->spec.inputs[i];
		return true;
	}
	return false;
}

void queue_test_start(struct core *c, struct act *a)
{
	struct starting *s = xcalloc(1, sizeof(*s));
	struct ps_err err = { 0 };

	s->core = c;
	s->test = a->test;
	s->build = a->build;
	memset(&a->test, 0, sizeof(a->test));
	memset(&a->build, 0, sizeof(a->build));
	s->fence = a->fence;
	s->slot = a->slot;
	s->dest = queue_export_dest(c, 't', s->test.id, s->fence);
	if (spec_from_json(&s->spec, s->build.spec, &err) < 0 || !find_input(s)) {
		fail_test(c, s->test.id, s->fence,
			  err.code ? err.msg : "its build does not say where the pipeline lies");
		starting_free(s);
		return;
	}
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_export,
		 &(struct wire_export) { .repository = a->repository, .oid = s->test.commit_oid,
					 .project = s->test.project, .inputs = { &s->input, 1 },
					 .reduced = s->spec.reduced, .dest = s->dest },
		 EXPORT_LIMIT_MS, on_exported, s);
}

/* What the role was doing when it (or all of us) ended queues again. */
int recover_tests(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct tests l = { NULL, 0 };
	int rc = tests_under_way(tx, &l, err);

	(void)arg;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = test_requeue(tx, l.v[i].id, l.v[i].fence, "the build role ended meanwhile",
				  err);
	tests_clear(&l);
	return rc;
}
