/* Units of a run at a provider: a child that looks after it, a provider that answers by a script, and
 * core's side of the socket. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/deploy/output.h"
#include "agent/deploy/remoterun.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/logfile.h"
#include "common/wire/frame.h"

/* The real table has no provider of ours; the rest of its file is the real one. */
#define fabric_driver_find fabric_driver_find_real
#include "agent/deploy/fabric/fabric.c"
#undef fabric_driver_find

const struct fabric_driver *fabric_driver_find(const char *provider);

/* One answer of the provider to one call. A call that the script does not have ends the child. */
struct answer {
	const char *call; /* start, now, cancel, repair */
	int rc;
	enum fabric_outcome outcome;
	const char *state;		/* of the run; now */
	const char *first, *second;	/* of its two tasks; NULL: not there yet */
	const char *output;		/* of the first, from now on */
};

static struct shared { /* with the child */
	size_t at, starts, runs, repairs;
	char token[64], config[64], param[64];
} *shared;
static const struct answer *script;
static const char *output = "";

static const struct answer *next_answer(const char *call)
{
	const struct answer *a = &script[shared->at];

	if (!a->call || strcmp(a->call, call) != 0) {
		fprintf(stderr, "call '%s' where '%s' was expected\n", call, a->call ? a->call : "none");
		_exit(9);
	}
	shared->at++;
	return a;
}

static int answer_of(const struct answer *a, enum fabric_outcome *outcome, struct ps_err *err)
{
	*outcome = a->outcome;
	return a->rc == 0 ? 0 : ps_err_set(err, a->rc, "the provider says %d", a->rc - PS_E_FIRST);
}

static int start(struct fabric_target *t, const struct fabric_run *r, char **id,
		 enum fabric_outcome *outcome, struct ps_err *err)
{
	const struct answer *a = next_answer("start");

	(void)t;
	shared->starts++;
	/* once per token, whatever was answered */
	if (a->outcome != FABRIC_NOT_DONE && strcmp(shared->token, r->token) != 0)
		shared->runs++;
	if (a->outcome != FABRIC_NOT_DONE)
		snprintf(shared->token, sizeof(shared->token), "%s", r->token);
	snprintf(shared->config, sizeof(shared->config), "%s", r->config ? r->config : "");
	snprintf(shared->param, sizeof(shared->param), "%s", r->nparams ? r->values[0] : "");
	*id = a->rc == 0 ? xstrdup("77") : NULL;
	return answer_of(a, outcome, err);
}

static struct fabric_task task_of(const char *key, const char *state)
{
	return (struct fabric_task) {
		.key = xstrdup(key), .state = state, .url = xasprintf("http://there/%s", key),
		.reason = strcmp(state, "failed") == 0 ? xstrdup("exit 1") : NULL,
		.started_ms = strcmp(state, "queued") == 0 ? 0 : 1000,
		.ended_ms = strcmp(state, "running") == 0 ? 0 : 2000 };
}

static int now(struct fabric_target *t, const struct fabric_run *r, struct fabric_run_now *out,
	       struct ps_err *err)
{
	const struct answer *a = next_answer("now");
	enum fabric_outcome unused;

	(void)t;
	assert_string_equal(r->id, "77");
	if (a->output)
		output = a->output;
	if (a->rc < 0)
		return answer_of(a, &unused, err);
	out->state = a->state;
	out->url = xstrdup("http://there/77");
	out->tasks = xcalloc(2, sizeof(*out->tasks));
	if (a->first)
		out->tasks[out->ntasks++] = task_of("one", a->first);
	if (a->second)
		out->tasks[out->ntasks++] = task_of("two", a->second);
	return 0;
}

static int cancel(struct fabric_target *t, const struct fabric_run *r, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	(void)t;
	(void)r;
	return answer_of(next_answer("cancel"), outcome, err);
}

static int repair(struct fabric_target *t, const struct fabric_run *r, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	(void)t;
	(void)r;
	shared->repairs++;
	return answer_of(next_answer("repair"), outcome, err);
}

static int task_output(struct fabric_target *t, const struct fabric_run *r, const char *task,
		       struct buf *out, struct ps_err *err)
{
	(void)t;
	(void)r;
	(void)err;
	if (strcmp(task, "one") == 0)
		buf_adds(out, output);
	return 0;
}

