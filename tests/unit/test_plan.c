/* Units of the plan: the example's own job, and each way in which a plan cannot be carried out. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/plan/adopt.h"
#include "common/plan/brought.h"
#include "common/plan/plan.h"
#include "common/plan/select.h"
#include "common/plan/tasks.h"

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OID "ce013625030ba8dba906f756967f9e9ca394464a"

static char t_dot[] = ".", t_oid[] = OID, t_sha[] = SHA, t_db[] = "databricks", t_af[] = "airflow";
static char t_file[] = "code/databricks-job.json", t_key[] = "jobs/job_development",
	    t_other[] = "jobs/other";
static char t_p1[] = "pipelines/customers_orders", t_f1[] = "customers_orders-1.0-py3-none-any.whl";
static char t_p2[] = "pipelines/sales_report", t_f2[] = "sales_report-1.0-py3-none-any.whl";

/* A release with two artifacts and the jobs of a row, for fabric 1174 (local). */
struct fx {
	struct manifest m;
	struct manifest_artifact artifacts[2];
	struct manifest_job jobs[3];
	struct manifest_file files[3];
	struct plan_template templates[3];
	struct plan_input in;
	struct buf example;
};

static int fx_init(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	const char *src = getenv("srcdir");
	char *path = xasprintf("%s/examples/sales/jobs/job_development/code/databricks-job.json",
			       src ? src : ".");
	struct ps_err err = { 0 };

	if (fs_read(&f->example, AT_FDCWD, path, PS_JSON_MAX, &err) < 0)
		return -1;
	free(path);
	f->artifacts[0] = (struct manifest_artifact) { t_p1, t_f1, SHA, 10, NULL, 0 };
	f->artifacts[1] = (struct manifest_artifact) { t_p2, t_f2, SHA, 20, NULL, 0 };
	f->m = (struct manifest) { t_dot, t_oid, t_sha, NULL, 0, f->artifacts, 2, f->jobs, 0 };
	f->in = (struct plan_input) {
		.release = &f->m,
		.release_id = SHA,
		.environment = "development",
		.repository = "sales",
		.provider = PLAN_LOCAL,
		.fabric_id = 1174,
		.fabric_address = "fabrics/development",
		.customer = "dev",
		.control_plane = "execution",
		.templates = f->templates,
		.jobs_own = true,
		.params = { "7234", "1.0.0-abc", "main/1.0.0-abc", "https://prophecy.example.net" },
	};
	*state = f;
	return 0;
}

static int fx_clear(void **state)
{
	struct fx *f = *state;

	buf_clear(&f->example);
	free(f);
	return 0;
}

static void add(struct fx *f, char *key, char *provider, int64_t fabric, const char *json)
{
	size_t i = f->m.njobs++;
	static char shas[3][65];

	digest_bytes(shas[i], json, strlen(json));
	f->files[i].path = t_file;
	memcpy(f->files[i].sha256, shas[i], 65);
	f->jobs[i] = (struct manifest_job) { key,    key + strlen("jobs/"), provider,
					     fabric, &f->files[i],	    1 };
	f->templates[i] = (struct plan_template) { shas[i], json, strlen(json) };
	f->in.ntemplates = f->m.njobs;
}

