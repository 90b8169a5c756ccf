/* Units of intake: what core makes of hooks' words, one case a story; intake_fx.h says how they are
 * told. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/intake_fx.h"

static void plain_push(void **state)
{
	struct fx *f = *state;

	connect_gate(f);
	begin_push(f);
	assert_string_equal(pre(f, MAIN, O, A), "accept: the verdict\n");
	set_ref(f, MAIN, A);
	assert_kept(f, post(f, MAIN, O, A));
	assert_kept(f, post(f, MAIN, O, A));
	await(f, "0a sure open ME | used open gate | 0 to do");
	end_pack(f);
	await(f, "0a sure open ME | used ended gate | 1 to do");
	assert_true(f->kicks > 0);
}

static int stuck(struct store_tx *tx, void *arg, struct ps_err *err)
{
	char c;

	(void)tx;
	(void)err;
	return read(*(int *)arg, &c, 1) == 1 ? 0 : PS_EIO;
}

/* The forecast takes the place of the gate's line; while nobody can read the store the push is
 * answered without it. */
static void forecast_in_time_or_not(void **state)
{
	struct fx *f = *state;
	int pipes[2];

	f->outlook = true;
	connect_gate(f);
	begin_push(f);
	assert_string_equal(pre(f, MAIN, O, A), "accept: main: no pipelines to build; then "
			    "development (auto)\n");
	end_pack(f);
	assert_int_equal(pipe(pipes), 0);
	store_read(f->core.store, stuck, NULL, &pipes[0]);
	begin_push(f);
	assert_string_equal(pre(f, MAIN, O, A), "accept: the verdict\n");
	assert_int_equal(write(pipes[1], "x", 1), 1);
	end_pack(f);
	await(f, " | void ended gate | void ended gate | 0 to do");
	close(pipes[0]);
	close(pipes[1]);
}

static void client_killed(void **state)
{
	struct fx *f = *state;

	set_ref(f, MAIN, A);
	connect_gate(f);
	begin_push(f);
	pre(f, MAIN, A, B);
	set_ref(f, MAIN, B);
	end_pack(f);
	await(f, "ab inferred open ME | used ended gate | 1 to do");
}

static void refused_by_git(void **state)
{
	struct fx *f = *state;

	set_ref(f, MAIN, A);
	connect_gate(f);
	begin_push(f);
	pre(f, MAIN, A, B);
	end_pack(f);
	await(f, " | void ended gate | 0 to do");
}

static void refused_by_the_gate(void **state)
{
	struct fx *f = *state;

	f->verdict = "refuse";
	connect_gate(f);
	begin_push(f);
	assert_string_equal(pre(f, MAIN, O, A), "refuse: the verdict\n");
	await(f, " | 0 to do");
}

static void alias_is_its_target(void **state)
{
	struct fx *f = *state;

	set_ref(f, MAIN, A);
	connect_gate(f);
	begin_push(f);
	pre(f, "HEAD", A, B);
	set_ref(f, MAIN, B);
	assert_kept(f, post(f, "HEAD", A, B));
	end_pack(f);
	await(f, "ab sure open ME | used ended gate | 1 to do");
}

static void acting_as(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, O, A);
	struct wire_intent in;

	connect_gate(f);
	begin_push(f);
	in = intent(f, &l);
	in.as = "ana";
	say(f, MSG_intent, &in, f->pidfd);
	set_ref(f, MAIN, A);
	end_pack(f);
	await(f, "0a inferred open ME (as ana) | used ended gate | 1 to do");
}

/* The hook that is told "undecided" asks its gate program and tells us what came of it. */
static void judged_by_the_hook(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, O, A);
	struct wire_intent in;

	f->verdict = "undecided";
	connect_gate(f);
	begin_push(f);
	assert_string_equal(pre(f, MAIN, O, A), "undecided: ");
	l.seen = O;
	in = intent(f, &l);
	in.verdict = "accept";
	assert_string_equal(say(f, MSG_intent, &in, f->pidfd), "accept: ");
	set_ref(f, MAIN, A);
	end_pack(f);
	await(f, "0a inferred open ME | used ended program | 1 to do");
}

