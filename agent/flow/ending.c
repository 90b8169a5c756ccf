/* ending – see ending.h. */
#include "config.h"

#include "agent/flow/ending.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/flow/door.h"
#include "agent/flow/intake.h"
#include "agent/flow/merge.h"
#include "agent/flow/spooling.h"
#include "agent/store/push.h"
#include "agent/store/repository.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/proc.h"

enum {
	/* while somebody at the door has not said what he came for */
	QUIET_POLL_MS = 2,
	QUIET_LIMIT_MS = 1000,
	LOOK_LIMIT_MS = 30000,
	READ_AGAIN_MS = 10,
	TRY_MIN_MS = 1000, TRY_MAX_MS = 60000,
};
#define MS 1000000LL
/* nobody knows when it ends, or nobody can read its repository */
#define GIVE_UP_NS (3600 * 1000 * MS)

enum ending_state { LIVES, WAITS, LOOKS, SETTLES };

struct ending {
	struct endings *all;
	int64_t push;
	uint64_t pid, pid_start;
	int pidfd;
	struct loop_watch *readable, *timer;
	enum ending_state state;
	int64_t began, noticed;		/* clock_boot_ns(); when it was watched, when it was over */
	int64_t try_ms;
	bool spool_taken;
	/* of the try under way */
	char *path, *uid, **refs;
	struct wire_ref_log *logs;	/* of those: how far they are known */
	size_t nrefs;
	struct msg looked;
	const char *blind;
	int64_t from, to;
	bool hold_unknown, again;
	struct ending *next;
};

struct endings {
	struct core *core;
	struct ending *first;
};

static void step(void *arg);

struct endings *endings_new(struct core *c)
{
	struct endings *e = xcalloc(1, sizeof(*e));

	e->core = c;
	return e;
}

static void forget_try(struct ending *e)
{
	for (size_t i = 0; i < e->nrefs; i++)
		free(e->refs[i]);
	PS_FREE(e->refs);
	PS_FREE(e->logs);
	PS_FREE(e->path);
	PS_FREE(e->uid);
	e->nrefs = 0;
	e->blind = NULL;
	msg_clear(&e->looked);
}

static void unwatch(struct ending *e)
{
	loop_watch_free(e->readable);
	e->readable = NULL;
	if (e->pidfd >= 0)
		close(e->pidfd);
	e->pidfd = -1;
}

static void ending_free(void *arg)
{
	struct ending *e = arg;

	unwatch(e);
	loop_watch_free(e->timer);
	forget_try(e);
	free(e);
}

static void drop(struct ending *e)
{
	struct ending **at = &e->all->first;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	loop_timer_stop(e->timer);
	loop_defer_free(e->all->core->loop, e, ending_free);
}

void endings_free(struct endings *all)
{
	if (!all)
		return;
	while (all->first) {
		struct ending *e = all->first;

		all->first = e->next;
		ask_forget(all->core->asks, e);
		ending_free(e);
	}
	free(all);
}

/* ---- the settlement ---- */

static void try_later(struct ending *e, const char *why)
{
	e->state = WAITS;
	e->try_ms = e->try_ms * 2 < TRY_MAX_MS ? e->try_ms * 2 : TRY_MAX_MS;
	log_warn("push", NULL, "push %lld is over but not settled, next try in %lld s: %s",
		 (long long)e->push, (long long)e->try_ms / 1000, why);
	forget_try(e);
	loop_timer_set(e->timer, e->try_ms);
}

static int run_end(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct ending *e = arg;
	struct merge_time when = { clock_boot_id(), e->from, e->to };
	bool looked = e->looked.type == MSG_looked;

	return merge_end(tx, e->push, looked ? e->looked.u.looked.refs.v : NULL,
			 looked ? e->looked.u.looked.refs.n : 0, e->blind, e->hold_unknown, when,
			 &e->again, err);
}

static void on_end(void *arg, int rc, const struct ps_err *err)
{
	struct ending *e = arg;

	if (rc < 0) {
		try_later(e, ps_err_msg(err, rc));
		return;
	}
	if (e->again) {			/* something was learnt while the refs were being read */
		e->state = WAITS;
		forget_try(e);
		loop_timer_set(e->timer, READ_AGAIN_MS);
		core_kick(e->all->core);
		return;
	}
	log_info("push", NULL, "push %lld is over%s%s", (long long)e->push, e->blind ? ": " : "",
		 e->blind ? e->blind : "");
	core_kick(e->all->core);
	drop(e);
}