static void the_example_is_planned(void **state)
{
	struct fx *f = *state;
	struct plan p = { 0 }, again = { 0 };
	struct run_tasks t = { 0 };
	struct buf b = BUF_INIT, stored = BUF_INIT;
	struct ps_err err = { 0 };

	add(f, t_key, t_db, 1174, buf_str(&f->example));
	add(f, t_other, t_db, 4004, "{}"); /* another fabric's: not looked at */
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	plan_print(&p, &b);
	assert_string_equal(buf_str(&b), "+ jobs/job_development\n");
	buf_reset(&b);
	plan_summary(&p, &b);
	assert_string_equal(buf_str(&b), "1 new, 0 changed, 0 unchanged, 0 orphans, 2 artifacts");
	assert_int_equal(p.nproblems, 0);
	assert_string_equal(p.artifacts[0].path,
			    "prophecy/artifacts/dev/execution/7234/1.0.0-abc/pipeline/"
			    "customers_orders-1.0-py3-none-any.whl");
	assert_null(strstr(p.jobs[0].bytes, "_PLACEHOLDER__"));
	assert_int_equal(run_tasks_parse(&t, t_key, p.jobs[0].bytes, p.jobs[0].n, "prod", NULL, &err), 0);
	assert_string_equal(t.v[1].wheel, p.artifacts[1].path);
	assert_string_equal(t.v[1].after[0], "customers_orders");
	assert_int_equal(plan_write(&p, &stored, &err), 0);
	assert_int_equal(plan_read(&again, buf_str(&stored), stored.len, &err), 0);
	buf_reset(&b);
	assert_int_equal(plan_write(&again, &b, &err), 0);
	assert_string_equal(buf_str(&b), buf_str(&stored));
	run_tasks_clear(&t);
	plan_clear(&p);
	plan_clear(&again);
	buf_clear(&b);
	buf_clear(&stored);
}

#define TASK(params)                                                                               \
	"{\"task_key\":\"a\",\"python_wheel_task\":{\"package_name\":\"sales_report\",\"entry_"    \
	"point\":\"main\","                                                                        \
	"\"parameters\":[" params                                                                  \
	"]},\"libraries\":[{\"whl\":\"dbfs:/FileStore/prophecy/artifacts/dev/execution/"           \
	"__PROJECT_ID_PLACEHOLDER__/__PROJECT_RELEASE_VERSION_PLACEHOLDER__/pipeline/"             \
	"sales_report-1.0-py3-none-any.whl\"}]}"
#define JOB(head, tasks) "{" head "\"request\":{\"name\":\"x\",\"tasks\":[" tasks "]}}"
#define FULL JOB("\"fabric_id\":\"1174\",\"components\":[],", TASK(""))
#define GOOD JOB("\"fabric_id\":\"1174\",", TASK(""))

static void changes_are_told(void **state)
{
	static const char was[] =
		"{\"fabric_id\":\"1174\",\"request\":{\"name\":\"x\",\"schedule\":{},\"tasks\":["
		"{\"task_key\":\"z\"},{\"task_key\":\"a\",\"python_wheel_task\":{\"package_name\":"
		"\"sales_report\","
		"\"entry_point\":\"main\",\"parameters\":[\"-i\",\"dev\"]},\"libraries\":[{\"whl\":"
		"\"dbfs:/FileStore/"
		"prophecy/artifacts/dev/execution/7234/1.0.0-abc/pipeline/"
		"sales_report-1.0-py3-none-any.whl\"}]}]}}";
	struct fx *f = *state;
	struct plan_known known[] = {
		{ .key = "jobs/other", .name = "other", .digest = SHA, .bytes = was, .n = strlen(was) },
		{ .key = "jobs/gone", .name = "gone", .digest = SHA },
		{ .key = "jobs/job_development", .name = "job_development" },
	};
	struct plan p = { 0 };
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	char first[65], same[65];

	add(f, t_key, t_db, 1174, GOOD);
	add(f, t_other, t_db, 1174, JOB("\"fabric_id\":\"1174\",", TASK("\"-i\",\"qa\"")));
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	memcpy(first, p.digest, 65);
	memcpy(same, p.jobs[0].digest, 65);
	plan_clear(&p);

	known[2].digest = same;
	f->in.known = known;
	f->in.nknown = 3;
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	plan_print(&p, &b);
	assert_string_equal(buf_str(&b), "- jobs/gone\n= jobs/job_development\n~ jobs/other\n"
					 "    ~ request.schedule  {} → (none)\n"
					 "    ~ request.tasks[a].python_wheel_task.parameters  "
					 "[\"-i\",\"dev\"] → [\"-i\",\"qa\"]\n"
					 "    ~ request.tasks[z]  {\"task_key\":\"z\"} → (none)\n");
	/* What is there is a part of what an approval speaks of. */
	assert_string_not_equal(p.digest, first);
	memcpy(first, p.digest, 65);
	assert_true(plan_changes(&p));
	plan_clear(&p);

	f->in.params.release_version = "1.0.0-abd";
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	assert_string_not_equal(p.digest, first);
	plan_clear(&p);
	f->in.params.release_version = "1.0.0-abc";
	f->in.environment = "qa";
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	assert_string_not_equal(p.digest, first);
	plan_clear(&p);
	buf_clear(&b);
}