static struct fabric_runs runs = { start, now, cancel, repair, task_output, .cancelled_is_failed = false };
static const struct fabric_driver scripted = { .name = "airflow", .runs = &runs };

const struct fabric_driver *fabric_driver_find(const char *provider)
{
	(void)provider;
	return &scripted;
}

/* ---- core's side ---- */

static char dir[64];

/* Everything the child said, one line per word: "seen 77", "blind", "one running", "end passed". */
struct heard {
	struct buf text;
	int status;
	const char *cancel_at; /* the wish is told behind this line; NULL: it is not */
	bool stop;	       /* the claim is another's */
};

static void hear(struct heard *h, int sock, const struct msg *m)
{
	struct wire_remote_ok ok = { .run = 7, .fence = 1, .stop = h->stop };
	struct ps_err err = { 0 };
	size_t from = h->text.len;

	if (m->type == MSG_task_state)
		buf_addf(&h->text, "%s %s%s%s\n", m->u.task_state.task, m->u.task_state.state,
			 m->u.task_state.last ? ": " : "",
			 m->u.task_state.last ? m->u.task_state.last : "");
	else if (m->type == MSG_run_end)
		buf_addf(&h->text, "end %s%s%s\n", m->u.run_end.state,
			 m->u.run_end.reason ? ": " : "",
			 m->u.run_end.reason ? m->u.run_end.reason : "");
	else if (m->type == MSG_remote_seen)
		buf_addf(&h->text, "%s %s%s\n", m->u.remote_seen.lost ? "lost"
			 : m->u.remote_seen.problem ? "blind" : "seen",
			 m->u.remote_seen.remote ? m->u.remote_seen.remote : "-",
			 m->u.remote_seen.repair ? " repaired" : "");
	if (h->cancel_at && strcmp(buf_str(&h->text) + from, h->cancel_at) == 0)
		assert_int_equal(frame_send(sock, MSG_cancel, &(struct wire_cancel) {
			.kind = "run", .id = 7, .fence = 1 }, -1, 0, &err), 0);
	if (m->type == MSG_remote_seen && !m->u.remote_seen.lost)
		assert_int_equal(frame_send(sock, MSG_remote_ok, &ok, -1, 0, &err), 0);
}

static void look_after(struct heard *h, const struct answer *s, const struct wire_remote_run *m)
{
	struct conf_fabric fabric = { .name = (char *)"air", .provider = CONF_AIRFLOW };
	struct ps_err err = { 0 };
	struct msg got;
	char *outputs = xasprintf("%s/x7", dir);
	int fds[2];
	pid_t pid;

	script = s;
	shared->at = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		_exit(remoterun_do(&(struct remoterun_ask) {
			.sock = fds[1], .secret = SECRET_NONE, .m = m, .fabric = &fabric,
			.outputs = outputs, .output_max = 1000, .soon_ms = 10 }));
	}
	close(fds[1]);
	while (frame_recv(fds[0], &got, MSG_ROLE_MAX, NULL, 0, &err) == 0) {
		hear(h, fds[0], &got);
		msg_clear(&got);
	}
	close(fds[0]);
	assert_int_equal(waitpid(pid, &h->status, 0), pid);
	free(outputs);
}

static struct wire_remote_run asked(void)
{
	static const char *const names[] = { "day" }, *const values[] = { "monday" };

	return (struct wire_remote_run) {
		.run = 7, .fence = 1, .fabric = "air", .repository = "sales", .project = ".",
		.release = "aa", .content = "/nowhere", .job = "jobs/a", .name = "a",
		.digest = "bb", .token = "penstock-x7-cc", .config = "prod", .names = { names, 1 },
		.values = { values, 1 } };
}

static void assert_script(struct heard *h, const char *want, size_t n)
{
	assert_string_equal(buf_str(&h->text), want);
	assert_int_equal(shared->at, n);
	buf_clear(&h->text);
	*h = (struct heard) { .text = BUF_INIT };
}

