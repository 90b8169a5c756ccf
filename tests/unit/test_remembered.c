/*
 * Units of remembered, tree_scan, folders and stamp: `penstock check` on a working folder says what it
 * says when it remembers nothing, whatever happened to the folder and to its memory; and it asks the
 * disk for no more than what may have changed.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <time.h>

#include "common/base/fsutil.h"
#include "common/gate/gate.h"
#include "common/gate/remembered.h"
#include "tests/support/kernel.h"
#include "tests/support/recheck.h"

#define MEMORY "r/.git/penstock/checked"

static void only_what_may_have_changed_is_asked_for(void **state)
{
	/* files: setup.py, main.py, workflow, prod.json; folders: itself, code and four below it */
	enum { FILES = 4 * DEMO_PIPELINES + 2 * DEMO_JOBS + 2,
	       FOLDERS = 1 + 1 + 6 * DEMO_PIPELINES + 1 + 2 * DEMO_JOBS + 3,
	       SHOWN = DEMO_JOBS + 1 };		/* read for the lines that findings are about */
	struct gate_checked c;

	(void)state;
	demo_make();
	settle();
	same_as_fresh("r", &c);
	assert_int_equal(c.counts.known, 0);
	assert_int_equal(c.asked.listed, FOLDERS);
	assert_int_equal(c.asked.opened, FILES - 1);	/* README.md is nobody's business */
	assert_int_equal(c.asked.stats, 1);
	same_as_fresh("r", &c);
	assert_true(c.counts.known == c.counts.units && c.counts.units > 0);
	assert_int_equal(c.asked.listed + c.asked.opened, 0);
	assert_int_equal(c.asked.stats, FILES + FOLDERS - 1);
	demo_put("pipelines/p3/code/main.py", "x = 2\n");
	settle();
	same_as_fresh("r", &c);
	assert_int_equal(c.asked.listed, 0);
	/* the files of the folders on the way, and what the pipeline's rules read */
	assert_int_equal(c.asked.opened, SHOWN + 1 + 2 + 3);
	assert_int_equal(c.counts.units - c.counts.known, 1);
	demo_put("pipelines/p3/code/more.py", "x = 3\n");
	settle();
	same_as_fresh("r", &c);
	assert_int_equal(c.asked.listed, 1);
	assert_int_equal(c.counts.units - c.counts.known, 1);
	same_as_fresh("r/pipelines", &c);		/* a part: what is known of it counts */
	assert_int_equal(c.asked.listed, 1);		/* the top, on the way there */
	assert_int_equal(c.asked.opened, 0);
	same_as_fresh("r", &c);				/* and all of it still does */
	assert_int_equal(c.asked.listed + c.asked.opened, 0);
	assert_int_equal(c.counts.known, c.counts.units);
}

/* A file that may change again within the same tick is looked at each time, and so are those that
 * have to do with it; the others are known. */
static void what_is_younger_than_the_look_is_not_remembered(void **state)
{
	struct gate_checked c;

	(void)state;
	demo_make();
	settle();
	same_as_fresh("r", NULL);
	demo_put("pipelines/p3/code/setup.py", "x = 2\n");
	stands_at = exact(CLOCK_REALTIME) - INT64_C(1000000000);
	for (int i = 0; i < 3; i++) {
		same_as_fresh("r", &c);
		assert_int_equal(c.counts.known, 0);
	}
	stands_at = -1;
	settle();
	same_as_fresh("r", &c);
	assert_int_equal(c.counts.units - c.counts.known, 1);
	same_as_fresh("r", &c);
	assert_int_equal(c.counts.known, c.counts.units);
	demo_put("pbt_project.yml", NULL);
	settle();
	same_as_fresh("r", &c);
	same_as_fresh("r", &c);
	assert_int_equal(c.asked.listed + c.asked.opened, 0);
}

