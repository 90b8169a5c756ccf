/* Releases by what people type. The database itself is real. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/store/release.h"
#include "common/base/fsutil.h"
#include "tests/support/store_fill.h"

#define REST "cccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define SECOND "aaaaffffffff" REST	/* begins like SHA */
#define THIRD "dddd11111111" REST	/* in two repositories */

/* Behind store_fill: a second repository, another release of main, a tag v1.0 there too. */
static const char *const more[] = {
	"INSERT INTO repository (id, uid, path, name, adopted_ms) VALUES (2, 'u2', '/srv/till.git', 'till', 1000)",
	"INSERT INTO release (id, project, manifest, created_ms) VALUES ('" SECOND "', '.', '{}', 1), ('" THIRD "', 'sub',"
	" '{}', 1)",
	"INSERT INTO label (id, release, repository, project, ref, commit_oid, version, event, pusher, created_ms) VALUES"
	" (3, '" SECOND "', 1, '.', 'refs/heads/main', 'c', '1.1-aaaaffffffff', 7, 'ana', 1),"
	" (4, '" SECOND "', 2, '.', 'refs/tags/v1.0', 'c', 'v1.0', 8, 'ana', 1),"
	" (5, '" THIRD "', 1, 'sub', 'refs/heads/sub', 'c', '3', 9, 'ana', 1),"
	" (6, '" THIRD "', 2, 'sub', 'refs/heads/sub', 'c', '3', 10, 'ana', 1)",
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

struct job {
	const struct release_ask *ask;
	struct release_found found;
	int rc;
	struct ps_err err;
	bool done;
};

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

static int fill(struct store_tx *tx, void *arg, struct ps_err *err)
{
	int rc = store_fill_run(tx, arg, err);

	for (size_t i = 0; i < PS_NELEM(more) && rc >= 0; i++)
		rc = sql_run(tx, err, more[i], "");
	return rc < 0 ? rc : 0;
}

static int setup(void **state)
{
	struct job j = { .done = false };
	struct ps_err err;

	(void)state;
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/ps-release-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	assert_int_equal(pipe(fx.wake), 0);
	fx.path = fs_join(fx.dir, "store.db");
	assert_int_equal(store_open(&fx.st, fx.path, on_wake, NULL, &err), 0);
	store_write(fx.st, STORE_FULL, fill, on_done, &j);
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
	close(fx.wake[0]);
	close(fx.wake[1]);
	assert_int_equal(fs_remove_tree(AT_FDCWD, fx.dir, &err), 0);
	free(fx.path);
	return 0;
}

/* ---- what was typed ---- */

static const struct row {
	const char *name;
	struct release_ask ask;
	int rc;
	const char *id;
	int64_t label;
	const char *has;	/* in the refusal */
} rows[] = {
	{ "the whole id", { .thing = SHA }, 0, SHA, 2, NULL },
	{ "its first twelve", { .thing = "aaaaaaaaaaaa" }, 0, SHA, 2, NULL },
	{ "as little as tells", { .thing = "aaaaf" }, 0, SECOND, 4, NULL },
	{ "two begin so", { .thing = "aaaa" }, PS_EINVAL, NULL, 0,
	  "any of 2 releases: aaaaffffffff (v1.0 at refs/tags/v1.0 in till:.), aaaaaaaaaaaa (v1.0" },
	{ "two begin so, one is there", { .thing = "aaaa", .repository = "till" }, 0, SECOND, 4, NULL },
	{ "too short for an id", { .thing = "ddd" }, PS_ENOENT, NULL, 0, "no release is called 'ddd'" },
	{ "longer than an id", { .thing = SHA "a" }, PS_ENOENT, NULL, 0, "next: penstock releases" },
	{ "a version", { .thing = "1.0-aaaaaaaaaaaa" }, 0, SHA, 1, NULL },
	{ "a branch is its newest", { .thing = "main" }, 0, SECOND, 3, NULL },
	{ "a ref", { .thing = "refs/heads/main" }, 0, SECOND, 3, NULL },
	{ "a tag in two repositories", { .thing = "v1.0" }, PS_EINVAL, NULL, 0, "--repo" },
	{ "a tag of one", { .thing = "v1.0", .repository = "shop" }, 0, SHA, 2, NULL },
	{ "another project", { .thing = "v1.0", .project = "sub" }, PS_ENOENT, NULL, 0, "v1.0" },
	{ "one content in two repositories", { .thing = "dddd1" }, 0, THIRD, 6, NULL },
	{ "where the place counts", { .thing = "dddd1", .place = true }, PS_EINVAL, NULL, 0, "in shop:sub" },
	{ "the place named", { .thing = "dddd1", .repository = "shop", .place = true }, 0, THIRD, 5, NULL },
	{ "control characters", { .thing = "v\033[1m" }, PS_ENOENT, NULL, 0, "'v\\x1b[1m'" },
	{ "a pattern is no prefix", { .thing = "aa%a" }, PS_ENOENT, NULL, 0, "aa%a" },
};

static int run_find(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct job *j = arg;

	return release_find(tx, j->ask, &j->found, err);
}

static void finds(void **state)
{
	const struct row *r = *state;
	struct job j = { .ask = &r->ask };

	store_read(fx.st, run_find, on_done, &j);
	wait_done(&j);
	if (j.rc != r->rc)
		fail_msg("rc %d, wanted %d: %s", j.rc, r->rc, j.err.msg);
	if (r->has && !strstr(j.err.msg, r->has))
		fail_msg("'%s' is not in: %s", r->has, j.err.msg);
	if (r->rc == 0) {
		assert_string_equal(j.found.id, r->id);
		assert_int_equal(j.found.label, r->label);
	}
	release_found_clear(&j.found);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows)];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = finds,
					     .initial_state = (void *)&rows[i] };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("release", t, PS_NELEM(t), setup, teardown);
}
