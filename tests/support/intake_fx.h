/*
 * intake_fx – core's intake with a real store, door, spool and loop: the gate role is a peer of
 * this same loop that answers from a table, receive-pack is a child that waits to be killed.
 *
 * world() and await() say what is in the store, and hooks are played by pre(), post() and leave().
 */
#ifndef TEST_INTAKE_FX_H
#define TEST_INTAKE_FX_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "agent/flow/core.h"
#include "agent/flow/door.h"
#include "agent/flow/intake.h"
#include "agent/flow/spooling.h"
#include "agent/store/push.h"
#include "agent/store/sql.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/proc.h"
#include "common/wire/frame.h"
#include "common/wire/spool.h"
#include "tests/support/kernel.h"

#define O "0000000000000000000000000000000000000000"
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define MAIN "refs/heads/main"

enum { REFS = 8, PATIENCE_MS = 20000 };

struct fx {
	char dir[64], *repo;
	struct role role;
	struct core core;
	int kicks;
	int wake[2];
	struct peer *gate;		/* the far end */
	struct { const char *name, *value; } refs[REFS];
	const char *verdict;		/* NULL: the gate says nothing */
	bool outlook;			/* the gate tells what MAIN would hold */
	int judged, looked;
	pid_t pack;
	int pidfd;
	char push[128];
	int pushes;
	struct buf got;			/* what a query found */
	bool done;
	char reply[256];
};

/* core.c has the real ones; the configuration lives in the fixture */
struct policy_now *policy_take(struct policy_now *p)
{
	return p;
}

void policy_drop(struct policy_now *p)
{
	(void)p;
}

void core_kick(struct core *c)
{
	struct fx *f = (struct fx *)((char *)c - offsetof(struct fx, core));

	f->kicks++;
}

void core_log_done(void *arg, int rc, const struct ps_err *err)
{
	if (rc < 0)
		print_error("%s\n", ps_err_msg(err, rc));
	core_kick(arg);
}

int core_listen(const struct core *c, enum core_socket which, struct ps_err *err)
{
	(void)which;
	return frame_listen(c->paths->hook_sock, 0666, err);
}

/* ---- the loop, turned by hand ---- */

static inline void pump(struct fx *f, bool (*until)(struct fx *f, void *arg), void *arg)
{
	int64_t end = clock_boot_ns() + PATIENCE_MS * 1000000LL;

	while (!until(f, arg)) {
		assert_true(clock_boot_ns() < end);
		assert_true(event_base_loop(loop_base(f->core.loop), EVLOOP_ONCE) >= 0);
	}
}

static inline bool is_done(struct fx *f, void *arg)
{
	(void)arg;
	return f->done;
}

static inline void on_wake(void *arg)
{
	assert_int_equal(write(((struct fx *)arg)->wake[1], "x", 1), 1);
}

static inline void on_woken(void *arg)
{
	struct fx *f = arg;
	char c[64];

	assert_true(read(f->wake[0], c, sizeof(c)) > 0);
	store_poll(f->core.store);
}

/* ---- the store, asked ---- */

static inline int run_query(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct fx *f = arg;
	struct events l = { 0 };
	sqlite3_stmt *q;
	int rc = events_list(tx, 0, NULL, 0, 100, &l, err);

	for (size_t i = l.n; rc == 0 && i-- > 0;) {
		const struct ref_event *e = &l.v[i];

		buf_addf(&f->got, "%s%c%c %s %s %s", f->got.len ? "; " : "", *e->old, *e->new,
			 e->kind, e->state, e->pusher ? e->pusher : "nobody");
	}
	events_clear(&l);
	q = sql_query(tx, err,
		      "SELECT intent.state, push.ended, push.judged FROM push LEFT JOIN intent"
		      " ON intent.push = push.id ORDER BY push.id, ordinal", "");
	while (rc >= 0 && (rc = sql_next(tx, q, err)) > 0)
		buf_addf(&f->got, " | %s %s %s", sql_text(q, 0) ? sql_text(q, 0) : "-",
			 sql_int(q, 1) ? "ended" : "open", sql_text(q, 2));
	sql_done(q);
	rc = events_claim_surveys(tx, 100, 1, 0, &l, err);
	buf_addf(&f->got, " | %zu to do", l.n);
	events_clear(&l);
	return rc;
}

static inline void on_query(void *arg, int rc, const struct ps_err *err)
{
	struct fx *f = arg;

	if (rc < 0)
		buf_addf(&f->got, "%s", ps_err_msg(err, rc));
	f->done = true;
}

static inline const char *world(struct fx *f)
{
	buf_reset(&f->got);
	f->done = false;
	store_write(f->core.store, STORE_NORMAL, run_query, on_query, f);
	pump(f, is_done, NULL);
	return buf_str(&f->got);
}

