/* The API as the command line meets it: our server on a filled store, the real client in front. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent/flow/sending.h"
#include "agent/flow/acts.h"
#include "agent/flow/drift_ask.h"
#include "agent/flow/plan_ask.h"
#include "agent/flow/clean.h"
#include "agent/flow/disk.h"
#include "agent/flow/import.h"
#include "agent/flow/queue.h"
#include "agent/loop/child.h"
#include "agent/web/api.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"
#include "common/wire/frame.h"
#include "tests/support/store_fill.h"
#include "tests/support/kernel.h"

#define PBT_LOCAL "test_api.local"
#define PBT_NOWHERE "test_api.nowhere"

static struct fx {
	char dir[64], *program;
	struct ps_paths paths;
	struct policy_now policy;
	struct core core;
	struct loop_watch *wake;
	pid_t pid;			/* of the client */
	int status;
	char asked[256];		/* what flow was asked to do */
} fx;

/* ---- the parts of core that are not under test ---- */

struct policy_now *policy_take(struct policy_now *p)
{
	p->refs++;
	return p;
}

void policy_drop(struct policy_now *p)
{
	if (p)
		p->refs--;
}

void flow_run_request(struct core *c, const char *who, const char *job, const char *fabric,
		      const char *config, json_t *params, const char *project,
		      const char *repository, core_reply_fn *reply, void *arg)
{
	(void)c;
	(void)params;
	snprintf(fx.asked, sizeof(fx.asked), "%s|%s|%s|%s|%s|%s", who, job, fabric,
		 config ? config : "", project, repository);
	if (strcmp(job, "wait") == 0)
		kill(fx.pid, SIGINT);	/* Ctrl-C once the work is under way */
	if (strcmp(job, "absent") == 0)
		reply(arg, PS_ENOENT, "no job 'absent' is deployed on fabric 'development'", NULL);
	else
		reply(arg, 0, NULL, strcmp(job, "good") == 0 ? "x1" : strcmp(job, "bad") == 0 ?
		      "x2" : "x3");
}

void flow_import(struct core *c, const struct import_ask *ask, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "import %s:%s", ask->repository, ask->project);
	reply(arg, 0, NULL, "[]");
}

void flow_pause(struct core *c, const struct pause *p, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "pause|%s|%s|%s|%s", p->scope, p->name, p->who, p->why);
	reply(arg, 0, NULL, "is paused");
}

void flow_resume(struct core *c, const char *scope, const char *name, const char *who,
		 core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "resume|%s|%s|%s", scope ? scope : "everything",
		 scope ? name : "", who);
	reply(arg, 0, NULL, "goes on");
}

void flow_backup(struct core *c, const char *path, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "backup %s", path);
	reply(arg, 0, NULL, "4096");
}

void flow_drift(struct core *c, const struct drift_ask *k, plan_reply_fn *reply, void *arg)
{
	json_t *doc = json_pack("{s:[{s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}], s:b}",
				"items", "id", "jobs/x", "state", "changed", "fabric", "f",
				"changed_by", "kim\033", "since", "2026", "deployment", "d3",
				"fields", "path", "request.a", "was", "1", "is", "", "more", 0);

	(void)c;
	if (k->adopt) {
		json_decref(doc);
		doc = json_pack("{s:s, s:s, s:n, s:{s:i}}", "id", "jobs/x", "file",
				"jobs/x/code/databricks-job.json", "derived", "patch", "a", 1);
	}
	snprintf(fx.asked, sizeof(fx.asked), "drift|%s|%s|%d", k->fabric ? k->fabric : "",
		 k->job ? k->job : "", k->adopt);
	reply(arg, 0, NULL, NULL, doc);
	json_decref(doc);
}

