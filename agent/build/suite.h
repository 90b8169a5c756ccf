/*
 * suite – the unit tests of one pipeline against the artifact that was built, in a sandbox of their
 * own.
 *
 * The artifact comes from the content store, read-only, its digest looked at before; the tests from
 * an export whose tree id is computed again. Inside, suite.py lays both out so that what is
 * imported is what was built. What counts is the JUnit report and the exit status together: a
 * report that is missing, torn or hostile, a failing test with exit 0, or an exit that no test
 * explains is a failure that says so. Tests that failed are run again `retries` times; one that
 * passes then is flaky. Straight-line code for a process of its own (sandbox.h).
 */
#ifndef PS_SUITE_H
#define PS_SUITE_H

#include "agent/build/junit.h"
#include "agent/build/recipe.h"

struct suite_job {
	struct recipe_job base; /* export, work, pipeline, inputs, toolchain, limits, log, ... */
	const char *digest;     /* of the artifact, in base.artifacts */
	const char *fabric_name;
	unsigned retries;
};

enum suite_state {
	SUITE_PASSED,
	SUITE_FAILED,
	SUITE_AGAIN, /* ours: no sandbox, a full disk */
};

struct suite_end {
	enum suite_state state;
	bool flaky;         /* passed, and some test only at another try */
	char reason[1024];  /* first cause; empty when passed; a note when there was no test */
	struct junit tests; /* junit_clear() */
};

void suite_run(const struct suite_job *job, struct suite_end *end);
/* "pipelines/x/code/test/test_a.py::OrdersTest::test_totals"; free() it. */
char *suite_case_path(const char *pipeline, const struct junit_case *c);

#endif