static char t_production[] = "jobs/job_production", t_x[] = "jobs/x", t_none[] = "jobs/none",
	    t_prod[] = "prod", t_patch[] = "{\"tasks\":[{\"task_key\":\"a\",\"depends_on\":[{\"task_key\":\"b\"}]}]}",
	    t_named[] = "{\"name\":\"job_development\"}";
static const struct conf_derive
	to_production = { t_key, t_production, t_prod, true, false, NULL, NULL, { 29, 1 } },
	patched = { t_key, t_production, NULL, true, false, NULL, t_patch, { 30, 1 } },
	from_nothing = { t_none, t_x, NULL, true, false, NULL, NULL, { 31, 1 } },
	own_key = { t_key, t_key, NULL, true, false, NULL, NULL, { 32, 1 } },
	derived = { t_key, t_production, NULL, true, false, NULL, NULL, { 34, 1 } },
	own_name = { t_key, t_production, NULL, true, false, NULL, t_named, { 33, 1 } };

/* The digest of the plan, with what differs from the first one told. */
static void digest_of(struct fx *f, const struct plan *first, char digest[65], struct buf *why)
{
	struct plan p = { 0 };
	struct ps_err err = { 0 };

	buf_reset(why);
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	memcpy(digest, p.digest, 65);
	if (first)
		plan_differs(first, &p, why);
	plan_clear(&p);
}

#define OTHER_SHA "f3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void digest_speaks_of_what_counts(void **state)
{
	struct fx *f = *state;
	struct plan_known known[] = {
		{ .key = "jobs/job_development", .name = "job_development", .digest = SHA },
		{ .key = "jobs/left", .name = "left", .digest = SHA, .orphan = true },
	};
	struct plan first = { 0 };
	struct buf why = BUF_INIT;
	struct ps_err err = { 0 };
	char d[65];

	add(f, t_key, t_db, 1174, FULL);
	f->in.known = known;
	f->in.nknown = 2;
	assert_int_equal(plan_make(&first, &f->in, &err), 0);
	/* a look that finds what was deployed, and what an earlier release left: no difference */
	known[0].observed = SHA;
	known[1].observed = OTHER_SHA;
	digest_of(f, &first, d, &why);
	assert_string_equal(d, first.digest);
	assert_string_equal(buf_str(&why), "");
	known[0].observed = OTHER_SHA;
	digest_of(f, &first, d, &why);
	assert_string_not_equal(d, first.digest);
	assert_string_equal(buf_str(&why), "jobs/job_development was changed on the fabric\n");
	known[0].observed = "";
	digest_of(f, &first, d, &why);
	assert_string_equal(buf_str(&why), "jobs/job_development is not on the fabric any more\n");
	known[0].observed = NULL;
	f->in.fabric_address = "fabrics/other";
	digest_of(f, &first, d, &why);
	assert_string_equal(buf_str(&why),
			    "the fabric's address: fabrics/development → fabrics/other\n");
	f->in.environment = "qa";
	digest_of(f, &first, d, &why);
	assert_string_equal(buf_str(&why), "the environment: development → qa\n"
			    "the fabric's address: fabrics/development → fabrics/other\n");
	f->in.fabric_address = "fabrics/development";
	f->in.environment = "development";
	f->in.derive = &derived;
	f->in.nderive = 1;
	digest_of(f, &first, d, &why);
	assert_string_equal(buf_str(&why), "jobs/job_production is deployed as well\n");
	f->in.nderive = 0;
	f->in.release_id = OTHER_SHA;
	digest_of(f, &first, d, &why);
	assert_string_equal(buf_str(&why), "the release: " SHA " → " OTHER_SHA "\n");
	f->in.release_id = SHA;
	f->in.nknown = 1;
	digest_of(f, &first, d, &why);
	assert_string_equal(d, first.digest);
	plan_clear(&first);
	buf_clear(&why);
}