static void on_adopted(void *arg, int rc, const char *problem, const char *text)
{
	struct fx *f = arg;

	snprintf(f->reply, sizeof(f->reply), "%d %s", rc, problem ? problem : text);
	f->done = true;
}

static int run_nothing(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)tx;
	(void)arg;
	(void)err;
	return 0;
}

/* The baseline is there, and the look that connect_gate() began is over: it reads the list of
 * repositories on the reader's thread before ours, and the gate answers in order. */
static void adopt(struct fx *f)
{
	f->done = false;
	store_read(f->core.store, run_nothing, on_query, f);
	pump(f, is_done, NULL);
	f->done = false;
	flow_adopt(&f->core, f->repo, on_adopted, f);
	pump(f, is_done, NULL);
}

static void hung_up_while_judged(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, A, B);
	struct wire_intent in;
	struct ps_err err;
	int sock;

	f->verdict = NULL;
	set_ref(f, MAIN, A);
	connect_gate(f);
	adopt(f);
	begin_push(f);
	in = intent(f, &l);
	sock = hook_connect(f);
	assert_int_equal(frame_send(sock, MSG_intent, &in, f->pidfd, 0, &err), 0);
	while (!f->judged)
		event_base_loop(loop_base(f->core.loop), EVLOOP_ONCE);
	close(sock);
	await(f, " | open open none | 0 to do");
	set_ref(f, MAIN, B);
	end_pack(f);
	await(f, "ab inferred held ME | used ended none | 0 to do");
}

static void first_push_of_all_agent_down(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, O, A);
	struct wire_intent in;
	struct wire_report r;

	stop_core(f);
	begin_push(f);
	l.seen = O;
	in = intent(f, &l);
	in.verdict = "accept";
	leave(f, MSG_intent, &in);
	set_ref(f, MAIN, A);
	r = report(f, &l);
	leave(f, MSG_report, &r);
	end_pack(f);
	start_core(f);
	connect_gate(f);
	await(f, "0a sure open ME | used ended program | 1 to do");
	leave(f, MSG_report, &r);		/* it had timed out at the socket as well */
	leave(f, MSG_intent, &in);
	spooling_take(f->core.intake->spool);
	await(f, "0a sure open ME | used ended program | 1 to do");
}

static void gate_down(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, A, B);
	struct wire_intent in;

	set_ref(f, MAIN, A);
	connect_gate(f);
	begin_push(f);
	pre(f, MAIN, A, C);
	end_pack(f);
	await(f, " | void ended gate | 0 to do");
	lose_gate(f);
	begin_push(f);
	assert_string_equal(pre(f, MAIN, A, B), "undecided: ");
	l.seen = A;
	in = intent(f, &l);
	in.verdict = "accept";
	assert_string_equal(say(f, MSG_intent, &in, f->pidfd), "accept: ");
	set_ref(f, MAIN, B);
	end_pack(f);
	await(f, " | void ended gate | open open program | 0 to do");
	connect_gate(f);
	await(f, "ab inferred open ME | void ended gate | used ended program | 1 to do");
}

static void restart_settles(void **state)
{
	struct fx *f = *state;

	set_ref(f, MAIN, A);
	set_ref(f, "refs/heads/x", A);
	connect_gate(f);
	begin_push(f);
	pre(f, MAIN, A, B);
	await(f, " | open open gate | 0 to do");
	stop_core(f);
	set_ref(f, MAIN, B);
	end_pack(f);
	start_core(f);
	connect_gate(f);
	await(f, "ab inferred open ME | used ended gate | 1 to do");
}

