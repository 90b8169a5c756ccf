/* The digest of a toolchain: what changes it, and that nothing is read twice for nothing. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/build/toolchain.h"
#include "common/base/fsutil.h"

static unsigned files_read;

int __real_digest_fd(char hex[DIGEST_HEX], int fd, uint64_t *size, struct ps_err *err);
int __wrap_digest_fd(char hex[DIGEST_HEX], int fd, uint64_t *size, struct ps_err *err);
int __wrap_digest_fd(char hex[DIGEST_HEX], int fd, uint64_t *size, struct ps_err *err)
{
	files_read++;
	return __real_digest_fd(hex, fd, size, err);
}

enum { FILES = 40 };

static struct fx {
	char dir[64], prefix[80], cache[80], path[128];
	unsigned system;	/* files read that are not the prefix's: where there is no dpkg */
} fx;

static const char *at(const char *name)
{
	snprintf(fx.path, sizeof(fx.path), "%s/%s", fx.prefix, name);
	return fx.path;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct ps_err err = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, text, strlen(text), &err), 0);
	close(fd);
}

static void set_time(const char *path, time_t t)
{
	const struct timespec times[2] = { { .tv_sec = t }, { .tv_sec = t } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* The digest, and in *n how many files of the prefix were read for it. */
static void look(char hex[DIGEST_HEX], unsigned *n)
{
	struct toolchain t = { .name = (char *)"x", .prefix = fx.prefix };
	struct ps_err err = { 0 };

	files_read = 0;
	if (toolchain_digest(&t, fx.cache, hex, &err) < 0)
		fail_msg("%s", err.msg);
	*n = files_read - fx.system;
}

static int set_up(void **state)
{
	char hex[DIGEST_HEX], name[32];
	struct ps_err err = { 0 };
	unsigned n;

	(void)state;
	fx = (struct fx){ 0 };
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/penstock-toolchain-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	snprintf(fx.prefix, sizeof(fx.prefix), "%s/prefix", fx.dir);
	snprintf(fx.cache, sizeof(fx.cache), "%s/cache", fx.dir);
	assert_int_equal(fs_mkdirs(fx.cache, 0755, &err), 0);
	assert_int_equal(fs_mkdirs(fx.prefix, 0755, &err), 0);
	look(hex, &n);		/* of an empty prefix */
	fx.system = n;
	assert_int_equal(fs_mkdirs(at("bin"), 0755, &err), 0);
	assert_int_equal(fs_mkdirs(at("lib/sub"), 0755, &err), 0);
	put(at("bin/tool"), "tool");
	assert_int_equal(chmod(at("bin/tool"), 0755), 0);
	assert_int_equal(symlink("tool", at("bin/link")), 0);
	for (unsigned i = 0; i + 1 < FILES; i++) {
		snprintf(name, sizeof(name), "lib/sub/f%02u", i);
		put(at(name), name);
		set_time(at(name), 1000000);
	}
	set_time(at("lib/sub"), 1000000);
	return 0;
}

static int tear_down(void **state)
{
	struct ps_err err;

	(void)state;
	return fs_remove_tree(AT_FDCWD, fx.dir, &err);
}

/* ---- one change each ---- */

static void nothing(void) {}

static void a_time(void)
{
	set_time(at("lib/sub/f07"), 2000000);
}

static void same_bytes_anew(void)
{
	put(at("new"), "lib/sub/f07");
	set_time(at("new"), 1000000);
	{
		char *from = xstrdup(at("new"));

		assert_int_equal(rename(from, at("lib/sub/f07")), 0);
		free(from);
	}
	set_time(at("lib/sub"), 1000000);	/* only the file's number tells */
}

static void bytes_of_one_size(void)
{
	put(at("lib/sub/f07"), "LIB/SUB/F07");
}

static void bytes_of_one_size_and_time(void)
{
	put(at("new"), "LIB/SUB/F07");	/* another file: its number differs */
	set_time(at("new"), 1000000);
	{
		char *from = xstrdup(at("new"));

		assert_int_equal(rename(from, at("lib/sub/f07")), 0);
		free(from);
	}
	set_time(at("lib/sub"), 1000000);	/* only the file's number tells */
}

static void a_mode(void)
{
	assert_int_equal(chmod(at("lib/sub/f07"), 0755), 0);
}

static void a_name(void)
{
	char *from = xstrdup(at("lib/sub/f07"));

	assert_int_equal(rename(from, at("lib/sub/g07")), 0);
	free(from);
}

static void a_file_more(void)
{
	put(at("lib/more"), "");
}

static void a_file_less(void)
{
	assert_int_equal(unlink(at("lib/sub/f07")), 0);
}

static void a_folder_more(void)
{
	assert_int_equal(mkdir(at("lib/empty"), 0755), 0);
}

static void a_link(void)
{
	assert_int_equal(unlink(at("bin/link")), 0);
	assert_int_equal(symlink("t00l", at("bin/link")), 0);
}

static void no_cache(void)
{
	struct ps_err err;

	assert_int_equal(fs_remove_tree(AT_FDCWD, fx.cache, &err), 0);
	assert_int_equal(fs_mkdirs(fx.cache, 0755, &err), 0);
}

static void cache_without_folder(void)
{
	struct ps_err err;

	assert_int_equal(fs_remove_tree(AT_FDCWD, fx.cache, &err), 0);
}

static const struct row {
	const char *name;
	void (*change)(void);
	bool same;
	int read, again;	/* files read after it, and by the look after that */
} rows[] = {
	{ "nothing", nothing, true, 0, 0 },
	{ "the time of a file", a_time, true, FILES, 0 },
	{ "the same bytes in another file", same_bytes_anew, true, FILES, 0 },
	{ "bytes, same length", bytes_of_one_size, false, FILES, 0 },
	{ "bytes, same length and time", bytes_of_one_size_and_time, false, FILES, 0 },
	{ "the mode of a file", a_mode, false, FILES, 0 },
	{ "the name of a file", a_name, false, FILES, 0 },
	{ "a file more", a_file_more, false, FILES + 1, 0 },
	{ "a file less", a_file_less, false, FILES - 1, 0 },
	{ "an empty folder more", a_folder_more, false, FILES, 0 },
	{ "where a link leads", a_link, false, FILES, 0 },
	{ "the cache is gone", no_cache, true, FILES, 0 },
	{ "the cache cannot be written", cache_without_folder, true, FILES, FILES },
};

static void digest_row(void **state)
{
	const struct row *row = *state;
	char first[DIGEST_HEX], hex[DIGEST_HEX];
	unsigned n;

	look(first, &n);
	assert_int_equal(n, FILES);
	look(hex, &n);
	assert_int_equal(n, 0);
	assert_string_equal(hex, first);
	row->change();
	look(hex, &n);
	assert_int_equal(n, row->read);
	assert_int_equal(strcmp(hex, first) == 0, row->same);
	look(hex, &n);
	assert_int_equal(n, row->again);
	assert_int_equal(strcmp(hex, first) == 0, row->same);
}

/* Two prefixes with the same content are the same toolchain; each is remembered by itself. */
static void place_is_no_content(void **state)
{
	char first[DIGEST_HEX], hex[DIGEST_HEX], *from = xstrdup(fx.prefix);
	unsigned n;

	(void)state;
	look(first, &n);
	snprintf(fx.prefix, sizeof(fx.prefix), "%s/moved", fx.dir);
	assert_int_equal(rename(from, fx.prefix), 0);
	look(hex, &n);
	assert_int_equal(n, FILES);
	assert_string_equal(hex, first);
	free(from);
}

/* What a killed or foreign writer left in the cache is not believed. */
static void spoiled_cache_is_read_again(void **state)
{
	static const char *const texts[] = { "", "x", "\n\n", NULL };
	char first[DIGEST_HEX], hex[DIGEST_HEX], id[DIGEST_HEX];
	unsigned n;

	(void)state;
	look(first, &n);
	digest_bytes(id, fx.prefix, strlen(fx.prefix));
	for (size_t i = 0; i < PS_NELEM(texts); i++) {
		char *file = xasprintf("%s/toolchain-%.16s", fx.cache, id);
		char *text = texts[i] ? xstrdup(texts[i]) :
			xasprintf("%064d\n%064d\n", 0, 0); /* of another list */

		put(file, text);
		look(hex, &n);
		assert_int_equal(n, FILES);
		assert_string_equal(hex, first);
		free(text);
		free(file);
	}
}

static void interpreter_below_usr_local(void **state)
{
	(void)state;
	assert_false(toolchain_is_local(fx.prefix));
	assert_int_equal(symlink("/usr/bin/env", at("bin/python")), 0);
	assert_false(toolchain_is_local(fx.prefix));
	assert_int_equal(unlink(at("bin/python")), 0);
	assert_int_equal(symlink("/usr/local/bin/../share/..", at("bin/python")), 0);
	/* /usr/local itself is not below it, and one that is not there is none */
	assert_false(toolchain_is_local(fx.prefix));
	if (access("/usr/local/share", F_OK) == 0) {
		assert_int_equal(unlink(at("bin/python")), 0);
		assert_int_equal(symlink("/usr/local/share", at("bin/python")), 0);
		assert_true(toolchain_is_local(fx.prefix));
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		CASE(place_is_no_content),
		CASE(spoiled_cache_is_read_again),
		CASE(interpreter_below_usr_local),
	};
	struct CMUnitTest t[PS_NELEM(cases) + PS_NELEM(rows)];

	memcpy(t, cases, sizeof(cases));
	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[PS_NELEM(cases) + i] = (struct CMUnitTest){ .name = rows[i].name,
							      .test_func = digest_row,
							      .setup_func = set_up,
							      .teardown_func = tear_down,
							      .initial_state = (void *)&rows[i] };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("toolchain", t, PS_NELEM(t), NULL, NULL);
}
