/* Units of agent/store: batches, savepoints, failing commits, schemas; the database itself is
 * real. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/store/sql.h"
#include "common/base/buf.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"

struct fx {
	char dir[64], *path;
	struct store *st;
	int wake[2];
};

static void on_wake(void *arg)
{
	struct fx *f = arg;

	assert_int_equal(write(f->wake[1], "x", 1), 1);
}

static int fx_open(struct fx *f, struct ps_err *err)
{
	return store_open(&f->st, f->path, on_wake, f, err);
}

static int setup(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	struct ps_err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/ps-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(pipe(f->wake), 0);
	f->path = fs_join(f->dir, "store.db");
	assert_int_equal(fx_open(f, &err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;
	struct ps_err err;

	failpoint_reset();
	store_close(f->st);
	close(f->wake[0]);
	close(f->wake[1]);
	assert_int_equal(fs_remove_tree(AT_FDCWD, f->dir, &err), 0);
	free(f->path);
	free(f);
	return 0;
}

/* An operation that puts one row into meta, or fails after having put it. */
struct put {
	const char *name, *value;
	bool fail;
	int rc, done;
	int64_t n;
	char msg[1024];
	int gate;
};

static int run_put(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct put *p = arg;
	int rc = sql_run(tx, err, "INSERT INTO meta (name, value) VALUES (?, ?)", "tt", p->name,
			 p->value);

	if (rc >= 0 && p->fail)
		return ps_err_set(err, PS_EINVAL, "as asked");
	return rc < 0 ? rc : 0;
}

