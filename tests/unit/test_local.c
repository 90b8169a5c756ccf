/* Units of the local fabric and of the deploying child: whatever point it dies at, doing it again
 * gives the folder of a deployment that nobody disturbed. We play core at the other end of the
 * socket. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/run.h"
#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/config/keys.h"
#include "common/plan/manifest.h"
#include "common/wire/frame.h"

#define PATH "prophecy/artifacts/dev/execution/7234/1.0-abc/pipeline/"

static char dir[64];	       /* of the test */
static char *content, *fabric; /* absolute */
static struct wire_artifact artifacts[2];
static struct wire_rendered jobs[2], orphan;
static const struct conf_fabric development = { .name = (char *)"development", .provider = CONF_LOCAL };
static char digests[4][65];
static char *keys; /* the folder of the keys */
static struct sign_key key;

static const char *put(size_t i, const char *text)
{
	struct ps_err err = { 0 };

	assert_int_equal(cas_put_bytes(content, text, strlen(text), digests[i], &err), 0);
	return digests[i];
}

/* Makes the pair and reads it as core does. */
static int take_key(struct ps_err *err)
{
	int rc = keys_make(keys, err), fd = rc < 0 ? rc : keys_open(keys, err);

	if (fd < 0)
		return fd;
	rc = keys_read(&key, fd, err);
	close(fd);
	return rc;
}

static int make(void **state)
{
	struct ps_err err;
	char *cwd;

	(void)state;
	snprintf(dir, sizeof(dir), "test_local.XXXXXX");
	cwd = mkdtemp(dir) ? getcwd(NULL, 0) : NULL;
	if (!cwd)
		return -1;
	content = xasprintf("%s/%s/content", cwd, dir);
	fabric = xasprintf("%s/%s/fabrics/development", cwd, dir);
	keys = xasprintf("%s/%s/keys", cwd, dir);
	free(cwd);
	if (fs_mkdirs(content, 0755, &err) < 0)
		return -1;
	if (fs_mkdirs(keys, 0755, &err) < 0 || take_key(&err) < 0)
		return -1;
	artifacts[0] = (struct wire_artifact) { .digest = put(0, "wheel a"), .path = PATH "a-1.whl" };
	artifacts[1] = (struct wire_artifact) { .digest = put(1, "wheel b"), .path = PATH "b-1.whl" };
	jobs[0] = (struct wire_rendered) { .key = "jobs/a", .digest = put(2, "{\"a\":1}"), .name = "a" };
	jobs[1] = (struct wire_rendered) { .key = "jobs/b", .digest = put(3, "{\"b\":1}"), .name = "b" };
	return 0;
}

