/* The log of a build: what is kept is what was printed, at the offset where it was printed. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/build/runlog.h"
#include "common/base/fsutil.h"
#include "common/base/logfile.h"

enum { STAMP = LOGFILE_STAMP, LINE_CUT = 8192 };
#define NO_TIME "0000-00-00T00:00:00.000Z "

static struct fx {
	char dir[64], path[96];
	struct runlog *log;
	struct buf all; /* the log as it would be without a limit, NO_TIME for each time */
	bool within;
} fx;

static int set_up(void **state)
{
	(void)state;
	fx = (struct fx){ .all = BUF_INIT };
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/penstock-runlog-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	snprintf(fx.path, sizeof(fx.path), "%s/logs/b1.log", fx.dir);
	return 0;
}

static int tear_down(void **state)
{
	struct ps_err err;

	(void)state;
	runlog_close(fx.log);
	buf_clear(&fx.all);
	return fs_remove_tree(AT_FDCWD, fx.dir, &err);
}

static void open_log(int64_t max)
{
	struct ps_err err = { 0 };

	assert_int_equal(runlog_open(&fx.log, fx.path, max, &err), 0);
	runlog_attempt(fx.log);
}

static void close_log(void)
{
	runlog_close(fx.log);
	fx.log = NULL;
	if (fx.within)
		buf_addch(&fx.all, '\n');
	fx.within = false;
}

/* The model: one line after the other, cut where the header says. */
static void model(const char *bytes, size_t n)
{
	size_t len = 0;

	if (fx.within) /* length of the text of the open line */
		while (len < fx.all.len && fx.all.data[fx.all.len - 1 - len] != '\n')
			len++;
	len -= fx.within ? STAMP : 0;
	for (size_t i = 0; i < n; i++) {
		if (!fx.within)
			buf_adds(&fx.all, NO_TIME);
		fx.within = true;
		if (bytes[i] != '\n') {
			buf_addch(&fx.all, bytes[i]);
			len++;
		}
		if (bytes[i] == '\n' || (len == LINE_CUT && (i + 1 == n || bytes[i + 1] != '\n'))) {
			buf_addch(&fx.all, '\n');
			fx.within = false;
			len = 0;
		}
	}
}

static void print(const char *text, size_t n)
{
	runlog_bytes(fx.log, text, n);
	model(text, n);
}

static void prints(const char *text)
{
	print(text, strlen(text));
}

/* A line of penstock's own, in the model. */
static void says(const char *text)
{
	if (fx.within)
		buf_addch(&fx.all, '\n');
	fx.within = false;
	buf_addf(&fx.all, NO_TIME "penstock: %s\n", text);
}

/* Every kept byte is what was printed there; returns how many bytes are kept. */
static int64_t check_kept(void)
{
	struct logfile f;
	struct ps_err err = { 0 };
	int64_t kept = 0;

	assert_int_equal(logfile_open(&f, fx.path, &err), 0);
	assert_int_equal(f.length, fx.all.len);
	for (int64_t at = logfile_kept(&f, 0); at < f.length; at = logfile_kept(&f, at)) {
		char block[1000];
		ssize_t n = logfile_read(&f, at, block, sizeof(block), &err);

		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++) {
			size_t here = (size_t)at + (size_t)i, start = here;

			while (start && fx.all.data[start - 1] != '\n')
				start--;
			if (here - start < STAMP && block[i] >= '0' && block[i] <= '9')
				block[i] = '0';
			if (block[i] != fx.all.data[here])
				fail_msg("byte %zu is %02x, printed was %02x", here, block[i],
					 fx.all.data[here]);
		}
		at += n;
		kept += n;
	}
	logfile_close(&f);
	return kept;
}

static int64_t on_disk(void)
{
	int64_t sum = 0;

	for (unsigned nr = 0; nr < LOGFILE_PARTS; nr++) {
		char *name = logfile_part_path(fx.path, nr);
		struct stat st;

		sum += stat(name, &st) == 0 ? st.st_size : 0;
		free(name);
	}
	return sum;
}

static void unfinished_line_is_there_at_once(void **state)
{
	(void)state;
	open_log(0);
	prints("nearly");
	assert_int_equal(check_kept(), STAMP + 6);
	prints(" there\nnext");
	assert_int_equal(check_kept(), STAMP + 13 + STAMP + 4);
	runlog_say(fx.log, "a word of ours");
	says("a word of ours");
	prints("\n\nend");
	assert_string_equal(runlog_last(fx.log), "next");
	close_log();
	assert_int_equal(check_kept(), fx.all.len);
}