static void moved_while_down(void **state)
{
	struct fx *f = *state;

	set_ref(f, MAIN, A);
	connect_gate(f);
	adopt(f);
	assert_string_equal(f->reply, "0 a: 1 refs seen");
	stop_core(f);
	set_ref(f, MAIN, B);
	set_ref(f, "refs/heads/x", C);
	start_core(f);
	connect_gate(f);
	await(f, "ab gap held nobody; 0c gap held nobody | 0 to do");
	f->done = false;
	flow_adopt(&f->core, "/tmp", on_adopted, f);
	pump(f, is_done, NULL);
	assert_non_null(strstr(f->reply, "below no root"));
}

/* What moved is believed from the ref store, not from a hook. */
static void forged_report(void **state)
{
	struct fx *f = *state;

	set_ref(f, MAIN, A);
	connect_gate(f);
	adopt(f);
	begin_push(f);
	pre(f, MAIN, A, B);
	post(f, MAIN, A, B);
	await(f, "ab sure open ME | used open gate | 0 to do");
	end_pack(f);
	await(f, "ab sure superseded ME; ba gap held nobody | used ended gate | 0 to do");
}

static void strangers(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, O, A);
	struct wire_keep keep = { .repository = f->repo, .oid = A };
	struct wire_report r;
	char *aside;

	connect_gate(f);
	assert_string_equal(say(f, MSG_keep, &keep, -1), "not_understood");
	use_policy(f, "4242");
	begin_push(f);
	assert_non_null(strstr(pre(f, MAIN, O, A), "undecided: warning"));
	r = report(f, &l);
	leave(f, MSG_report, &r);
	aside = fs_join(f->role.paths.spool, "aside");
	spooling_take(f->core.intake->spool);
	await(f, " | 0 to do");
	assert_true(fs_exists(aside));
	free(aside);
}

static void somebody_elses_push_id(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, O, A);
	struct wire_report r;
	struct ps_err err;
	const char *answer;
	char *other = fs_join(f->role.paths.repos, "b.git");

	connect_gate(f);
	begin_push(f);
	pre(f, MAIN, O, A);
	assert_int_equal(fs_mkdirs(other, 0755, &err), 0);
	r = report(f, &l);
	r.repository = other;		/* the gate of this test gives it the same id: a copy */
	answer = say(f, MSG_report, &r, -1);
	assert_true(ps_starts(answer, "keep: warning: nothing is made of this push yet: "));
	assert_non_null(strstr(answer, "penstock install --new-id"));
	await(f, " | open open gate | 0 to do");
	free(other);
}

static void store_that_fails(void **state)
{
	struct fx *f = *state;
	struct wire_ref_line l = line(MAIN, O, A);
	struct wire_intent in;

	connect_gate(f);
	begin_push(f);
	failpoint_arm("intake.intent", 1, EIO);
	assert_string_equal(pre(f, MAIN, O, A), "undecided: ");
	in = intent(f, &l);
	in.verdict = "accept";
	failpoint_arm("intake.intent", 1, EIO);
	/* then it leaves word */
	assert_string_equal(say(f, MSG_intent, &in, f->pidfd), "hung up");
	assert_string_equal(pre(f, MAIN, O, A), "accept: the verdict\n");
	set_ref(f, MAIN, A);
	failpoint_arm("intake.report", 1, EIO);
	assert_string_equal(post(f, MAIN, O, A), "undecided: ");
	failpoint_arm("intake.end", 1, EIO);
	end_pack(f);
	await(f, "0a inferred open ME | used ended gate | 1 to do");
}

int main(int argc, char **argv)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(plain_push), CASE(forecast_in_time_or_not), CASE(client_killed), CASE(refused_by_git),
			CASE(refused_by_the_gate),
		CASE(alias_is_its_target), CASE(acting_as), CASE(judged_by_the_hook),
		CASE(hung_up_while_judged), CASE(first_push_of_all_agent_down), CASE(gate_down),
		CASE(restart_settles), CASE(moved_while_down), CASE(forged_report), CASE(strangers),
		CASE(somebody_elses_push_id), CASE(store_that_fails),
	};

	if (kernel_skip())
		return 77;
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("intake", tests, NULL, NULL);
}