void flow_plan(struct core *c, const struct plan_ask *k, plan_reply_fn *reply, void *arg)
{
	const char *state = k->thing ? k->thing : "unchanged";
	bool failed = strcmp(state, "failed") == 0;
	json_t *doc;

	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "plan|%s|%s|%s|%s|%d", k->environment, state,
		 k->repository ? k->repository : "", k->project ? k->project : "", k->refresh);
	if (strcmp(k->environment, "none") == 0) {
		reply(arg, PS_ENOENT, "no environment 'none' in the configuration",
		      "penstock status", NULL);
		return;
	}
	doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:b,"
			" s:[{s:s, s:s, s:s}]}, {s:s, s:s, s:b, s:[]}]}",
			"state", state, "environment", k->environment, "fabric", "f", "repository",
			"sales", "project", "a/b", "release", "0123456789abcdef", "ref",
			"refs/tags/v1", "digest", "fedcba9876543210", "summary", "1 new",
			"next", "penstock approve d7", "items", "id", "jobs/x", "state", "changed",
			"drifted", 1, "fields", "path", "request.a", "was", "1", "is", "", "id",
			"jobs/y\x1b", "state", "orphan", "drifted", 0, "fields");
	if (failed)
		json_object_set_new(doc, "problems", json_pack("[s]", "derive 'jobs/z': no"));
	reply(arg, 0, NULL, NULL, doc);
	json_decref(doc);
}

void flow_clean(struct core *c, bool dry, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "clean %d", dry);
	reply(arg, 0, NULL, "[{\"id\": \"b1.log\", \"state\": \"may go\", \"kind\": \"log\", "
	      "\"size\": 4096}]");
}

const struct clean_report *clean_last(const struct clean *c)
{
	(void)c;
	return NULL;
}

size_t disk_places(const struct disk *d, const struct disk_place **out)
{
	(void)d;
	(void)out;
	return 0;
}

/* b7 is needed by others; all else is done, and waits for nothing. */
void flow_act(struct core *c, const struct acts_ask *k, acts_reply_fn *reply, void *arg)
{
	json_t *doc = json_pack("{s:[{s:s, s:s, s:s, s:s, s:b}]}", "items", "id", k->thing ? k->thing : "e4",
				"state", "cancelled", "reason", "by kim", "what", "pipelines/a", "refused",
				k->ref && strcmp(k->ref, "other") == 0);

	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "%d|%s|%s|%s|%s|%d%d%d|%d", (int)k->verb, k->who.login,
		 k->thing ? k->thing : "", k->why ? k->why : "", k->ref ? k->ref : "", k->queued,
		 k->all_demands, k->fresh, k->who.admin);
	if (k->thing && strcmp(k->thing, "b7") == 0)
		reply(arg, PS_EBUSY, "2 demands need b7", "penstock cancel b7 --all-demands", NULL);
	else
		reply(arg, 0, NULL, NULL, doc);
	json_decref(doc);
}

void flow_adopt(struct core *c, const char *repository, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "adopt %s", repository);
	reply(arg, 0, NULL, "a baseline was recorded");
}

void flow_reconcile(struct core *c, const char *repository, bool full, flow_reconcile_fn *fn,
		    void *arg)
{
	const struct flow_reconciled done = { 3, 1, 2, 0 };

	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "reconcile %s%s", repository ? repository : "all",
		 full ? " full" : "");
	fn(arg, NULL, &done);
}

const struct flow_reconcile_facts *flow_reconcile_facts(const struct core *c)
{
	static const struct flow_reconcile_facts none;

	(void)c;
	return &none;
}

bool flow_reconcile_trouble(const struct core *c, size_t *at, struct flow_trouble *out)
{
	(void)c;
	(void)at;
	(void)out;
	return false;
}

void flow_resend(struct core *c, int64_t letter, const char *who, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "resend o%lld %s", (long long)letter, who);
	reply(arg, 0, NULL, NULL);
}

void flow_release_hold(struct core *c, int64_t event, bool alone, const char *login, const char *shown,
		       bool admin, const char *why, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "release e%lld%s by %s %s %d: %s", (long long)event,
		 alone ? " alone" : "", login, shown, admin, why ? why : "");
	reply(arg, 0, NULL, "1 let go");
}

void flow_spool_facts(const struct core *c, struct flow_spool_facts *out)
{
	(void)c;
	*out = (struct flow_spool_facts) { 0 };
}

bool flow_spool_waits(const struct core *c, size_t at, const char **path, const char **why)
{
	(void)c;
	(void)at;
	(void)path;
	(void)why;
	return false;
}

