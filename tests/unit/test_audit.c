/* Units of the audit: what a chain of rows says when somebody has changed it. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "agent/store/audit.h"
#include "agent/store/sql.h"
#include "agent/store/token.h"
#include "common/base/buf.h"
#include "common/base/chain.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"

/* ---- the chain, pure ---- */

enum { ROWS = 5 };

struct rows {
	struct chain_row v[ROWS + 1];
	char hashes[ROWS + 1][DIGEST_HEX];
	char who[16];
	size_t n;
};

static void rows_make(struct rows *l)
{
	l->n = ROWS;
	snprintf(l->who, sizeof(l->who), "kim");
	for (size_t i = 0; i < ROWS; i++) {
		l->v[i] = (struct chain_row) {
			.number = (int64_t)i + 1, .at_ms = 1000 + (int64_t)i, .who = l->who,
			.what = "pause", .outcome = "done", .thing = i ? "e88" : NULL, .details = "{\"n\":1}",
			.prev = i ? l->hashes[i - 1] : chain_start, .hash = l->hashes[i],
		};
		chain_hash(&l->v[i], l->hashes[i]);
	}
}

static bool whole(const struct rows *l, struct chain_check *c)
{
	chain_init(c);
	for (size_t i = 0; i < l->n; i++)
		if (!chain_next(c, &l->v[i]))
			return false;
	return chain_expect(c, ROWS, l->hashes[ROWS - 1], "the head");
}

static void flip(struct rows *l) { l->v[2].who = "kin"; }
static void flip_time(struct rows *l) { l->v[2].at_ms++; }
static void flip_null(struct rows *l) { l->v[2].why = ""; }
static void flip_hash(struct rows *l) { l->hashes[2][7] ^= 1; }
static void cut(struct rows *l) { l->n--; }
static void cut_all(struct rows *l) { l->n = 0; }

static void drop(struct rows *l)
{
	memmove(&l->v[2], &l->v[3], 2 * sizeof(l->v[0]));
	l->n--;
}

static void renumber(struct rows *l)
{
	drop(l);
	for (size_t i = 2; i < l->n; i++)
		l->v[i].number = (int64_t)i + 1;
}

static void swap(struct rows *l)
{
	struct chain_row was = l->v[2];

	l->v[2] = l->v[3];
	l->v[3] = was;
	l->v[2].number = 3;
	l->v[3].number = 4;
}

/* One more behind the end, made well. */
static void insert_end(struct rows *l)
{
	l->v[ROWS] = l->v[ROWS - 1];
	l->v[ROWS].number++;
	l->v[ROWS].prev = l->hashes[ROWS - 1];
	l->v[ROWS].hash = l->hashes[ROWS];
	chain_hash(&l->v[ROWS], l->hashes[ROWS]);
	l->n++;
}

static const struct row { const char *name; void (*change)(struct rows *l); int64_t bad; const char *why; } rows[] = {
	{ "a letter changed",     flip,       3, "not what was written" },
	{ "a time changed",       flip_time,  3, "not what was written" },
	{ "nothing became empty", flip_null,  3, "not what was written" },
	{ "a hash changed",       flip_hash,  3, "not what was written" },
	{ "one taken out",        drop,       3, "missing; 4 comes after 2" },
	{ "taken out, numbered",  renumber,   3, "does not follow" },
	{ "two swapped",          swap,       3, "does not follow" },
	{ "the end cut off",      cut,        5, "missing: by the head there are 5" },
	{ "all cut off",          cut_all,    1, "missing: by the head there are 5" },
	{ "one put behind",       insert_end, 6, "put behind the end" },
};

static void check_row(void **state)
{
	const struct row *r = *state;
	struct chain_check c;
	struct rows l;

	rows_make(&l);
	assert_true(whole(&l, &c));
	assert_int_equal(c.last, ROWS);
	r->change(&l);
	assert_false(whole(&l, &c));
	assert_int_equal(c.bad, r->bad);
	if (!strstr(c.why, r->why))
		fail_msg("says: %s", c.why);
}

static void text_is_canonical(void **state)
{
	static const char want[] =
		"{\"at_ms\":7,\"details\":{},\"hash\":\"ff\",\"number\":1,\"outcome\":\"refused\",\"policy\":null,"
		"\"prev\":\"00\",\"thing\":\"e1\",\"what\":\"cancel\",\"who\":\"a\\\"\\\\\\n\\u0001\xc3\xa9\",\"why\":null}";
	struct chain_row r = {
		.number = 1, .at_ms = 7, .who = "a\"\\\n\x01\xc3\xa9", .what = "cancel", .outcome = "refused",
		.thing = "e1", .details = "{}", .prev = "00", .hash = "ff",
	};
	struct buf b = BUF_INIT;

	(void)state;
	chain_text(&r, true, &b);
	assert_string_equal(buf_str(&b), want);
	buf_clear(&b);
}

