/* job_test – the tests of one pipeline as core asks for them; see job.h and suite.h. */
#include "config.h"

#include "agent/build/job.h"

#include <fcntl.h>

#include "agent/build/suite.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum { PATH_MAX_SENT = 2000 };
_Static_assert((PATH_MAX_SENT + JUNIT_MESSAGE_MAX + JUNIT_TRACE_MAX + 200) * JUNIT_CASES_MAX <
		       MSG_ROLE_MAX,
	       "all tests that are kept fit into one frame");

static const char *const words[] = {
	[SUITE_PASSED] = "passed",
	[SUITE_FAILED] = "failed",
	[SUITE_AGAIN] = "again",
};

static void test_logged(const struct job_env *env, const struct wire_test_start *m,
			struct suite_end *end, struct runlog *log)
{
	struct toolchain t = { .prefix = job_prefix(m->prefix), .java = toolchain_java() };
	struct recipe_input *inputs = xcalloc(m->inputs.n + 1, sizeof(*inputs));
	char *work = job_work(env, 't', m->test, m->fence);
	struct ps_err err = { 0 };

	job_sweep(env, 't', m->test, m->fence);
	runlog_attempt(log);
	for (size_t i = 0; i < m->inputs.n; i++)
		inputs[i] = (struct recipe_input){ m->inputs.v[i].path, m->inputs.v[i].oid,
						   m->inputs.v[i].is_dir };
	if (job_check_toolchain(env, m->toolchain, &t, &err) < 0) {
		end->state = err.code == PS_ESTALE ? SUITE_FAILED : SUITE_AGAIN;
		snprintf(end->reason, sizeof(end->reason), "%s", err.msg);
		runlog_say(log, "%s", err.msg);
	} else {
		runlog_say(log, "testing %s, artifact %.12s, FABRIC_NAME=%s", m->pipeline,
			   m->digest, m->fabric_name);
		suite_run(
			&(struct suite_job){
				.base = {
					.export = m->export,
					.work = work,
					.artifacts = env->paths->artifacts,
					.pipeline = m->pipeline,
					.project_digest = m->project_digest,
					.inputs = inputs,
					.ninputs = m->inputs.n,
					.prefix = t.prefix,
					.java = t.java,
					.uid = job_uid(m->slot),
					.mark = job_mark(env->paths),
					.limits = job_limits(env->cfg),
					.log = log,
				},
				.digest = m->digest,
				.fabric_name = m->fabric_name,
				.retries = (unsigned)m->retries,
			},
			end);
	}
	free(work);
	free(inputs);
	toolchain_clear(&t);
}

/* A path as the message takes it; what is too long loses its end, whole characters at a time. */
static char *path_of(const char *pipeline, const struct junit_case *c)
{
	char *path = suite_case_path(pipeline, c);
	size_t n = strlen(path);

	if (n > PATH_MAX_SENT) {
		for (n = PATH_MAX_SENT; ((unsigned char)path[n] & 0xc0) == 0x80; n--)
			;
		path[n] = '\0';
	}
	return path;
}

/* The cases borrow their texts from end; their paths are their own. JUNIT_CASES_MAX of them with
 * all they may hold fit into one frame. */
static struct wire_test_case *cases_of(const char *pipeline, const struct suite_end *end)
{
	struct wire_test_case *v = xcalloc(end->tests.n + 1, sizeof(*v));

	for (size_t i = 0; i < end->tests.n; i++) {
		const struct junit_case *c = &end->tests.v[i];

		v[i] = (struct wire_test_case){
			.path = path_of(pipeline, c),
			.outcome = junit_word(c->outcome),
			.flaky = c->flaky,
			.took_ms = c->took_ms,
			.message = c->message,
			.trace = c->trace,
		};
	}
	return v;
}

static void tell_end(const struct wire_test_start *m, const struct suite_end *end, const char *tail,
		     int sock)
{
	struct wire_test_case *cases = cases_of(m->pipeline, end);
	const size_t *count = end->tests.count;

	job_tell(sock, MSG_test_end,
		 &(struct wire_test_end){
			 .test = m->test,
			 .fence = m->fence,
			 .state = words[end->state],
			 .reason = end->reason[0] ? end->reason : NULL,
			 .flaky = end->flaky && end->state == SUITE_PASSED,
			 .passed = count[JUNIT_PASSED],
			 .failed = count[JUNIT_FAILED],
			 .errors = count[JUNIT_ERROR],
			 .skipped = count[JUNIT_SKIPPED],
			 .cases = { cases, end->tests.n },
			 .last_lines = tail,
		 });
	for (size_t i = 0; i < end->tests.n; i++)
		free((char *)cases[i].path);
	free(cases);
}

void job_test(const struct job_env *env, const struct wire_test_start *m, int sock)
{
	struct suite_end end = { .state = SUITE_AGAIN };
	struct buf tail = BUF_INIT;
	struct runlog *log = NULL;
	struct ps_err err = { 0 };

	if (runlog_open(&log, m->log, env->cfg->builder.output, &err) < 0)
		snprintf(end.reason, sizeof(end.reason), "%s", err.msg);
	else
		test_logged(env, m, &end, log);
	job_finish(log, m->export, end.state == SUITE_AGAIN, &tail);
	tell_end(m, &end, buf_str(&tail), sock);
	buf_clear(&tail);
	junit_clear(&end.tests);
}
