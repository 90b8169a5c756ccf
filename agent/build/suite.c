/* suite – see suite.h. */
#include "config.h"

#include "agent/build/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/plan/profile.h"

#define REPORT "report.xml"
#define SUITE_FILE "test/TestSuite.py"

/* What suite.py and pytest say by their exit status. */
enum { PYTEST_PASSED = 0, PYTEST_FAILED = 1, PYTEST_NONE = 5, NO_PYTEST = 97 };

static void on_output(void *arg, const char *bytes, size_t n)
{
	runlog_bytes(arg, bytes, n);
}

static void fail(struct suite_end *end, enum suite_state state, const char *fmt, ...)
	PS_PRINTF(3, 4);
static void fail(struct suite_end *end, enum suite_state state, const char *fmt, ...)
{
	va_list ap;

	end->state = state;
	va_start(ap, fmt);
	vsnprintf(end->reason, sizeof(end->reason), fmt, ap);
	va_end(ap);
}

/* ---- one try ---- */

static int make_out(const struct recipe_job *job, const char *out, struct ps_err *err)
{
	int rc = fs_mkdirs(out, 0755, err);

	if (rc == 0 && geteuid() == 0 && chown(out, job->uid, job->uid) < 0)
		rc = ps_err_errno(err, "cannot give '%s' to the sandbox", out);
	return rc;
}

static int run_inside(const struct suite_job *job, const char *out, bool again,
		      struct sandbox_result *res, struct ps_err *err)
{
	const struct recipe_job *b = &job->base;
	char *artifact = cas_path(b->artifacts, job->digest);
	char *launcher = fs_find_program("suite.py");
	const struct sandbox_bind binds[] = {
		{ b->export, PROFILE_EXPORT, false },
		{ out, PROFILE_OUT, true },
		{ artifact, PROFILE_ARTIFACT, false },
		{ launcher, PROFILE_SUITE, false },
	};
	const char *const argv[] = {
		PROFILE_TOOLCHAIN "/bin/python", PROFILE_SUITE, PROFILE_ARTIFACT, b->pipeline,
		job->fabric_name, PROFILE_OUT "/" REPORT, again ? "again" : NULL, NULL,
	};
	int rc = launcher ? 0 : ps_err_set(err, PS_ENOENT,
					   "suite.py is not installed beside this program");

	if (rc == 0)
		rc = sandbox_run(
			&(struct sandbox_spec){
				.argv = argv,
				.prefix = b->prefix,
				.java = b->java,
				.binds = binds,
				.nbinds = PS_NELEM(binds),
				.watched = out,
				.cwd = "/tmp",
				.build_dir = true,
				.uid = b->uid,
				.mark = b->mark,
				.limits = b->limits,
				.on_output = on_output,
				.arg = b->log,
			},
			res, err);
	free(launcher);
	free(artifact);
	return rc;
}

/* A report of the try before must not be taken for this one's. */
static int one_try(const struct suite_job *job, const char *out, bool again,
		   struct sandbox_result *res, struct junit *tests, struct ps_err *report,
		   struct ps_err *err)
{
	char *path = fs_join(out, REPORT);
	int rc = fs_remove_tree(AT_FDCWD, path, err);

	*tests = (struct junit){ NULL, 0, { 0 } };
	*report = (struct ps_err){ 0 };
	if (rc == 0)
		rc = run_inside(job, out, again, res, err);
	if (rc == 0 && junit_read(tests, path, job->base.uid, report) == PS_ENOENT)
		ps_err_set(report, PS_ENOENT, "the tests left no report");
	free(path);
	return rc;
}

/* ---- what it came to ---- */

static size_t bad_count(const struct junit *j)
{
	return j->count[JUNIT_FAILED] + j->count[JUNIT_ERROR];
}

static size_t all_count(const struct junit *j)
{
	return bad_count(j) + j->count[JUNIT_PASSED] + j->count[JUNIT_SKIPPED];
}

