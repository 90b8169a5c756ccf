/* What every fabric's driver must do, whatever its provider and in whichever way it changes jobs: a
 * row of the table per driver, and what a hand may do on that fabric behind its back. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/deploy/fabric/fabric.h"
#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "tests/support/fake_airflow.h"
#include "tests/support/workspace.h"

#define WHEEL "prophecy/artifacts/dev/execution/7234/1.0-abc/pipeline/a-1.whl"
#define RELEASE "7f3a9c2e51b04d6687f3a9c2e51b04d6687f3a9c2e51b04d6687f3a9c2e51b04"

static char dir[64]; /* of the test */
static char *content, *place_dir;
static struct fabric_target target; /* its session is open */

static char *put(const char *text);

/* Of an Airflow: a DAG whose one file says the version. */
static char *afl_body(const char *name, int version)
{
	char *text = xasprintf("from airflow import DAG\nVERSION = %d\nDAG(\"of_%s\")\n", version,
			       name);
	char *hex = put(text);
	char *body = xasprintf("{\"dag_id\":\"of_%s\",\"enabled\":true,\"files\":{\"dag.py\":\"%s\"}}",
			       name, hex);

	free(hex);
	free(text);
	return body;
}

/* The definition of a job; version tells one from another. */
static char *body_of(const char *name, int version)
{
	if (target.conf && target.conf->provider == CONF_AIRFLOW)
		return afl_body(name, version);
	return xasprintf("{\"fabric_id\":\"1174\",\"request\":{\"max_concurrent_runs\":%d,"
			 "\"name\":\"%s\",\"schedule\":{\"pause_status\":\"UNPAUSED\","
			 "\"quartz_cron_expression\":\"0 0 3 * * ?\",\"timezone_id\":\"UTC\"},"
			 "\"tasks\":[{\"notebook_task\":{\"notebook_path\":\"/x\"},"
			 "\"task_key\":\"t\"}]}}", version, name);
}

/* ---- a hand on the fabric ---- */

struct hand {
	const char *name;
	const struct fabric_driver *driver;
	const char *volume; /* databricks */
	int major;	    /* airflow */
	/* by its name */
	void (*pause)(const char *job);
	void (*wake)(const char *job);
	bool (*is_paused)(const char *job);
	/* as the fabric has it; 0: it has none */
	int (*version)(const char *job);
	void (*edit)(const char *job, int version);
	/* What a look tells of it: put was that version, somebody has made this one of it. */
	char *(*seen)(const char *job, int put, int there);
};

static const struct hand *hand;

static char *local_path(const char *folder, const char *job)
{
	return xasprintf("%s/jobs/sales/etl/%s/jobs/%s.json", place_dir, folder, job);
}

static void local_pause(const char *job)
{
	char *path = local_path("paused", job), *slash = strrchr(path, '/');
	struct ps_err err;

	*slash = '\0';
	assert_int_equal(fs_mkdirs(path, 0755, &err), 0);
	*slash = '/';
	assert_int_equal(fs_write_file(AT_FDCWD, path, "", 0, 0644, &err), 0);
	free(path);
}

