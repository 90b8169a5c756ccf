/* Units of the spool: what is put is taken in stamp order; what is torn or foreign is set aside. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/wire/spool.h"

static int setup(void **state)
{
	char *dir = xstrdup("/tmp/ps-spool-XXXXXX");

	assert_non_null(mkdtemp(dir));
	assert_int_equal(chmod(dir, SPOOL_DIR_MODE), 0);
	*state = dir;
	return 0;
}

static int teardown(void **state)
{
	struct ps_err err;

	failpoint_reset();
	assert_int_equal(fs_remove_tree(AT_FDCWD, *state, &err), 0);
	free(*state);
	return 0;
}

static int64_t soon(void)
{
	return clock_boot_ns() + 10000000000;
}

static int put(const char *dir, const char *push, const char *boot, uint64_t stamp,
	       struct ps_err *err)
{
	const struct wire_intent in = { .push = push, .repository = "/r", .boot = boot,
					.stamp = stamp };

	return spool_put(dir, MSG_intent, &in, soon(), err);
}

static struct spool_batch take(const char *dir)
{
	struct spool_batch b;
	struct ps_err err;

	assert_int_equal(spool_take(&b, dir, NULL, NULL, &err), 0);
	return b;
}

static size_t count(const char *dir)
{
	struct spool_batch b = take(dir);
	size_t n = b.n;

	spool_batch_clear(&b);
	return n;
}

static void in_order_until_retired(void **state)
{
	static const char *const want[] = { "old-2", "old-3", "now-1", "now-5" };
	struct spool_batch b;
	struct ps_err err;

	assert_int_equal(put(*state, "now-5", clock_boot_id(), 5, &err), SPOOL_SYNCED);
	assert_int_equal(put(*state, "old-3", "boot-a", 300, &err), SPOOL_SYNCED);
	assert_int_equal(put(*state, "now-1", clock_boot_id(), 1, &err), SPOOL_SYNCED);
	assert_int_equal(put(*state, "old-2", "boot-a", 200, &err), SPOOL_SYNCED);
	for (int again = 0; again < 2; again++) {
		b = take(*state);
		assert_int_equal(b.n, 4);
		for (size_t i = 0; i < b.n; i++) {
			assert_string_equal(b.v[i].msg.u.intent.push, want[i]);
			assert_int_equal(b.v[i].uid, getuid());
			if (again)
				assert_int_equal(spool_retire(*state, b.v[i].name, &err), 0);
		}
		spool_batch_clear(&b);
	}
	assert_int_equal(count(*state), 0);
	assert_int_equal(spool_retire(*state, "gone.msg", &err), 0);
}

static void failures_keep_nothing(void **state)
{
	static const char *const points[] = { "spool.write", "spool.fsync", "spool.rename" };
	struct ps_err err;

	for (size_t i = 0; i < PS_NELEM(points); i++) {
		failpoint_arm(points[i], 1, ENOSPC);
		assert_int_equal(put(*state, "p", "b", 1, &err), PS_EIO);
		assert_non_null(strstr(err.msg, "No space left"));
		failpoint_reset();
	}
	assert_int_equal(count(*state), 0);
	failpoint_arm("spool.syncfs", 1, EIO);
	assert_int_equal(put(*state, "p", "b", 1, &err), SPOOL_KEPT);
	assert_int_equal(count(*state), 1);
	assert_true(put("/nowhere/at/all", "p", "b", 1, &err) < 0);
}

static void file(const char *dir, const char *name, const char *text)
{
	char *path = fs_join(dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	free(path);
}

static const char *no_uid(const struct msg *m, uint32_t uid, void *arg)
{
	(void)arg;
	assert_int_equal(uid, getuid());
	return m->type == MSG_intent ? "not one of ours" : NULL;
}

static bool reason_has(const char *dir, const char *name, const char *word)
{
	char *path = fs_join(dir, name);
	struct buf b = BUF_INIT;
	struct ps_err err;
	bool has = fs_read(&b, AT_FDCWD, path, 4096, &err) == 0 && strstr(buf_str(&b), word);

	buf_clear(&b);
	free(path);
	return has;
}

/* Each with its own reason, as status shows them; at most so many are told. */
static void reasons(const char *dir)
{
	static const struct { const char *name, *why; } want[] = {
		{ "torn.msg", "torn" }, { "short.msg", "" }, { "name", "not a name" },
		{ "link.msg", "" }, { "fifo.msg", "not a plain file" }, { "one.msg", "2 names" },
	};
	struct spool_aside a;
	size_t found = 0;

	spool_aside_list(&a, dir, 100);
	assert_int_equal(a.n, 7);
	assert_int_equal(a.told, 7);
	for (size_t i = 0; i < a.told; i++)
		for (size_t k = 0; k < PS_NELEM(want); k++)
			if (strcmp(a.names[i], want[k].name) == 0) {
				assert_non_null(strstr(a.why[i], want[k].why));
				found++;
			}
	assert_int_equal(found, PS_NELEM(want));
	spool_aside_clear(&a);
	spool_aside_list(&a, dir, 2);
	assert_int_equal(a.n, 7);
	assert_int_equal(a.told, 2);
	spool_aside_clear(&a);
}