static int drop(void **state)
{
	struct ps_err err;

	(void)state;
	failpoint_reset();
	free(content);
	free(fabric);
	free(keys);
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

static struct wire_deploy_start order(const char *project, const char *release)
{
	struct wire_deploy_start d = {
		.deployment = 12,
		.fence = 3,
		.fabric = "development",
		.fabric_dir = fabric,
		.repository = "sales/etl",
		.project = project,
		.release = release,
		.content = content,
	};

	d.artifacts.v = artifacts;
	d.artifacts.n = 2;
	d.jobs.v = jobs;
	d.jobs.n = 2;
	return d;
}

/* ---- the release of an order, signed ---- */

struct sealed { struct wire_deploy_start d; struct buf manifest; char id[65], signature[SIGN_HEX]; };

/* A manifest that names what d puts, whose tree is d's release ("r1"). */
static void seal(struct sealed *s, const struct wire_deploy_start *d, const struct sign_key *by)
{
	struct manifest_artifact *named = xcalloc(d->artifacts.n + 1, sizeof(*named));
	struct manifest m = { .project = (char *)d->project, .toolchain = (char *)"",
			      .artifacts = named, .nartifacts = d->artifacts.n };
	struct ps_err err = { 0 };

	*s = (struct sealed) { .d = *d };
	m.tree = xasprintf("%038d%02x", 0, d->release[1]);
	for (size_t i = 0; i < d->artifacts.n; i++) {
		named[i].pipeline = xasprintf("pipelines/%zu", i);
		named[i].file = (char *)strrchr(d->artifacts.v[i].path, '/') + 1;
		snprintf(named[i].sha256, 65, "%s", d->artifacts.v[i].digest);
	}
	assert_int_equal(manifest_write(&m, &s->manifest, s->id, &err), 0);
	assert_int_equal(sign_bytes(by, s->manifest.data, s->manifest.len, s->signature, &err), 0);
	for (size_t i = 0; i < d->artifacts.n; i++)
		free(named[i].pipeline);
	free(named);
	free(m.tree);
	s->d.release = s->id;
	s->d.manifest = (struct wire_bin) { s->manifest.data, s->manifest.len };
	s->d.signature = s->signature;
	s->d.signed_by = by->pub.id;
}

/* ---- what a folder holds, as text ---- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void show(struct buf *out, const char *base, const char *rel)
{
	char *path = fs_join(base, rel), *names[64], link[256], hex[65];
	DIR *d = opendir(path);
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			names[n++] = *rel ? fs_join(rel, e->d_name) : xstrdup(e->d_name);
	if (d)
		closedir(d);
	qsort(names, n, sizeof(*names), by_text);
	for (size_t i = 0; i < n; i++) {
		char *full = fs_join(base, names[i]);
		struct stat st;
		struct ps_err err;
		ssize_t len;
		int fd;

		assert_int_equal(lstat(full, &st), 0);
		buf_addf(out, "%o %s", (unsigned)st.st_mode, names[i]);
		if (S_ISLNK(st.st_mode)) {
			len = readlink(full, link, sizeof(link));
			assert_true(len > 0);
			buf_addf(out, " -> %.*s\n", (int)len, link);
		} else if (S_ISREG(st.st_mode)) {
			fd = open(full, O_RDONLY | O_CLOEXEC);
			assert_int_equal(digest_fd(hex, fd, NULL, &err), 0);
			close(fd);
			buf_addf(out, " %s\n", hex);
		} else {
			buf_addch(out, '\n');
			show(out, base, names[i]);
		}
		free(full);
		free(names[i]);
	}
	free(path);
}

static char *shown(void)
{
	struct buf b = BUF_INIT;

	show(&b, fabric, "");
	return buf_steal(&b);
}

static void empty_fabric(void)
{
	struct ps_err err;

	assert_int_equal(fs_remove_tree(AT_FDCWD, fabric, &err), 0);
}

/* ---- core, played ---- */

struct played {
	struct buf steps; /* one line a message */
	char state[32];	  /* of deploy_end; "" when the child died */
	char reason[512], unverified[512];
	int status;
};

/* A file that goes while core is asked for this step. */
static unsigned remove_at_step;
static const char *remove_what;

static void answer(int sock, struct played *p, struct msg *m, unsigned stop_at)
{
	struct wire_step_ok ok = { .deployment = 12 };
	struct ps_err err = { 0 };

	if (m->type == MSG_step_begin) {
		assert_int_equal(m->u.step_begin.fence, 3);
		buf_addf(&p->steps, "%u begin %.20s\n", (unsigned)m->u.step_begin.step,
			 m->u.step_begin.what);
		ok.step = m->u.step_begin.step;
		if (ok.step == remove_at_step)
			assert_int_equal(unlink(remove_what), 0);
		ok.stop = ok.step == stop_at;
		/* the child may be dead already: then the answer has nobody */
		if (frame_send(sock, MSG_step_ok, &ok, -1, 0, &err) < 0)
			buf_adds(&p->steps, "nobody\n");
	} else if (m->type == MSG_step_done) {
		buf_addf(&p->steps, "%u %s: %.30s\n", (unsigned)m->u.step_done.step,
			 m->u.step_done.outcome,
			 m->u.step_done.detail ? m->u.step_done.detail : "");
	} else {
		assert_int_equal(m->type, MSG_deploy_end);
		snprintf(p->state, sizeof(p->state), "%s", m->u.deploy_end.state);
		snprintf(p->reason, sizeof(p->reason), "%s",
			 m->u.deploy_end.reason ? m->u.deploy_end.reason : "");
		snprintf(p->unverified, sizeof(p->unverified), "%s",
			 m->u.deploy_end.unverified ? m->u.deploy_end.unverified : "");
	}
}

/* Deploys in a child as the role does; failpoints: what PENSTOCK_FAILPOINTS says in it, or NULL. */
static void play_as_it_is(struct played *p, const struct wire_deploy_start *d, const char *failpoints,
		 unsigned stop_at)
{
	struct ps_err err = { 0 };
	struct msg m;
	int fds[2];
	pid_t pid;

	memset(p, 0, sizeof(*p));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		if (failpoints) {
			setenv("PENSTOCK_FAILPOINTS", failpoints, 1);
			failpoint_main(0, NULL);
		}
		_exit(deploy_run(fds[1], SECRET_NONE, d, &development, keys));
	}
	close(fds[1]);
	while (frame_recv(fds[0], &m, MSG_ROLE_MAX, NULL, 0, &err) == 0) {
		answer(fds[0], p, &m, stop_at);
		msg_clear(&m);
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, &p->status, 0), pid);
}