static void local_wake(const char *job)
{
	char *path = local_path("paused", job);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static bool local_is_paused(const char *job)
{
	char *path = local_path("paused", job);
	bool is = fs_exists(path);

	free(path);
	return is;
}

static int local_version(const char *job)
{
	char *path = local_path("current", job);
	struct buf b = BUF_INIT;
	const char *at;
	int rc = fs_read(&b, AT_FDCWD, path, PS_JSON_MAX, NULL), version = 0;

	if (rc == 0 && (at = strstr(buf_str(&b), "runs\":")))
		version = atoi(at + strlen("runs\":"));
	free(path);
	buf_clear(&b);
	return version;
}

static void local_edit(const char *job, int version)
{
	char *path = local_path("current", job), *text = body_of(job, version);
	struct ps_err err;

	assert_int_equal(fs_write_file(AT_FDCWD, path, text, strlen(text), 0444, &err), 0);
	free(path);
	free(text);
}

static void dbx_pause(const char *job)
{
	workspace_edit(job, "/schedule/pause_status", json_string("PAUSED"));
}

static void dbx_wake(const char *job)
{
	workspace_edit(job, "/schedule/pause_status", json_string("UNPAUSED"));
}

static bool dbx_is_paused(const char *job)
{
	json_t *settings = workspace_job(job);
	const char *state = json_string_value(
		json_object_get(json_object_get(settings, "schedule"), "pause_status"));
	bool is = ps_streq(state, "PAUSED");

	json_decref(settings);
	return is;
}

static int dbx_version(const char *job)
{
	json_t *settings = workspace_job(job);
	int version = (int)json_integer_value(json_object_get(settings, "max_concurrent_runs"));

	json_decref(settings);
	return version;
}

static void dbx_edit(const char *job, int version)
{
	workspace_edit(job, "/max_concurrent_runs", json_integer(version));
}

static char *whole_body(const char *job, int version, int there)
{
	(void)version;
	return body_of(job, there);
}

static void afl_pause_it(const char *job, bool paused)
{
	char *id = xasprintf("of_%s", job);
	struct ps_err err = { 0 };

	if (afl_set_paused(afl_of(&target), id, paused, &err) < 0)
		fail_msg("%s", err.msg);
	free(id);
}

static void afl_pause(const char *job)
{
	afl_pause_it(job, true);
}

static void afl_wake(const char *job)
{
	afl_pause_it(job, false);
}

static bool afl_is_paused(const char *job)
{
	char *id = xasprintf("of_%s", job);
	struct afl_row r;
	struct ps_err err = { 0 };
	bool is;

	if (afl_row(afl_of(&target), id, &r, &err) < 0)
		fail_msg("%s", err.msg);
	is = r.paused;
	afl_row_clear(&r);
	free(id);
	return is;
}

/* The bytes that lie there; members are not packed. False: none do. */
static bool afl_archive(const char *job, struct buf *out)
{
	char *id = xasprintf("of_%s", job), *path = fake_airflow_archive(id);
	int rc = fs_read(out, AT_FDCWD, path, AFL_ZIP_MAX, NULL);

	free(path);
	free(id);
	return rc == 0;
}

static int afl_version(const char *job)
{
	static const char word[] = "VERSION = ";
	struct buf b = BUF_INIT;
	const char *at = afl_archive(job, &b) ? memmem(b.data, b.len, word, strlen(word)) : NULL;
	int version = at ? atoi(at + strlen(word)) : 0;

	buf_clear(&b);
	return version;
}

static void afl_edit(const char *job, int version)
{
	char *body = body_of(job, version), *hex = put(body), name[DIGEST_HEX], *path;
	struct afl_def d;
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };

	if (afl_def_read(&d, &target, job, hex, &err) < 0 || afl_zip(&target, &d, &b, name, &err) < 0)
		fail_msg("%s", err.msg);
	path = fake_airflow_archive(d.dag_id);
	assert_int_equal(fs_write_file(AT_FDCWD, path, buf_str(&b), b.len, 0644, &err), 0);
	free(path);
	afl_def_clear(&d);
	buf_clear(&b);
	free(hex);
	free(body);
}

/* Which files it was made of nobody can tell: what was put, and the archive's digest. */
static char *afl_seen(const char *job, int version, int there)
{
	char *body = body_of(job, version), hex[DIGEST_HEX], *text;
	struct buf b = BUF_INIT;

	(void)there;
	assert_true(afl_archive(job, &b));
	digest_bytes(hex, buf_str(&b), b.len);
	text = xasprintf("{\"archive\":\"%s\",%s", hex, body + 1);
	buf_clear(&b);
	free(body);
	return text;
}

#define DBX dbx_pause, dbx_wake, dbx_is_paused, dbx_version, dbx_edit, whole_body
#define AFL afl_pause, afl_wake, afl_is_paused, afl_version, afl_edit, afl_seen
static const struct hand hands[] = {
	{ "local", &fabric_local, NULL, 0, local_pause, local_wake, local_is_paused, local_version,
	  local_edit, whole_body },
	{ "databricks", &fabric_databricks, NULL, 0, DBX },
	{ "databricks with a volume", &fabric_databricks, "/Volumes/main/jobs/wheels", 0, DBX },
	{ "airflow 2", &fabric_airflow, NULL, 2, AFL },
	{ "airflow 3", &fabric_airflow, NULL, 3, AFL },
};

/* ---- what is deployed ---- */

static char *put(const char *text)
{
	char *hex = xcalloc(1, 65);
	struct ps_err err;

	assert_int_equal(cas_put_bytes(content, text, strlen(text), hex, &err), 0);
	return hex;
}