void flow_adopt_ref(struct core *c, const char *path, const char *ref, const char *who,
		    core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "adopt %s %s by %s", path, ref, who);
	reply(arg, 0, NULL, "an event");
}

void flow_forget(struct core *c, const char *repository, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "forget %s", repository);
	reply(arg, 0, NULL, NULL);
}

int core_listen(const struct core *c, enum core_socket which, struct ps_err *err)
{
	(void)which;
	return frame_listen(c->paths->api_sock, 0666, err);
}

void flow_ask_parent(struct core *c, const char *what, core_reply_fn *reply, void *arg)
{
	(void)c;
	snprintf(fx.asked, sizeof(fx.asked), "%s", what);
	reply(arg, PS_ECONFIG, "penstock.yml:1:1: error: bad [PS-CONF-001]", NULL);
}

static void on_wake(void *arg)
{
	uint64_t n;

	(void)arg;
	if (read(fx.core.wake_fd, &n, sizeof(n)) == sizeof(n))
		store_poll(fx.core.store);
}

static void wake(void *arg)
{
	uint64_t one = 1;

	(void)arg;
	if (write(fx.core.wake_fd, &one, sizeof(one)) < 0)
		abort();
}

static void filled(void *arg, int rc, const struct ps_err *err)
{
	(void)arg;
	if (rc < 0)
		fail_msg("%s", ps_err_msg(err, rc));
	loop_stop(fx.core.loop);
}

static void write_at(const char *dir, const char *name, const char *text)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct ps_err err;

	assert_true(fd >= 0);
	assert_int_equal(fs_write_file(fd, name, text, strlen(text), 0644, &err), 0);
	close(fd);
}

#define AT "2026-11-23T16:02:03.123Z "

static void make_instance(void)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct buf yaml = BUF_INIT;
	struct ps_err err;
	char *run;

	snprintf(fx.dir, sizeof(fx.dir), "/tmp/ps-api-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	assert_int_equal(ps_paths_init(&fx.paths, fx.dir, &err), 0);
	assert_int_equal(ps_paths_make(&fx.paths, &err), 0);
	config_initial(&yaml, "nobody-here", geteuid(), fx.dir, NULL);
	write_at(fx.dir, "penstock.yml", buf_str(&yaml));
	write_at(fx.paths.logs, "b1.log", AT "first\n" AT "second\n");	/* 63 bytes */
	write_at(fx.paths.logs, "b1.log.2", "penstock: this log goes on here at its byte 9063\n"
		 AT "last but one\n" AT "last \xc3\xa9\n");
	write_at(fx.paths.logs, "b2.log", "line one\n\033[31mSyntaxError: bad\n");
	run = ps_paths_run_logs(&fx.paths, 2);
	assert_int_equal(mkdir(run, 0755), 0);
	write_at(run, "one.log", "boom\n");
	free(run);
	assert_int_equal(config_parse(&fx.policy.cfg, "penstock.yml", buf_str(&yaml), yaml.len,
				      &diags, &err), 0);
	assert_non_null(fx.policy.cfg);
	fx.policy.base = fx.dir;
	diag_clear(&diags);
	buf_clear(&yaml);
}

/* What `import pbt` reads: a job of a fabric of that number. */
static void make_pbtconf(const char *dir, const char *fabric)
{
	char *fabrics = xasprintf("fabrics:\n- {id: '%s', name: f, provider: Databricks, databricks:"
				  " {url: h, token: t}}\n", fabric);
	char *jobs = xasprintf("jobs:\n- {id: jobs/a, name: a, type: Databricks, external_job_id: '12',"
			       " fabric_id: '%s'}\n", fabric);

	assert_int_equal(mkdir(dir, 0755), 0);
	write_at(dir, "fabrics.yml", fabrics);
	write_at(dir, "state.yml", jobs);
	write_at(dir, "system.yml", "{}");
	free(fabrics);
	free(jobs);
}