static void foreign_bytes_are_kept(void **state)
{
	static const char bytes[] = "\0\x1b[31mred\xff\xfe\r50%\r100%\t\n\x7f";

	(void)state;
	open_log(0);
	print(bytes, sizeof(bytes) - 1);
	assert_string_equal(runlog_last(fx.log), "100%\t");
	close_log();
	assert_int_equal(check_kept(), fx.all.len);
}

/* One row: lines of a length, printed in blocks of a length, under a limit. */
static const struct row {
	const char *name;
	size_t line, block, total;
	int64_t max;
	bool whole;
} rows[] = {
	{ "no limit", 80, 4096, 300000, 0, true },
	{ "below the limit", 80, 4096, 60000, 1 << 18, true },
	{ "ten times the limit", 80, 4096, 10 << 18, 1 << 18, false },
	{ "one byte a call", 40, 1, 40000, 1 << 14, false },
	{ "blocks larger than a part", 100, 65536, 2 << 20, 1 << 17, false },
	{ "lines that are cut", 20001, 65536, 1 << 20, 1 << 17, false },
	{ "lines of exactly a cut", LINE_CUT, 1000, 1 << 19, 1 << 17, false },
	{ "one line without end", 1 << 20, 5000, 1 << 20, 1 << 17, false },
	{ "empty lines", 0, 100, 1 << 16, 1 << 16, false },
};

static void limit_row(void **state)
{
	const struct row *row = *state;
	struct buf text = BUF_INIT;
	int64_t kept;

	for (size_t n = 0; text.len < row->total; n++) {
		char mark[32];

		snprintf(mark, sizeof(mark), "%zu:", n);
		buf_add(&text, mark, row->line < strlen(mark) ? row->line : strlen(mark));
		for (size_t i = strlen(mark); i < row->line; i++)
			buf_addch(&text, (char)('a' + (i + n) % 26));
		buf_addch(&text, '\n');
	}
	open_log(row->max);
	for (size_t at = 0; at < text.len; at += row->block) {
		size_t n = text.len - at < row->block ? text.len - at : row->block;

		print(text.data + at, n);
		if (at / row->block % 16 == 0 && row->max)
			assert_true(on_disk() < row->max + 2 * LINE_CUT + 3 * LOGFILE_HEAD_MAX +
							(int64_t)row->block * (1 + STAMP));
	}
	close_log();
	kept = check_kept();
	assert_int_equal(kept == (int64_t)fx.all.len, row->whole);
	if (!row->whole) {
		struct logfile f;
		struct ps_err err = { 0 };

		assert_true(kept >= row->max * 3 / 4 && on_disk() <= row->max + 3 * LINE_CUT);
		assert_int_equal(logfile_open(&f, fx.path, &err), 0);
		assert_int_equal(f.part[0].from, 0);
		assert_true(f.part[0].to >= row->max / 2);
		assert_int_equal(f.part[f.n - 1].to, fx.all.len);
		assert_int_equal(logfile_kept(&f, f.length - row->max / 4),
				 f.length - row->max / 4);
		logfile_close(&f);
	}
	buf_clear(&text);
}

#define AGAIN "once more; what is above is of an earlier attempt"

/* Killed at any moment: the next attempt goes on where the bytes end, on a new line. */
static void second_attempt_goes_on(void **state)
{
	(void)state;
	open_log(1 << 14);
	for (int i = 0; i < 700; i++) {
		prints("some line of the attempt\nand half of another");
		if (i % 100 == 99) { /* as if killed: nothing is ended, only what was written stays */
			struct runlog *dead = fx.log;

			assert_true(check_kept() == (int64_t)fx.all.len || fx.all.len > 1 << 13);
			fx.log = NULL;
			{ /* its lock goes with it */
				struct ps_err err = { 0 };

				assert_int_equal(runlog_open(&fx.log, fx.path, 1 << 14, &err),
						 PS_EBUSY);
				fx.log = NULL;
			}
			runlog_close(dead); /* a close ends the line as the next open would */
			says(AGAIN);
			open_log(1 << 14);
		}
	}
	close_log();
	assert_true(check_kept() < (int64_t)fx.all.len);
}

static void torn_line_is_ended(void **state)
{
	struct ps_err err = { 0 };
	int fd;

	(void)state;
	open_log(0);
	prints("whole\n");
	close_log();
	fd = open(fx.path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(fd, NO_TIME "half", STAMP + 4, &err), 0);
	close(fd);
	buf_adds(&fx.all, NO_TIME "half");
	fx.within = true;
	says(AGAIN);
	open_log(0);
	prints("new\n");
	close_log();
	assert_int_equal(check_kept(), fx.all.len);
}