/* Who runs this test; the wanted text has "me" for it. */
static inline const char *with_me(char out[512], const char *want)
{
	struct passwd *pw = getpwuid(getuid());
	size_t n = 0;

	for (; *want && n + 64 < 512; want++) {
		if (strncmp(want, "ME", 2) == 0) {
			n += (size_t)snprintf(out + n, 512 - n, "%s", pw ? pw->pw_name : "nobody");
			want++;
		} else {
			out[n++] = *want;
		}
	}
	out[n] = '\0';
	return out;
}

static inline bool world_is(struct fx *f, void *arg)
{
	char want[512];

	return strcmp(world(f), with_me(want, arg)) == 0;
}

/* Waits until the store says so; when it never does, says what it says instead. */
static inline void await(struct fx *f, const char *want)
{
	int64_t end = clock_boot_ns() + PATIENCE_MS / 4 * 1000000LL;
	char text[512];

	while (!world_is(f, (void *)want) && clock_boot_ns() < end)
		assert_true(event_base_loop(loop_base(f->core.loop), EVLOOP_NONBLOCK) >= 0);
	assert_string_equal(world(f), with_me(text, want));
}

/* ---- the gate ---- */

static inline const char *value_of(struct fx *f, const char *ref)
{
	for (size_t i = 0; i < REFS && f->refs[i].name; i++)
		if (strcmp(f->refs[i].name, ref) == 0)
			return f->refs[i].value;
	return O;
}

static inline void set_ref(struct fx *f, const char *ref, const char *value)
{
	size_t i = 0;

	while (f->refs[i].name && strcmp(f->refs[i].name, ref) != 0)
		i++;
	assert_true(i < REFS - 1);
	f->refs[i].name = ref;
	f->refs[i].value = value;
}

static inline void gate_looks(struct fx *f, const struct wire_look *q)
{
	struct wire_ref_value v[16];
	struct wire_looked a = { .id = q->id, .repository_id = "repo-1", .refs = { v, 0 } };
	struct ps_err err;

	f->looked++;
	for (size_t i = 0; i < q->refs.n; i++)
		v[a.refs.n++] = (struct wire_ref_value) { .ref = q->refs.v[i],
							  .oid = value_of(f, q->refs.v[i]) };
	for (size_t i = 0; !q->refs.n && f->refs[i].name; i++)
		if (strcmp(f->refs[i].value, O) != 0)
			v[a.refs.n++] = (struct wire_ref_value) { .ref = f->refs[i].name,
								  .oid = f->refs[i].value };
	assert_int_equal(peer_send(f->gate, MSG_looked, &a, &err), 0);
}

static inline void gate_judges(struct fx *f, const struct wire_judge *q)
{
	struct wire_ref_line v[16];
	struct wire_verdict a = { .id = q->id, .verdict = f->verdict, .text = "the verdict\n",
				  .repository_id = "repo-1", .refs = { v, q->refs.n } };
	const struct wire_project pr = { .path = ".", .oid = A, .name = "p", .version = "1.0",
					 .language = "python" };
	const struct wire_outlook ahead = { .ref = MAIN };
	struct ps_err err;

	if (f->outlook) {
		a.projects.v = &pr;
		a.outlook.v = &ahead;
		a.projects.n = a.outlook.n = 1;
	}
	f->judged++;
	for (size_t i = 0; i < q->refs.n; i++) {
		v[i] = q->refs.v[i];
		if (strcmp(v[i].ref, "HEAD") == 0)
			v[i].target = MAIN;
		v[i].seen = value_of(f, v[i].target ? v[i].target : v[i].ref);
	}
	if (f->verdict)
		assert_int_equal(peer_send(f->gate, MSG_verdict, &a, &err), 0);
}

/* Whatever is asked about may have changed, and nothing new is below the roots. */
static inline void gate_marks(struct fx *f, const struct wire_mark *q)
{
	const char *v[16];
	struct wire_marked a = { .id = q->id, .marks = { v, q->repositories.n } };
	struct ps_err err;

	for (size_t i = 0; i < q->repositories.n; i++)
		v[i] = "?";
	assert_int_equal(peer_send(f->gate, MSG_marked, &a, &err), 0);
}

static inline void gate_finds(struct fx *f, const struct wire_find *q)
{
	struct ps_err err;

	assert_int_equal(peer_send(f->gate, MSG_found, &(struct wire_found) { .id = q->id }, &err),
			 0);
}

