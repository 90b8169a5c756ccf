/* Jobs that another tool made, as the store keeps them: what may be said of them, and for how long.
 * The database itself is real. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include <sqlite3.h>

#include "agent/store/imported.h"
#include "common/base/fsutil.h"
#include "tests/support/store_fill.h"

/* Behind store_fill: a second repository; jobs/d is deployed as job 11 of the fabric w, in the first; d9 runs to
 * another fabric. */
static const char *const more[] = {
	"INSERT INTO repository (id, uid, path, name, adopted_ms) VALUES (2, 'u2', '/srv/till.git', 'till', 1000)",
	"INSERT INTO deployed_job (fabric, repository, project, job, name, release, digest, deployment, fence, remote_id,"
	" state) VALUES ('w', 1, '.', 'jobs/d', 'd', '" SHA "', 'x', 1, 1, '11', 'live')",
	"INSERT INTO deployment (id, demand, release, label, repository, project, environment, fabric, state, since_ms,"
	" fence, lease_ms, tries, created_ms) VALUES (9, 1, '" SHA "', 1, 1, '.', 'busy', 'busy', 'running', 1, 1, 1, 1, 1)",
};

static struct fx {
	char dir[64], *path;
	struct store *st;
	int wake[2];
} fx;

static void on_wake(void *arg)
{
	(void)arg;
	assert_int_equal(write(fx.wake[1], "x", 1), 1);
}

struct work {
	struct imported_job row;
	enum imported_how how;
	size_t left;
	int rc;
	struct ps_err err;
	bool done;
};

static void on_done(void *arg, int rc, const struct ps_err *err)
{
	struct work *w = arg;

	w->rc = rc;
	if (err)
		w->err = *err;
	w->done = true;
}

static void do_it(struct work *w, store_run_fn *run)
{
	char c;

	w->done = false;
	store_write(fx.st, STORE_FULL, run, on_done, w);
	while (!w->done) {
		assert_int_equal(read(fx.wake[0], &c, 1), 1);
		store_poll(fx.st);
	}
}

static int fill(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = store_fill_run(tx, arg, err);

	for (size_t i = 0; i < PS_NELEM(more) && rc >= 0; i++)
		rc = sql_run(tx, err, more[i], "");
	return rc < 0 ? rc : 0;
}