static void secrets_are_not_shown(void **state)
{
	static const char was[] =
		"{\"fabric_id\":\"1174\",\"components\":[],\"request\":{\"name\":\"x\",\"db_password\":\"hunter1\","
		"\"conf\":{\"a.token\":\"{{secrets/s/one}}\"},\"tasks\":[]}}";
	struct fx *f = *state;
	struct plan_known known[] = {
		{ .key = t_key, .name = "job_development", .digest = SHA, .bytes = was, .n = strlen(was) } };
	struct plan p = { 0 };
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };

	add(f, t_key, t_db, 1174, "{\"fabric_id\":\"1174\",\"components\":[],\"request\":{\"name\":\"x\","
	    "\"db_password\":\"hunter2\",\"conf\":{\"a.token\":\"{{secrets/s/two}}\"},\"new\":{\"apiToken\":\"hunter3\"},"
	    "\"tasks\":[]}}");
	f->in.provider = PLAN_DATABRICKS;
	f->in.known = known;
	f->in.nknown = 1;
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	plan_print(&p, &b);
	assert_string_equal(buf_str(&b), "~ jobs/job_development\n"
			    "    ~ request.conf.a.token  \"{{secrets/s/one}}\" → \"{{secrets/s/two}}\"\n"
			    "    ~ request.db_password  (not shown) → (changed, not shown)\n"
			    "    ~ request.new  (none) → {\"apiToken\":\"(not shown)\"}\n");
	plan_clear(&p);
	buf_clear(&b);
}

struct problem_row {
	const char *name, *json, *problem;
	char *provider;
	enum plan_provider fabric;
	bool no_customer, no_project_id;
	const struct conf_derive *derive;
};

#define SCRIPT(path)                                                                               \
	JOB("\"components\":[{\"ScriptComponent\":{\"path\":\"" path "\",\"nodeName\":\"n\","          \
	    "\"content\":\"print()\"}}],",                                                          \
	    "{\"task_key\":\"n\",\"spark_python_task\":{\"python_file\":\"" path "\"}}")