/* ---- in a store ---- */

struct fx {
	char dir[64], *path, *seal, *head;
	struct store *st;
	int wake[2];
};

static void on_wake(void *arg)
{
	struct fx *f = arg;

	assert_int_equal(write(f->wake[1], "x", 1), 1);
}

static void fx_open(struct fx *f, bool restored)
{
	struct ps_err err;
	char *why = NULL;

	assert_int_equal(store_open_sealed(&f->st, f->path, f->seal, on_wake, f, &why, &err), 0);
	assert_int_equal(why != NULL, restored);
	free(why);
}

static void fx_close(struct fx *f)
{
	store_close(f->st);
	f->st = NULL;
}

static int setup(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/ps-audit-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(pipe(f->wake), 0);
	f->path = fs_join(f->dir, "store.db");
	f->seal = fs_join(f->dir, "boot");
	f->head = fs_join(f->dir, "audit.head");
	fx_open(f, false);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;
	struct ps_err err;

	failpoint_reset();
	fx_close(f);
	close(f->wake[0]);
	close(f->wake[1]);
	assert_int_equal(fs_remove_tree(AT_FDCWD, f->dir, &err), 0);
	free(f->path);
	free(f->seal);
	free(f->head);
	free(f);
	return 0;
}

struct op {
	store_run_fn *run;
	int rc;
	bool done, fail;
	struct audit a;
	char *text;
	const char *file;
	struct chain_check c;
};

static int run_op(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct op *o = arg;

	return o->run(tx, o, err);
}

static void op_done(void *arg, int rc, const struct ps_err *err)
{
	struct op *o = arg;

	(void)err;
	o->rc = rc;
	o->done = true;
}

static int op(struct fx *f, struct op *o)
{
	o->done = false;
	store_write(f->st, STORE_FULL, run_op, op_done, o);
	while (!o->done) {
		struct pollfd p = { f->wake[0], POLLIN, 0 };
		char c;

		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(read(f->wake[0], &c, 1), 1);
		store_poll(f->st);
	}
	return o->rc;
}

static int run_put(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct op *o = arg;
	int rc = audit_put(tx, &o->a, err);

	return rc == 0 && o->fail ? ps_err_set(err, PS_EINVAL, "on purpose") : rc;
}

/* "number what outcome policy who" of each row. */
static int run_list(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct op *o = arg;
	struct buf b = BUF_INIT;
	sqlite3_stmt *q = sql_query(tx, err, "SELECT number, what, outcome, policy, who FROM audit ORDER BY number", "");
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0)
		buf_addf(&b, "%d %s %s %s %s\n", (int)sql_int(q, 0), sql_text(q, 1), sql_text(q, 2),
			 sql_is_null(q, 3) ? "-" : sql_text(q, 3), sql_text(q, 4));
	sql_done(q);
	o->text = buf_steal(&b);
	return rc;
}

static void a_row_is_of_its_transaction(void **state)
{
	struct fx *f = *state;
	struct op put = { .run = run_put, .a = { .who = "kim", .what = "pause", .thing = "all", .why = "a rest" } };
	struct op list = { .run = run_list };

	assert_int_equal(op(f, &put), 0);
	put.fail = true;
	assert_int_equal(op(f, &put), PS_EINVAL);
	put.fail = false;
	put.a = (struct audit) { .who = "bo\x1b[1m\xff", .what = "resume", .policy = "abc", .refused = true };
	assert_int_equal(op(f, &put), 0);
	put.a = (struct audit) { .who = "bo", .what = "resume" };
	assert_int_equal(op(f, &put), 0);
	assert_int_equal(op(f, &list), 0);
	assert_string_equal(list.text, "1 pause done - kim\n2 resume refused abc bo\\x1b[1m\\xff\n3 resume done abc bo\n");
	free(list.text);
}

/* ---- somebody was at the files ---- */

static int run_check(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct op *o = arg;

	return audit_check(tx, o->file, &o->c, err);
}

static void puts_rows(struct fx *f, int n)
{
	struct op put = { .run = run_put, .a = { .who = "kim", .what = "pause", .thing = "all" } };

	for (int i = 0; i < n; i++)
		assert_int_equal(op(f, &put), 0);
}