static bool is_bad(const struct junit_case *c)
{
	return c->outcome == JUNIT_FAILED || c->outcome == JUNIT_ERROR;
}

/* pytest says "collection failure"; why is in the last line of the trace that begins with E. */
static void tell_collection(struct junit *tests)
{
	for (size_t i = 0; i < tests->n; i++) {
		struct junit_case *c = &tests->v[i];
		char *last = NULL;

		if (!ps_streq(c->message, "collection failure") || !c->trace)
			continue;
		for (char *at = c->trace; (at = strstr(at, "\nE   ")); at += 5)
			last = at + 5;
		if (!last)
			continue;
		free(c->message);
		c->message = xasprintf("cannot be imported: %.*s", (int)strcspn(last, "\n"), last);
	}
}

char *suite_case_path(const char *pipeline, const struct junit_case *c)
{
	const char *module = strrchr(c->class_name, '.');
	const char *last = module ? module + 1 : c->class_name;
	const char *file = *c->file ? c->file : SUITE_FILE;
	const char *base = strrchr(file, '/');
	size_t n;

	/* the last part is a class, unless it is the module: the suite's or that of the file */
	base = base ? base + 1 : file;
	n = strcspn(base, ".");
	if (strcmp(last, "TestSuite") == 0 || (strlen(last) == n && strncmp(last, base, n) == 0))
		last = "";
	return xasprintf("%s/code/%s%s%s::%s", pipeline, file, *last ? "::" : "", last, c->name);
}

/* limit: the one that the tests had reached, "": none. */
static void tell_failed(const struct suite_job *job, struct suite_end *end, const char *limit)
{
	const struct junit *t = &end->tests;

	for (size_t i = 0; i < t->n; i++) {
		char *path;

		if (!is_bad(&t->v[i]))
			continue;
		path = suite_case_path(job->base.pipeline, &t->v[i]);
		fail(end, SUITE_FAILED, "%zu of %zu: %s%s%s", bad_count(t), all_count(t), path,
		     *limit ? "; " : "", limit);
		free(path);
		return;
	}
}

/* One try's end, from what the sandbox says, the report and the exit status. */
static void conclude(const struct suite_job *job, const struct sandbox_result *res,
		     const struct ps_err *report, struct suite_end *end)
{
	if (res->end == SANDBOX_BROKEN)
		fail(end, SUITE_AGAIN, "%s", res->why);
	else if (res->end == SANDBOX_LIMIT)
		fail(end, SUITE_FAILED, "%s", res->why);
	else if (res->status == NO_PYTEST)
		fail(end, SUITE_FAILED,
		     "the toolchain '%s' has no pytest: add the line 'pytest' to its requirements "
		     "and make one of them: penstock toolchain make NAME FILE",
		     job->base.prefix);
	else if (report->code)
		fail(end, SUITE_FAILED, "%s (%s)", report->msg, res->why);
	else if (bad_count(&end->tests))
		tell_failed(job, end, res->limit);
	else if (res->status == PYTEST_NONE)
		fail(end, SUITE_PASSED, "%s holds no test", SUITE_FILE);
	else if (res->status != PYTEST_PASSED)
		fail(end, SUITE_FAILED, "no test failed, and pytest ended with %s", res->why);
	else
		fail(end, SUITE_PASSED, "%s", "");
}

static bool same_test(const struct junit_case *a, const struct junit_case *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->class_name, b->class_name) == 0 &&
	       strcmp(a->file, b->file) == 0;
}

/* Did it pass this time, in every row that it has? */
static bool passed_in(const struct junit *again, const struct junit_case *c)
{
	bool passed = false;

	for (size_t i = 0; i < again->n; i++) {
		if (!same_test(&again->v[i], c))
			continue;
		if (again->v[i].outcome != JUNIT_PASSED)
			return false;
		passed = true;
	}
	return passed;
}

