/* Units of what an Airflow job becomes: its definition in the plan, and the archive of the driver. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/deploy/fabric/airflow_parts.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/plan/plan.h"

#define ABOUT(id, fabric)                                                                          \
	"{\"metainfo\":{\"dagName\":\"" id "\",\"fabricId\":\"" fabric "\",\"enabled\":true}}"
#define DAG "TAG = '__PROJECT_ID_PLACEHOLDER__/__PROJECT_RELEASE_VERSION_PLACEHOLDER__'\n"

static char dot[] = ".", airflow[] = "airflow", key[] = "jobs/a", name[] = "a";
static char oid[] = "0000000000000000000000000000000000000000", none[] = "";

struct fx {
	struct manifest m;
	struct manifest_job job;
	struct manifest_file files[8];
	struct plan_template templates[8];
	struct plan_input in;
	char *content;
};

static char dir[32];

static int fx_init(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	struct ps_err err;
	char *cwd;

	snprintf(dir, sizeof(dir), "test_dag.XXXXXX");
	cwd = mkdtemp(dir) ? getcwd(NULL, 0) : NULL;
	if (!cwd)
		return -1;
	f->content = xasprintf("%s/%s/content", cwd, dir);
	free(cwd);
	f->job = (struct manifest_job) { key, name, airflow, 5005, f->files, 0 };
	f->m = (struct manifest) { .project = dot, .tree = oid, .toolchain = none, .jobs = &f->job,
				   .njobs = 1 };
	f->in = (struct plan_input) {
		.release = &f->m, .release_id = oid, .environment = "airflow", .repository = "sales",
		.provider = PLAN_AIRFLOW, .fabric_id = 5005, .fabric_address = "http://a",
		.templates = f->templates, .jobs_own = true,
		.params = { "7234", "1.0", "main/1.0", NULL },
	};
	*state = f;
	return fs_mkdirs(f->content, 0755, &err);
}

static int fx_clear(void **state)
{
	struct fx *f = *state;
	struct ps_err err;

	free(f->content);
	free(f);
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

static void add(struct fx *f, const char *path, const char *bytes, size_t n)
{
	struct manifest_file *file = &f->files[f->job.nfiles++];

	file->path = (char *)path;
	digest_bytes(file->sha256, bytes, n);
	f->templates[f->in.ntemplates++] = (struct plan_template) { file->sha256, bytes, n };
}

static void add_text(struct fx *f, const char *path, const char *text)
{
	add(f, path, text, strlen(text));
}

static void a_dag_is_planned(void **state)
{
	struct fx *f = *state;
	struct plan p = { 0 };
	struct ps_err err = { 0 };

	add_text(f, "code/dag.py", DAG);
	add_text(f, "code/prophecy-job.json", ABOUT("orders", "5005"));
	add_text(f, "code/resources/x.txt", "x");
	add_text(f, "code/README.md", "not of the DAG");
	add_text(f, "code/dist/y.py", "not of the DAG");
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	assert_int_equal(p.nproblems, 0);
	assert_int_equal(p.nartifacts, 0);
	assert_int_equal(p.njobs, 1);
	assert_int_equal(p.jobs[0].nfiles, 3);
	assert_non_null(strstr(p.jobs[0].bytes, "\"dag_id\":\"orders\",\"enabled\":true"));
	assert_null(strstr(p.jobs[0].bytes, "README"));
	for (size_t i = 0; i < p.jobs[0].nfiles; i++) {
		const struct plan_file *file = &p.jobs[0].files[i];

		assert_non_null(strstr(p.jobs[0].bytes, file->sha256));
		if (ps_starts(file->bytes, "TAG"))
			assert_string_equal(file->bytes, "TAG = '7234/1.0'\n");
	}
	plan_clear(&p);
}

static const struct { const char *path, *text; size_t n; const char *problem; } rows[] = {
	{ "code/prophecy-job.json", ABOUT("orders", "5005"), 0, "has no code/dag.py" },
	{ "code/dag.py", DAG, 0, "names no dagName" },
	{ "code/dag.py", "a\xff", 2, "is no text in UTF-8" },
	{ "code/dag.py", "a\0b", 3, "is no text in UTF-8" },
	{ "code/\xc3\xa9.py", "", 0, "must be ASCII" },
	{ "code/dag.py", "'__OTHER_PLACEHOLDER__'", 0, "unknown placeholder" },
	{ "code/dag.py", "'__PROPHECY_URL_PLACEHOLDER__'", 0, "set 'url' of the project" },
};

static void what_is_no_dag(void **state)
{
	struct fx *f = *state;

	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		struct plan p = { 0 };
		struct ps_err err = { 0 };

		f->job.nfiles = f->in.ntemplates = 0;
		if (strstr(rows[i].problem, "placeholder") || strstr(rows[i].problem, "url"))
			add_text(f, "code/prophecy-job.json", ABOUT("orders", "5005"));
		add(f, rows[i].path, rows[i].text, rows[i].n ? rows[i].n : strlen(rows[i].text));
		assert_int_equal(plan_make(&p, &f->in, &err), 0);
		if (p.nproblems != 1 || !strstr(p.problems[0], rows[i].problem))
			fail_msg("%zu: %s", i, p.nproblems ? p.problems[0] : "no problem");
		plan_clear(&p);
	}
	f->job.nfiles = f->in.ntemplates = 0;
}

/* ---- the archive ---- */