static int setup(void **state)
{
	static struct role role;
	struct core *c = &fx.core;
	struct ps_err err;

	(void)state;
	signal(SIGPIPE, SIG_IGN);	/* as every role does */
	fx.program = fs_find_program("penstock");
	assert_non_null(fx.program);
	make_instance();
	make_pbtconf(PBT_LOCAL, "1174");
	make_pbtconf(PBT_NOWHERE, "77");
	c->role = &role;
	c->paths = &fx.paths;
	c->policy = &fx.policy;
	c->started_ms = 1000;
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(loop_new(&c->loop, &err), 0);
	c->store_wake = loop_readable(c->loop, c->wake_fd, on_wake, NULL);
	assert_int_equal(store_open(&c->store, fx.paths.store, wake, NULL, &err), 0);
	store_write(c->store, STORE_FULL, store_fill_run, filled, NULL);
	assert_int_equal(loop_run(c->loop, &err), 0);
	assert_int_equal(api_open(&c->api, c, &err), 0);
	return 0;
}

static int teardown(void **state)
{
	struct ps_err err;

	(void)state;
	api_close(fx.core.api);
	store_close(fx.core.store);
	loop_watch_free(fx.core.store_wake);
	loop_free(fx.core.loop);
	close(fx.core.wake_fd);
	assert_int_equal(fx.policy.refs, 0);
	config_free(fx.policy.cfg);
	assert_int_equal(fs_remove_tree(AT_FDCWD, fx.dir, &err), 0);
	assert_int_equal(fs_remove_tree(AT_FDCWD, PBT_LOCAL, &err), 0);
	assert_int_equal(fs_remove_tree(AT_FDCWD, PBT_NOWHERE, &err), 0);
	ps_paths_clear(&fx.paths);
	free(fx.program);
	return 0;
}

/* ---- cases ---- */

#define ARGS_MAX 8