/* Those that passed this time are flaky: passed, and marked. */
static void take_second(struct suite_end *end, const struct junit *again)
{
	for (size_t i = 0; i < end->tests.n; i++) {
		struct junit_case *c = &end->tests.v[i];

		if (!is_bad(c) || !passed_in(again, c))
			continue;
		end->tests.count[c->outcome]--;
		end->tests.count[JUNIT_PASSED]++;
		c->outcome = JUNIT_PASSED;
		c->flaky = true;
		end->flaky = true;
	}
}

/* Runs what failed once more. A try that goes wrong in itself leaves the end as it was. */
static int try_again(const struct suite_job *job, const char *out, struct suite_end *end,
		     struct ps_err *err)
{
	struct sandbox_result res;
	struct ps_err report;
	struct junit again;
	int rc;

	runlog_say(job->base.log, "%zu of %zu tests failed: once more", bad_count(&end->tests),
		   all_count(&end->tests));
	rc = one_try(job, out, true, &res, &again, &report, err);
	if (rc == 0 && res.end == SANDBOX_EXITED && !report.code) {
		take_second(end, &again);
		if (!bad_count(&end->tests))
			fail(end, SUITE_PASSED, "%s", "");
		else
			tell_failed(job, end, res.limit);
	}
	junit_clear(&again);
	return rc;
}

static int check_artifact(const struct suite_job *job, struct ps_err *err)
{
	int fd = cas_open(job->base.artifacts, job->digest, err), rc;
	char hex[DIGEST_HEX];

	if (fd < 0)
		return fd;
	rc = digest_fd(hex, fd, NULL, err);
	close(fd);
	if (rc == 0 && strcmp(hex, job->digest) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "the artifact %.12s has other bytes now",
				job->digest);
	return rc;
}

static int all_tries(const struct suite_job *job, const char *out, struct suite_end *end,
		     struct ps_err *err)
{
	struct sandbox_result res;
	struct ps_err report;
	int rc = one_try(job, out, false, &res, &end->tests, &report, err);

	if (rc < 0)
		return rc;
	tell_collection(&end->tests);
	conclude(job, &res, &report, end);
	for (unsigned i = 0; rc == 0 && i < job->retries && end->state == SUITE_FAILED &&
			     res.end == SANDBOX_EXITED && res.status == PYTEST_FAILED &&
			     bad_count(&end->tests);
	     i++)
		rc = try_again(job, out, end, err);
	return rc;
}

void suite_run(const struct suite_job *job, struct suite_end *end)
{
	const struct recipe_job *b = &job->base;
	char *out = fs_join(b->work, "out");
	struct ps_err err = { 0 };
	int rc;

	*end = (struct suite_end){ .state = SUITE_AGAIN };
	if ((rc = recipe_verify(b, &err)) < 0)
		fail(end, rc == PS_ESTALE ? SUITE_FAILED : SUITE_AGAIN,
		     "the export is not what the key says: %s", err.msg);
	else if ((rc = check_artifact(job, &err)) < 0)
		fail(end, rc == PS_ECONFLICT || rc == PS_ENOENT ? SUITE_FAILED : SUITE_AGAIN, "%s",
		     err.msg);
	else if ((rc = fs_remove_tree(AT_FDCWD, b->work, &err)) < 0 ||
		 (rc = make_out(b, out, &err)) < 0 || (rc = all_tries(job, out, end, &err)) < 0)
		fail(end, SUITE_AGAIN, "%s", ps_err_msg(&err, rc));
	if (end->reason[0])
		runlog_say(b->log, "%s", end->reason);
	runlog_say(b->log, "%zu passed, %zu failed, %zu errors, %zu skipped%s",
		   end->tests.count[JUNIT_PASSED], end->tests.count[JUNIT_FAILED],
		   end->tests.count[JUNIT_ERROR], end->tests.count[JUNIT_SKIPPED],
		   end->flaky ? "; flaky: some only when tried again" : "");
	/* what cannot be removed now is removed at the role's start */
	if (fs_remove_tree(AT_FDCWD, b->work, &err) < 0)
		runlog_say(b->log, "%s", err.msg);
	free(out);
}