static void expect(struct fx *f, int64_t bad, const char *why)
{
	struct op o = { .run = run_check, .file = f->head };

	assert_int_equal(op(f, &o), 0);
	if (o.c.bad != bad || (bad && !strstr(o.c.why, why)))
		fail_msg("bad %d: %s", (int)o.c.bad, o.c.why);
}

static void change(struct fx *f, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void copy_file(const char *from, const char *to)
{
	struct buf b = BUF_INIT;
	struct ps_err err;

	assert_int_equal(fs_read(&b, AT_FDCWD, from, 1 << 24, &err), 0);
	assert_int_equal(fs_write_file(AT_FDCWD, to, b.data, b.len, 0600, &err), 0);
	buf_clear(&b);
}

static size_t lines(const char *path, struct buf *out)
{
	struct ps_err err;
	size_t n = 0;

	buf_reset(out);
	assert_int_equal(fs_read(out, AT_FDCWD, path, 1 << 20, &err), 0);
	for (size_t i = 0; i < out->len; i++)
		n += out->data[i] == '\n';
	return n;
}

static const struct tamper { const char *name, *sql; int64_t bad; const char *why; } tampers[] = {
	{ "store: a byte", "UPDATE audit SET why = 'x' WHERE number = 2", 2, "not what was written" },
	{ "store: a row gone", "DELETE FROM audit WHERE number = 2", 2, "missing" },
	{ "store: the end gone", "DELETE FROM audit WHERE number = 4", 4, "the store's own count" },
	{ "store: end and count gone", "DELETE FROM audit WHERE number > 2;"
	  " UPDATE meta SET value = (SELECT '2 ' || hash FROM audit WHERE number = 2) WHERE name = 'audit_head'",
	  3, "audit.head has it" },
	{ "store: swapped", "UPDATE audit SET number = -2 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3;"
	  " UPDATE audit SET number = 3 WHERE number = -2", 2, "does not follow" },
};

/* Told at once, after a start, and still when more was written behind it. */
static void check_tamper(void **state)
{
	const struct tamper *t = *state;
	struct fx *f;
	void *own = NULL;

	setup(&own);
	f = own;
	puts_rows(f, 4);
	expect(f, 0, NULL);
	change(f, t->sql);
	expect(f, t->bad, t->why);
	fx_close(f);
	fx_open(f, false);
	expect(f, t->bad, t->why);
	puts_rows(f, 3);
	expect(f, t->bad, strstr(t->why, "count") ? "missing" : strstr(t->why, "has it") ? "audit.head" : t->why);
	teardown(&own);
}

/* Written anew from 2 on, count and hashes and all: only the file knows. */
static void another_history(void **state)
{
	struct fx *f = *state;
	struct op put = { .run = run_put, .a = { .who = "bo", .what = "pause" } };

	puts_rows(f, 3);
	change(f, "DELETE FROM audit WHERE number > 1;"
	       " UPDATE meta SET value = (SELECT '1 ' || hash FROM audit WHERE number = 1) WHERE name = 'audit_head'");
	for (int i = 0; i < 3; i++)
		assert_int_equal(op(f, &put), 0);
	expect(f, 2, "audit.head knows another one");
}

static void a_copy_put_back_is_said(void **state)
{
	struct fx *f = *state;
	char *copy = fs_join(f->dir, "copy.db"), *was = fs_join(f->dir, "was.db");
	struct op list = { .run = run_list };

	puts_rows(f, 2);
	fx_close(f);
	copy_file(f->path, copy);
	fx_open(f, false);
	puts_rows(f, 3);
	fx_close(f);
	copy_file(f->path, was);
	copy_file(copy, f->path);
	fx_open(f, true);
	expect(f, 0, NULL);		/* openly */
	assert_int_equal(op(f, &list), 0);
	assert_non_null(strstr(list.text, "3 recovery done - penstock"));
	free(list.text);
	puts_rows(f, 4);
	expect(f, 0, NULL);
	/* the row that says so is written anew by somebody: who was it? */
	change(f, "UPDATE audit SET details = '{}' WHERE number = 3");
	expect(f, 3, "not what was written");
	free(copy);
	free(was);
}

static void the_file_may_be_behind(void **state)
{
	struct fx *f = *state;
	struct buf was = BUF_INIT, now = BUF_INIT;

	puts_rows(f, 1);
	expect(f, 0, NULL);		/* the line follows the answer; this waits for it */
	assert_int_equal(lines(f->head, &was), 2);
	failpoint_arm("audit.head", 1, EIO);
	puts_rows(f, 1);
	expect(f, 0, NULL);
	assert_int_equal(lines(f->head, &was), 2);
	fx_close(f);
	fx_open(f, false);		/* catches up */
	assert_int_equal(lines(f->head, &now), 3);
	expect(f, 0, NULL);
	fx_close(f);
	buf_adds(&now, "3 abc");	/* a crash in the middle of a line */
	assert_int_equal(truncate(f->head, 0), 0);
	{
		struct ps_err err;

		assert_int_equal(fs_write_file(AT_FDCWD, f->head, now.data, now.len, 0600, &err), 0);
	}
	fx_open(f, false);
	puts_rows(f, 1);
	expect(f, 0, NULL);
	buf_clear(&was);
	buf_clear(&now);
}

static void the_file_may_not_be_gone(void **state)
{
	struct fx *f = *state;
	struct op list = { .run = run_list };

	puts_rows(f, 2);
	assert_int_equal(unlink(f->head), 0);
	expect(f, 2, "audit.head is gone");
	puts_rows(f, 1);
	expect(f, 3, "audit.head is gone");
	fx_close(f);
	fx_open(f, false);
	expect(f, 0, NULL);
	assert_int_equal(op(f, &list), 0);
	assert_non_null(strstr(list.text, "4 audit done - penstock"));
	free(list.text);
	fx_close(f);
	/* begun anew by somebody else: no row says so */
	{
		struct buf b = BUF_INIT;
		struct ps_err err;

		lines(f->head, &b);
		assert_int_equal(fs_write_file(AT_FDCWD, f->head, strchr(buf_str(&b), '\n') + 1,
					       b.len - (size_t)(strchr(buf_str(&b), '\n') + 1 - buf_str(&b)), 0600, &err), 0);
		buf_clear(&b);
	}
	fx_open(f, false);
	expect(f, 4, "begins only there");
}

/* ---- tokens ---- */

static int run_token(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct token t = { .hash = (char *)"aa", .owner = (char *)"kim", .scope = (char *)"act", .made_by = (char *)"kim",
			   .expires_ms = 5000 }, got = { 0 };
	int rc = token_put(tx, &t, "abc", err);

	(void)arg;
	assert_int_equal(rc, 0);
	assert_int_equal(token_by_hash(tx, "ab", &got, err), PS_ENOENT);
	assert_int_equal(token_used(tx, t.id, 4000, err), 0);
	assert_int_equal(token_revoke(tx, t.id, "bo", "bo", "abc", err), PS_ENOENT);
	assert_int_equal(token_by_hash(tx, "aa", &got, err), 0);
	assert_string_equal(got.owner, "kim");
	assert_int_equal(got.used_ms, 4000);
	assert_string_equal(token_state(&got, 4999), "active");
	assert_string_equal(token_state(&got, 5000), "expired");
	token_clear(&got);
	for (int i = 0; i < 2; i++)		/* the second one changes nothing */
		assert_int_equal(token_revoke(tx, t.id, i ? NULL : "kim", i ? "root" : "kim", "abc", err), 0);
	assert_int_equal(token_by_hash(tx, "aa", &got, err), 0);
	assert_string_equal(token_state(&got, 4000), "revoked");
	assert_string_equal(got.revoked_by, "kim");
	token_clear(&got);
	return 0;
}

static void a_token_is_his(void **state)
{
	struct fx *f = *state;
	struct op o = { .run = run_token }, list = { .run = run_list };

	assert_int_equal(op(f, &o), 0);
	assert_int_equal(op(f, &list), 0);
	assert_string_equal(list.text, "1 token done abc kim\n2 token done abc kim\n");
	free(list.text);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + PS_NELEM(tampers) + 16];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[n++] = (struct CMUnitTest) { .name = rows[i].name, .test_func = check_row,
					       .initial_state = (void *)&rows[i] };
	for (size_t i = 0; i < PS_NELEM(tampers); i++)
		t[n++] = (struct CMUnitTest) { .name = tampers[i].name, .test_func = check_tamper,
					       .initial_state = (void *)&tampers[i] };
	t[n++] = (struct CMUnitTest) cmocka_unit_test(text_is_canonical);
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(a_row_is_of_its_transaction, setup, teardown);
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(another_history, setup, teardown);
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(a_copy_put_back_is_said, setup, teardown);
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(the_file_may_be_behind, setup, teardown);
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(the_file_may_not_be_gone, setup, teardown);
	t[n++] = (struct CMUnitTest) cmocka_unit_test_setup_teardown(a_token_is_his, setup, teardown);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("audit", t, n, NULL, NULL);
}