static void put_plan(struct fx *f, char sha256[65])
{
	struct plan p = { 0 };
	struct ps_err err = { 0 };
	char hex[65];

	add_text(f, "code/README.md", "not of the DAG");
	add_text(f, "code/dag.py", DAG);
	add_text(f, "code/utils/__init__.py", "");
	add_text(f, "code/prophecy-job.json", ABOUT("orders", "5005"));
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	assert_int_equal(p.nproblems, 0);
	for (size_t i = 0; i < p.jobs[0].nfiles; i++)
		assert_int_equal(cas_put_bytes(f->content, p.jobs[0].files[i].bytes,
					       p.jobs[0].files[i].n, hex, &err), 0);
	assert_int_equal(cas_put_bytes(f->content, p.jobs[0].bytes, p.jobs[0].n, sha256, &err), 0);
	plan_clear(&p);
}

/* The digest of the archive, made where clocks show that time. */
static void zip_in(struct fx *f, const char *zone, const char *sha256, char hex[65])
{
	const struct fabric_target t = { .content = f->content };
	struct ps_err err = { 0 };
	struct buf b = BUF_INIT;
	struct afl_def d;

	assert_int_equal(setenv("TZ", zone, 1), 0);
	tzset();
	if (afl_def_read(&d, &t, "jobs/a", sha256, &err) < 0 || afl_zip(&t, &d, &b, hex, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(memcmp(buf_str(&b), "PK\3\4", 4), 0);
	assert_non_null(memmem(buf_str(&b), b.len, "TAG = '7234/1.0'\n", 17));
	assert_null(memmem(buf_str(&b), b.len, "README", 6));
	afl_def_clear(&d);
	buf_clear(&b);
}

static void an_archive_is_always_the_same(void **state)
{
	struct fx *f = *state;
	char sha256[65], one[65], two[65];

	put_plan(f, sha256);
	zip_in(f, "UTC", sha256, one);
	zip_in(f, "Pacific/Kiritimati", sha256, two);
	assert_string_equal(one, two);
	zip_in(f, "Pacific/Honolulu", sha256, two);
	assert_string_equal(one, two);
}

static void what_is_no_definition(void **state)
{
	static const char *const texts[] = {
		"{}", "{\"dag_id\":\"a\",\"files\":{}}", "[]",
		"{\"dag_id\":\"../a\",\"files\":{\"dag.py\":\"x\"}}",
		"{\"dag_id\":\"a\",\"files\":{\"dag.py\":\"x\",\"../b\":\"x\"}}",
	};
	struct fx *f = *state;
	const struct fabric_target t = { .content = f->content };

	for (size_t i = 0; i < PS_NELEM(texts); i++) {
		struct ps_err err = { 0 };
		struct afl_def d;
		char hex[65];

		assert_int_equal(cas_put_bytes(f->content, texts[i], strlen(texts[i]), hex, &err),
				 0);
		if (afl_def_read(&d, &t, "jobs/a", hex, &err) == 0)
			fail_msg("%s is taken", texts[i]);
		afl_def_clear(&d);
	}
}

/* ---- what the server tells ---- */

static void files_of_ours(void **state)
{
	static const struct { const char *file; bool ours; } files[] = {
		{ "/dags/a.zip/dag.py", true },	    { "a.zip/dag.py", true },
		{ "/dags/a.zip/other/x.py", true }, { "/dags/a.zip", true },
		{ "a.zip", true },		    { "/dags/ba.zip/dag.py", false },
		{ "/dags/a.zipped/dag.py", false }, { "/dags/a.py", false },
		{ "/dags/a.zipped/a.zip/x", true }, { NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < PS_NELEM(files); i++)
		if (afl_is_ours(&(struct afl_row) { .file = (char *)files[i].file }, "a") !=
		    files[i].ours)
			fail_msg("%s", files[i].file);
}

#define TOLD(file, at, trace)                                                                      \
	"{\"filename\":\"" file "\",\"timestamp\":\"1970-01-01T00:00:" at                           \
	"Z\",\"stack_trace\":\"" trace "\"}"

static void errors_of_ours(void **state)
{
	json_t *list = json_loads("[" TOLD("/dags/b.zip/dag.py", "09", "another's") ","
				  TOLD("/dags/a.zip/dag.py", "04", "an old one") ","
				  TOLD("/dags/a.zip/dag.py", "05", "Traceback:\\n  File x\\n\\nNo: y\\n")
				  "]", 0, NULL);
	int64_t at;
	char *trace = afl_error_of(list, "a", 5000, &at);

	(void)state;
	assert_string_equal(trace, "Traceback: | File x | No: y");
	assert_int_equal(at, 5000);
	assert_null(afl_error_of(list, "a", 5001, &at));
	free(trace);
	json_decref(list);
	list = json_loads("[" TOLD("a.zip", "05", "REDACTED - you may not") "]", 0, NULL);
	trace = afl_error_of(list, "a", 0, &at);
	assert_non_null(strstr(trace, "does not show the reason"));
	free(trace);
	json_decref(list);
}

static void the_same_text(void **state)
{
	(void)state;
	assert_true(afl_same_text("a\r\nb\n", "a\nb\n"));
	assert_true(afl_same_text("", ""));
	assert_false(afl_same_text("a", "a\n"));
	assert_false(afl_same_text("a\rb", "ab"));
}

static void times_of_the_server(void **state)
{
	(void)state;
	assert_int_equal(afl_time_ms("1970-01-01T00:00:01+00:00"), 1000);
	assert_int_equal(afl_time_ms("1970-01-01T00:00:01.25Z"), 1250);
	assert_int_equal(afl_time_ms("1970-01-01T01:30:00.000001+01:30"), 0);
	assert_int_equal(afl_time_ms("1969-12-31T23:00:00-01:00"), 0);
	assert_int_equal(afl_time_ms("2026-11-23T17:00:00.5+00:00"), 1795453200500);
	assert_int_equal(afl_time_ms("yesterday"), 0);
	assert_int_equal(afl_time_ms(NULL), 0);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, fx_init, fx_clear)
	static const struct CMUnitTest tests[] = {
		CASE(a_dag_is_planned),
		CASE(what_is_no_dag),
		CASE(an_archive_is_always_the_same),
		CASE(what_is_no_definition),
		cmocka_unit_test(files_of_ours),
		cmocka_unit_test(errors_of_ours),
		cmocka_unit_test(the_same_text),
		cmocka_unit_test(times_of_the_server),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("dag", tests, NULL, NULL);
}