static void settle(struct ending *e)
{
	struct core *c = e->all->core;

	e->state = SETTLES;
	e->to = clock_boot_ns();
	e->hold_unknown = c->policy->cfg->repo.unknown_pusher != CONF_UNKNOWN_ACCEPT;
	store_write(c->store, STORE_FULL, run_end, on_end, e);
}

static void on_looked(void *arg, struct msg *m, const char *problem)
{
	struct ending *e = arg;

	if (m && m->type == MSG_looked) {
		e->looked = *m;
		m->type = MSG_NONE;
		if (e->looked.u.looked.stamp > (uint64_t)e->from)
			e->from = (int64_t)e->looked.u.looked.stamp;	/* nearer to the reading */
		problem = e->looked.u.looked.problem;
		if (!problem && !ps_streq(e->looked.u.looked.repository_id, e->uid))
			e->blind = "another repository is in its place";
	}
	if (problem && clock_boot_ns() - e->noticed > GIVE_UP_NS)
		e->blind = "push ended, its repository cannot be read";
	if (problem && !e->blind)
		try_later(e, problem);
	else
		settle(e);
}

/* A ref that nobody has seen was not there when the others got their baseline: its log is new. */
static int read_logs(struct store_tx *tx, struct ending *e, const struct repository *repo,
		     struct ps_err *err)
{
	int rc = 0;

	e->logs = xcalloc(e->nrefs + 1, sizeof(*e->logs));
	for (size_t i = 0; rc == 0 && i < e->nrefs; i++) {
		struct ref r = { .log_size = repo->adopted_ms ? 0 : -1 };

		rc = ref_get(tx, repo->id, e->refs[i], &r, NULL);
		if (rc == PS_ENOENT)
			rc = 0;
		else if (rc < 0)
			ps_err_set(err, rc, "the refs of the push cannot be read");
		e->logs[i] = (struct wire_ref_log) { e->refs[i], (uint64_t)(r.log_size + 1) };
		ref_clear(&r);
	}
	return rc;
}

static int run_refs(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct ending *e = arg;
	struct repository repo = { 0 };
	struct push push = { 0 };
	int rc = push_get(tx, e->push, &push, err);

	if (rc == 0)
		rc = repository_get(tx, push.repository, &repo, err);
	if (rc == 0)
		rc = merge_refs_of_push(tx, e->push, &e->refs, &e->nrefs, err);
	if (rc == 0)
		rc = read_logs(tx, e, &repo, err);
	if (rc == 0) {
		e->path = xstrdup(repo.path);
		e->uid = xstrdup(repo.uid);
	}
	push_clear(&push);
	repository_clear(&repo);
	return rc;
}

static void on_refs(void *arg, int rc, const struct ps_err *err)
{
	struct ending *e = arg;
	struct core *c = e->all->core;
	struct wire_look look;

	if (rc < 0) {
		try_later(e, ps_err_msg(err, rc));
		return;
	}
	e->from = clock_boot_ns();
	if (!e->nrefs || !*e->path) {
		e->blind = e->nrefs ? "push ended, its repository is gone" : NULL;
		settle(e);
		return;
	}
	look = (struct wire_look) { .repository = e->path,
				    .refs = { (const char *const *)e->refs, e->nrefs },
				    .logs = { e->logs, e->nrefs } };
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_look, &look, LOOK_LIMIT_MS, on_looked, e);
}

/* Goes on as soon as all that was said before the end is stored and the gate is there. */
static void step(void *arg)
{
	struct ending *e = arg;
	struct core *c = e->all->core;
	int64_t waited = clock_boot_ns() - e->noticed;

	if (e->state != WAITS)
		return;
	if (c->door && !door_is_quiet(c->door, e->noticed) && waited < QUIET_LIMIT_MS * MS) {
		loop_timer_set(e->timer, QUIET_POLL_MS);
		return;
	}
	if (!e->spool_taken || !c->roles[CORE_GATE].peer)
		return;			/* endings_on_spool(), endings_on_gate() */
	e->state = LOOKS;
	forget_try(e);
	/* on the writer: behind every word that was said before */
	store_write(c->store, STORE_NORMAL, run_refs, on_refs, e);
}

static void over(struct ending *e)
{
	struct core *c = e->all->core;

	if (e->state != LIVES)
		return;
	unwatch(e);
	e->state = WAITS;
	e->noticed = clock_boot_ns();
	e->spool_taken = false;
	if (c->door)
		door_let_in(c->door);
	loop_timer_set(e->timer, 0);
	if (c->intake)
		spooling_take(c->intake->spool);
}

static void on_readable(void *arg)
{
	over(arg);
}

/* ---- watching ---- */