static void assert_output(const char *want)
{
	char *folder = xasprintf("%s/x7", dir), *path = logfile_of_task(folder, "one");
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };

	assert_int_equal(fs_read(&b, AT_FDCWD, path, 4096, &err), 0);
	assert_string_equal(buf_str(&b), want);
	buf_clear(&b);
	free(path);
	free(folder);
}

/* ---- cases ---- */

static void passes(void **state)
{
	static const struct answer s[] = {
		{ "start", 0, FABRIC_DONE, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "running", "running", "queued", "line 1\n" },
		{ "now", 0, 0, "passed", "passed", "passed", "line 1\nline 2\n" },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT };
	struct wire_remote_run m = asked();

	(void)state;
	look_after(&h, s, &m);
	assert_int_equal(h.status, 0);
	/* the second came and went between two looks */
	assert_script(&h, "seen 77\nseen 77\none running: line 1\ntwo queued\none passed: line 2\n"
		      "two running\ntwo passed\nend passed\n", 3);
	assert_output("line 1\nline 2\n");
	assert_string_equal(shared->config, "prod");
	assert_string_equal(shared->param, "monday");
}

static void fails_with_the_first_cause(void **state)
{
	static const struct answer s[] = {
		{ "now", 0, 0, "failed", "failed", "upstream failed", "boom\n" },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT };
	struct wire_remote_run m = asked();

	(void)state;
	m.remote = "77"; /* known: nothing is started */
	look_after(&h, s, &m);
	assert_script(&h, "seen 77\none running\none failed: boom\ntwo running\n"
		      "two upstream failed\nend failed: task 'one': exit 1\n", 1);
	assert_output("boom\n");
}