/* What a job asked of a pipeline that may still change is no answer for the next time. */
static void what_depends_on_it_is_not_either(void **state)
{
	struct gate_checked c;

	(void)state;
	demo_make();
	settle();
	same_as_fresh("r", NULL);
	stands_at = exact(CLOCK_REALTIME_COARSE);
	demo_put("pipelines/p2/code/configs/resources/config/prod.json", "{ }");
	settle();
	for (int i = 0; i < 2; i++) {
		same_as_fresh("r", &c);
		assert_int_equal(c.counts.units - c.counts.known, 2);	/* p2, and j2 that names it */
	}
	demo_put("pipelines/p2/code/configs/resources/config/prod.json", NULL);
	demo_put("pipelines/p2/code/configs/resources/config/qa.json", "{}");
	same_as_fresh("r", NULL);
	stands_at = -1;
}

/* Of 15,000 findings the same 10,000 are told, whoever's turn it was when they were full. */
static void the_bound_is_where_it_is_without_units(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	demo_make();
	buf_adds(&b, "{\"diagnostics\": [");
	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "%s{\"severity\": 1, \"message\": \"%d\"}", i ? ",\n" : "", i);
	buf_adds(&b, "]}");
	demo_put("pipelines/p1/code/.prophecy/workflow.latest.json", buf_str(&b));
	demo_put("pipelines/p2/code/.prophecy/workflow.latest.json", buf_str(&b));
	demo_put("pipelines/p4/code/.prophecy/workflow.latest.json", buf_str(&b));
	buf_clear(&b);
	settle();
	same_as_fresh("r", NULL);
	same_as_fresh("r", NULL);
}

/* ---- changes at random ---- */

static char *any_path(void)
{
	static const char *const below[] = { "", "/code", "/code/setup.py", "/code/main.py",
					     "/code/configs/resources/config",
					     "/code/configs/resources/config/prod.json",
					     "/code/.prophecy/workflow.latest.json" };

	return xasprintf("pipelines/p%u%s", demo_any_pipeline(), below[demo_any(PS_NELEM(below))]);
}

/* What git need not have seen: names, links, modes, times, and bytes of the same length. */
static void change_on_disk(void)
{
	char *a = any_path(), *b = any_path();

	switch (demo_any(9)) {
	case 0:
		gitdir_sh("cd r && if test -e %s && ! test -e %s; then mv %s %s 2>/dev/null; fi || :",
			  a, b, a, b);
		break;
	case 1:
		gitdir_sh("cd r && test ! -e %s || { rm -rf %s; ln -s ../p1 %s; }", a, a, a);
		break;
	case 2:			/* as long as before, and as old as it says */
		gitdir_sh("cd r && if test -f %s && ! test -L %s; then touch -r %s ../when && "
			  "tr '{}[]' '[]{}' < %s > ../new && cat ../new > %s && touch -r ../when %s; fi",
			  a, a, a, a, a, a);
		break;
	case 3:
		gitdir_sh("cd r && test ! -e %s || chmod +x %s", a, a);
		break;
	case 4:
		gitdir_sh("cd r && test ! -e %s || touch -d 2030-01-01 %s", a, a);
		break;
	case 5:
		gitdir_sh("cd r && mkdir -p more/deep && cp pbt_project.yml more/deep/ && "
			  "rm -rf less && mv more less");
		break;
	case 6:
		gitdir_sh("cd r && mkdir -p docs && echo 'ghp_%036d' > docs/note%u.txt", 7, demo_any(3));
		break;
	case 7:
		gitdir_sh("cd r && rm -rf docs/note%u.txt less %s && git checkout -q -- pipelines jobs",
			  demo_any(3), a);
		break;
	default:
		gitdir_sh("cd r && rm -f fifo && mkfifo fifo && rm -rf %s && mkdir -p %s", a, a);
	}
	free(a);
	free(b);
}

/* demo_change() writes plain files: what is in their way goes. */
static void change_plainly(void)
{
	gitdir_sh("cd r && find pipelines -type l -delete -o -name '*.py' -type d -exec rm -rf {} +");
	demo_change();
}

