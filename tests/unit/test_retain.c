/* Units of retention: which files go, and that a file which was put again at that moment stays. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/retain.h"
#include "common/base/fsutil.h"

enum { H = 3600 * 1000 };	/* an hour */

/* Ages in hours; names in the order of the row. needed: upper case. */
static const struct row {
	const char *name;
	struct { char c; int hours; int64_t size; } files[6];
	int older;			/* hours after which a file goes */
	int64_t max;
	const char *gone;
} rows[] = {
	{ "nothing there", { { 0 } }, 10, 0, "" },
	{ "by age", { { 'a', 11, 1 }, { 'b', 9, 1 }, { 'c', 100, 1 } }, 10, 0, "ac" },
	{ "needed stays", { { 'A', 11, 1 }, { 'b', 11, 1 } }, 10, 0, "b" },
	{ "by size, the oldest first", { { 'a', 3, 50 }, { 'b', 5, 50 }, { 'c', 4, 50 } }, 10, 100, "b" },
	{ "needed counts and stays", { { 'A', 9, 90 }, { 'b', 8, 10 }, { 'c', 7, 10 } }, 10, 100, "b" },
	{ "all needed, too many bytes", { { 'A', 9, 90 }, { 'B', 8, 90 } }, 10, 100, "" },
	{ "young stays by age", { { 'a', 0, 1 } }, 0, 0, "" },
	{ "young stays by size", { { 'a', 0, 500 }, { 'b', 2, 1 } }, 10, 100, "b" },
	{ "what goes by age makes room", { { 'a', 20, 60 }, { 'b', 5, 60 } }, 10, 100, "a" },
};

static void check_row(void **state)
{
	const struct row *r = *state;
	const struct retain_rule rule = { (int64_t)(1000 - r->older) * H, r->max, (int64_t)1000 * H };
	struct retain_files l = { NULL, 0, 0 };
	char gone[8] = "", name[2] = "";

	for (size_t i = 0; i < PS_NELEM(r->files) && r->files[i].c; i++) {
		l.v = xgrow(l.v, l.n, &l.cap, sizeof(*l.v));
		name[0] = r->files[i].c;
		l.v[l.n++] = (struct retain_file) {
			.name = xstrdup(name), .size = r->files[i].size,
			.mtime_ms = (int64_t)(1000 - r->files[i].hours) * H };
	}
	retain_need(&l, (const char *const[]) { "B", "A", "Z" }, 3);
	retain_pick(&l, &rule);
	for (char c = 'A'; c <= 'z'; c++)
		for (size_t i = 0; i < l.n; i++)
			if (l.v[i].goes && l.v[i].name[0] == c)
				strncat(gone, l.v[i].name, sizeof(gone) - strlen(gone) - 1);
	assert_string_equal(gone, r->gone);
	retain_clear(&l);
}

static void a_content_put_again_stays(void **state)
{
	char dir[] = "/tmp/ps-retain-XXXXXX", hex[65];
	const struct timespec then[2] = { { 1000, 0 }, { 1000, 0 } };
	struct retain_files l = { NULL, 0, 0 };
	struct ps_err err;
	char *path;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(cas_put_bytes(dir, "bytes", 5, hex, &err), 0);
	path = cas_path(dir, hex);
	assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
	assert_int_equal(retain_list_contents(&l, dir, &err), 0);
	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0].name, hex);
	assert_int_equal(cas_put_bytes(dir, "bytes", 5, hex, &err), 0);	/* somebody needs it now */
	assert_int_equal(retain_remove_content(dir, &l.v[0], &err), 0);
	assert_true(cas_has(dir, hex));
	assert_int_equal(utimensat(AT_FDCWD, path, then, 0), 0);
	assert_int_equal(retain_remove_content(dir, &l.v[0], &err), 1);
	assert_false(cas_has(dir, hex));
	assert_int_equal(retain_remove_content(dir, &l.v[0], &err), 0);
	assert_int_equal(cas_put_bytes(dir, "bytes", 5, hex, &err), 0);
	assert_true(cas_has(dir, hex));
	l.v[0].name[0] = '.';
	l.v[0].name[1] = '.';
	l.v[0].name[2] = '/';
	assert_int_equal(retain_remove_entry(dir, &l.v[0], &err), PS_EINVAL);
	assert_int_equal(fs_remove_tree(AT_FDCWD, dir, &err), 0);
	retain_clear(&l);
	free(path);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 1];
	size_t n = 0;

	for (; n < PS_NELEM(rows); n++)
		t[n] = (struct CMUnitTest) { .name = rows[n].name, .test_func = check_row,
					     .initial_state = (void *)&rows[n] };
	t[n++] = (struct CMUnitTest) cmocka_unit_test(a_content_put_again_stays);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("retain", t, n, NULL, NULL);
}