static int run_count(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct put *p = arg;
	sqlite3_stmt *q = sql_query(tx, err, "SELECT count(*) FROM meta WHERE name LIKE ?", "t",
				    p->name);
	int rc = sql_next(tx, q, err);

	if (rc > 0)
		p->n = sql_int(q, 0);
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static void on_done(void *arg, int rc, const struct ps_err *err)
{
	struct put *p = arg;

	p->rc = rc;
	p->done++;
	snprintf(p->msg, sizeof(p->msg), "%s", err->msg);
}

static void wait_done(struct fx *f, struct put *p)
{
	while (!p->done) {
		struct pollfd fd = { .fd = f->wake[0], .events = POLLIN };
		char c[64];

		assert_int_equal(poll(&fd, 1, 10000), 1);
		assert_true(read(f->wake[0], c, sizeof(c)) > 0);
		store_poll(f->st);
	}
}

static int64_t count(struct fx *f, const char *like)
{
	struct put p = { .name = like };

	store_read(f->st, run_count, on_done, &p);
	wait_done(f, &p);
	assert_int_equal(p.rc, 0);
	return p.n;
}

static void written_is_read(void **state)
{
	struct put p = { .name = "a", .value = "1" };

	store_write(((struct fx *)*state)->st, STORE_NORMAL, run_put, on_done, &p);
	wait_done(*state, &p);
	assert_int_equal(p.rc, 0);
	assert_int_equal(count(*state, "a"), 1);
}

/* The writer is held by the first operation, so the others are one batch for sure. */
static int run_hold(struct store_tx *tx, void *arg, struct ps_err *err)
{
	char c;

	(void)tx;
	(void)err;
	assert_int_equal(read(((struct put *)arg)->gate, &c, 1), 1);
	return 0;
}

static void batch_of(struct fx *f, struct put *p, size_t n)
{
	struct put hold = { .n = 0 };
	int gate[2];

	assert_int_equal(pipe(gate), 0);
	hold.gate = gate[0];
	store_write(f->st, STORE_NORMAL, run_hold, on_done, &hold);
	for (size_t i = 0; i < n; i++)
		store_write(f->st, i % 2 ? STORE_FULL : STORE_NORMAL, run_put, on_done, &p[i]);
	assert_int_equal(write(gate[1], "x", 1), 1);
	for (size_t i = 0; i < n; i++)
		wait_done(f, &p[i]);
	wait_done(f, &hold);
	close(gate[0]);
	close(gate[1]);
}

static void one_fails_its_neighbours_stay(void **state)
{
	struct put p[] = { { .name = "b1", .value = "" }, { .name = "b2", .value = "",
							    .fail = true },
			   { .name = "b1", .value = "again" }, { .name = "b3", .value = "" } };

	batch_of(*state, p, 4);
	assert_int_equal(p[0].rc, 0);
	assert_int_equal(p[1].rc, PS_EINVAL);
	assert_string_equal(p[1].msg, "as asked");
	assert_int_equal(p[2].rc, PS_ESTORE);
	assert_int_equal(p[3].rc, 0);
	assert_int_equal(count(*state, "b%"), 2);
}

static void failing_commit_takes_the_batch(void **state)
{
	struct put p[] = { { .name = "c1", .value = "" }, { .name = "c2", .value = "" } };
	struct put after = { .name = "c3", .value = "" };

	failpoint_arm("store.commit", 1, ENOSPC);
	store_write(((struct fx *)*state)->st, STORE_FULL, run_put, on_done, &p[0]);
	wait_done(*state, &p[0]);
	assert_int_equal(p[0].rc, PS_EIO);
	assert_non_null(strstr(p[0].msg, "No space left"));
	failpoint_reset();
	store_write(((struct fx *)*state)->st, STORE_FULL, run_put, on_done, &after);
	wait_done(*state, &after);
	assert_int_equal(after.rc, 0);
	assert_int_equal(count(*state, "c%"), 1);
}

/* A statement of the same text inside its own loop is a second statement. */
static int run_nested(struct store_tx *tx, void *arg, struct ps_err *err)
{
	static const char *const sql = "SELECT name FROM meta WHERE name >= ? ORDER BY name";
	struct put *p = arg;
	sqlite3_stmt *outer = sql_query(tx, err, sql, "t", "n"), *inner;
	int rc;

	while ((rc = sql_next(tx, outer, err)) > 0) {
		inner = sql_query(tx, err, sql, "t", "n");
		while ((rc = sql_next(tx, inner, err)) > 0)
			p->n++;
		sql_done(inner);
	}
	/* outer is left to the end of the operation on purpose */
	return rc;
}

static void nested_statements(void **state)
{
	struct put rows[] = { { .name = "n1", .value = "" }, { .name = "n2", .value = NULL },
			      { .name = "n3", .value = "" } };
	struct put p = { .n = 0 };

	batch_of(*state, rows, 3);
	assert_int_equal(rows[1].rc, PS_ESTORE);	/* NOT NULL */
	for (int i = 0; i < 3; i++) {
		p.done = 0;
		p.n = 0;
		store_read(((struct fx *)*state)->st, run_nested, on_done, &p);
		wait_done(*state, &p);
		assert_int_equal(p.rc, 0);
		assert_int_equal(p.n, 9);		/* n1, n3 and schema */
	}
}

static int run_bad_sql(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return sql_run(tx, err, "INSERT INTO nowhere VALUES (1)", "");
}

static void reader_cannot_write_and_errors_are_told(void **state)
{
	struct put p = { .name = "r", .value = "" }, q = { .n = 0 };

	store_read(((struct fx *)*state)->st, run_put, on_done, &p);
	wait_done(*state, &p);
	assert_int_equal(p.rc, PS_ESTORE);
	assert_non_null(strstr(p.msg, "readonly"));
	store_write(((struct fx *)*state)->st, STORE_FULL, run_bad_sql, on_done, &q);
	wait_done(*state, &q);
	assert_int_equal(q.rc, PS_ESTORE);
	assert_non_null(strstr(q.msg, "nowhere"));
}

static void closing_runs_what_is_queued(void **state)
{
	struct fx *f = *state;
	struct put p[3] = { { .name = "d1", .value = "" }, { .name = "d2", .value = "" },
			    { .name = "d3", .value = "" } };
	struct ps_err err;

	for (int i = 0; i < 3; i++)
		store_write(f->st, STORE_NORMAL, run_put, on_done, &p[i]);
	store_close(f->st);
	f->st = NULL;
	for (int i = 0; i < 3; i++)
		assert_int_equal(p[i].done, 1);
	assert_int_equal(fx_open(f, &err), 0);
	assert_int_equal(count(f, "d%"), 3);
}

static void tamper(struct fx *f, const char *sql)
{
	sqlite3 *db;

	store_close(f->st);
	f->st = NULL;
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void newer_schema_is_refused(void **state)
{
	struct ps_err err;

	tamper(*state, "UPDATE meta SET value = '99' WHERE name = 'schema'");
	assert_int_equal(fx_open(*state, &err), PS_ESTORE);
	assert_non_null(strstr(err.msg, "schema 99"));
}

static void foreign_database_is_refused(void **state)
{
	struct ps_err err;

	tamper(*state, "ALTER TABLE meta RENAME TO other");
	assert_int_equal(fx_open(*state, &err), PS_ESTORE);
	assert_non_null(strstr(err.msg, "something else"));
}

static void nobody_else_reads_it(void **state)
{
	static const char *const tails[] = { "", "-wal" };
	struct fx *f = *state;

	for (size_t i = 0; i < PS_NELEM(tails); i++) {
		char *path = xasprintf("%s%s", f->path, tails[i]);
		struct stat st;

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		free(path);
	}
}

static void damage_is_told(void **state)
{
	struct fx *f = *state;
	struct ps_err err;
	char junk[4096];
	int fd;

	tamper(f, "PRAGMA wal_checkpoint(TRUNCATE)");
	memset(junk, 0x5a, sizeof(junk));
	fd = open(f->path, O_WRONLY);
	for (int page = 2; page < 20; page++)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), page * 4096),
				 (ssize_t)sizeof(junk));
	close(fd);
	assert_int_equal(fx_open(f, &err), PS_ESTORE);
	assert_non_null(strstr(err.msg, "damaged"));
	assert_int_equal(truncate(f->path, 100), 0);
	assert_int_equal(fx_open(f, &err), PS_ESTORE);
	assert_non_null(strstr(err.msg, "store.db"));
}