static const struct row {
	const char *name;
	const char *args[ARGS_MAX];
	int code;
	const char *has[5];	/* in stdout and stderr together */
	const char *asked;	/* of flow; NULL: does not matter */
} rows[] = {
	{ "status", { "status" }, 0, { "development", "live", "waiting: approval", "failing",
	  "not in this version: " }, NULL },
	{ "status tells what to type", { "status" }, 0, { "next: penstock -C ", " why b2" }, NULL },
	{ "status as JSON", { "status", "--json" }, 0, { "\"missing\": [", "\"policy_digest\"",
							 "\"id\": \"gate\"",
							 "\"trusted_caller is on" }, NULL },
	{ "events", { "events" }, 0, { "e6", "held", "refs/heads/main" }, NULL },
	{ "events filtered", { "events", "--state", "held", "--json" }, 0,
	  { "\"id\": \"e6\"", "\"more\": false" }, NULL },
	{ "events, too many", { "events", "-n", "2" }, 0, { "there are more" }, NULL },
	{ "events, nothing", { "events", "--repo", "other" }, 0, { "no event yet" }, NULL },
	{ "events, no number", { "events", "-n", "x" }, 2, { "error: limit is no number: 'x'" },
	  NULL },
	{ "queue", { "queue" }, 0, { "of 1 builders busy", "queued: builder", "b9",
				     "builds --state running" }, NULL },
	{ "queue as JSON", { "queue", "--json" }, 0,
	  { "\"blocked_by\": \"b9\"", "\"ahead\": 0", "\"lift\": \"penstock ",
	    "\"running\": 0" }, NULL },
	{ "builds", { "builds" }, 0, { "b3", "queued: builder", "a-1.0-py3-none-any.whl" }, NULL },
	{ "tests", { "tests" }, 0, { "t1", "t2", "2 passed, 1 failed", "pipelines/a" }, NULL },
	{ "tests of a build", { "tests", "b1" }, 0, { "t2", "f.py::C::bad", "      assert 1 == 2\n",
						      "flaky: only when tried again  f.py::C::shaky",
						      " log t2" }, NULL },
	{ "tests, all of one", { "tests", "t2", "--all", "--trace" }, 0,
	  { "f.py::C::good", "      | E  assert 1 == 2" }, NULL },
	{ "tests of an event as JSON", { "tests", "e1", "--json" }, 0,
	  { "\"items\": [", "\"flaky\": true" }, NULL },
	{ "tests of what has none", { "tests", "b2" }, 0, { "b2 has no tests" }, NULL },
	{ "tests of a run", { "tests", "x1" }, 2, { "error: 'x1' has no tests" }, NULL },
	{ "tests that are not there", { "tests", "t9" }, 1, { "no such test: 't9'" }, NULL },
	{ "log of tests", { "log", "t2" }, 0, { NULL }, NULL },
	{ "releases", { "releases" }, 0, { "aaaaaaaaaaaa", "live", "v1.0", "development" }, NULL },
	{ "fabrics", { "fabrics" }, 0, { "airflow", "5005", "1174" }, NULL },
	{ "history", { "history", "development" }, 0, { "d1", "deployed", "refs/heads/main",
							"1970-01-01T00:00:01Z" }, NULL },
	{ "history of no fabric", { "history", "qa" }, 1,
	  { "error: the configuration has no fabric 'qa'", "next: penstock" }, NULL },
	{ "runs", { "runs" }, 0, { "x1", "x2", "passed", "failed" }, NULL },
	{ "one run", { "runs", "x2" }, 0, { "one", "boom", "upstream failed", "next: " }, NULL },
	{ "one run that is not there", { "runs", "x9" }, 1, { "no such run: 'x9'" }, NULL },
	{ "why", { "why", "main" }, 0, { "e4", "waits for a free slot: 1 of 1 slots busy",
					 "next: " }, NULL },
	{ "why as JSON", { "why", "b2", "--json" }, 0, { "\"state\": \"failed\"", "needed by e3" },
	  NULL },
	{ "why nothing", { "why", "nothing" }, 1, { "nothing is known of 'nothing'" }, NULL },
	{ "log is escaped", { "log", "b2" }, 0, { "line one\n\\x1b[31mSyntaxError: bad\n" }, NULL },
	{ "log raw", { "log", "b2", "--raw" }, 0, { "\033[31mSyntaxError" }, NULL },
	{ "log to its end", { "log", "-f", "b2" }, 1, { "SyntaxError: bad\n", "b2 failed; next: " },
	  NULL },
	{ "log of what passed", { "log", "-f", "b1" }, 0,
	  { "first\nsecond\n… 9000 bytes elided …\nlast but one\nlast é\n" }, NULL },
	{ "log with times", { "log", "b1", "--times" }, 0,
	  { AT "second\n… 9000 bytes elided …\n" AT "last but one\n" }, NULL },
	{ "log raw with a gap", { "log", "b1", "--raw" }, 0,
	  { AT "second\n… 9000 bytes elided …\n" AT "last but one\n" }, NULL },
	{ "log from a byte on", { "log", "b1", "--offset", "57", "--json" }, 0,
	  { "\"text\": \"econd\\n… 9000 bytes elided …\\n" AT "last but", "\"next\": 9134" },
	  NULL },
	{ "log from within the gap", { "log", "b1", "--offset", "5063", "--json" }, 0,
	  { "\"text\": \"… 4000 bytes elided …\\n" AT "last but" }, NULL },
	{ "log from its end on", { "log", "b1", "--offset", "9134", "--json" }, 0,
	  { "\"text\": \"\"", "\"next\": 9134", "\"ended\": true" }, NULL },
	{ "log, last line", { "log", "b1", "--tail", "1", "--json" }, 0,
	  { "\"text\": \"" AT "last é\\n\"" }, NULL },
	{ "log, more lines than are kept", { "log", "b1", "--tail", "9", "--json" }, 0,
	  { "\"text\": \"" AT "last but one\\n" }, NULL },
	{ "log, last line of a run", { "log", "x2", "--tail", "2", "--json" }, 0,
	  { "\"text\": \"boom\\n== two\\n\"" }, NULL },
	{ "log, no number", { "log", "b1", "--tail", "some" }, 2, { "--tail takes a number" }, NULL },
	{ "log, two beginnings", { "log", "b1", "--tail", "1", "--offset", "1" }, 2, { "give one" },
	  NULL },
	{ "log of a run", { "log", "x2" }, 0, { "== one\nboom\n== two\n" }, NULL },
	{ "log of a task", { "log", "x2/one" }, 0, { "boom\n" }, NULL },
	{ "log of no task", { "log", "x2/three" }, 1, { "x2 has no task 'three'" }, NULL },
	{ "log as JSON", { "log", "b2", "--json" }, 0, { "\"state\": \"failed\"",
							 "\"ended\": true" }, NULL },
	{ "log of what goes on", { "log", "b3" }, 0, { "b3 is queued" }, NULL },
	{ "log of nothing", { "log", "e1" }, 2, { "'e1' has no log" }, NULL },
	{ "run passes", { "--as", "ana", "run", "good", "--fabric", "development" }, 0,
	  { "x1", "passed" }, "(as ana)|good|development|||" },
	{ "run fails", { "--as", "ana", "run", "bad", "--fabric", "development", "-i", "prod" }, 1,
	  { "x2", "failed" }, "(as ana)|bad|development|prod||" },
	{ "run without waiting", { "--as", "ana", "run", "good", "--fabric", "development", "--no-wait" },
	  0, { "x1 queued" }, NULL },
	{ "run, time is up", { "--as", "ana", "run", "slow", "--fabric", "development", "-t", "0" }, 1,
	  { "the time is up; x3 goes on; next: penstock" }, NULL },
	{ "run, Ctrl-C", { "--as", "ana", "run", "wait", "--fabric", "development" }, 130,
	  { "stopped watching; x3 goes on" }, NULL },
	{ "run, no such job", { "--as", "ana", "run", "absent", "--fabric", "development" }, 1,
	  { "no job 'absent'" }, NULL },
	{ "run, not in the team", { "--as", "ana", "run", "good", "--fabric", "production" }, 1,
	  { "fabric 'production' belongs to team 'prod_support' and 'ana' is not in it" }, NULL },
	{ "run, no fabric", { "run", "good" }, 2, { "--fabric is missing" }, NULL },
	{ "run, bad time", { "run", "good", "--fabric", "development", "-t", "soon" }, 2,
	  { "'soon' is no time" }, NULL },
	{ "as nobody", { "--as", "mallory", "status" }, 1, { "'mallory' is in no team" }, NULL },
	{ "pause a fabric", { "--as", "kim", "pause", "fabric", "production", "-m", "quarter" }, 0,
	  { "is paused" }, "pause|fabric|production|" },
	{ "pause without a reason", { "pause", "all" }, 2, { "say why: -m TEXT" }, NULL },
	{ "pause everything", { "pause", "-m", "x" }, 0, { "is paused" }, "pause|all||" },
	{ "pause no such thing", { "pause", "fabrik", "x", "-m", "y" }, 2,
	  { "what can be paused is: environment NAME" }, NULL },
	{ "pause a scope without its name", { "pause", "fabric", "-m", "y" }, 2,
	  { "what can be paused is" }, NULL },
	{ "pause no such fabric", { "pause", "fabric", "qa", "-m", "y" }, 1,
	  { "the configuration has no fabric 'qa'" }, NULL },
	{ "pause no such environment", { "pause", "environment", "qa", "-m", "y" }, 1,
	  { "no environment 'qa'" }, NULL },
	{ "resume what is gone", { "resume", "fabric", "qa" }, 0, { "goes on" },
	  "resume|fabric|qa" },
	{ "resume everything", { "resume", "--all" }, 0, { "goes on" }, "resume|everything" },
	{ "resume --all and a name", { "resume", "fabric", "qa", "--all" }, 2,
	  { "--all means everything" }, NULL },
	{ "backup", { "backup", "/tmp/x.db" }, 0, { "4096 bytes: /tmp/x.db", "copy too: " },
	  "backup /tmp/x.db" },
	{ "backup to nowhere", { "backup", "/nowhere/x.db" }, 1, { "cannot open the folder" }, NULL },
	{ "cancel an event", { "--as", "kim", "cancel", "e4", "-m", "wrong" }, 0,
	  { "e4", "cancelled", "pipelines/a: by kim" }, "0|kim|e4|wrong||000|0" },
	{ "cancel as oneself", { "cancel", "b3", "--all-demands" }, 0, { "b3" }, "|b3|||010|1" },
	{ "cancel what others need", { "cancel", "b7" }, 1,
	  { "error: 2 demands need b7", "cancel b7 --all-demands" }, NULL },
	{ "cancel all that is queued", { "cancel", "--queued", "--ref", "feature/*" }, 0, { "e4" },
	  "||feature/*|100|" },
	{ "cancel with a refusal", { "cancel", "--queued", "--ref", "other" }, 1, { "e4" }, NULL },
	{ "cancel nothing", { "cancel" }, 2, { "say what: an id" }, NULL },
	{ "cancel both", { "cancel", "e4", "--queued" }, 2, { "say what: an id" }, NULL },
	{ "cancel a ref", { "cancel", "e4", "--ref", "main" }, 2, { "--ref and --repo narrow --queued" }, NULL },
	{ "cancel with no time", { "cancel", "e4", "-t", "soon" }, 2, { "'soon' is no time" }, NULL },
	{ "retry", { "retry", "e4" }, 0, { "next: ", "why e4" }, "1|" },
	{ "retry afresh", { "retry", "b3", "--fresh" }, 0, { "b3" }, "|001|" },
	{ "retry as JSON", { "retry", "e4", "--json" }, 0, { "\"items\"" }, NULL },
	{ "bump", { "bump", "b3", "-m", "now" }, 0, { "b3" }, "2|" },
	{ "build without --check", { "build" }, 2, { "builds come from pushes" }, NULL },
	{ "check, not waited for", { "build", "--check", "b3", "--no-wait" }, 0, { "b3" }, "3|" },
	{ "check of a failed build", { "build", "--check", "b2" }, 1, { "exit status 1", "log b2" }, "3|" },
	{ "check, time over", { "build", "--check", "b3", "-t", "0" }, 1, { "the time is up; b3 goes on" }, NULL },
	{ "drain", { "drain", "-m", "upgrade" }, 0, { "draining: nothing new starts" }, "pause|all||" },
	{ "drain with a time", { "drain", "-t", "1s" }, 2, { "--timeout is for --wait" }, NULL },
	{ "drain and wait", { "drain", "--wait", "--json" }, 0, { "\"items\": []" }, NULL },
	{ "plan", { "plan", "e", "changed", "--repo", "r", "--project", "p" }, 0,
	  { "sales:a/b v1 (release 0123456789ab) to e, fabric f\n",
	    "~ jobs/x  changed on the fabric since it was deployed\n    ~ request.a  1 → (none)\n",
	    "- jobs/y\\x1b  orphan", "1 new\ndigest fedcba987654\n", " approve d7" }, "plan|e|changed|r|p|0" },
	{ "plan with changes", { "plan", "e", "changed", "--refresh", "--exit-code" }, 4, { "jobs/x" }, "|1" },
	{ "plan without", { "plan", "e", "--exit-code", "--json" }, 0, { "\"state\": \"unchanged\"" }, NULL },
	{ "plan that cannot be", { "plan", "e", "failed", "--exit-code" }, 1,
	  { "error: derive 'jobs/z': no\ncannot be deployed" }, NULL },
	{ "plan of no environment", { "plan", "none" }, 1, { "no environment 'none'", " status" }, NULL },
	{ "drift", { "drift", "f" }, 0,
	  { "~ f jobs/x  changed by kim\\x1b, seen since 2026\n    ~ request.a  1 → (none)\n",
	    " drift restore " }, "drift|f||0" },
	{ "drift counts", { "drift", "--exit-code", "--json" }, 4, { "\"jobs/x\"" }, "drift|||0" },
	{ "drift adopt", { "drift", "adopt", "jobs/x", "-F", "f" }, 0, { "\"a\": 1" }, "drift|f|jobs/x|1" },
	{ "clean, dry", { "clean", "-n" }, 0, { "b1.log", "1 files, 4096 bytes would go" }, "clean 1" },
	{ "import without a repository", { "import", "pbt", PBT_NOWHERE }, 0,
	  { "id: 77", "1 job id is not stored", "import pbt " PBT_NOWHERE " --repo NAME" }, "" },
	{ "import by a member", { "--as", "ana", "import", "pbt", PBT_NOWHERE, "--repo", "shop" }, 1,
	  { "this is for root and the agent's own user", "no job id was stored" }, "" },
	{ "import for no fabric", { "import", "pbt", PBT_NOWHERE, "--repo", "shop" }, 1,
	  { "'jobs/a': no fabric in force has id 77: put its block", "no job id was stored" }, "" },
	{ "import for another provider", { "import", "pbt", PBT_LOCAL, "--repo", "shop" }, 1,
	  { "fabric development is none of Databricks", "no job id was stored" }, "" },
	{ "reload of a bad file", { "reload" }, 1, { "penstock.yml:1:1: error: bad" }, "reload" },
	{ "which needs no agent", { "which", "main" }, 0, { "-> fabric development" }, NULL },
};