static void many_changes_never_change_a_verdict(void **state)
{
	static const char *const parts[] = { "r", "r", "r", "r", "r/pipelines", "r/pipelines/p1" };

	(void)state;
	demo_seed(20261128);
	demo_make();
	gitdir_sh("cd r && git add -A && git commit -qm one");
	for (int i = 0; i < 100; i++) {
		const char *part = parts[demo_any(PS_NELEM(parts))];
		int64_t before = exact(CLOCK_REALTIME_COARSE);

		if (demo_any(2))
			change_plainly();
		else
			change_on_disk();
		settle();
		stands_at = demo_any(4) ? -1 : before;		/* the change may be going on */
		same_as_fresh(fs_exists(part) ? part : "r", NULL);
		stands_at = -1;
	}
}

/* ---- the memory itself ---- */

static void read_memory(struct buf *b)
{
	buf_reset(b);
	assert_int_equal(fs_read(b, AT_FDCWD, MEMORY, 64 << 20, &err), 0);
}

enum { SUM = sizeof(uint64_t) };

/* sealed: as if it had been meant so. */
static void write_memory(const struct buf *b, size_t n, bool sealed)
{
	char *bytes = xmemdup(b->data, n + 1);
	uint64_t sum = n > SUM ? remembered_sum(bytes + SUM, n - SUM) : 0;
	FILE *f = fopen(MEMORY, "w");

	if (sealed && n > SUM)
		memcpy(bytes, &sum, SUM);
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	free(bytes);
}

static void a_damaged_memory_is_none(void **state)
{
	struct buf good = BUF_INIT, bad = BUF_INIT;
	struct gate_checked c;

	(void)state;
	demo_seed(20261129);
	demo_make();
	demo_put("pipelines/p1/code/setup.py", NULL);
	settle();
	same_as_fresh("r", NULL);
	read_memory(&good);
	for (int i = 0; i < 60; i++) {
		size_t at = demo_any((unsigned)good.len);

		buf_reset(&bad);
		buf_add(&bad, good.data, good.len);
		bad.data[at] ^= (char)(1 + demo_any(255));
		write_memory(&bad, i % 2 ? at : good.len, false);
		same_as_fresh("r", &c);
		assert_int_equal(c.counts.known, 0);
		/* and nothing falls over what has the right sum and the wrong shape */
		write_memory(&bad, i % 2 ? at : good.len, true);
		free(check("r", false, NULL));
		gitdir_sh("rm -f " MEMORY);
	}
	write_memory(&good, good.len, true);
	same_as_fresh("r", &c);
	assert_int_equal(c.counts.known, c.counts.units);
	good.data[SUM] ^= 1;				/* another program's */
	write_memory(&good, good.len, true);
	same_as_fresh("r", &c);
	assert_int_equal(c.counts.known, 0);
	buf_clear(&good);
	buf_clear(&bad);
}

/* Nothing of a check depends on the memory being there, and it is nowhere but in git's folder. */
static void it_is_kept_where_it_may_be(void **state)
{
	struct gate_check c = { .path = "r", .config = config };
	struct gate_checked out;
	struct buf before = BUF_INIT, after = BUF_INIT;

	(void)state;
	demo_make();
	gitdir_sh("cd r && git add -A && git commit -qm one && git worktree add -q ../w && cp -r . ../plain "
		  "&& rm -rf ../plain/.git");
	settle();
	same_as_fresh("plain", NULL);
	gitdir_sh("test ! -e plain/.git -a ! -e r/.git/penstock");
	free(check("r", true, NULL));
	gitdir_sh("test ! -e r/.git/penstock");
	same_as_fresh("w", NULL);
	gitdir_sh("test -f r/.git/worktrees/w/penstock/checked -a ! -e r/.git/penstock");
	same_as_fresh("r", NULL);
	gitdir_sh("test \"$(ls -A r/.git/penstock)\" = checked && touch r/.git/penstock/.tmp-1-no && "
		  "test -z \"$(git -C r status --porcelain)\"");
	read_memory(&before);
	gitdir_sh("stat -c %%i " MEMORY " > inode");
	same_as_fresh("r", NULL);
	gitdir_sh("stat -c %%i " MEMORY " | cmp inode");	/* nothing new: not written */
	free(check("r", true, NULL));
	gitdir_sh("stat -c %%i " MEMORY " | cmp inode");
	read_memory(&after);
	assert_true(before.len == after.len && memcmp(before.data, after.data, after.len) == 0);
	gitdir_sh("rm -r r/.git/penstock && echo > r/.git/penstock");
	assert_int_equal(gate_check(&c, &out, &err), 0);
	assert_non_null(strstr(out.not_kept, "cannot open"));
	gate_checked_clear(&out);
	same_as_fresh("r", NULL);
	buf_clear(&before);
	buf_clear(&after);
}

