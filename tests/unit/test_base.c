/* Units of common/base: buffers, escaping, findings, ids, files, failpoints, spawning. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/diag.h"
#include "common/base/digest.h"
#include "common/base/escape.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/id.h"
#include "common/base/place.h"
#include "common/base/spawn.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "test_base.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct ps_err err;

	(void)state;
	failpoint_reset();
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

static void escape_makes_text_safe(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "plain", "plain" },
		{ "a\nb", "a\\x0ab" },
		{ "\033[31mred", "\\x1b[31mred" },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "bad\xff", "bad\\xff" },
		{ "c1\xc2\x9b", "c1\\x9b" },
		{ "bidi\xe2\x80\xae", "bidi\\u{202e}" },
		{ "overlong\xc0\xaf", "overlong\\xc0\\xaf" },
	};

	(void)state;
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		char out[64];

		assert_string_equal(escape_line(out, sizeof(out), rows[i].in), rows[i].out);
	}
}

/* U+0085, U+2028 and a lone CR end a line for libyaml, and for no editor. */
static void places_are_an_editors(void **state)
{
	static const char text[] = "a\xc2\x85" "b\xe2\x80\xa8" "c\rd\n\xc3\xa9" "f";
	static const struct { size_t byte, chars; unsigned line, col; } rows[] = {
		{ 0, 0, 1, 1 }, { 3, 2, 1, 3 }, { 7, 4, 1, 5 }, { 9, 6, 1, 7 }, { 11, 8, 2, 1 },
		{ 13, 9, 2, 2 }, { 14, 10, 2, 3 }, { 99, 99, 2, 3 }, { 3, 2, 1, 3 },
	};
	struct place_cursor bytes = { 0 }, chars = { 0 };

	(void)state;
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		struct place b = place_of_byte(&bytes, text, sizeof(text) - 1, rows[i].byte);
		struct place c = place_of_char(&chars, text, sizeof(text) - 1, rows[i].chars);

		assert_int_equal(b.line, rows[i].line);
		assert_int_equal(b.col, rows[i].col);
		assert_int_equal(c.line, rows[i].line);
		assert_int_equal(c.col, rows[i].col);
	}
}

static void diags_are_sorted_and_capped(void **state)
{
	struct diag_list l = DIAG_LIST_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	diag_add(&l, DIAG_WARNING, "b", 2, 1, "PS-X-002", "second");
	diag_add(&l, DIAG_ERROR, "b", 1, 7, "PS-X-001", "first");
	diag_add(&l, DIAG_ERROR, "b", 1, 7, "PS-X-001", "first");
	diag_add(&l, DIAG_ERROR, "a\n", 0, 0, "PS-X-003", "whole file");
	diag_sort(&l);
	assert_int_equal(l.n, 3);
	assert_int_equal(l.errors, 2);
	diag_print(&out, &l, 2);
	assert_string_equal(buf_str(&out), "a\\x0a:1:1: error: whole file [PS-X-003]\n"
					   "b:1:7: error: first [PS-X-001]\nand 1 more\n");
	buf_clear(&out);
	diag_clear(&l);
}

static void ids_are_read_as_printed(void **state)
{
	int64_t n = 0;
	char out[ID_TEXT];

	(void)state;
	assert_string_equal(id_text(out, 'e', 88), "e88");
	assert_true(id_parse("e88", 'e', &n) && n == 88);
	assert_true(id_parse("88", 'e', &n));
	assert_false(id_parse("d88", 'e', &n));
	assert_false(id_parse("e", 'e', &n));
	assert_false(id_parse("e8x", 'e', &n));
	assert_int_equal(id_kind("x7"), 'x');
	assert_int_equal(id_kind("refs/heads/main"), 0);
}

static void clean_relative_paths(void **state)
{
	(void)state;
	assert_true(fs_is_clean_relative("a/b c/$$.json"));
	assert_false(fs_is_clean_relative(""));
	assert_false(fs_is_clean_relative("/a"));
	assert_false(fs_is_clean_relative("a/../b"));
	assert_false(fs_is_clean_relative("a//b"));
	assert_false(fs_is_clean_relative("a/"));
	assert_false(fs_is_clean_relative("a\\b"));
	assert_false(fs_is_clean_relative("a\tb"));
}

static void failed_publish_leaves_nothing(void **state)
{
	static const char *const points[] = { "fs.fsync", "fs.rename" };
	struct ps_err err;
	char *path = fs_join(dir, "f");

	(void)state;
	for (size_t i = 0; i < PS_NELEM(points); i++) {
		failpoint_arm(points[i], 1, ENOSPC);
		assert_true(fs_write_file(AT_FDCWD, path, "x", 1, 0644, &err) < 0);
		assert_int_equal(err.sys, ENOSPC);
		failpoint_reset();
	}
	assert_int_equal(rmdir(dir), 0);	/* empty: no temporary file was left */
	assert_int_equal(mkdir(dir, 0700), 0);
	free(path);
}

static void cas_keeps_and_proves(void **state)
{
	struct buf b = BUF_INIT;
	struct ps_err err;
	char hex[DIGEST_HEX], *path;

	(void)state;
	assert_int_equal(cas_put_bytes(dir, "hello", 5, hex, &err), 0);
	assert_int_equal(cas_put_bytes(dir, "hello", 5, hex, &err), 0);
	assert_int_equal(cas_read(&b, dir, hex, 100, &err), 0);
	assert_string_equal(buf_str(&b), "hello");
	path = cas_path(dir, hex);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(truncate(path, 2), 0);
	assert_int_equal(cas_read(&b, dir, hex, 100, &err), PS_ECONFLICT);
	free(path);
	buf_clear(&b);
}

static void spawn_gives_only_what_we_say(void **state)
{
	static const char *const argv[] = { "/bin/sh", "-c", "echo $X; ls /proc/self/fd | wc -l",
					    NULL };
	static const char *const env[] = { "X=1", NULL };
	struct spawn s = { .argv = argv, .env = env, .in = -1, .errout = -1 };
	struct buf out = BUF_INIT;
	struct ps_err err;
	int status = -1, extra = open("/dev/null", O_RDONLY);

	(void)state;
	assert_int_equal(spawn_capture(&s, &out, 1000, &status, &err), 0);
	assert_int_equal(status, 0);
	assert_string_equal(buf_str(&out), "1\n4\n");	/* 0, 1, 2 and the listing itself */
	buf_clear(&out);
	close(extra);
}

static void spawn_tells_a_failed_exec(void **state)
{
	static const char *const argv[] = { "/nowhere/program", NULL };
	struct spawn s = { .argv = argv, .in = -1, .out = -1, .errout = -1 };
	struct ps_err err;

	(void)state;
	assert_int_equal(spawn_start(&s, &err), PS_ENOENT);
}

static void git_object_names(void **state)
{
	char hex[DIGEST_HEX];

	(void)state;
	digest_git_object(hex, 40, "blob", "", 0);
	assert_string_equal(hex, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
	digest_git_object(hex, 64, "blob", "", 0);
	assert_string_equal(hex, "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escape_makes_text_safe),
		cmocka_unit_test(places_are_an_editors),
		cmocka_unit_test(diags_are_sorted_and_capped),
		cmocka_unit_test(ids_are_read_as_printed),
		cmocka_unit_test(clean_relative_paths),
		cmocka_unit_test_setup_teardown(failed_publish_leaves_nothing, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(cas_keeps_and_proves, make_dir, drop_dir),
		cmocka_unit_test(spawn_gives_only_what_we_say),
		cmocka_unit_test(spawn_tells_a_failed_exec),
		cmocka_unit_test(git_object_names),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