static void play(struct played *p, const struct wire_deploy_start *d, const char *failpoints,
		 unsigned stop_at)
{
	struct sealed s;

	seal(&s, d, &key);
	play_as_it_is(p, &s.d, failpoints, stop_at);
	buf_clear(&s.manifest);
}

static void undisturbed(void **state)
{
	struct wire_deploy_start d = order("nested/one", "r1");
	struct played p;
	char *first, *second;

	(void)state;
	play(&p, &d, NULL, 0);
	assert_string_equal(p.state, "deployed");
	assert_non_null(strstr(buf_str(&p.steps),
			       "2 begin artifact prophecy/ar\n2 done: done\n3 begin jobs "));
	assert_non_null(strstr(buf_str(&p.steps), "\n3 done: done\n4 begin switch "));
	assert_non_null(strstr(buf_str(&p.steps), "\n5 done: as planned\n"));
	buf_clear(&p.steps);
	first = shown();
	play(&p, &d, NULL, 0);
	assert_string_equal(p.state, "deployed");
	assert_non_null(strstr(buf_str(&p.steps), "1 done: already there\n"));
	assert_non_null(strstr(buf_str(&p.steps), "4 done: already there\n"));
	buf_clear(&p.steps);
	second = shown();
	assert_string_equal(first, second);
	assert_non_null(strstr(first, "100444 FileStore/" PATH "a-1.whl "));
	assert_non_null(strstr(first, "/current -> sets/"));
	assert_non_null(strstr(first, "jobs/sales/etl/nested/one/sets/"));
	assert_null(strstr(first, ".tmp-"));
	free(first);
	free(second);
}

/* ---- every point of failure ---- */

static size_t npoints(char ***out)
{
	char *text = NULL, *save = NULL;
	size_t size, n = 0;
	FILE *f = open_memstream(&text, &size);
	char **names;

	failpoint_list(f);
	fclose(f);
	names = xcalloc(size + 1, sizeof(*names));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (ps_starts(line, "local.") || ps_starts(line, "deploy.") ||
		    ps_starts(line, "fs."))
			names[n++] = xstrdup(line);
	free(text);
	*out = names;
	return n;
}

/* Fails (action) at the nth hit of each point, until the point is not reached n times; then deploys
 * again. */
