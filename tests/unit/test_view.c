/* The views over a store that was filled by SQL: what a person reads of each kind of thing. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/store/line.h"
#include "agent/store/sql.h"
#include "agent/store/view.h"
#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "tests/support/store_fill.h"

static struct fx {
	char dir[64], *path;
	struct store *st;
	int wake[2];
	struct config *cfg;
} fx;

static void on_wake(void *arg)
{
	(void)arg;
	assert_int_equal(write(fx.wake[1], "x", 1), 1);
}

struct job {
	view_fn *view;
	const struct view_ask *ask;
	json_t *out;
	int rc;
	struct ps_err err;
	bool done;
};

static int run_view(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct job *j = arg;

	return j->view(tx, j->ask, &j->out, err);
}

static void on_done(void *arg, int rc, const struct ps_err *err)
{
	struct job *j = arg;

	j->rc = rc;
	if (err)
		j->err = *err;
	j->done = true;
}

static void wait_done(struct job *j)
{
	char c;

	while (!j->done) {
		assert_int_equal(read(fx.wake[0], &c, 1), 1);
		store_poll(fx.st);
	}
}

static int setup(void **state)
{
	static const char yaml[] =
		"teams: { developers: { members: [ana] } }\n"
		"fabrics:\n  development: { id: 1174, owner: developers, provider: local }\n"
		"  production: { id: 4004, owner: developers, provider: local }\n"
		"  airflow: { id: 5005, owner: developers, provider: airflow, airflow: { host: "
			"'http://127.0.0.1:1' } }\n"
		"environments: []\n";
	struct diag_list diags = DIAG_LIST_INIT;
	struct job j = { .done = false };
	struct ps_err err;

	(void)state;
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/ps-view-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	assert_int_equal(pipe(fx.wake), 0);
	fx.path = fs_join(fx.dir, "store.db");
	assert_int_equal(store_open(&fx.st, fx.path, on_wake, NULL, &err), 0);
	assert_int_equal(config_parse(&fx.cfg, "penstock.yml", yaml, strlen(yaml), &diags, &err),
			 0);
	diag_clear(&diags);
	assert_non_null(fx.cfg);
	store_write(fx.st, STORE_FULL, store_fill_run, on_done, &j);
	wait_done(&j);
	if (j.rc < 0)
		fail_msg("%s", j.err.msg);
	return 0;
}

static int teardown(void **state)
{
	struct ps_err err;

	(void)state;
	store_close(fx.st);
	config_free(fx.cfg);
	close(fx.wake[0]);
	close(fx.wake[1]);
	assert_int_equal(fs_remove_tree(AT_FDCWD, fx.dir, &err), 0);
	free(fx.path);
	return 0;
}

/* What a row expects: texts that must be in the compact JSON, and one that must not. */
static const struct row {
	const char *name;
	view_fn *view;
	struct view_ask ask;
	int rc;
	const char *has[8], *lacks;
} rows[] = {
	{ "events", view_events, { .limit = 0 }, 0,
	  { "\"id\":\"e6\"", "\"state\":\"held\"", "\"repository\":\"shop\"",
	    "\"new\":\"" OID2 "\"", "\"more\":false", "\"pusher\":null" }, NULL },
	{ "events of a ref", view_events, { .ref = "refs/heads/main" }, 0,
	  { "\"id\":\"e4\"", "\"id\":\"e1\"" }, "\"e2\"" },
	{ "events in a state", view_events, { .state = "held" }, 0, { "\"id\":\"e6\"" }, "\"e1\"" },
	{ "events of a repository", view_events, { .repository = "other" }, 0, { "\"items\":[]" },
	  "\"e1\"" },
	{ "events, two of them", view_events, { .limit = 2 }, 0,
	  { "\"e6\"", "\"e5\"", "\"more\":true" }, "\"e4\"" },
	{ "event", view_event, { .id = "e1" }, 0, { "\"id\":\"e1\"", "\"push\":\"p-1\"",
						    "\"at\":\"1970-01-01T00:00:01.000Z\"" },
	  "items" },
	{ "event unknown", view_event, { .id = "e99" }, PS_ENOENT, { NULL }, NULL },
	{ "event no id", view_event, { .id = "b1" }, PS_EINVAL, { NULL }, NULL },
	{ "builds", view_builds, { .limit = 0 }, 0,
	  { "\"id\":\"b3\"", "\"reason\":\"builder\"", "\"key\":\"k1\"", "\"took_ms\":300",
	    "\"digest\":\"" SHA "\"" }, NULL },
	{ "builds failed", view_builds, { .state = "failed" }, 0, { "\"id\":\"b2\"" }, "\"b1\"" },
	{ "build", view_build, { .id = "b2" }, 0, { "SyntaxError: bad", "\"event\":\"e3\"",
						    "\"tests\":null" }, NULL },
	{ "build with tests", view_build, { .id = "b1" }, 0,
	  { "\"tests\":\"t2: 2 passed, 1 failed\"" }, NULL },
	{ "tests of a test", view_tests, { .id = "t2" }, 0,
	  { "\"summary\":\"2 passed, 1 failed\"", "\"remembered\":false",
	    "\"cases\":[{\"id\":\"f.py::C::bad\",\"state\":\"failed\"", "assert 1 == 2\\nmore" },
	  "\"t1\"" },
	{ "tests of a build", view_tests, { .id = "b1" }, 0,
	  { "\"id\":\"t2\"", "\"id\":\"t1\"", "3 passed, 1 skipped, flaky" }, NULL },
	{ "tests of an event", view_tests, { .id = "e1" }, 0,
	  { "\"id\":\"t1\"", "\"cases\":[{\"id\":\"f.py::C::shaky\"" }, "\"t2\"" },
	{ "tests of nothing that has some", view_tests, { .id = "d1" }, PS_EINVAL, { NULL }, NULL },
	{ "tests of a build that is not there", view_tests, { .id = "b99" }, PS_ENOENT, { NULL },
	  NULL },
	{ "tests, all", view_tests_list, { .state = "failed" }, 0, { "\"t2\"" }, "\"t1\"" },
	{ "why a test", view_why, { .thing = "t2" }, 0,
	  { "t2 tests of pipelines/a (b1), FABRIC_NAME=qa", "\"what\":\"f.py::C::bad\"",
	    "assert 1 == 2\"", "needed by e3", "\"next\":\"penstock tests t2\"" }, "more" },
	{ "why an event whose tests were flaky", view_why, { .thing = "e1" }, 0,
	  { "t1 tests of pipelines/a", "3 passed, 1 skipped, flaky", "it passed only when tried again" },
	  "C::good" },
	{ "releases", view_releases, { .limit = 0 }, 0,
	  { "\"id\":\"aaaaaaaaaaaa\"", "\"state\":\"live\"", "\"version\":\"v1.0\"",
	    "\"fabrics\":[\"development\"]", "\"labels\":2" }, NULL },
	{ "releases of another project", view_releases, { .project = "x" }, 0, { "\"items\":[]" }, NULL },
	{ "a release", view_release, { .thing = "v1.0" }, 0,
	  { "\"id\":\"aaaaaaaaaaaa\",\"state\":\"live\"", "\"signed_by\":null", "\"manifest\":\"{}\"",
	    "\"fabrics\":[\"development\"]", "\"ref\":\"refs/tags/v1.0\"", "\"pusher\":\"kim\"",
	    "\"id\":\"d2\",\"state\":\"waiting\"" }, NULL },
	{ "no release", view_release, { .thing = "v2" }, PS_ENOENT, { NULL }, NULL },
	{ "a release, not said which", view_release, { .thing = NULL }, PS_EINVAL, { NULL }, NULL },
	{ "releases in another state", view_releases, { .state = "none" }, 0, { "\"items\":[]" },
	  NULL },
	{ "fabrics", view_fabrics, { .limit = 0 }, 0,
	  { "\"id\":\"development\",\"state\":\"live\",\"release\":\"aaaaaaaaaaaa\"",
	    "\"id\":\"production\",\"state\":\"none\"",
	    "\"waiting\":1", "\"fabric_id\":5005" }, NULL },
	{ "history", view_history, { .id = "development" }, 0,
	  { "\"id\":\"d1\"", "\"pusher\":\"ana\"", "\"took_ms\":200" }, "\"d2\"" },
	{ "history of no fabric", view_history, { .id = "qa" }, PS_ENOENT, { NULL }, NULL },
	{ "runs", view_runs, { .limit = 0 }, 0, { "\"id\":\"x2\"", "\"config\":\"prod\"",
						  "\"who\":\"ana\"" }, NULL },
	{ "run", view_run, { .id = "x2" }, 0, { "\"id\":\"one\"", "\"last\":\"boom\"",
						"\"state\":\"upstream failed\"" }, NULL },
	{ "queue", view_queue, { .limit = 0 }, 0,
	  { "\"id\":\"b3\"", "\"reason\":\"builder\"", "\"id\":\"d2\"", "\"reason\":\"approval\"",
	    "\"id\":\"e6\"", "\"ahead\":0" }, "\"e4\"" },
	{ "failing", view_failing, { .limit = 0 }, 0, { "\"id\":\"b2\"", "\"id\":\"x2\"",
	    "\"id\":\"t2\"" }, "\"e3\"" },
	{ "why a branch", view_why, { .thing = "main" }, 0,
	  { "\"id\":\"e4\"", "project . to environment development",
	    "b3 build of shop:. pipelines/a",
	    "waits for a free slot: 1 of 1 slots busy",
	    "\"next\":\"penstock builds --state running\"" }, NULL },
	{ "why what maps nowhere", view_why, { .thing = "refs/heads/feature" }, 0,
	  { "maps nowhere", "\"next\":\"penstock which --all --repo shop refs/heads/feature\"" },
	  NULL },
	{ "why a failed build", view_why, { .thing = "refs/heads/broken" }, 0,
	  { "| SyntaxError: bad", "\"next\":\"penstock log b2\"",
	    "the report of the push did not come" }, NULL },
	{ "why a tag", view_why, { .thing = "v1.0" }, 0,
	  { "\"id\":\"e5\"", "have not approved: prod_support 0/1", "b1 build" }, NULL },
	{ "why held", view_why, { .thing = "e6" }, 0, { "the pusher is unknown", "by unknown" },
	  NULL },
	{ "why a build", view_why, { .thing = "b1" }, 0, { "needed by e1", "needed by e5" }, NULL },
	{ "why a deployment", view_why, { .thing = "d1" }, 0, { "step 1: artifact a.whl",
								"e1 shop refs/heads/main",
								"penstock history development" },
	  NULL },
	{ "why a run", view_why, { .thing = "x2" }, 0, { "task one", "last line: boom",
							 "\"next\":\"penstock log x2\"" }, NULL },
	{ "why a release", view_why, { .thing = "aaaaaaaaaaaa" }, 0,
	  { "release aaaaaaaaaaaa of shop:.", "v1.0: refs/tags/v1.0", "d2 release" }, NULL },
	{ "why a version", view_why, { .thing = "1.0-aaaaaaaaaaaa" }, 0, { "release aaaaaaaaaaaa" },
	  NULL },
	{ "why nothing", view_why, { .thing = "nothing" }, PS_ENOENT, { NULL }, NULL },
	{ "why empty", view_why, { .thing = "" }, PS_EINVAL, { NULL }, NULL },
};