/* One owner's flood is cut where his share ends: the oldest are kept, the rest has its reason. */
static void a_flood_is_cut(void **state)
{
	struct spool_batch b;
	struct ps_err err;
	char name[32];

	assert_int_equal(put(*state, "first", "b", 1, &err), SPOOL_SYNCED);
	for (int i = 0; i < SPOOL_OWNER_MAX + 3; i++) {
		snprintf(name, sizeof(name), "%08d.msg", i);
		file(*state, name, "");
	}
	b = take(*state);
	/* it is the oldest; the others hold no message and are set aside as torn */
	assert_int_equal(b.n, 1);
	assert_int_equal(b.aside, SPOOL_OWNER_MAX + 3);
	spool_batch_clear(&b);
	snprintf(name, sizeof(name), "aside/%08d.msg.why", SPOOL_OWNER_MAX + 2);
	assert_true(reason_has(*state, name, "more than"));
	assert_true(reason_has(*state, "aside/00000000.msg.why", "torn"));
}

static void strangers_are_set_aside(void **state)
{
	char *dir = *state, *a = fs_join(dir, "link.msg"), *b = fs_join(dir, "fifo.msg"),
	     *c = fs_join(dir, "two.msg"), *d = fs_join(dir, "aside");
	struct spool_batch batch;
	struct ps_err err;

	file(dir, "torn.msg", "\0");
	file(dir, "short.msg", "abcdefgh");
	file(dir, "name", "");
	assert_int_equal(symlink("/etc/passwd", a), 0);
	assert_int_equal(mkfifo(b, 0644), 0);
	file(dir, "one.msg", "x");
	free(a);
	a = fs_join(dir, "one.msg");
	assert_int_equal(link(a, c), 0);
	assert_int_equal(put(dir, "good", "b", 1, &err), SPOOL_SYNCED);
	batch = take(dir);
	assert_int_equal(batch.n, 1);
	assert_int_equal(batch.waiting, 1);
	assert_int_equal(batch.aside, 7);
	assert_string_equal(batch.v[0].msg.u.intent.push, "good");
	spool_batch_clear(&batch);
	reasons(dir);
	free(c);
	c = fs_join(d, "fifo.msg.why");
	assert_true(fs_exists(c));
	assert_int_equal(spool_take(&batch, dir, no_uid, NULL, &err), 0);
	assert_int_equal(batch.n, 0);
	assert_int_equal(count(dir), 0);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void unfinished_files_wait_an_hour(void **state)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char *path = fs_join(*state, ".tmp-old");

	file(*state, ".tmp-new", "x");
	file(*state, ".tmp-old", "x");
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	assert_int_equal(count(*state), 0);
	assert_false(fs_exists(path));
	free(path);
	path = fs_join(*state, ".tmp-new");
	assert_true(fs_exists(path));
	free(path);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(in_order_until_retired), CASE(failures_keep_nothing),
			CASE(strangers_are_set_aside),
		CASE(unfinished_files_wait_an_hour), CASE(a_flood_is_cut),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