static void at_every_point(const char *action, const char *reason)
{
	struct wire_deploy_start before = order(".", "r1"), d = order(".", "r2");
	char **points, *want, *got, spec[128];
	size_t n = npoints(&points), hits = 0;
	struct played p;

	before.artifacts.n = 1; /* one is there already, one is not */
	before.jobs.n = before.orphans.n = 1; /* one is wanted again, one not any more */
	before.orphans.v = &jobs[1];
	orphan = jobs[0];
	d.jobs = (__typeof__(d.jobs)) { &jobs[1], 1 };
	d.orphans = (__typeof__(d.orphans)) { &orphan, 1 };
	assert_true(n >= 10);
	play(&p, &before, NULL, 0);
	buf_clear(&p.steps);
	play(&p, &d, NULL, 0);
	buf_clear(&p.steps);
	want = shown();
	for (size_t i = 0; i < n; i++) {
		unsigned nth = 1;

		for (;; nth++) {
			bool whole;

			empty_fabric();
			play(&p, &before, NULL, 0);
			buf_clear(&p.steps);
			snprintf(spec, sizeof(spec), "%s=%s@%u", points[i], action, nth);
			play(&p, &d, spec, 0);
			buf_clear(&p.steps);
			whole = strcmp(p.state, "deployed") == 0 && p.status == 0;
			if (!whole && reason && *p.state)
				assert_non_null(strstr(p.reason, reason));
			play(&p, &d, NULL, 0);
			buf_clear(&p.steps);
			assert_string_equal(p.state, "deployed");
			got = shown();
			assert_string_equal(got, want);
			free(got);
			if (whole)
				break;
			hits++;
		}
		if (nth == 1)
			print_message("not reached: %s\n", points[i]);
		assert_true(nth > 1);
		free(points[i]);
	}
	print_message("%zu points, %zu places\n", n, hits);
	free(points);
	free(want);
}

static void killed_at_every_point(void **state)
{
	(void)state;
	at_every_point("kill", NULL);
}

static void refused_at_every_point(void **state)
{
	(void)state;
	at_every_point("ENOSPC", "No space left on device");
}

/* ---- what stops a deployment ---- */

/* Deploys and wants this state and reason. */
static void expect(const struct wire_deploy_start *d, const char *state, const char *reason)
{
	struct played p;

	play(&p, d, NULL, 0);
	buf_clear(&p.steps);
	assert_string_equal(p.state, state);
	if (reason && !strstr(p.reason, reason))
		fail_msg("reason is '%s', not '%s'", p.reason, reason);
	assert_int_equal(p.status, 0);
}

static void scribble(const char *rel, const char *text)
{
	char *path = fs_join(fabric, rel);
	struct ps_err err;

	assert_int_equal(fs_write_file(AT_FDCWD, path, text, strlen(text), 0444, &err), 0);
	free(path);
}