static inline void on_gate_msg(struct peer *p, struct msg *m, void *arg)
{
	(void)p;
	if (m->type == MSG_look)
		gate_looks(arg, &m->u.look);
	else if (m->type == MSG_judge)
		gate_judges(arg, &m->u.judge);
	else if (m->type == MSG_mark)
		gate_marks(arg, &m->u.mark);
	else if (m->type == MSG_find)
		gate_finds(arg, &m->u.find);
}

static inline void on_core_msg(struct peer *p, struct msg *m, void *arg)
{
	ask_answer(((struct fx *)arg)->core.asks, p, m);
}

static inline void connect_gate(struct fx *f)
{
	static const struct peer_ops far = { .on_msg = on_gate_msg, .max_frame = MSG_ROLE_MAX,
					     .max_out = MSG_ROLE_MAX };
	static const struct peer_ops near = { .on_msg = on_core_msg, .max_frame = MSG_ROLE_MAX,
					      .max_out = MSG_ROLE_MAX };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	f->gate = peer_new(f->core.loop, pair[0], &far, f);
	f->core.roles[CORE_GATE].peer = peer_new(f->core.loop, pair[1], &near, f);
	intake_on_gate(&f->core);
}

static inline void lose_gate(struct fx *f)
{
	struct peer *p = f->core.roles[CORE_GATE].peer;

	f->core.roles[CORE_GATE].peer = NULL;
	peer_close(p, "gone");
	peer_close(f->gate, "gone");
	ask_peer_gone(f->core.asks, p, "the role ended");
	f->gate = NULL;
}

/* ---- core ---- */

static inline struct policy_now *make_policy(struct fx *f, const char *hook_user)
{
	char *yaml = xasprintf("teams:\n  developers: { members: [ana, bo] }\n"
			       "fabrics:\n  dev: { id: 1, owner: developers, provider: local }\n"
			       "environments:\n  - { name: development, refs: [" MAIN "], "
			       "fabric: dev, deploy: auto }\n"
			       "repositories:\n  roots:\n    - { path: repos, identity: uid, "
			       "hook_users: ['%s'] }\n"
			       "identity: { trusted_caller: true }\n", hook_user);
	struct diag_list diags = DIAG_LIST_INIT;
	struct policy_now *p = xcalloc(1, sizeof(*p));
	struct ps_err err;

	assert_int_equal(config_parse(&p->cfg, "penstock.yml", yaml, strlen(yaml), &diags, &err),
			 0);
	for (size_t i = 0; i < diags.n; i++)
		print_message("%s\n", diags.v[i].text);
	assert_non_null(p->cfg);
	p->base = xstrdup(f->role.paths.base);
	diag_clear(&diags);
	free(yaml);
	return p;
}

static inline void start_core(struct fx *f)
{
	struct core *c = &f->core;
	struct ps_err err = { 0 };

	f->role.stopping = false;
	assert_int_equal(loop_new(&c->loop, &err), 0);
	c->role = &f->role;
	c->paths = &f->role.paths;
	c->asks = asks_new(c->loop);
	assert_int_equal(pipe(f->wake), 0);
	c->store_wake = loop_readable(c->loop, f->wake[0], on_woken, f);
	assert_int_equal(store_open(&c->store, c->paths->store, on_wake, f, &err), 0);
	assert_int_equal(intake_open(&c->intake, c, &err), 0);
	assert_int_equal(door_open(&c->door, c, &err), 0);
}

static inline void stop_core(struct fx *f)
{
	struct core *c = &f->core;

	f->role.stopping = true;
	door_close(c->door);
	c->door = NULL;
	if (f->gate)
		lose_gate(f);
	store_close(c->store);
	c->store = NULL;
	intake_close(c->intake);
	asks_free(c->asks);
	loop_watch_free(c->store_wake);
	close(f->wake[0]);
	close(f->wake[1]);
	loop_free(c->loop);
	c->loop = NULL;
}

static inline void use_policy(struct fx *f, const char *hook_user)
{
	if (f->core.policy) {
		config_free(f->core.policy->cfg);
		free(f->core.policy->base);
		free(f->core.policy);
	}
	f->core.policy = make_policy(f, hook_user);
}