/* The provider began it and its answer was lost: asked with the same token it is one run. */
static void a_lost_answer_starts_once(void **state)
{
	static const struct answer s[] = {
		{ "start", PS_ETIME, FABRIC_UNKNOWN, NULL, NULL, NULL, NULL },
		{ "start", 0, FABRIC_ALREADY, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "passed", NULL, NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT };
	struct wire_remote_run m = asked();

	(void)state;
	look_after(&h, s, &m);
	assert_script(&h, "blind -\nseen 77\nseen 77\nseen 77\nend passed\n", 3);
	assert_int_equal(shared->starts, 2);
	assert_int_equal(shared->runs, 1);
}

static void a_refused_start_is_an_end(void **state)
{
	static const struct answer s[] = {
		{ "start", PS_EINVAL, FABRIC_NOT_DONE, NULL, NULL, NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT };
	struct wire_remote_run m = asked();

	(void)state;
	look_after(&h, s, &m);
	assert_non_null(strstr(buf_str(&h.text), "end failed: the provider says"));
	buf_clear(&h.text);
}

/* Not seen is not failed; only "there is no such run", twice, ends it. */
static void not_seen_is_still_running(void **state)
{
	static const struct answer s[] = {
		{ "now", 0, 0, "running", "running", NULL, NULL },
		{ "now", PS_EAGENT, 0, NULL, NULL, NULL, NULL },
		{ "now", PS_ENOENT, 0, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "running", "running", NULL, NULL },
		{ "now", PS_ENOENT, 0, NULL, NULL, NULL, NULL },
		{ "now", PS_ENOENT, 0, NULL, NULL, NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT };
	struct wire_remote_run m = asked();

	(void)state;
	m.remote = "77";
	look_after(&h, s, &m);
	assert_non_null(strstr(buf_str(&h.text), "blind 77\nblind 77\nseen 77\nblind 77\nend unknown"));
	assert_int_equal(shared->at, 6);
	buf_clear(&h.text);
}

static void is_cancelled(void **state)
{
	static const struct answer s[] = {
		{ "start", 0, FABRIC_DONE, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "running", "running", NULL, NULL },
		{ "cancel", 0, FABRIC_DONE, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "cancelled", "cancelled", NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT, .cancel_at = "one running\n" };
	struct wire_remote_run m = asked();

	(void)state;
	output = "";
	look_after(&h, s, &m);
	assert_script(&h, "seen 77\nseen 77\none running\none cancelled\nend cancelled\n", 4);
}

/* As Airflow does it. Without anybody's wish a failed run is one. */
static void is_failed_when_cancelled(void **state)
{
	static const struct answer s[] = {
		{ "start", 0, FABRIC_DONE, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "running", "running", NULL, NULL },
		{ "cancel", 0, FABRIC_DONE, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "failed", "failed", NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT, .cancel_at = "one running\n" };
	struct wire_remote_run m = asked();

	(void)state;
	output = "";
	runs.cancelled_is_failed = true;
	look_after(&h, s, &m);
	runs.cancelled_is_failed = false;
	assert_script(&h, "seen 77\nseen 77\none running\none failed\nend cancelled\n", 4);
}

/* The provider's own run, again; one that runs already was asked for by who died before us. */
static void is_repaired_once(void **state)
{
	static const struct answer s[] = {
		{ "now", 0, 0, "failed", "failed", NULL, NULL },
		{ "repair", 0, FABRIC_DONE, NULL, NULL, NULL, NULL },
		{ "now", 0, 0, "passed", "passed", NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	}, running[] = {
		{ "now", 0, 0, "running", "running", NULL, NULL },
		{ "now", 0, 0, "passed", "passed", NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT };
	struct wire_remote_run m = asked();

	(void)state;
	output = "";
	m.remote = "77";
	m.repair = 1;
	look_after(&h, s, &m);
	assert_script(&h, "seen 77 repaired\nseen 77 repaired\none running\none passed\nend passed\n",
		      3);
	shared->repairs = 0;
	look_after(&h, running, &m);
	assert_script(&h, "seen 77 repaired\nseen 77 repaired\none running\none passed\nend passed\n",
		      2);
	assert_int_equal(shared->repairs, 0);
}

/* Another claim has it: not a word more. */
static void a_lost_claim_ends_it(void **state)
{
	static const struct answer s[] = {
		{ "start", 0, FABRIC_DONE, NULL, NULL, NULL, NULL },
		{ NULL, 0, 0, NULL, NULL, NULL, NULL },
	};
	struct heard h = { .text = BUF_INIT, .stop = true };
	struct wire_remote_run m = asked();

	(void)state;
	look_after(&h, s, &m);
	assert_script(&h, "seen 77\n", 1);
}

static void output_is_cut(void **state)
{
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	char *folder = xasprintf("%s/x9", dir), *path = logfile_of_task(folder, "t");
	struct buf got = BUF_INIT;
	char last[8];

	(void)state;
	buf_adds(&b, "0123456789\nlast line \r\n\n");
	for (int i = 0; i < 2; i++)
		assert_int_equal(output_put(folder, "t", &b, 12, &err), 0);
	assert_int_equal(fs_read(&got, AT_FDCWD, path, 4096, &err), 0);
	assert_string_equal(buf_str(&got), "0123456789\nl\npenstock: more than 12 bytes; the rest is "
			    "at the provider\n");
	output_last(&b, last, sizeof(last));
	assert_string_equal(last, "last li");
	buf_reset(&b);
	buf_adds(&b, " \n");
	output_last(&b, last, sizeof(last));
	assert_string_equal(last, "");
	buf_clear(&b);
	buf_clear(&got);
	free(path);
	free(folder);
}

static int fresh(void **state)
{
	(void)state;
	memset(shared, 0, sizeof(*shared));
	snprintf(dir, sizeof(dir), "/tmp/ps-remoterun-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop(void **state)
{
	struct ps_err err = { 0 };

	(void)state;
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(passes, fresh, drop),
		cmocka_unit_test_setup_teardown(fails_with_the_first_cause, fresh, drop),
		cmocka_unit_test_setup_teardown(a_lost_answer_starts_once, fresh, drop),
		cmocka_unit_test_setup_teardown(a_refused_start_is_an_end, fresh, drop),
		cmocka_unit_test_setup_teardown(not_seen_is_still_running, fresh, drop),
		cmocka_unit_test_setup_teardown(is_cancelled, fresh, drop),
		cmocka_unit_test_setup_teardown(is_failed_when_cancelled, fresh, drop),
		cmocka_unit_test_setup_teardown(is_repaired_once, fresh, drop),
		cmocka_unit_test_setup_teardown(a_lost_claim_ends_it, fresh, drop),
		cmocka_unit_test_setup_teardown(output_is_cut, fresh, drop),
	};

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