static const struct problem_row rows[] = {
	{ "problem none", GOOD, NULL, t_db, PLAN_LOCAL, 0, 0, NULL },
	{ "problem fabric differs", JOB("\"fabricId\":\"4004\",", TASK("")),
	  "names fabric 4004, the project file 1174", t_db, PLAN_LOCAL, 0, 0, NULL },
	{ "problem task kind on a local fabric",
	  JOB("", "{\"task_key\":\"n\",\"spark_jar_task\":{}}"),
	  "task 'n' is spark_jar_task: a local fabric runs python_wheel_task only", t_db,
	  PLAN_LOCAL, 0, 0, NULL },
	{ "problem no task kind elsewhere", JOB("", "{\"task_key\":\"n\",\"spark_jar_task\":{}}"),
	  NULL, t_db, PLAN_DATABRICKS, 0, 0, NULL },
	{ "problem foreign wheel",
	  JOB("", "{\"task_key\":\"n\",\"libraries\":[{\"jar\":\"dbfs:/FileStore/prophecy/"
		  "artifacts/o/p.jar\"}]}"),
	  "which is not an artifact of this release", t_db, PLAN_DATABRICKS, 0, 0, NULL },
	{ "problem volume",
	  JOB("", "{\"task_key\":\"n\",\"libraries\":[{\"whl\":\"/Volumes/c/s/v/prophecy/artifacts/dev/execution"
		  "/7234/1.0.0-abc/pipeline/sales_report-1.0-py3-none-any.whl\"}]}"),
	  "in a volume: set 'volume: /Volumes/c/s/v' of the fabric", t_db, PLAN_DATABRICKS, 0, 0, NULL },
	{ "problem no user library",
	  JOB("", "{\"task_key\":\"n\",\"libraries\":[{\"jar\":\"dbfs:/FileStore/jars/p.jar\"}]}"),
	  NULL, t_db, PLAN_DATABRICKS, 0, 0, NULL },
	{ "problem no script of its own", SCRIPT("dbfs:/FileStore/prophecy/artifacts/dev/execution/7234/1.0/j/s.py"),
	  NULL, t_db, PLAN_DATABRICKS, 0, 0, NULL },
	{ "problem script of another project", SCRIPT("dbfs:/FileStore/prophecy/artifacts/dev/execution/7/1.0/j/s.py"),
	  "the script of 'n' goes to 'dbfs:/FileStore/prophecy/artifacts/dev/execution/7/1.0/j/s.py', which is not below "
	  "'prophecy/artifacts/dev/execution/7234/'", t_db, PLAN_DATABRICKS, 0, 0, NULL },
	{ "problem script anywhere", SCRIPT("dbfs:/databricks/init/all.sh"), "which is not below", t_db, PLAN_DATABRICKS, 0, 0,
	  NULL },
	{ "problem script out of it", SCRIPT("/prophecy/artifacts/dev/execution/7234/1.0/../../7/s.py"), "which is not below",
	  t_db, PLAN_DATABRICKS, 0, 0, NULL },
	{ "problem script without a customer", SCRIPT("dbfs:/FileStore/prophecy/artifacts/dev/execution/7234/1.0/j/s.py"),
	  "the project's customer", t_db, PLAN_DATABRICKS, true, 0, NULL },
	{ "problem placeholder unknown", JOB("\"x\":\"__X_PLACEHOLDER__\",", TASK("")),
	  "unknown placeholder", t_db, PLAN_LOCAL, 0, 0, NULL },
	{ "problem provider", "{}", "is for airflow", t_af, PLAN_LOCAL, 0, 0, NULL },
	{ "problem customer", GOOD, "needs the project's customer", t_db, PLAN_LOCAL, true, 0, NULL },
	{ "problem project id", GOOD, "needs the project's id", t_db, PLAN_LOCAL, 0, true, NULL },
	{ "problem derive without the instance", FULL, "derive 'jobs/job_production' "
	  "(penstock.yml:29): 'pipelines/sales_report' has no config instance 'prod', which task 'a' "
	  "would run with", t_db, PLAN_LOCAL, 0, 0, &to_production },
	{ "problem derive breaks a job rule", FULL, "derive 'jobs/job_production' (penstock.yml:30): "
	  "task 'a' depends on 'b', which is no task of this job", t_db, PLAN_LOCAL, 0, 0, &patched },
	{ "problem derive from nothing", FULL, "derive 'jobs/x' (penstock.yml:31): the project has no "
	  "job 'jobs/none'", t_db, PLAN_LOCAL, 0, 0, &from_nothing },
	{ "problem derive to an own key", FULL, "'jobs/job_development' is there twice", t_db,
	  PLAN_LOCAL, 0, 0, &own_key },
	{ "problem derive to an own name", FULL, "'jobs/job_development' and 'jobs/job_production' are "
	  "both named 'job_development'", t_db, PLAN_LOCAL, 0, 0, &own_name },
};

static void check_problem(struct fx *f, const struct problem_row *r)
{
	struct plan p = { 0 };
	struct ps_err err = { 0 };

	add(f, t_key, r->provider, 1174, r->json);
	f->in.provider = r->fabric;
	if (r->no_customer)
		f->in.customer = NULL;
	if (r->no_project_id)
		f->in.params.project_id = NULL;
	f->in.derive = r->derive;
	f->in.nderive = r->derive != NULL;
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	if (r->problem) {
		assert_true(p.nproblems > 0);
		assert_non_null(strstr(p.problems[0], r->problem));
	} else {
		assert_int_equal(p.nproblems, 0);
	}
	plan_clear(&p);
}

static void check_row(void **state)
{
	void *fx = NULL;

	assert_int_equal(fx_init(&fx), 0);
	check_problem(fx, *state);
	fx_clear(&fx);
}

static void a_missing_template_is_our_failure(void **state)
{
	struct fx *f = *state;
	struct plan p = { 0 };
	struct ps_err err = { 0 };

	add(f, t_key, t_db, 1174, GOOD);
	f->in.ntemplates = 0;
	assert_int_equal(plan_make(&p, &f->in, &err), PS_ENOENT);
	assert_null(p.jobs);
}