static inline int setup(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	struct ps_err err;
	char me[16];

	snprintf(f->dir, sizeof(f->dir), "/tmp/ps-intake-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(ps_paths_init(&f->role.paths, f->dir, &err), 0);
	assert_int_equal(ps_paths_make(&f->role.paths, &err), 0);
	f->repo = fs_join(f->role.paths.repos, "a.git");
	assert_int_equal(fs_mkdirs(f->repo, 0755, &err), 0);
	snprintf(me, sizeof(me), "%u", (unsigned)getuid());
	use_policy(f, me);
	f->verdict = "accept";
	f->pidfd = -1;
	start_core(f);
	*state = f;
	return 0;
}

static inline void end_pack(struct fx *f)
{
	if (f->pack) {
		kill(f->pack, SIGKILL);
		assert_int_equal(waitpid(f->pack, NULL, 0), f->pack);
		close(f->pidfd);
	}
	f->pack = 0;
}

static inline int teardown(void **state)
{
	struct fx *f = *state;
	struct ps_err err;

	failpoint_reset();
	end_pack(f);
	stop_core(f);
	config_free(f->core.policy->cfg);
	free(f->core.policy->base);
	free(f->core.policy);
	assert_int_equal(fs_remove_tree(AT_FDCWD, f->dir, &err), 0);
	ps_paths_clear(&f->role.paths);
	buf_clear(&f->got);
	free(f->repo);
	free(f);
	return 0;
}

/* ---- hooks ---- */

/* A new push: its receive-pack is a child that waits to be killed. */
static inline void begin_push(struct fx *f)
{
	f->pack = fork();
	if (f->pack == 0)
		for (;;)
			pause();
	f->pidfd = (int)syscall(SYS_pidfd_open, f->pack, 0);
	assert_true(f->pidfd >= 0);
	snprintf(f->push, sizeof(f->push), "push-%d", ++f->pushes);
}

static inline struct wire_intent intent(struct fx *f, struct wire_ref_line *line)
{
	struct proc_stat st = { .start = 0 };

	assert_true(!f->pack || proc_stat(&st, f->pack));
	return (struct wire_intent) {
		.push = f->push, .repository = f->repo, .boot = clock_boot_id(),
			.stamp = (uint64_t)clock_boot_ns(),
		.pid = (uint64_t)f->pack, .pid_start = st.start, .budget_ms = 2000,
			.refs = { line, 1 },
	};
}

static inline struct wire_report report(struct fx *f, struct wire_ref_line *line)
{
	struct wire_intent in = intent(f, line);

	return (struct wire_report) {
		.push = f->push, .repository = f->repo, .boot = clock_boot_id(),
			.stamp = (uint64_t)clock_boot_ns(),
		.pid = in.pid, .pid_start = in.pid_start, .refs = { line, 1 },
	};
}

static inline struct wire_ref_line line(const char *ref, const char *old, const char *new)
{
	return (struct wire_ref_line) { .ref = ref, .old = old, .new = new };
}

static inline int hook_connect(struct fx *f)
{
	struct ps_err err;
	int sock = frame_connect(f->role.paths.hook_sock, 1000, &err);

	assert_true(sock >= 0);
	return sock;
}

static inline bool can_read(struct fx *f, void *arg)
{
	struct pollfd p = { .fd = *(int *)arg, .events = POLLIN };

	(void)f;
	return poll(&p, 1, 0) == 1;
}

/* What the hook hears: "verdict: text", or "hung up". */
static inline const char *hear(struct fx *f, int sock)
{
	static char text[512];
	struct ps_err err;
	struct msg m;

	pump(f, can_read, &sock);
	if (frame_recv(sock, &m, MSG_HOOK_MAX, NULL, 0, &err) < 0) {
		snprintf(text, sizeof(text), "hung up");
	} else {
		if (m.type == MSG_answer)
			snprintf(text, sizeof(text), "%s: %.400s", m.u.answer.verdict,
				 m.u.answer.text);
		else
			snprintf(text, sizeof(text), "%s", m.name);
		msg_clear(&m);
	}
	return text;
}

static inline const char *say(struct fx *f, enum msg_type type, const void *body, int fd)
{
	int sock = hook_connect(f);
	struct ps_err err;
	const char *heard;

	assert_int_equal(frame_send(sock, type, body, fd, 0, &err), 0);
	heard = hear(f, sock);
	close(sock);
	return heard;
}

static inline const char *pre(struct fx *f, const char *ref, const char *old, const char *new)
{
	struct wire_ref_line l = line(ref, old, new);
	struct wire_intent in = intent(f, &l);

	return say(f, MSG_intent, &in, f->pidfd);
}

static inline const char *post(struct fx *f, const char *ref, const char *old, const char *new)
{
	struct wire_ref_line l = line(ref, old, new);
	struct wire_report r = report(f, &l);

	return say(f, MSG_report, &r, -1);
}

static inline void leave(struct fx *f, enum msg_type type, const void *body)
{
	struct ps_err err = { 0 };

	assert_true(spool_put(f->role.paths.spool, type, body, clock_boot_ns() + 5000000000LL,
			      &err) > 0);
}

/* Event and the command as it must be typed on this host. */
static inline void assert_kept(struct fx *f, const char *got)
{
	char *want = xasprintf("kept: penstock: event e1 " MAIN "\n  penstock -C %s why e1\n",
			       f->dir);

	assert_string_equal(got, want);
	free(want);
}

#endif