static void on_child(struct child *c, int status, void *arg)
{
	(void)c;
	(void)arg;
	fx.status = status;
	loop_stop(fx.core.loop);
}

static void check_row(void **state)
{
	const struct row *r = *state;
	const char *argv[ARGS_MAX + 4] = { fx.program, "-C", fx.dir };
	static const char *const env[] = { "LC_ALL=C.UTF-8", NULL };
	struct spawn s = { .argv = argv, .env = env, .in = -1 };
	struct child *child;
	struct buf out = BUF_INIT;
	struct ps_err err = { 0 };
	int fds[2];

	for (size_t i = 0; i < ARGS_MAX && r->args[i]; i++)
		argv[3 + i] = r->args[i];
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	/* nobody reads until the child ended */
	assert_true(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) > 0);
	s.out = s.errout = fds[1];
	fx.asked[0] = '\0';
	fx.pid = spawn_start(&s, &err);
	if (fx.pid < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(child_watch(&child, fx.core.loop, fx.pid, on_child, NULL, &err), 0);
	assert_int_equal(loop_run(fx.core.loop, &err), 0);
	close(fds[1]);
	assert_int_equal(fs_read_fd(&out, fds[0], 1 << 20, &err), 0);
	close(fds[0]);
	if (!WIFEXITED(fx.status) || WEXITSTATUS(fx.status) != r->code)
		fail_msg("status %d, wanted exit %d: %s", fx.status, r->code, buf_str(&out));
	for (size_t i = 0; i < PS_NELEM(r->has) && r->has[i]; i++)
		if (!strstr(buf_str(&out), r->has[i]))
			fail_msg("'%s' is not in: %s", r->has[i], buf_str(&out));
	if (r->asked && !strstr(fx.asked, r->asked))
		fail_msg("flow was asked '%s', wanted '%s'", fx.asked, r->asked);
	buf_clear(&out);
}