/* ---- a plan that is about a part ---- */

/* Known are two live jobs and an orphan; the release has the first of them, changed, and a new one. */
static void a_part_leaves_the_rest(void **state)
{
	static const struct {
		bool prune;
		const char *keys[2];
		const char *lines;
	} parts[] = {
		{ false, { "jobs/job_development" }, "~ jobs/job_development\n. jobs/kept\n- jobs/left\n" },
		{ false, { "jobs/other" }, ". jobs/job_development\n. jobs/kept\n- jobs/left\n+ jobs/other\n" },
		{ false, { "jobs/none" }, ". jobs/job_development\n. jobs/kept\n- jobs/left\n"
		  "! the release has no job 'jobs/none' for this environment\n" },
		{ true, { "jobs/left" }, ". jobs/job_development\n. jobs/kept\nx jobs/left\n" },
		{ true, { "jobs/gone" }, ". jobs/job_development\n. jobs/kept\n- jobs/left\n" },
		{ true, { "jobs/kept" }, ". jobs/job_development\n. jobs/kept\n- jobs/left\n"
		  "! 'jobs/kept' is no orphan on this fabric\n" },
	};
	struct fx *f = *state;
	struct plan_known known[] = {
		{ .key = "jobs/job_development", .name = "job_development", .digest = SHA },
		{ .key = "jobs/kept", .name = "kept", .digest = SHA },
		{ .key = "jobs/left", .name = "left", .digest = SHA, .orphan = true },
	};

	add(f, t_key, t_db, 1174, FULL);
	add(f, t_other, t_db, 1174, GOOD);
	f->in.known = known;
	f->in.nknown = 3;
	for (size_t i = 0; i < PS_NELEM(parts); i++) {
		struct plan p = { 0 }, again = { 0 };
		struct buf b = BUF_INIT;
		struct ps_err err = { 0 };
		char whole[65];

		assert_int_equal(plan_make(&p, &f->in, &err), 0);
		memcpy(whole, p.digest, 65);
		(parts[i].prune ? plan_prune : plan_select)(&p, known, 3, parts[i].keys, 1);
		plan_print(&p, &b);
		assert_string_equal(buf_str(&b), parts[i].lines);
		assert_string_not_equal(p.digest, whole); /* approved is the whole, not this */
		assert_true(p.part);
		buf_reset(&b);
		assert_int_equal(plan_write(&p, &b, &err), 0);
		assert_int_equal(plan_read(&again, buf_str(&b), b.len, &err), 0);
		assert_true(again.part);
		assert_string_equal(p.rendered, again.rendered);
		buf_clear(&b);
		plan_clear(&p);
		plan_clear(&again);
	}
}

/* ---- configuration files ---- */

#define PROD "{\"a\":\"__PROJECT_ID_PLACEHOLDER__ dbfs:/FileStore/prophecy/artifacts/x __X_PLACEHOLDER__\"}"
#define BELOW(version) "prophecy/artifacts/dev/execution/7234/" version "/configurations/"
#define NAMES(path) JOB("", "{\"task_key\":\"n\",\"notebook_task\":{},\"p\":[\"" path "\"]}")
#define AT "/dbfs/FileStore/prophecy/artifacts/dev/execution/__PROJECT_ID_PLACEHOLDER__/" \
	   "__PROJECT_RELEASE_VERSION_PLACEHOLDER__/configurations/"

/* One job with two of them, the second one of these bytes. */
static void add_configured(struct fx *f, const char *json, const char *second, size_t n)
{
	static char own[] = "configurations/prod.json", of[] = "configurations/1665/pipelines/Omega/default.json";

	f->m.njobs = 0;
	add(f, t_key, t_db, 1174, json);
	f->files[1].path = own;
	f->files[2].path = of;
	digest_bytes(f->files[1].sha256, PROD, strlen(PROD));
	digest_bytes(f->files[2].sha256, second, n);
	f->templates[1] = (struct plan_template) { f->files[1].sha256, PROD, strlen(PROD) };
	f->templates[2] = (struct plan_template) { f->files[2].sha256, second, n };
	f->jobs[0].nfiles = f->in.ntemplates = 3;
}