static void check_row(void **state)
{
	const struct row *r = *state;
	struct view_ask ask = r->ask;
	struct job j = { .view = r->view, .ask = &ask };
	char *text;

	ask.cfg = fx.cfg;
	store_read(fx.st, run_view, on_done, &j);
	wait_done(&j);
	if (r->rc != j.rc)
		fail_msg("rc %d, wanted %d: %s", j.rc, r->rc, j.err.msg);
	if (r->rc < 0) {
		assert_true(j.err.msg[0]);
		assert_null(j.out);
		return;
	}
	text = json_dumps(j.out, JSON_COMPACT);
	assert_non_null(text);
	for (size_t i = 0; i < PS_NELEM(r->has) && r->has[i]; i++)
		if (!strstr(text, r->has[i]))
			fail_msg("'%s' is not in %s", r->has[i], text);
	if (r->lacks && strstr(text, r->lacks))
		fail_msg("'%s' is in %s", r->lacks, text);
	free(text);
	json_decref(j.out);
}

/* ---- every reason there is, at every place where something of the store waits ---- */

/* DESIGN section 2, by hand: a word that is missing in the table is found here. */
static const char *const words[] = {
	"builder", "order", "tests", "sandbox", "toolchain", "disk", "paused", "recovery", "held",
	"after", "approval", "manual", "window", "freeze", "lock", "pinned", "fabric",
};
static const char *const places[] = { "build", "deployment production", "run development" };