/* Clients that hang up before the answer, or send what is no HTTP, harm nobody. */
static void check_rude(void **state)
{
	static const char *const texts[] = {
		"GET /api/v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "\x01\x02\x03\r\n\r\n",
			"GET /api/v1/",
		"POST /api/v1/runs HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n",
			"DELETE /api/v1/status HTTP/1.1\r\n\r\n",
		"GET /api/v1/why?thing=%zz HTTP/1.1\r\n\r\n",
			"GET /../../etc/passwd HTTP/1.1\r\n\r\n",
	};
	static const struct row after = { "after", { "builds" }, 0, { "b3" }, NULL };
	const struct row *row = &after;
	struct ps_err err;

	(void)state;
	for (size_t i = 0; i < 20 * PS_NELEM(texts); i++) {
		const char *text = texts[i % PS_NELEM(texts)];
		int fd = frame_connect(fx.paths.api_sock, 1000, &err);

		assert_true(fd >= 0);
		assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
		close(fd);
	}
	check_row((void **)&row);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 1];
	size_t n = 0;

	for (; n < PS_NELEM(rows); n++)
		t[n] = (struct CMUnitTest) { .name = rows[n].name, .test_func = check_row,
					     .initial_state = (void *)&rows[n] };
	t[n++] = (struct CMUnitTest) cmocka_unit_test(check_rude);
	if (kernel_skip())
		return 77;
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("api", t, n, setup, teardown);
}