static char *put_body(const char *name, int version)
{
	char *text = body_of(name, version), *hex = put(text);

	free(text);
	return hex;
}

/* What core would remember: a job's id. */
static struct { char name, id[24]; } ids[8];

static char *id_of(char name)
{
	for (size_t i = 0; i < PS_NELEM(ids); i++)
		if (ids[i].name == name || !ids[i].name) {
			ids[i].name = name;
			return ids[i].id;
		}
	return NULL;
}

static int make(void **state)
{
	static struct conf_fabric conf;
	struct ps_err err = { 0 };
	char *cwd;

	hand = *state;
	snprintf(dir, sizeof(dir), "test_driver.XXXXXX");
	cwd = mkdtemp(dir) ? getcwd(NULL, 0) : NULL;
	if (!cwd)
		return -1;
	content = xasprintf("%s/%s/content", cwd, dir);
	place_dir = xasprintf("%s/%s/fabric", cwd, dir);
	free(cwd);
	memset(ids, 0, sizeof(ids));
	target = (struct fabric_target) {
		.dir = place_dir, .content = content, .place = "sales/etl",
		.owner = "{\"project\":\".\"}", .repository = "sales", .project = "etl",
		.release = RELEASE, .fence = 7,
	};
	if (hand->driver == &fabric_databricks) {
		workspace_reset();
		conf = workspace_conf(hand->volume);
		target.conf = &conf;
		target.secret = WORKSPACE_TOKEN;
	}
	if (hand->driver == &fabric_airflow) {
		fake_airflow_start(place_dir, hand->major);
		conf = fake_airflow_conf();
		target.conf = &conf;
		target.secret = FAKE_AIRFLOW_WORD;
	}
	if (hand->driver->open && hand->driver->open(&target, &err) < 0)
		return -1;
	return fs_mkdirs(content, 0755, &err);
}