/* Does the definition bring this text to that path? */
static bool brings(const struct plan_job *j, const char *path, const char *text)
{
	json_t *doc = json_loadb(j->bytes, j->n, 0, NULL);
	struct brought b;
	bool is = false;

	for (size_t i = 0; brought_nth(doc, i, &b) && !is; i++)
		is = ps_streq(b.path, path) && strcmp(b.content, text) == 0 && !b.replace;
	json_decref(doc);
	return is;
}

static void configuration_files_go_with_a_job(void **state)
{
	static const char *const volumes[] = { NULL, "/Volumes/c/s/v" };
	struct fx *f = *state;
	struct ps_err err = { 0 };

	add_configured(f, NAMES(AT "1665/pipelines/Omega/default.json"), "{}", 2);
	f->in.provider = PLAN_DATABRICKS;
	for (size_t i = 0; i < PS_NELEM(volumes); i++) {
		struct plan p = { 0 };

		f->in.artifact_base = volumes[i];
		assert_int_equal(plan_make(&p, &f->in, &err), 0);
		assert_int_equal(p.nproblems, 0);
		assert_true(brings(&p.jobs[0], BELOW("1.0.0-abc") "prod.json", PROD));
		assert_true(brings(&p.jobs[0], BELOW("1.0.0-abc") "1665/pipelines/Omega/default.json", "{}"));
		assert_non_null(strstr(p.jobs[0].bytes, volumes[i] ? "\"/Volumes/c/s/v/prophecy" : "\"dbfs:/FileStore/prophecy"));
		plan_clear(&p);
	}
}

static void derived_jobs_bring_them_too(void **state)
{
	struct fx *f = *state;
	struct plan p = { 0 };
	struct ps_err err = { 0 };

	add_configured(f, FULL, "{}", 2);
	f->in.provider = PLAN_DATABRICKS;
	f->in.jobs_own = false;
	f->in.derive = &derived;
	f->in.nderive = 1;
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	assert_int_equal(p.nproblems, 0);
	assert_string_equal(p.jobs[0].key, t_production);
	assert_true(brings(&p.jobs[0], BELOW("1.0.0-abc") "prod.json", PROD));
	plan_clear(&p);
}

/* A newer version alone changes nothing; another byte of a file makes a job that goes to the new one. */
static void a_changed_file_changes_its_jobs(void **state)
{
	struct fx *f = *state;
	struct plan_known known = { .key = t_key, .name = "x", .version = "1.0.0-abc", .ref = "refs/heads/main" };
	struct plan first = { 0 }, p = { 0 };
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };

	add_configured(f, NAMES(AT "prod.json"), "{}", 2);
	f->in.provider = PLAN_DATABRICKS;
	f->in.ref = "refs/heads/main";
	assert_int_equal(plan_make(&first, &f->in, &err), 0);
	known.digest = first.jobs[0].digest;
	known.bytes = first.jobs[0].bytes;
	known.n = first.jobs[0].n;
	f->in.known = &known;
	f->in.nknown = 1;
	f->in.params.release_version = "1.0.0-abd";
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	assert_int_equal(p.jobs[0].change, PLAN_SAME);
	plan_clear(&p);
	add_configured(f, NAMES(AT "prod.json"), "{ }", 3);
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	plan_print(&p, &b);
	assert_string_equal(buf_str(&b), "~ jobs/job_development\n"
			    "    ~ penstock.configurations.dbfs:/FileStore/" BELOW("1.0.0-abc") "1665/pipelines/Omega/default.json  "
			    "\"{}\" → \"{ }\"\n    ~ version  1.0.0-abc → 1.0.0-abd\n");
	assert_true(brings(&p.jobs[0], BELOW("1.0.0-abd") "prod.json", PROD));
	plan_clear(&p);
	plan_clear(&first);
	buf_clear(&b);
}