/* Is fd a descriptor of this process? A hook may pass anything. */
static bool is_pidfd_of(int fd, uint64_t pid)
{
	char path[64], line[128];
	bool is = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (ps_starts(line, "Pid:"))
			is = strtoull(line + 4, NULL, 10) == pid;
	if (f)
		fclose(f);
	return is && pid;
}

static int own_pidfd(const struct ending *e)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)e->pid, 0);

	if (fd >= 0 && proc_lives((pid_t)e->pid, e->pid_start))
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Is it over? Else it is watched, by a descriptor where there is one. */
static void watch(struct ending *e, const char *boot)
{
	if (strcmp(boot, clock_boot_id()) != 0 ||
	    (e->pid && !proc_lives((pid_t)e->pid, e->pid_start))) {
		over(e);
		return;
	}
	if (e->pid && e->pidfd < 0)
		e->pidfd = own_pidfd(e);
	if (e->pidfd >= 0 && !e->readable)
		e->readable = loop_readable(e->all->core->loop, e->pidfd, on_readable, e);
}

static struct ending *find(struct endings *all, int64_t push)
{
	struct ending *e = all->first;

	while (e && e->push != push)
		e = e->next;
	return e;
}

static struct ending *add(struct endings *all, int64_t push, uint64_t pid, uint64_t pid_start)
{
	struct ending *e = xcalloc(1, sizeof(*e));

	*e = (struct ending) { .all = all, .push = push, .pid = pid, .pid_start = pid_start,
			       .pidfd = -1, .began = clock_boot_ns(), .try_ms = TRY_MIN_MS / 2,
			       .next = all->first };
	e->timer = loop_timer(all->core->loop, step, e);
	all->first = e;
	return e;
}

void ending_watch(struct word *w)
{
	bool intent = w->m.type == MSG_intent;
	uint64_t pid = intent ? w->m.u.intent.pid : w->m.u.report.pid;
	uint64_t start = intent ? w->m.u.intent.pid_start : w->m.u.report.pid_start;
	struct endings *all = w->core->intake ? w->core->intake->endings : NULL;
	struct ending *e;

	if (!all || w->core->role->stopping)
		return;			/* the store has it open: the next start takes it up */
	e = find(all, w->done.push);
	if (!e)
		e = add(all, w->done.push, pid, start);
	if (e->state != LIVES)
		return;
	if (e->pidfd < 0 && w->pidfd >= 0 && is_pidfd_of(w->pidfd, e->pid)) {
		e->pidfd = w->pidfd;
		w->pidfd = -1;
	}
	if (!e->pid && !intent)
		over(e);		/* no process is known: its report is the last we hear */
	else
		watch(e, intent ? w->m.u.intent.boot : w->m.u.report.boot);
}

struct resume { struct endings *all; struct pushes open; };

static int run_open(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return pushes_open(tx, &((struct resume *)arg)->open, err);
}

static void on_open(void *arg, int rc, const struct ps_err *err)
{
	struct resume *r = arg;

	if (rc < 0)
		log_error("push", NULL, "open pushes cannot be read: %s", ps_err_msg(err, rc));
	for (size_t i = 0; i < r->open.n && !r->all->core->role->stopping; i++) {
		const struct push *p = &r->open.v[i];

		if (!find(r->all, p->id))
			watch(add(r->all, p->id, (uint64_t)p->pid, (uint64_t)p->pid_start),
			      p->boot);
	}
	pushes_clear(&r->open);
	free(r);
}

void endings_resume(struct endings *all)
{
	struct resume *r = xcalloc(1, sizeof(*r));

	r->all = all;
	store_read(all->core->store, run_open, on_open, r);
}

/* ---- what it waits for ---- */

void endings_on_gate(struct endings *all)
{
	for (struct ending *e = all->first; e; e = e->next)
		if (e->state == WAITS) {
			e->try_ms = TRY_MIN_MS / 2;
			loop_timer_set(e->timer, 0);
		}
}

void endings_on_spool(struct endings *all, int64_t started)
{
	for (struct ending *e = all->first; e; e = e->next)
		if (e->state == WAITS && !e->spool_taken && e->noticed <= started) {
			e->spool_taken = true;
			loop_timer_set(e->timer, 0);
		}
}

void endings_tick(struct endings *all)
{
	for (struct ending *e = all->first; e; e = e->next) {
		if (e->state != LIVES || e->readable)
			continue;
		if (e->pid ? !proc_lives((pid_t)e->pid, e->pid_start) : clock_boot_ns() - e->began >
		    GIVE_UP_NS)
			over(e);
	}
}