static void open_store(void)
{
	struct ps_err err;

	if (store_open(&fx.st, fx.path, on_wake, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	struct work w = { .rc = 0 };

	(void)state;
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/ps-imported-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	assert_int_equal(pipe(fx.wake), 0);
	fx.path = fs_join(fx.dir, "store.db");
	open_store();
	do_it(&w, fill);
	if (w.rc < 0)
		fail_msg("%s", w.err.msg);
	return 0;
}

static int teardown(void **state)
{
	struct ps_err err;

	(void)state;
	store_close(fx.st);
	close(fx.wake[0]);
	close(fx.wake[1]);
	assert_int_equal(fs_remove_tree(AT_FDCWD, fx.dir, &err), 0);
	free(fx.path);
	return 0;
}

static int run_put(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct work *w = arg;

	return imported_job_put(tx, &w->row, &w->how, err);
}

static int run_count(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct imported_jobs l = { NULL, 0 };
	struct work *w = arg;
	int rc = imported_jobs(tx, w->row.fabric, w->row.repository, w->row.project, &l, err);

	w->left = l.n;
	imported_jobs_clear(&l);
	return rc;
}

/* A step of a deployment has put it there; remote NULL: it does not say what it is. */
static int run_deployed(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct work *w = arg;

	return deployed_job_put(tx, &(struct deployed_job) {
		.fabric = w->row.fabric, .repository = w->row.repository, .project = w->row.project,
		.job = w->row.job, .name = w->row.name, .release = (char *)SHA, .digest = (char *)"x",
		.deployment = 1, .fence = 1, .remote_id = w->row.remote_id, .state = (char *)"live",
		.version = (char *)"1", .ref = (char *)"refs/heads/main" }, err);
}

/* ---- one after the other, in one store ---- */

#define JOB(f, r, p, j, n, id) { .fabric = (char *)f, .repository = r, .project = (char *)p, \
				 .job = (char *)j, .name = (char *)n, .remote_id = (char *)id, .who = (char *)"kim" }

static const struct row {
	const char *name;
	struct imported_job row;
	int rc;
	enum imported_how how;
	const char *has;
} rows[] = {
	{ "a new one", JOB("w", 1, ".", "jobs/a", "a", "12"), 0, IMPORTED_NEW, NULL },
	{ "the same again", JOB("w", 1, ".", "jobs/a", "a", "12"), 0, IMPORTED_SAME, NULL },
	{ "with another id", JOB("w", 1, ".", "jobs/a", "a", "13"), 0, IMPORTED_CHANGED, NULL },
	{ "with another name", JOB("w", 1, ".", "jobs/a", "b", "13"), 0, IMPORTED_CHANGED, NULL },
	{ "an id that it had", JOB("w", 1, ".", "jobs/b", "b", "12"), 0, IMPORTED_NEW, NULL },
	{ "an id of another imported one", JOB("w", 1, ".", "jobs/c", "c", "13"), PS_ECONFLICT, 0,
	  "job 13 of fabric w is shop:., jobs/a already" },
	{ "of another project", JOB("w", 2, "sub", "jobs/a", "a", "13"), PS_ECONFLICT, 0, "it cannot be 'jobs/a' too" },
	{ "an id of a deployed one", JOB("w", 2, ".", "jobs/a", "a", "11"), PS_ECONFLICT, 0, "shop:., jobs/d already" },
	{ "the same number elsewhere", JOB("v", 1, ".", "jobs/a", "a", "13"), 0, IMPORTED_NEW, NULL },
	{ "deployed as that", JOB("w", 1, ".", "jobs/d", "d", "11"), 0, IMPORTED_DEPLOYED, NULL },
	{ "deployed as another", JOB("w", 1, ".", "jobs/d", "d", "14"), PS_ECONFLICT, 0,
	  "penstock has deployed 'jobs/d' to fabric w as job 11 there, not 14" },
	{ "under a deployment", JOB("busy", 1, ".", "jobs/a", "a", "15"), PS_EBUSY, 0, "d9 deploys this project" },
	{ "beside a deployment", JOB("busy", 2, ".", "jobs/a", "a", "15"), 0, IMPORTED_NEW, NULL },
};

static void puts_row(void **state)
{
	const struct row *r = *state;
	struct work w = { .row = r->row };

	do_it(&w, run_put);
	if (w.rc != r->rc)
		fail_msg("rc %d, wanted %d: %s", w.rc, r->rc, w.err.msg);
	if (r->rc == 0)
		assert_int_equal(w.how, r->how);
	if (r->has && !strstr(w.err.msg, r->has))
		fail_msg("'%s' is not in: %s", r->has, w.err.msg);
}

static void ends_with_its_deployment(void **state)
{
	struct work w = { .row = JOB("w", 1, ".", "jobs/a", "a", NULL) };

	(void)state;
	do_it(&w, run_count);
	assert_int_equal(w.left, 2);
	do_it(&w, run_deployed);
	if (w.rc < 0)
		fail_msg("%s", w.err.msg);
	do_it(&w, run_count);
	assert_int_equal(w.left, 2);
	w.row.remote_id = (char *)"13";
	do_it(&w, run_deployed);
	assert_int_equal(w.rc, 0);
	do_it(&w, run_count);
	assert_int_equal(w.left, 1);
}

/* A store of the version before has all but this table. */
static void an_older_store_gets_the_table(void **state)
{
	struct work w = { .row = JOB("w", 1, ".", "jobs/n", "n", "12") };
	sqlite3 *db;

	(void)state;
	store_close(fx.st);
	fx.st = NULL;
	assert_int_equal(sqlite3_open(fx.path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TABLE imported_job; UPDATE meta SET value = '4' WHERE name = 'schema'",
				      NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	open_store();
	do_it(&w, run_put);
	assert_int_equal(w.rc, 0);
	assert_int_equal(w.how, IMPORTED_NEW);
	w.row = (struct imported_job)JOB("w", 1, ".", "jobs/d", "d", "11");
	do_it(&w, run_put);
	assert_int_equal(w.how, IMPORTED_DEPLOYED);	/* what was there is there */
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 2];
	size_t n = 0;

	for (; n < PS_NELEM(rows); n++)
		t[n] = (struct CMUnitTest) { .name = rows[n].name, .test_func = puts_row,
					     .initial_state = (void *)&rows[n] };
	t[n++] = (struct CMUnitTest) { .name = "ends_with_its_deployment",
				       .test_func = ends_with_its_deployment };
	t[n++] = (struct CMUnitTest) { .name = "an_older_store_gets_the_table",
				       .test_func = an_older_store_gets_the_table };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("imported", t, n, setup, teardown);
}