static void a_local_fabric_has_none(void **state)
{
	struct fx *f = *state;
	struct plan p = { 0 };
	struct ps_err err = { 0 };
	char without[65];

	add(f, t_key, t_db, 1174, GOOD);
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	memcpy(without, p.digest, 65);
	plan_clear(&p);
	add_configured(f, GOOD, "{}", 2);
	f->in.ntemplates = 1;
	assert_int_equal(plan_make(&p, &f->in, &err), 0);
	assert_string_equal(p.digest, without);
	plan_clear(&p);
}

static void configuration_files_that_stop_a_plan(void **state)
{
	static const struct {
		const char *json, *bytes, *problem;
		size_t n;
		bool no_customer;
	} tries[] = {
		{ NAMES(AT "prod.json"), "{}", NULL, 2, false },
		{ NAMES(AT "qa.json"), "{}", "/configurations/qa.json', which is no configuration file of this release", 2, false },
		{ NAMES("dbfs:/FileStore/" BELOW("0.9") "qa.json"), "{}", NULL, 2, false },	/* another release's */
		{ GOOD, "\xff", "default.json' is no text in UTF-8", 1, false },
		{ GOOD, "a\0b", "default.json' is no text in UTF-8", 3, false },
		{ NAMES("x"), "{}", "the project's customer", 2, true },
	};

	for (size_t i = 0; i < PS_NELEM(tries); i++) {
		struct fx *f = *state;
		struct plan p = { 0 };
		struct ps_err err = { 0 };

		add_configured(f, tries[i].json, tries[i].bytes, tries[i].n);
		f->in.provider = PLAN_DATABRICKS;
		f->m.nartifacts = tries[i].no_customer ? 0 : 2;
		f->in.customer = tries[i].no_customer ? NULL : "dev";
		assert_int_equal(plan_make(&p, &f->in, &err), 0);
		assert_int_equal(p.nproblems, tries[i].problem != NULL);
		if (tries[i].problem)
			assert_non_null(strstr(p.problems[0], tries[i].problem));
		plan_clear(&p);
		f->in.ntemplates = 2;
		assert_int_equal(plan_make(&p, &f->in, &err), PS_ENOENT);
		f->jobs[0].nfiles = 1;		/* the release has none */
		f->in.customer = "dev";
		assert_int_equal(plan_make(&p, &f->in, &err), 0);
		assert_int_equal(p.nproblems, strstr(tries[i].json, AT) != NULL);
		plan_clear(&p);
	}
}

/* What the plan has added and nobody has changed does not go into the repository. */
static void only_what_changed_is_adopted(void **state)
{
	json_t *template = json_loads("{\"request\":{\"a\":1}}", 0, NULL);
	json_t *deployed = json_loads("{\"penstock\":{\"configurations\":{\"p\":\"{}\"}},\"request\":{\"a\":1}}", 0, NULL);
	json_t *observed = json_loads("{\"penstock\":{\"configurations\":{\"p\":\"{}\"}},\"request\":{\"a\":2,\"b\":3}}", 0, NULL);
	json_t *wanted = json_loads("{\"request\":{\"a\":2,\"b\":3}}", 0, NULL);
	json_t *patch = adopt_patch(template, deployed, observed);

	(void)state;
	assert_true(json_equal(patch, wanted));
	json_decref(patch);
	json_decref(wanted);
	json_decref(observed);
	json_decref(deployed);
	json_decref(template);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[PS_NELEM(rows) + 12];
	size_t n = 0;

	for (; n < PS_NELEM(rows); n++)
		tests[n] = (struct CMUnitTest) { .name = rows[n].name,
						 .test_func = check_row,
						 .initial_state = (void *)&rows[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(the_example_is_planned,
									fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(changes_are_told, fx_init,
									fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		digest_speaks_of_what_counts, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(secrets_are_not_shown,
									fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		a_part_leaves_the_rest, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		a_missing_template_is_our_failure, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		configuration_files_go_with_a_job, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		derived_jobs_bring_them_too, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		a_changed_file_changes_its_jobs, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		a_local_fabric_has_none, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
		configuration_files_that_stop_a_plan, fx_init, fx_clear);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(only_what_changed_is_adopted);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("plan", tests, n, NULL, NULL);
}