static const char *word;	/* of the next write */

static int set_reason(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct wait w = { .reason = word, .blocked_by = "b9" };
	int rc = 0;

	(void)arg;
	for (size_t i = 0; i < PS_NELEM(places) && rc == 0; i++)
		rc = wait_set(tx, places[i], &w, err);
	return rc;
}

static void waits_lack_nothing(void **state)
{
	static const char *const parts[] = { "reason", "detail", "blocked_by", "since", "ahead",
					     "lift" };
	const char *reason = *state;
	struct job write = { .rc = 0 };
	struct view_ask ask = { .cfg = fx.cfg };
	struct job j = { .view = view_queue, .ask = &ask };
	size_t i, waiting = 0;
	json_t *item;

	word = reason;
	store_write(fx.st, STORE_FULL, set_reason, on_done, &write);
	wait_done(&write);
	assert_int_equal(write.rc, 0);
	store_read(fx.st, run_view, on_done, &j);
	wait_done(&j);
	assert_int_equal(j.rc, 0);
	json_array_foreach(j.out, i, item) {
		const char *state_word = json_string_value(json_object_get(item, "state"));

		if (strcmp(state_word, "queued") != 0 && strcmp(state_word, "waiting") != 0)
			continue;
		waiting++;
		assert_string_equal(json_string_value(json_object_get(item, "reason")), reason);
		for (size_t k = 0; k < PS_NELEM(parts); k++) {
			const json_t *part = json_object_get(item, parts[k]);

			if (!part || json_is_null(part))
				fail_msg("%s: no %s", reason, parts[k]);
		}
	}
	assert_int_equal(waiting, PS_NELEM(places));
	json_decref(j.out);
}

