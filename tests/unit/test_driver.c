/* What every fabric's driver must do, whatever its provider: a row of the table per driver, and what
 * a hand may do on that fabric behind its back. */
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

#define WHEEL "prophecy/artifacts/dev/execution/7234/1.0-abc/pipeline/a-1.whl"

static char dir[64]; /* of the test */
static char *content, *place_dir;

/* ---- a hand on the fabric ---- */

struct hand {
	const struct fabric_driver *driver;
	void (*pause)(const char *job);
	void (*wake)(const char *job);
	bool (*is_paused)(const char *job);
	/* the definition as the fabric has it; NULL: it has none. free() it */
	char *(*read)(const char *job);
	void (*edit)(const char *job, const char *text);
};

static const struct hand *hand;

static char *local_path(const char *folder, const char *job)
{
	return xasprintf("%s/jobs/sales/etl/%s/%s", place_dir, folder, job);
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

static char *local_read(const char *job)
{
	char *path = local_path("current", job);
	struct buf b = BUF_INIT;
	int rc = fs_read(&b, AT_FDCWD, path, PS_JSON_MAX, NULL);

	free(path);
	if (rc == 0)
		return buf_steal(&b);
	assert_int_equal(rc, PS_ENOENT);
	buf_clear(&b);
	return NULL;
}

static void local_edit(const char *job, const char *text)
{
	char *path = local_path("current", job);
	struct ps_err err;

	assert_int_equal(fs_write_file(AT_FDCWD, path, text, strlen(text), 0444, &err), 0);
	free(path);
}

static const struct hand hands[] = {
	{ &fabric_local, local_pause, local_wake, local_is_paused, local_read, local_edit },
};

/* ---- what is deployed ---- */

static struct fabric_target target(void)
{
	return (struct fabric_target) { .dir = place_dir, .content = content, .place = "sales/etl",
					.owner = "{\"project\":\".\"}" };
}

static char *put(const char *text)
{
	char *hex = xcalloc(1, 65);
	struct ps_err err;

	assert_int_equal(cas_put_bytes(content, text, strlen(text), hex, &err), 0);
	return hex;
}

static int make(void **state)
{
	struct ps_err err;
	char *cwd;

	hand = *state;
	snprintf(dir, sizeof(dir), "test_driver.XXXXXX");
	cwd = mkdtemp(dir) ? getcwd(NULL, 0) : NULL;
	if (!cwd)
		return -1;
	content = xasprintf("%s/%s/content", cwd, dir);
	place_dir = xasprintf("%s/%s/fabric", cwd, dir);
	free(cwd);
	return fs_mkdirs(content, 0755, &err);
}

static int drop(void **state)
{
	struct ps_err err;

	(void)state;
	free(content);
	free(place_dir);
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

/* A set as text: "a=1 b=2" live jobs, "-c=1" orphans, "!d" gone. */
struct made {
	struct fabric_file files[8], orphans[8];
	const char *gone[8];
	char digest[65], stamp[128];
	struct fabric_set set;
};

static struct fabric_file file_of(const char *word)
{
	char *body = xasprintf("{\"v\":%s}", strchr(word, '=') + 1);
	struct fabric_file f = {
		xasprintf("jobs/%.*s.json", (int)strcspn(word, "="), word), put(body),
	};

	free(body);
	return f;
}

static struct made *make_set(const char *text)
{
	struct made *m = xcalloc(1, sizeof(*m));
	char *words = xstrdup(text), *save = NULL;

	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (*w == '-')
			m->orphans[m->set.norphans++] = file_of(w + 1);
		else if (*w == '!')
			m->gone[m->set.ngone++] = xasprintf("jobs/%s.json", w + 1);
		else
			m->files[m->set.nfiles++] = file_of(w);
	}
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
	for (size_t i = 0; i < 8; i++) {
		free((char *)m->files[i].path);
		free((char *)m->files[i].sha256);
		free((char *)m->orphans[i].path);
		free((char *)m->orphans[i].sha256);
		free((char *)m->gone[i]);
	}
	free(m);
}

/* Puts and switches; both say this outcome. The fabric is as planned then. */
static void deploy(const char *text, enum fabric_outcome put_says, enum fabric_outcome switch_says)
{
	struct fabric_target t = target();
	struct made *m = make_set(text);
	enum fabric_outcome o;
	struct ps_err err = { 0 };

	assert_int_equal(hand->driver->sets->put(&t, &m->set, &o, &err), 0);
	assert_int_equal(o, put_says);
	assert_int_equal(hand->driver->sets->switch_to(&t, &m->set, &o, &err), 0);
	assert_int_equal(o, switch_says);
	if (hand->driver->sets->check(&t, &m->set, &err) != 0)
		fail_msg("%s", err.msg);
	drop_set(m);
}

/* What check() says of this set now. */
static int check_says(const char *text, char *why)
{
	struct fabric_target t = target();
	struct made *m = make_set(text);
	struct ps_err err = { 0 };
	int rc = hand->driver->sets->check(&t, &m->set, &err);

	snprintf(why, 256, "%.255s", err.msg);
	drop_set(m);
	return rc;
}

static void assert_job(const char *job, const char *text)
{
	char *got = hand->read(job);

	if (!text)
		assert_null(got);
	else
		assert_string_equal(got, text);
	free(got);
}

/* ---- what each must do ---- */

static void artifacts_are_put_once(void **state)
{
	struct fabric_target t = target();
	char *one = put("wheel"), *two = put("another");
	struct fabric_file f = { WHEEL, one };
	enum fabric_outcome o;
	struct ps_err err = { 0 };

	(void)state;
	assert_int_equal(hand->driver->put_artifact(&t, &f, &o, &err), 0);
	assert_int_equal(o, FABRIC_DONE);
	assert_int_equal(hand->driver->put_artifact(&t, &f, &o, &err), 0);
	assert_int_equal(o, FABRIC_ALREADY);
	f.sha256 = two;	/* a path never gets other bytes */
	assert_int_equal(hand->driver->put_artifact(&t, &f, &o, &err), PS_ECONFLICT);
	assert_int_equal(o, FABRIC_NOT_DONE);
	f.sha256 = one;
	assert_int_equal(hand->driver->put_artifact(&t, &f, &o, &err), 0);
	free(one);
	free(two);
}

static void twice_is_once(void **state)
{
	(void)state;
	deploy("a=1 b=1", FABRIC_DONE, FABRIC_DONE);
	deploy("a=1 b=1", FABRIC_ALREADY, FABRIC_ALREADY);
	deploy("a=2", FABRIC_DONE, FABRIC_DONE);
	assert_job("jobs/a.json", "{\"v\":2}");
	assert_job("jobs/b.json", NULL);
	deploy("a=1 b=1", FABRIC_ALREADY, FABRIC_DONE); /* and back */
	assert_job("jobs/a.json", "{\"v\":1}");
}

static void ready_is_without_effect(void **state)
{
	struct fabric_target t = target();
	struct made *m = make_set("a=2 -b=1");
	enum fabric_outcome o;
	struct ps_err err = { 0 };

	(void)state;
	deploy("a=1 b=1", FABRIC_DONE, FABRIC_DONE);
	assert_int_equal(hand->driver->sets->put(&t, &m->set, &o, &err), 0);
	assert_job("jobs/a.json", "{\"v\":1}");
	assert_false(hand->is_paused("jobs/b.json"));
	drop_set(m);
}

static void foreign_places_are_left_alone(void **state)
{
	struct fabric_target t = target();
	struct made *m = make_set("a=9");
	enum fabric_outcome o;
	struct ps_err err = { 0 };

	(void)state;
	deploy("a=1", FABRIC_DONE, FABRIC_DONE);
	t.owner = "{\"project\":\"another\"}";
	assert_int_equal(hand->driver->sets->put(&t, &m->set, &o, &err), PS_ECONFLICT);
	assert_int_equal(o, FABRIC_NOT_DONE);
	assert_int_equal(hand->driver->sets->switch_to(&t, &m->set, &o, &err), PS_ECONFLICT);
	assert_job("jobs/a.json", "{\"v\":1}");
	drop_set(m);
}

static void what_is_in_force_is_seen(void **state)
{
	struct fabric_target t = target();
	struct made *m = make_set("a=1");
	struct buf seen = BUF_INIT;
	struct ps_err err = { 0 };
	char why[256];

	(void)state;
	assert_int_equal(hand->driver->sets->observe(&t, &seen, &err), PS_ENOENT);
	deploy("a=1", FABRIC_DONE, FABRIC_DONE);
	assert_int_equal(hand->driver->sets->observe(&t, &seen, &err), 0);
	assert_string_equal(buf_str(&seen), m->stamp);
	assert_int_equal(check_says("a=2", why), PS_ECONFLICT); /* another than is there */
	hand->edit("jobs/a.json", "{\"v\":3}");
	assert_int_equal(check_says("a=1", why), PS_ECONFLICT);
	assert_non_null(strstr(why, "jobs/a.json"));
	buf_clear(&seen);
	drop_set(m);
}

/* What a plan is told of the fabric: each definition by its digest, whoever wrote it. */
static void each_definition_is_seen(void **state)
{
	char *one = put("{\"v\":1}"), *nine = put("{\"v\":9}");
	const struct fabric_job jobs[] = {
		{ .key = "jobs/a", .name = "a", .sha256 = one },
		{ .key = "jobs/b", .name = "b", .sha256 = one },
		{ .key = "jobs/none", .name = "none", .sha256 = one },
	};
	struct fabric_target t = target();
	struct fabric_seen seen[3] = { 0 };
	struct ps_err err = { 0 };

	(void)state;
	assert_int_equal(hand->driver->look(&t, jobs, 3, seen, &err), 0); /* an empty fabric */
	assert_string_equal(seen[0].sha256, "");
	deploy("a=1 b=1", FABRIC_DONE, FABRIC_DONE);
	deploy("a=1 -b=1", FABRIC_DONE, FABRIC_DONE);
	hand->edit("jobs/a.json", "{\"v\":9}");
	assert_int_equal(hand->driver->look(&t, jobs, 3, seen, &err), 0);
	assert_string_equal(seen[0].sha256, nine);
	assert_string_equal(seen[0].definition, "{\"v\":9}");
	assert_string_equal(seen[1].sha256, one);
	assert_null(seen[1].definition);
	assert_string_equal(seen[2].sha256, "");
	fabric_seen_clear(seen, 3);
	free(one);
	free(nine);
}

static void orphans_stay_and_sleep(void **state)
{
	char why[256];

	(void)state;
	deploy("a=1 b=1", FABRIC_DONE, FABRIC_DONE);
	deploy("a=2 -b=1", FABRIC_DONE, FABRIC_DONE);
	assert_job("jobs/b.json", "{\"v\":1}");
	assert_true(hand->is_paused("jobs/b.json"));
	assert_false(hand->is_paused("jobs/a.json"));
	deploy("a=2 -b=1", FABRIC_ALREADY, FABRIC_ALREADY);
	hand->wake("jobs/b.json");
	assert_int_equal(check_says("a=2 -b=1", why), PS_ECONFLICT);
	assert_non_null(strstr(why, "jobs/b.json"));
	deploy("a=2 -b=1", FABRIC_ALREADY, FABRIC_ALREADY);
	assert_true(hand->is_paused("jobs/b.json"));
	deploy("a=1 b=1", FABRIC_ALREADY, FABRIC_DONE); /* wanted again */
	assert_false(hand->is_paused("jobs/b.json"));
}

static void pauses_of_hands_stay(void **state)
{
	(void)state;
	deploy("a=1 b=1", FABRIC_DONE, FABRIC_DONE);
	hand->pause("jobs/a.json");
	hand->pause("jobs/b.json");
	deploy("a=2 b=2", FABRIC_DONE, FABRIC_DONE);
	assert_true(hand->is_paused("jobs/a.json"));
	deploy("a=2 -b=2", FABRIC_DONE, FABRIC_DONE);
	deploy("a=2 b=2", FABRIC_ALREADY, FABRIC_DONE);
	/* the hand's, not ours: an orphan in between changes nothing */
	assert_true(hand->is_paused("jobs/b.json"));
	hand->wake("jobs/a.json");
	deploy("a=3 b=2", FABRIC_DONE, FABRIC_DONE);
	assert_false(hand->is_paused("jobs/a.json"));
}

static void what_is_gone_leaves_nothing(void **state)
{
	(void)state;
	deploy("a=1 b=1 c=1", FABRIC_DONE, FABRIC_DONE);
	deploy("a=1 -b=1 -c=1", FABRIC_DONE, FABRIC_DONE);
	deploy("a=1 -c=1 !b", FABRIC_DONE, FABRIC_DONE);
	assert_job("jobs/b.json", NULL);
	assert_false(hand->is_paused("jobs/b.json"));
	assert_job("jobs/c.json", "{\"v\":1}");
	assert_true(hand->is_paused("jobs/c.json"));
	deploy("a=1 -c=1 !b", FABRIC_ALREADY, FABRIC_ALREADY);
	deploy("a=1 b=1 -c=1", FABRIC_DONE, FABRIC_DONE); /* made anew */
	assert_false(hand->is_paused("jobs/b.json"));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		CMUnitTestFunction fn;
	} cases[] = {
#define CASE(fn) { #fn, fn }
		CASE(artifacts_are_put_once), CASE(twice_is_once), CASE(ready_is_without_effect),
		CASE(foreign_places_are_left_alone), CASE(what_is_in_force_is_seen),
		CASE(each_definition_is_seen), CASE(orphans_stay_and_sleep), CASE(pauses_of_hands_stay),
		CASE(what_is_gone_leaves_nothing),
	};
	struct CMUnitTest t[PS_NELEM(hands) * PS_NELEM(cases)];
	size_t n = 0;
	int rc;

	umask(022);
	for (size_t h = 0; h < PS_NELEM(hands); h++)
		for (size_t i = 0; i < PS_NELEM(cases); i++)
			t[n++] = (struct CMUnitTest) {
				xasprintf("%s: %s", hands[h].driver->name, cases[i].name),
				cases[i].fn, make, drop, (void *)&hands[h],
			};
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	rc = _cmocka_run_group_tests("driver", t, n, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		free((char *)t[i].name);
	return rc;
}
