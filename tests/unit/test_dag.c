/* Units of what an Airflow job becomes: its definition in the plan, and the archive of the driver. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
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

static int write_zip(struct fx *f, const char *sha256, const char *job)
{
	const struct fabric_target t = { .content = f->content, .repository = "sales",
					 .project = ".", .release = "r1", .fence = 7 };
	const struct fabric_job j = { .key = job, .name = "a", .sha256 = sha256 };
	int fd = memfd_create("zip", MFD_CLOEXEC);
	struct ps_err err = { 0 };
	struct afl_def d;

	assert_true(fd >= 0);
	if (afl_def_read(&d, &t, &j, &err) < 0 || afl_zip_write(fd, &t, &j, &d, &err) < 0)
		fail_msg("%s", err.msg);
	afl_def_clear(&d);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void put_plan(struct fx *f, char sha256[65])
{
	struct plan p = { 0 };
	struct ps_err err = { 0 };
	char hex[65];

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

static void an_archive_is_always_the_same(void **state)
{
	struct fx *f = *state;
	char sha256[65], one[65], two[65];
	struct ps_err err = { 0 };
	int fd;

	put_plan(f, sha256);
	fd = write_zip(f, sha256, "jobs/a");
	assert_int_equal(digest_fd(one, fd, NULL, &err), 0);
	close(fd);
	fd = write_zip(f, sha256, "jobs/a");
	assert_int_equal(digest_fd(two, fd, NULL, &err), 0);
	close(fd);
	assert_string_equal(one, two);
}

static void an_archive_tells_what_it_holds(void **state)
{
	struct fx *f = *state;
	const struct fabric_target own = { .repository = "sales", .project = "." };
	const struct fabric_job j = { .key = "jobs/a", .name = "a" }, other = { .key = "jobs/b" };
	struct afl_zip z;
	char sha256[65], hex[65];
	struct ps_err err = { 0 };
	int fd;

	put_plan(f, sha256);
	fd = write_zip(f, sha256, "jobs/a");
	assert_int_equal(afl_zip_read(&z, fd, &err), 0);
	close(fd);
	digest_bytes(hex, "TAG = '7234/1.0'\n", strlen("TAG = '7234/1.0'\n"));
	assert_int_equal(json_object_size(z.files), 3);
	assert_string_equal(json_string_value(json_object_get(z.files, "dag.py")), hex);
	assert_string_equal(afl_zip_says(&z, "definition"), sha256);
	assert_string_equal(afl_zip_says(&z, "release"), "r1");
	assert_int_equal(afl_zip_owner(&z, &own, &j, &err), 0);
	assert_int_equal(afl_zip_owner(&z, &own, &other, &err), PS_ECONFLICT);
	afl_zip_clear(&z);
	fd = memfd_create("none", MFD_CLOEXEC);
	assert_int_equal(write(fd, "no zip", 6), 6);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(afl_zip_read(&z, fd, &err), PS_EINVAL);
	afl_zip_clear(&z);
	close(fd);
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
		CASE(an_archive_tells_what_it_holds),
		cmocka_unit_test(times_of_the_server),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("dag", tests, NULL, NULL);
}