static void a_path_never_gets_other_bytes(void **state)
{
	struct wire_deploy_start d = order(".", "r1");
	char *before, *after;

	(void)state;
	expect(&d, "deployed", NULL);
	before = shown();
	snprintf(digests[0], 65, "%s", digests[1]); /* a-1.whl with the bytes of b */
	d.release = "r2";
	expect(&d, "failed", "a-1.whl' is there with other bytes");
	after = shown();
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void bytes_are_proven(void **state)
{
	struct wire_deploy_start d = order(".", "r1");
	char *path = cas_path(content, digests[1]), *all;
	struct ps_err err;

	(void)state;
	assert_int_equal(fs_write_file(AT_FDCWD, path, "wheel B", 7, 0444, &err), 0);
	expect(&d, "failed", "has other bytes");
	all = shown();
	assert_null(strstr(all, "b-1.whl"));
	assert_null(strstr(all, ".tmp-"));
	assert_null(strstr(all, "current"));
	assert_int_equal(unlink(path), 0);
	expect(&d, "failed", "cannot open the content");
	free(path);
	free(all);
}

static void a_place_has_one_owner(void **state)
{
	struct wire_deploy_start d = order("one", "r1"), other = order(".", "r1");

	(void)state;
	expect(&d, "deployed", NULL);
	other.repository = "sales/etl/one";
	expect(&other, "failed", "belongs to {\"project\":\"one\",\"repository\":\"sales/etl\"}");
	other = order(".", "r1");
	expect(&other, "deployed", NULL); /* above the other: beside it */
	expect(&d, "deployed", NULL);
	d = order("current/x", "r1");
	expect(&d, "failed", "'current' of 'jobs/sales/etl/current/x' is not a folder");
}

static void what_hands_changed(void **state)
{
	struct wire_deploy_start d = order(".", "r1");
	char *path = xasprintf("%s/jobs/sales/etl/current", fabric);
	char *job = xasprintf("%s/jobs/a.json", path);
	struct buf b = BUF_INIT;
	struct ps_err err;

	(void)state;
	expect(&d, "deployed", NULL);
	scribble("jobs/sales/etl/current/jobs/a.json", "{}");
	expect(&d, "deployed", NULL);	/* it is put back */
	assert_int_equal(fs_read(&b, AT_FDCWD, job, 100, &err), 0);
	assert_string_equal(buf_str(&b), "{\"a\":1}");
	scribble("jobs/sales/etl/.tmp-left", "x"); /* swept by whoever comes next */
	expect(&d, "deployed", NULL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fs_mkdirs(path, 0755, &err), 0);
	expect(&d, "failed", "'current' is no link");
	free(path);
	path = shown();
	assert_null(strstr(path, ".tmp-"));
	free(path);
	free(job);
	buf_clear(&b);
}

static void what_is_no_order(void **state)
{
	struct wire_deploy_start d;

	(void)state;
	for (int i = 0; i < 7; i++) {
		d = order(".", "r1");
		switch (i) {
		case 0: d.fabric_dir = "relative"; break;
		case 1: d.repository = "../x"; break;
		case 2: d.project = "a/.tmp-b"; break;
		case 3: artifacts[1].path = "prophecy/artifacts/../../x"; break;
		case 4: artifacts[1].path = "elsewhere/x"; break;
		case 5: jobs[0].key = "/etc/x"; break;
		case 6: jobs[0].digest = "abc"; break;
		}
		expect(&d, "failed", NULL);
		artifacts[1].path = PATH "b-1.whl";
		jobs[0] = (struct wire_rendered) { .key = "jobs/a", .digest = digests[2], .name = "a" };
	}
	assert_false(fs_exists(fabric));
}

/* What the last look finds leaves it deployed, and says why it is not verified. */
static void looked_at_in_the_end(void **state)
{
	struct wire_deploy_start d = order(".", "r1");
	struct played p;
	char *gone = xasprintf("%s/jobs/sales/etl/current/jobs/a.json", fabric);

	(void)state;
	play(&p, &d, NULL, 0);
	buf_clear(&p.steps);
	assert_string_equal(p.unverified, "");
	remove_at_step = 5;
	remove_what = gone;
	play(&p, &d, NULL, 0);
	remove_at_step = 0;
	assert_string_equal(p.state, "deployed");
	assert_non_null(strstr(p.unverified, "the fabric is not as planned"));
	assert_non_null(strstr(p.unverified, "jobs/a.json"));
	assert_non_null(strstr(buf_str(&p.steps), "\n5 failed: "));
	buf_clear(&p.steps);
	free(gone);
}

/* Whatever is wrong with the release: it ends failed, says what, and nothing is there. */
static void only_what_was_signed(void **state)
{
	struct wire_deploy_start d = order(".", "r1");
	char digest[65], id[SIGN_ID];
	struct sign_key foreign;
	struct ps_err err = { 0 };
	struct sealed s;

	(void)state;
	assert_int_equal(sign_key_make(&foreign, &err), 0);
	for (int i = 0; i < 9; i++) {
		const char *reason = NULL;
		struct played p;

		seal(&s, &d, i == 1 ? &foreign : &key);
		switch (i) {
		case 0: s.d.signature = NULL; reason = "has no signature"; break;
		case 1: reason = "which is not among the public keys"; break;
		case 2: s.signature[5] ^= 1; reason = "does not fit the key"; break;
		case 3: s.manifest.data[s.manifest.len - 5] ^= 1; reason = "does not fit the key"; break;
		case 4: s.d.signature = "zz"; reason = "does not fit the key"; break;
		case 5: s.id[0] ^= 1; reason = "has other bytes"; break;
		case 6: s.d.project = "nested"; reason = "is one of project ., not of nested"; break;
		case 7:		/* other bytes under the signed name */
			snprintf(digest, 65, "%s", digests[0]);
			snprintf(digests[0], 65, "%s", digests[1]);
			reason = "is not in the signed manifest, which says";
			break;
		case 8:		/* a file that was not signed */
			artifacts[0].path = PATH "c-1.whl";
			reason = "'c-1.whl' with the digest";
			break;
		}
		play_as_it_is(&p, &s.d, NULL, 0);
		assert_string_equal(p.state, "failed");
		if (!strstr(p.reason, reason))
			fail_msg("%d: reason is '%s', not '%s'", i, p.reason, reason);
		assert_int_equal(p.steps.len, 0);
		assert_false(fs_exists(fabric));
		buf_clear(&p.steps);
		buf_clear(&s.manifest);
		if (i == 7)
			snprintf(digests[0], 65, "%s", digest);
		artifacts[0].path = PATH "a-1.whl";
	}
	/* after a rotation the earlier key's releases stay good */
	seal(&s, &d, &key);
	assert_int_equal(keys_rotate(keys, id, &err), 0);
	assert_string_not_equal(id, key.pub.id);
	for (int i = 0; i < 2; i++) {
		struct played p;

		play_as_it_is(&p, &s.d, NULL, 0);
		buf_clear(&p.steps);
		assert_string_equal(p.state, "deployed");
		assert_int_equal(take_key(&err), 0);
		assert_string_equal(key.pub.id, id);
		buf_clear(&s.manifest);
		seal(&s, &d, &key);
	}
	buf_clear(&s.manifest);
}

static void core_may_stop_it(void **state)
{
	struct wire_deploy_start d = order(".", "r1");
	struct played p;
	char *all;

	(void)state;
	play(&p, &d, NULL, 4);
	buf_clear(&p.steps);
	assert_string_equal(p.state, "stopped");
	all = shown();
	assert_non_null(strstr(all, "/sets/"));
	assert_null(strstr(all, "current"));
	free(all);
}

static void sets_stay_and_are_seen(void **state)
{
	struct wire_deploy_start d = order(".", "r1"), none = order(".", "r2");
	struct fabric_target t = { .dir = fabric, .content = content, .place = "sales/etl", .owner = "" };
	struct sealed s;
	struct buf stamp = BUF_INIT, want = BUF_INIT;
	struct ps_err err = { 0 };
	char digest[65], *all, *set;

	(void)state;
	assert_ptr_equal(fabric_driver_find("local"), &fabric_local);
	assert_null(fabric_driver_find("nothing"));
	assert_int_equal(fabric_local.sets->observe(&t, &stamp, &err), PS_ENOENT);
	expect(&d, "deployed", NULL);
	none.jobs.n = 0;
	expect(&none, "deployed", NULL);
	assert_int_equal(fabric_local.sets->observe(&t, &stamp, &err), 0);
	seal(&s, &none, &key);
	assert_int_equal(deploy_stamp(&s.d, &want, digest, &err), 0);
	buf_clear(&s.manifest);
	assert_string_equal(buf_str(&stamp), buf_str(&want));
	buf_reset(&want);
	seal(&s, &d, &key);
	assert_int_equal(deploy_stamp(&s.d, &want, digest, &err), 0);
	buf_clear(&s.manifest);
	set = xasprintf("jobs/sales/etl/sets/%.16s/jobs/a.json", digest);
	all = shown();
	assert_non_null(strstr(all, set));
	expect(&d, "deployed", NULL); /* back again: the old set is still there */
	free(all);
	free(set);
	buf_clear(&stamp);
	buf_clear(&want);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(undisturbed, make, drop),
		cmocka_unit_test_setup_teardown(killed_at_every_point, make, drop),
		cmocka_unit_test_setup_teardown(refused_at_every_point, make, drop),
		cmocka_unit_test_setup_teardown(a_path_never_gets_other_bytes, make, drop),
		cmocka_unit_test_setup_teardown(bytes_are_proven, make, drop),
		cmocka_unit_test_setup_teardown(a_place_has_one_owner, make, drop),
		cmocka_unit_test_setup_teardown(what_hands_changed, make, drop),
		cmocka_unit_test_setup_teardown(what_is_no_order, make, drop),
		cmocka_unit_test_setup_teardown(looked_at_in_the_end, make, drop),
		cmocka_unit_test_setup_teardown(only_what_was_signed, make, drop),
		cmocka_unit_test_setup_teardown(core_may_stop_it, make, drop),
		cmocka_unit_test_setup_teardown(sets_stay_and_are_seen, make, drop),
	};

	umask(022);
	signal(SIGPIPE, SIG_IGN);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("local", tests, NULL, NULL);
}