static int drop(void **state)
{
	struct ps_err err;

	(void)state;
	if (hand->driver->close)
		hand->driver->close(&target);
	fake_airflow_stop();
	free(content);
	free(place_dir);
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

/* Jobs as text: "a=1 b=2" live, "-c=1" orphans, "!d" gone; the number is the version. */
struct made {
	struct fabric_file files[8], orphans[8];
	const char *gone[8];
	char digest[65], stamp[128];
	struct fabric_set set;
	/* the same, one by one: live ones, orphans, then those that are gone */
	struct fabric_job jobs[8];
	char names[8][2];
	size_t njobs;
};

static void add_one(struct made *m, const char *word)
{
	size_t at = strspn(word, "-!"), n = m->njobs++;
	struct fabric_job *j = &m->jobs[n];
	char *path, *id = id_of(word[at]);

	m->names[n][0] = word[at];
	path = xasprintf("jobs/%s.json", m->names[n]);
	*j = (struct fabric_job) { .key = xasprintf("jobs/%s", m->names[n]), .name = m->names[n],
				   .sha256 = put_body(m->names[n], word[at + 1] ? atoi(word + at + 2) : 1),
				   .id = *id ? id : NULL, .orphan = at > 0 };
	if (*word == '!')
		m->gone[m->set.ngone++] = path;
	else if (*word == '-')
		m->orphans[m->set.norphans++] = (struct fabric_file) { path, j->sha256 };
	else
		m->files[m->set.nfiles++] = (struct fabric_file) { path, j->sha256 };
}

static struct made *make_set(const char *text)
{
	struct made *m = xcalloc(1, sizeof(*m));
	char *words = xstrdup(text), *save = NULL;

	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		add_one(m, w);
	free(words);
	/* what is gone is no part of what the set lists */
	words = xstrdup(text);
	if (strchr(words, '!'))
		*strchr(words, '!') = '\0';
	snprintf(m->stamp, sizeof(m->stamp), "{\"set\":\"%s\"}", words);
	free(words);
	digest_bytes(m->digest, m->stamp, strlen(m->stamp));
	m->set.digest = m->digest;
	m->set.stamp = m->stamp;
	m->set.files = m->files;
	m->set.orphans = m->orphans;
	m->set.gone = m->gone;
	return m;
}

static void drop_set(struct made *m)
{
	for (size_t i = 0; i < m->njobs; i++) {
		free((char *)m->jobs[i].key);
		free((char *)m->jobs[i].sha256);
	}
	for (size_t i = 0; i < 8; i++) {
		free((char *)m->files[i].path);
		free((char *)m->orphans[i].path);
		free((char *)m->gone[i]);
	}
	free(m);
}

/* As run_sets.c does: ready, then switched. */
static int deploy_set(struct made *m, enum fabric_outcome *o, struct ps_err *err)
{
	int rc = hand->driver->sets->put(&target, &m->set, o, err);

	return rc < 0 ? rc : hand->driver->sets->switch_to(&target, &m->set, o, err);
}

/* As run_jobs.c does: what comes before what goes. *o: done when any was. */
static int deploy_jobs(struct made *m, enum fabric_outcome *o, struct ps_err *err)
{
	const struct fabric_jobs *way = hand->driver->jobs;
	int rc = 0;

	*o = FABRIC_ALREADY;
	for (size_t i = 0; i < m->njobs && rc == 0; i++) {
		const struct fabric_job *j = &m->jobs[i];
		bool gone = i >= m->set.nfiles + m->set.norphans;
		enum fabric_outcome one = FABRIC_NOT_DONE;
		char *id = NULL;

		if (gone)
			rc = way->remove(&target, j, &one, err);
		else if (j->orphan)
			rc = way->pause(&target, j, &one, err);
		else
			rc = way->put(&target, j, &id, &one, err);
		if (id)
			snprintf(id_of(*j->name), sizeof(ids[0].id), "%s", id);
		if (gone && rc == 0)
			*id_of(*j->name) = '\0';
		free(id);
		if (rc < 0 || one == FABRIC_DONE)
			*o = one;
	}
	return rc;
}

/* Is everything as m says? As run_jobs.c asks. */
static int check_jobs(const struct made *m, struct ps_err *err)
{
	size_t n = m->set.nfiles + m->set.norphans;
	struct fabric_seen seen[8] = { 0 };
	int rc = hand->driver->look(&target, m->jobs, n, seen, err);

	for (size_t i = 0; i < n && rc == 0; i++)
		if (m->jobs[i].orphan ? !seen[i].paused
				      : strcmp(seen[i].sha256, m->jobs[i].sha256) != 0)
			rc = ps_err_set(err, PS_ECONFLICT, "%s.json", m->jobs[i].key);
	fabric_seen_clear(seen, n);
	return rc;
}

static int check_set(struct made *m, struct ps_err *err)
{
	return hand->driver->sets ? hand->driver->sets->check(&target, &m->set, err)
				  : check_jobs(m, err);
}

enum { ANY = -1 };

/* Deploys; what it says (ANY: whatever). The fabric is as planned then. */
static void deploy(const char *text, int says)
{
	struct made *m = make_set(text);
	enum fabric_outcome o;
	struct ps_err err = { 0 };
	int rc = hand->driver->sets ? deploy_set(m, &o, &err) : deploy_jobs(m, &o, &err);

	if (rc < 0)
		fail_msg("'%s': %s", text, err.msg);
	if (says != ANY)
		assert_int_equal(o, says);
	drop_set(m);
	m = make_set(text); /* with the ids that are known now */
	if (check_set(m, &err) != 0)
		fail_msg("'%s': %s", text, err.msg);
	drop_set(m);
}

/* What a check says of these jobs now. */
static int check_says(const char *text, char *why)
{
	struct made *m = make_set(text);
	struct ps_err err = { 0 };
	int rc = check_set(m, &err);

	snprintf(why, 256, "%.255s", err.msg);
	drop_set(m);
	return rc;
}

static void assert_job(const char *job, int version)
{
	assert_int_equal(hand->version(job), version);
}

/* ---- what each must do ---- */

static void artifacts_are_put_once(void **state)
{
	char *one = put("wheel"), *two = put("another"), *same_size = put("whEEl");
	struct fabric_file f = { WHEEL, one };
	enum fabric_outcome o;
	struct ps_err err = { 0 };

	(void)state;
	if (hand->driver == &fabric_airflow) { /* a DAG brings its code */
		assert_int_equal(hand->driver->put_artifact(&target, &f, &o, &err), PS_ENOTSUP);
		assert_int_equal(o, FABRIC_NOT_DONE);
		goto out;
	}
	if (hand->driver->put_artifact(&target, &f, &o, &err) != 0)
		fail_msg("%s", err.msg);
	assert_int_equal(o, FABRIC_DONE);
	assert_int_equal(hand->driver->put_artifact(&target, &f, &o, &err), 0);
	assert_int_equal(o, FABRIC_ALREADY);
	f.sha256 = two; /* a path never gets other bytes */
	assert_int_equal(hand->driver->put_artifact(&target, &f, &o, &err), PS_ECONFLICT);
	assert_int_equal(o, FABRIC_NOT_DONE);
	f.sha256 = same_size;
	assert_int_equal(hand->driver->put_artifact(&target, &f, &o, &err), PS_ECONFLICT);
	f.sha256 = one;
	assert_int_equal(hand->driver->put_artifact(&target, &f, &o, &err), 0);
out:
	free(one);
	free(two);
	free(same_size);
}

static void twice_is_once(void **state)
{
	(void)state;
	deploy("a=1 b=1", FABRIC_DONE);
	deploy("a=1 b=1", FABRIC_ALREADY);
	deploy("a=2 !b", FABRIC_DONE);
	assert_job("a", 2);
	assert_job("b", 0);
	deploy("a=1 b=1", FABRIC_DONE); /* and back */
	assert_job("a", 1);
}

static void ready_is_without_effect(void **state)
{
	struct made *m = make_set("a=2 -b=1");
	enum fabric_outcome o;
	struct ps_err err = { 0 };

	(void)state;
	if (!hand->driver->sets) {
		drop_set(m);
		skip();
	}
	deploy("a=1 b=1", FABRIC_DONE);
	assert_int_equal(hand->driver->sets->put(&target, &m->set, &o, &err), 0);
	assert_job("a", 1);
	assert_false(hand->is_paused("b"));
	drop_set(m);
}

static void foreign_places_are_left_alone(void **state)
{
	struct made *m;
	enum fabric_outcome o;
	struct ps_err err = { 0 };

	(void)state;
	deploy("a=1", FABRIC_DONE);
	target.owner = "{\"project\":\"another\"}";
	target.project = "another";
	memset(ids, 0, sizeof(ids));
	m = make_set("a=9");
	if (hand->driver->sets) {
		assert_int_equal(hand->driver->sets->put(&target, &m->set, &o, &err), PS_ECONFLICT);
		assert_int_equal(o, FABRIC_NOT_DONE);
		assert_int_equal(hand->driver->sets->switch_to(&target, &m->set, &o, &err),
				 PS_ECONFLICT);
	} else {
		assert_int_equal(deploy_jobs(m, &o, &err), PS_ECONFLICT);
		assert_int_equal(o, FABRIC_NOT_DONE);
	}
	assert_job("a", 1);
	drop_set(m);
}

static void what_is_in_force_is_seen(void **state)
{
	struct made *m = make_set("a=1");
	struct buf seen = BUF_INIT;
	struct ps_err err = { 0 };
	char why[256];

	(void)state;
	if (hand->driver->sets)
		assert_int_equal(hand->driver->sets->observe(&target, &seen, &err), PS_ENOENT);
	deploy("a=1", FABRIC_DONE);
	if (hand->driver->sets) {
		assert_int_equal(hand->driver->sets->observe(&target, &seen, &err), 0);
		assert_string_equal(buf_str(&seen), m->stamp);
	}
	assert_int_equal(check_says("a=2", why), PS_ECONFLICT); /* another than is there */
	hand->edit("a", 3);
	assert_int_equal(check_says("a=1", why), PS_ECONFLICT);
	assert_non_null(strstr(why, "jobs/a"));
	buf_clear(&seen);
	drop_set(m);
}

/* What a plan is told of the fabric: each definition by its digest, whoever wrote it. */
static void each_definition_is_seen(void **state)
{
	char *a = put_body("a", 1), *b = put_body("b", 1);
	char *none = put_body("none", 1), *nine;
	const struct fabric_job jobs[] = {
		{ .key = "jobs/a", .name = "a", .sha256 = a },
		{ .key = "jobs/b", .name = "b", .sha256 = b },
		{ .key = "jobs/none", .name = "none", .sha256 = none },
	};
	struct fabric_seen seen[3] = { 0 };
	char hex[65];
	struct ps_err err = { 0 };

	(void)state;
	assert_int_equal(hand->driver->look(&target, jobs, 3, seen, &err), 0); /* an empty fabric */
	assert_string_equal(seen[0].sha256, "");
	deploy("a=1 b=1", FABRIC_DONE);
	deploy("a=1 -b=1", FABRIC_DONE);
	hand->edit("a", 9);
	nine = hand->seen("a", 1, 9);
	if (hand->driver->look(&target, jobs, 3, seen, &err) != 0)
		fail_msg("%s", err.msg);
	assert_string_equal(seen[0].definition, nine);
	digest_bytes(hex, nine, strlen(nine));
	assert_string_equal(seen[0].sha256, hex);
	assert_string_equal(seen[1].sha256, b);
	assert_null(seen[1].definition);
	assert_string_equal(seen[2].sha256, "");
	fabric_seen_clear(seen, 3);
	free(a);
	free(b);
	free(none);
	free(nine);
}

static void orphans_stay_and_sleep(void **state)
{
	char why[256];

	(void)state;
	deploy("a=1 b=1", FABRIC_DONE);
	deploy("a=2 -b=1", FABRIC_DONE);
	assert_job("b", 1);
	assert_true(hand->is_paused("b"));
	assert_false(hand->is_paused("a"));
	deploy("a=2 -b=1", FABRIC_ALREADY);
	hand->wake("b");
	assert_int_equal(check_says("a=2 -b=1", why), PS_ECONFLICT);
	assert_non_null(strstr(why, "jobs/b"));
	deploy("a=2 -b=1", ANY);
	assert_true(hand->is_paused("b"));
	deploy("a=1 b=1", FABRIC_DONE); /* wanted again */
	assert_false(hand->is_paused("b"));
}

static void pauses_of_hands_stay(void **state)
{
	(void)state;
	deploy("a=1 b=1", FABRIC_DONE);
	hand->pause("a");
	hand->pause("b");
	deploy("a=2 b=2", FABRIC_DONE);
	assert_true(hand->is_paused("a"));
	deploy("a=2 -b=2", FABRIC_DONE);
	deploy("a=2 b=2", FABRIC_DONE);
	/* the hand's, not ours: an orphan in between changes nothing */
	assert_true(hand->is_paused("b"));
	hand->wake("a");
	deploy("a=3 b=2", FABRIC_DONE);
	assert_false(hand->is_paused("a"));
}

static void what_is_gone_leaves_nothing(void **state)
{
	(void)state;
	deploy("a=1 b=1 c=1", FABRIC_DONE);
	deploy("a=1 -b=1 -c=1", FABRIC_DONE);
	deploy("a=1 -c=1 !b", FABRIC_DONE);
	assert_job("b", 0);
	assert_false(hand->is_paused("b"));
	assert_job("c", 1);
	assert_true(hand->is_paused("c"));
	deploy("a=1 -c=1 !b", FABRIC_ALREADY);
	deploy("a=1 b=1 -c=1", FABRIC_DONE); /* made anew */
	assert_false(hand->is_paused("b"));
}

static void it_is_reached(void **state)
{
	struct ps_err err = { 0 };

	(void)state;
	if (hand->driver->probe && hand->driver->probe(&target, &err) < 0)
		fail_msg("%s", err.msg);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		CMUnitTestFunction fn;
	} cases[] = {
#define CASE(fn) { #fn, fn }
		CASE(it_is_reached), CASE(artifacts_are_put_once), CASE(twice_is_once),
		CASE(ready_is_without_effect), CASE(foreign_places_are_left_alone),
		CASE(what_is_in_force_is_seen), CASE(each_definition_is_seen),
		CASE(orphans_stay_and_sleep), CASE(pauses_of_hands_stay),
		CASE(what_is_gone_leaves_nothing),
	};
	struct CMUnitTest t[PS_NELEM(hands) * PS_NELEM(cases)];
	size_t n = 0;
	int rc;

	umask(022);
	for (size_t h = 0; h < PS_NELEM(hands); h++)
		for (size_t i = 0; i < PS_NELEM(cases); i++)
			t[n++] = (struct CMUnitTest) {
				xasprintf("%s: %s", hands[h].name, cases[i].name),
				cases[i].fn, make, drop, (void *)&hands[h],
			};
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	rc = _cmocka_run_group_tests("driver", t, n, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		free((char *)t[i].name);
	workspace_stop();
	return rc;
}