/* ---- a fabric with jobs of two releases ---- */

#define OTHER "ccccccccccccbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* A part of another release, an orphan, a deployment that is not verified, one with problems, a pin. */
static const char *const mixed_fill[] = {
	"INSERT INTO release (id, project, manifest, created_ms) VALUES ('" OTHER "', '.', '{}', 1)",
	"INSERT INTO label (id, release, repository, project, ref, commit_oid, version, event, pusher, created_ms)"
	" VALUES (9, '" OTHER "', 1, '.', 'refs/heads/main', '" OID2 "', '1.1-cccccccccccc', 1, 'ana', 6000)",
	"INSERT INTO deployment (id, demand, release, label, repository, project, environment, fabric, state, since_ms,"
	" fence, lease_ms, tries, created_ms, ended_ms) VALUES (9, 1, '" OTHER "', 9, 1, '.', 'development', 'development',"
	" 'deployed', 6000, 1, 0, 1, 6000, 6000)",
	"INSERT INTO deployment (id, demand, release, label, repository, project, environment, fabric, state, reason, since_ms,"
	" fence, lease_ms, tries, created_ms, ended_ms) VALUES (8, 1, '" OTHER "', 9, 1, '.', 'development', 'development',"
	" 'failed', 'one is wrong\ntwo is wrong', 6000, 1, 0, 1, 6000, 6000)",
	"INSERT INTO deployed_job (fabric, repository, project, job, name, release, digest, deployment, fence, remote_id,"
	" state, orphan_of) VALUES ('development', 1, '.', 'jobs/m', 'm', '" OTHER "', 'dd', 9, 1, NULL, 'live', 0),"
	" ('development', 1, '.', 'jobs/n', 'n', '" OTHER "', 'dd', 9, 1, NULL, 'live', 0),"
	" ('development', 1, '.', 'jobs/old', 'o', '" SHA "', 'dd', 1, 1, NULL, 'orphan', 9)",
	"INSERT INTO verification (deployment, fabric, repository, project, release, digest, whole, state, reason, run,"
	" since_ms) VALUES (9, 'development', 1, '.', '" OTHER "', 'x', 0, 'failed', 'x2 failed', 2, 6000)",
	"INSERT INTO pin (fabric, who, why, since_ms) VALUES ('development', 'kim', 'quarter end', 6000)",
};