static int64_t number_in(const char *seal)
{
	struct buf b = BUF_INIT;
	const char *at;
	int64_t n;

	assert_int_equal(fs_read(&b, AT_FDCWD, seal, 4096, NULL), 0);
	at = strstr(buf_str(&b), "sequence ");
	assert_non_null(at);
	n = strtoll(at + strlen("sequence "), NULL, 10);
	buf_clear(&b);
	return n;
}

/* Opens the store with its seal; the reason why it is a copy, NULL when it is the newest. */
static char *open_sealed(struct fx *f, const char *seal)
{
	char *why = NULL;
	struct ps_err err;

	if (store_open_sealed(&f->st, f->path, seal, on_wake, f, &why, &err) < 0)
		fail_msg("%s", err.msg);
	return why;
}

static void copy_file(const char *from, const char *to)
{
	struct buf b = BUF_INIT;

	assert_int_equal(fs_read(&b, AT_FDCWD, from, 16 << 20, NULL), 0);
	assert_int_equal(fs_write_file(AT_FDCWD, to, buf_str(&b), b.len, 0600, NULL), 0);
	buf_clear(&b);
}

/* The seal rises with what is written, by itself, and tells a store that was put back. */
static void older_store_is_noticed(void **state)
{
	struct fx *f = *state;
	char *seal = fs_join(f->dir, "boot"), *kept = fs_join(f->dir, "kept"), *why;
	struct put p = { .name = "n1", .value = "x" };
	int64_t before;

	store_close(f->st);
	assert_null(open_sealed(f, seal));		/* its first: nothing to compare */
	store_close(f->st);
	copy_file(f->path, kept);
	before = number_in(seal);
	assert_null(open_sealed(f, seal));
	store_write(f->st, STORE_FULL, run_put, on_done, &p);
	wait_done(f, &p);
	assert_int_equal(p.rc, 0);
	while (number_in(seal) < before + 2)		/* at the start, and for what was written */
		poll(NULL, 0, 20);
	store_close(f->st);
	before = number_in(seal);
	assert_null(open_sealed(f, seal));
	store_close(f->st);
	assert_int_equal(number_in(seal), before + 1);	/* nothing written: the start alone */
	copy_file(kept, f->path);
	why = open_sealed(f, seal);
	assert_non_null(why);
	assert_non_null(strstr(why, "put a copy back"));
	free(why);
	store_close(f->st);
	assert_null(open_sealed(f, seal));		/* told once */
	store_close(f->st);
	copy_file(seal, kept);
	assert_int_equal(rename(kept, seal), 0);	/* the same bytes in another file */
	why = open_sealed(f, seal);
	assert_non_null(why);
	assert_non_null(strstr(why, "state folder is a copy"));
	free(why);
	store_close(f->st);
	assert_int_equal(unlink(seal), 0);
	why = open_sealed(f, seal);
	assert_non_null(why);
	assert_non_null(strstr(why, "is gone"));
	free(why);
	free(seal);
	free(kept);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(written_is_read), CASE(one_fails_its_neighbours_stay),
		CASE(failing_commit_takes_the_batch), CASE(nested_statements),
		CASE(reader_cannot_write_and_errors_are_told), CASE(closing_runs_what_is_queued),
		CASE(newer_schema_is_refused), CASE(foreign_database_is_refused),
			CASE(damage_is_told), CASE(nobody_else_reads_it),
		CASE(older_store_is_noticed),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