/* A part whose writer was killed before its first line was whole does not count, and is made anew. */
static void unfinished_part_is_none(void **state)
{
	static const char *const heads[] = { "", "penstock: this log goes", "something else\n",
					     "penstock: this log goes on here at its byte 12" };
	char *one = NULL;

	(void)state;
	for (size_t i = 0; i < PS_NELEM(heads); i++) {
		struct ps_err err = { 0 };
		int fd;

		assert_int_equal(logfile_remove(fx.path, NULL, &err), 0);
		buf_reset(&fx.all);
		open_log(1 << 14);
		while (fx.all.len < 1 << 13)
			prints("a line\n");
		close_log();
		free(one);
		one = logfile_part_path(fx.path, 1);
		fd = open(one, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		assert_int_equal(fs_write_all(fd, heads[i], strlen(heads[i]), &err), 0);
		close(fd);
		assert_int_equal(check_kept(), fx.all.len);
		says(AGAIN);
		open_log(1 << 14);
		for (int n = 0; n < 1000; n++)
			prints("another line\n");
		close_log();
		assert_true(check_kept() > 0);
	}
	free(one);
}

static void full_disk_is_told(void **state)
{
	struct rlimit before, small;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 100;
	open_log(0);
	prints("before\n");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	/* 32 bytes are there, 68 more fit: the time, and 43 of 61 */
	runlog_bytes(fx.log, "fits in part, and then there is no room for the rest of it...\n", 62);
	runlog_bytes(fx.log, "lost\n", 5);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	model("fits in part, and then there is no room for", 43);
	says("49 bytes are missing here, they could not be written");
	prints("after\n");
	close_log();
	assert_int_equal(check_kept(), fx.all.len);
}

static void tail_is_known_past_the_limit(void **state)
{
	struct buf tail = BUF_INIT;

	(void)state;
	open_log(1 << 14);
	for (int i = 0; i < 5000; i++)
		prints("line\n");
	prints("the end");
	runlog_tail(fx.log, &tail);
	assert_true(ps_ends(buf_str(&tail), "line\nthe end\n"));
	buf_clear(&tail);
}

static void removed_with_all_parts(void **state)
{
	struct ps_err err = { 0 };
	int64_t disk, freed = 0;
	struct logfile f;

	(void)state;
	open_log(1 << 14);
	for (int i = 0; i < 5000; i++)
		prints("line\n");
	close_log();
	disk = on_disk();
	assert_true(disk > 1 << 13);
	assert_int_equal(logfile_remove(fx.path, &freed, &err), 0);
	assert_int_equal(freed, disk);
	assert_int_equal(on_disk(), 0);
	assert_int_equal(logfile_remove(fx.path, &freed, &err), 0);
	assert_int_equal(logfile_open(&f, fx.path, &err), 0);
	assert_int_equal(f.length, 0);
	assert_int_equal(logfile_kept(&f, 5), 0);
	logfile_close(&f);
}

static void log_of_a_task(void **state)
{
	static const struct { const char *key, *path; } names[] = {
		{ "orders", "/x/orders.log" }, { "a/b", "/x/a_b.log" }, { "..", "/x/_..log" },
		{ "../up", "/x/_._up.log" },   { "a\nb", "/x/a_b.log" },
	};

	(void)state;
	for (size_t i = 0; i < PS_NELEM(names); i++) {
		char *path = logfile_of_task("/x", names[i].key);

		assert_string_equal(path, names[i].path);
		free(path);
	}
}

static void folder_is_no_log(void **state)
{
	struct ps_err err = { 0 };
	struct logfile f;

	(void)state;
	assert_int_equal(fs_mkdirs(fx.path, 0755, &err), 0);
	assert_true(runlog_open(&fx.log, fx.path, 0, &err) < 0);
	assert_true(logfile_open(&f, fx.path, &err) < 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest cases[] = {
		CASE(unfinished_line_is_there_at_once), CASE(foreign_bytes_are_kept),
		CASE(second_attempt_goes_on),           CASE(torn_line_is_ended),
		CASE(unfinished_part_is_none),          CASE(full_disk_is_told),
		CASE(tail_is_known_past_the_limit),     CASE(removed_with_all_parts),
		CASE(log_of_a_task),                    CASE(folder_is_no_log),
	};
	struct CMUnitTest t[PS_NELEM(cases) + PS_NELEM(rows)];

	memcpy(t, cases, sizeof(cases));
	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[PS_NELEM(cases) + i] = (struct CMUnitTest){ .name = rows[i].name,
							      .test_func = limit_row,
							      .setup_func = set_up,
							      .teardown_func = tear_down,
							      .initial_state = (void *)&rows[i] };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("runlog", t, PS_NELEM(t), NULL, NULL);
}