static int fill_mixed(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = 0;

	(void)arg;
	for (size_t i = 0; i < PS_NELEM(mixed_fill) && rc >= 0; i++)
		rc = sql_run(tx, err, mixed_fill[i], "");
	return rc < 0 ? rc : 0;
}

static void what_a_fabric_has(void **state)
{
	static const struct row mixed[] = {
		{ "mixed", view_fabrics, { .limit = 0 }, 0,
		  { "\"id\":\"development\",\"state\":\"mixed\",\"release\":null,\"version\":null",
		    "\"reason\":\"1.1-cccccccccccc: 2, 1.0-aaaaaaaaaaaa: 1\"", "\"jobs\":3,\"orphans\":1",
		    "\"pinned\":\"pinned by kim: quarter end\"" }, NULL },
		{ "jobs", view_jobs, { .id = "development" }, 0,
		  { "\"id\":\"jobs/j\",\"state\":\"live\"", "\"release\":\"cccccccccccc\",\"release_digest\"",
		    "\"id\":\"jobs/old\",\"state\":\"orphan\"", "\"deployment\":\"d1\",\"orphan_of\":\"d9\"" }, NULL },
		{ "orphans", view_jobs, { .id = "development", .state = "orphan" }, 0,
		  { "\"jobs/old\"" }, "jobs/j" },
		{ "jobs of no fabric", view_jobs, { .id = "qa" }, PS_ENOENT, { NULL }, NULL },
		{ "each problem in its line", view_why, { .thing = "d8" }, 0,
		  { "\"one is wrong\",\"two is wrong\"" }, NULL },
		{ "not verified", view_history, { .id = "development" }, 0,
		  { "\"verified\":false,\"verification\":\"not verified: x2 failed\",\"verify_run\":\"x2\"",
		    "\"verified\":null,\"verification\":null" }, NULL },
	};
	struct job write = { .rc = 0 };

	(void)state;
	store_write(fx.st, STORE_FULL, fill_mixed, on_done, &write);
	wait_done(&write);
	assert_int_equal(write.rc, 0);
	for (size_t i = 0; i < PS_NELEM(mixed); i++) {
		void *row = (void *)&mixed[i];

		check_row(&row);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + PS_NELEM(words) + 1];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = check_row,
					     .initial_state = (void *)&rows[i] };
	for (size_t i = 0; i < PS_NELEM(words); i++)
		t[PS_NELEM(rows) + i] = (struct CMUnitTest) {
			.name = words[i], .test_func = waits_lack_nothing,
			.initial_state = (void *)words[i] };
	t[PS_NELEM(t) - 1] = (struct CMUnitTest) cmocka_unit_test(what_a_fabric_has);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("view", t, PS_NELEM(t), setup, teardown);
}
