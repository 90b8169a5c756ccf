/*
 * test – the unit tests of one build under one FABRIC_NAME; shared by all who need them, like a build.
 *
 * A test belongs to its key (common/plan/testkey.h). `kept` is 1 while it is the one that everybody
 * who needs the key takes: open, or passed and remembered. One that failed, was cancelled, passed only
 * when tried again (flaky) or was forgotten is not kept: who needs the key next runs it again. What a
 * demand was given stays with it in demand_test.
 */
#ifndef PS_STORE_TEST_H
#define PS_STORE_TEST_H

#include "agent/store/rows.h"

#define TEST_COLS(X)                                                                             \
	X(i, id) X(t, key) X(i, build) X(i, repository) X(t, project) X(t, commit_oid)           \
	X(t, pipeline) X(t, fabric_name) X(t, state) X(t, reason) X(t, detail) X(i, since_ms)    \
	X(i, slot) X(i, fence) X(i, lease_ms) X(i, kept) X(i, flaky) X(i, passed) X(i, failed)   \
	X(i, errors) X(i, skipped) X(t, last_lines) X(i, created_ms) X(i, started_ms)            \
	X(i, ended_ms) X(i, priority) X(i, turn) X(i, bumped_ms) X(t, cancel)
ROWS_STRUCT(test, TEST_COLS)

#define TEST_CASE_COLS(X)                                                                  \
	X(i, test) X(i, n) X(t, path) X(t, outcome) X(i, flaky) X(i, took_ms) X(t, message) \
	X(t, trace)
ROWS_STRUCT(test_case, TEST_CASE_COLS)

/* What a finished test came to. kept, key and the like are not read. */
struct test_result {
	struct test test;	/* state (passed, failed, cancelled), reason, flaky, counts, last_lines */
	struct test_cases cases;
};

/* The kept test of this key; PS_ENOENT. */
int test_by_key(struct store_tx *tx, const char *key, struct test *out,
		struct ps_err *err) PS_MUSTCHECK;
int test_get(struct store_tx *tx, int64_t id, struct test *out, struct ps_err *err) PS_MUSTCHECK;
/* Inserts a queued test; sets t->id. */
int test_insert(struct store_tx *tx, struct test *t, struct ps_err *err) PS_MUSTCHECK;
/* Ties a demand to the test of one of its builds, once. */
int test_link(struct store_tx *tx, int64_t demand, int64_t test, int64_t build,
	      struct ps_err *err) PS_MUSTCHECK;
int tests_of_demand(struct store_tx *tx, int64_t demand, struct tests *out,
		    struct ps_err *err) PS_MUSTCHECK;
/* Claimed or running ones. */
int tests_under_way(struct store_tx *tx, struct tests *out, struct ps_err *err) PS_MUSTCHECK;
/* A demand has ended: those of its tests that wait and that no open demand needs are cancelled; what
 * runs goes on, its pass is remembered. */
int tests_let_go(struct store_tx *tx, int64_t demand, struct ps_err *err) PS_MUSTCHECK;
/* queued → claimed with a raised fence, which is returned in *fence. */
int test_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t lease_ms, int64_t *fence,
	       struct ps_err *err) PS_MUSTCHECK;
/* claimed → running; claimed or running → queued. Only under the same fence, else PS_ESTALE. */
int test_started(struct store_tx *tx, int64_t id, int64_t fence, struct ps_err *err) PS_MUSTCHECK;
int test_requeue(struct store_tx *tx, int64_t id, int64_t fence, const char *why,
		 struct ps_err *err) PS_MUSTCHECK;
/* The end with its cases, in one transaction. */
int test_finish(struct store_tx *tx, int64_t id, int64_t fence, const struct test_result *r,
		struct ps_err *err) PS_MUSTCHECK;
/*
 * Forgets the passes of a build: who needs its tests next runs them again, demands that have one keep
 * it. For `retry --fresh`. Returns how many were forgotten; open ones go on and are still kept.
 */
int tests_forget(struct store_tx *tx, int64_t build, struct ps_err *err) PS_MUSTCHECK;
/* As build_cancel(): a queued one ends at once, one under way when its processes have. */
int test_cancel(struct store_tx *tx, const struct test *t, const char *why, bool *under_way,
		struct ps_err *err) PS_MUSTCHECK;
/* Queued, claimed and running tests of this demand that no other open demand needs. */
int tests_of_demand_alone(struct store_tx *tx, int64_t demand, struct tests *out,
			  struct ps_err *err) PS_MUSTCHECK;
/* The demand asks anew for tests that failed or were cancelled; all: for those that passed too. */
int tests_unlink(struct store_tx *tx, int64_t demand, bool all, struct ps_err *err) PS_MUSTCHECK;
void test_clear(struct test *t);
void tests_clear(struct tests *l);
void test_result_clear(struct test_result *r);

#endif