/* Values that nobody asks for any more do not pile up. */
static void it_is_bounded(void **state)
{
	enum { VALUE = 300 << 10, ROUNDS = 40 };
	char *text = xcalloc(1, VALUE);
	struct stat st;
	off_t most = 0;

	(void)state;
	gitdir_sh("mkdir -p r/.git");
	for (int i = 0; i < ROUNDS; i++) {
		struct remembered *r = remembered_open("r/.git");
		struct memo *m = remembered_memo(r);
		struct buf none = BUF_INIT, value = BUF_INIT;
		struct memo_key k;
		char name[32];

		snprintf(name, sizeof(name), "%d", i);
		memo_key(m, &k, name, NULL);
		buf_add(&value, text, VALUE);
		memo_put(m, &k, &value);
		assert_int_equal(remembered_keep(r, m, &none, "", &err), 0);
		memo_free(m);
		remembered_close(r);
		assert_int_equal(stat(MEMORY, &st), 0);
		most = st.st_size > most ? st.st_size : most;
	}
	assert_in_range(most, 2 * VALUE, 4 * VALUE + (2 << 20));
	free(text);
}

static void stamps_and_listings(void **state)
{
	static const struct stamp s = { .ino = 1, .size = 0xab, .changed_ns = 5000000000,
					.modified_ns = 16 };
	struct stamp later = s;
	struct buf b = BUF_INIT;
	struct folder_entry e;
	struct folders f;
	char hex[STAMP_HEX];

	(void)state;
	stamp_hex(hex, &s);
	assert_string_equal(hex, "000000000000000100000000000000ab000000012a05f200" "0000000000000010");
	assert_false(stamp_is_settled(&s, 5000000000));
	assert_true(stamp_is_settled(&s, 5000000001));
	later.changed_ns++;
	assert_false(stamp_equal(&s, &later));
	folders_add(&b, "", &s, 1);
	folders_entry_add(&b, "a", TREE_DIR, &s);
	folders_add(&b, "a", &s, 0);
	folders_add(&b, "a/x", &s, 0);
	folders_add(&b, "a-b", &s, 2);
	folders_entry_add(&b, "x", TREE_FILE, &s);
	folders_entry_add(&b, "y", TREE_LINK, &s);
	assert_true(folders_open(&f, b.data, b.len));
	folders_entry(folders_entry(folders_find(&f, "a-b")->entries, &e), &e);
	assert_string_equal(e.name, "y");
	assert_int_equal(e.kind, TREE_LINK);
	assert_memory_equal(e.stamp, &s, sizeof(s));
	assert_null(folders_find(&f, "a/y"));
	folders_clear(&f);
	for (size_t n = 1; n < b.len; n++) {		/* any beginning of it is read up to its end */
		char *part = xmemdup(b.data, n);

		folders_open(&f, part, n);
		assert_true(f.n < 4);
		folders_clear(&f);
		free(part);
	}
	buf_clear(&b);
}

int main(int argc, char **argv)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, gitdir_enter, gitdir_leave)
	const struct CMUnitTest t[] = {
		CASE(only_what_may_have_changed_is_asked_for),
		CASE(what_is_younger_than_the_look_is_not_remembered),
		CASE(what_depends_on_it_is_not_either),
		CASE(the_bound_is_where_it_is_without_units),
		CASE(many_changes_never_change_a_verdict), CASE(a_damaged_memory_is_none),
		CASE(it_is_kept_where_it_may_be), CASE(it_is_bounded),
		cmocka_unit_test(stamps_and_listings),
	};
	int rc;

	if (kernel_skip())
		return 77;
	config = demo_config();
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	rc = cmocka_run_group_tests_name("remembered", t, NULL, NULL);
	config_free(config);
	return rc;
}
