/* look – see look.h. */
#include "config.h"

#include "agent/flow/look.h"

#include "agent/flow/door.h"
#include "agent/flow/intake.h"
#include "agent/flow/merge.h"
#include "agent/flow/spooling.h"
#include "agent/store/hold.h"
#include "agent/store/repository.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum {
	AT_ONCE = 4,
	LIMIT_MS = 120000,
	/* while somebody at the door has not said what he came for */
	QUIET_POLL_MS = 2,
	QUIET_LIMIT_MS = 1000,
};

enum look_state { QUEUED, READS, ASKED, DRAINS, STORES };

struct look {
	struct looks *all;
	enum look_state state;
	char *path, *name;
	look_fn *fn;
	void *arg;
	bool spool_taken;
	/* before: how far the reflogs are known */
	struct refs known;
	bool adopted;
	struct msg looked;
	int64_t from, to;
	struct merge_seen seen;
	struct look *next;
};

struct looks {
	struct core *core;
	look_fn *end;
	void *arg;
	struct look *first, **last;
	size_t busy;
	struct loop_watch *drain;
};

static void go_on(struct looks *l);
static void drain(void *arg);

struct looks *looks_new(struct core *c, look_fn *end, void *arg)
{
	struct looks *l = xcalloc(1, sizeof(*l));

	l->core = c;
	l->end = end;
	l->arg = arg;
	l->last = &l->first;
	l->drain = loop_timer(c->loop, drain, l);
	return l;
}

static void look_free(struct look *k)
{
	free(k->path);
	free(k->name);
	msg_clear(&k->looked);
	refs_clear(&k->known);
	free(k);
}

void looks_free(struct looks *l)
{
	if (!l)
		return;
	while (l->first) {
		struct look *k = l->first;
		const struct look_done d = { k->path, k->name, PS_EAGENT, "core ends",
					     0, 0, NULL };

		l->first = k->next;
		ask_forget(l->core->asks, k);
		if (k->fn)		/* frees who asked; his connection is gone */
			k->fn(k->arg, &d);
		look_free(k);
	}
	loop_watch_free(l->drain);
	free(l);
}

static void look_end(struct look *k, int rc, const char *problem)
{
	struct looks *l = k->all;
	struct look **at = &l->first;
	const struct wire_looked *w = k->looked.type == MSG_looked ? &k->looked.u.looked : NULL;
	const char *mark = w && !problem && !k->seen.lives ? w->mark : NULL;
	const struct look_done d = { k->path, k->name, rc, problem, w ? w->refs.n : 0,
				     k->seen.events, mark };

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	if (!k->next)
		l->last = at;
	if (k->state != QUEUED)
		l->busy--;
	l->end(l->arg, &d);
	if (k->fn)
		k->fn(k->arg, &d);
	look_free(k);
	go_on(l);
}

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct look *k = arg;
	const struct wire_looked *w = &k->looked.u.looked;
	struct merge_repository where = { w->repository_id, k->path, k->name };
	struct merge_time when = { clock_boot_id(), k->from, k->to };

	int64_t last = 0, refs = 0;
	int rc = hold_before(tx, k->path, &last, &refs, err);

	if (rc == 0)
		rc = merge_look(tx, &where, w->refs.v, w->refs.n, when, &k->seen, err);
	return rc < 0 ? rc : hold_after(tx, k->path, last, refs, err);
}

static void on_stored(void *arg, int rc, const struct ps_err *err)
{
	struct look *k = arg;

	if (rc == 0 && k->seen.events)
		core_kick(k->all->core);
	look_end(k, rc, rc < 0 ? ps_err_msg(err, rc) : NULL);
}

/* ---- before a value is used ---- */

static void store(struct look *k)
{
	k->state = STORES;
	store_write(k->all->core->store, STORE_FULL, run, on_stored, k);
}

static void drain(void *arg)
{
	struct looks *l = arg;
	bool waits = false;

	for (struct look *k = l->first; k; k = k->next) {
		if (k->state != DRAINS || !k->spool_taken)
			continue;	/* looks_on_spool() */
		if (!l->core->door || door_is_quiet(l->core->door, k->to) ||
		    clock_boot_ns() - k->to > QUIET_LIMIT_MS * 1000000LL)
			store(k);
		else
			waits = true;
	}
	if (waits)
		loop_timer_set(l->drain, QUIET_POLL_MS);
}

void looks_on_spool(struct looks *l, int64_t started)
{
	for (struct look *k = l->first; k; k = k->next)
		if (k->state == DRAINS && k->to <= started)
			k->spool_taken = true;
	drain(l);
}

static void start_drain(struct look *k)
{
	struct core *c = k->all->core;

	k->state = DRAINS;
	if (c->door)
		door_let_in(c->door);
	spooling_take(c->intake->spool);	/* ends in looks_on_spool() */
}

static void on_looked(void *arg, struct msg *m, const char *problem)
{
	struct look *k = arg;

	k->to = clock_boot_ns();
	if (m && m->type == MSG_looked) {
		k->looked = *m;
		m->type = MSG_NONE;
		if (k->looked.u.looked.stamp > (uint64_t)k->from)
			k->from = (int64_t)k->looked.u.looked.stamp;	/* nearer to the reading */
		problem = k->looked.u.looked.problem;
		if (!problem && !k->looked.u.looked.repository_id)
			problem = "the repository has no id and none could be written";
	}
	if (problem)
		look_end(k, PS_EGATE, problem);
	else
		start_drain(k);
}

static void ask(struct look *k)
{
	struct core *c = k->all->core;
	struct wire_ref_log *logs = xcalloc(k->known.n + 1, sizeof(*logs));
	struct wire_look look = { .repository = k->path, .logs = { logs, k->known.n },
				  .fresh = k->adopted };

	for (size_t i = 0; i < k->known.n; i++)
		logs[i] = (struct wire_ref_log) { k->known.v[i].name,
						  (uint64_t)(k->known.v[i].log_size + 1) };
	k->state = ASKED;
	k->from = clock_boot_ns();
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_look, &look, LIMIT_MS, on_looked, k);
	free(logs);
}

static int run_known(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct look *k = arg;
	struct repository repo = { 0 };
	int rc = repository_by_path(tx, k->path, &repo, NULL);

	k->adopted = rc == 0 && repo.adopted_ms;
	if (rc == 0)
		rc = refs_of(tx, repo.id, &k->known, err);
	repository_clear(&repo);
	return rc == PS_ENOENT ? 0 : rc;
}

static void on_known(void *arg, int rc, const struct ps_err *err)
{
	struct look *k = arg;

	if (rc < 0)
		look_end(k, rc, ps_err_msg(err, rc));
	else
		ask(k);
}

static void begin(struct look *k)
{
	k->state = READS;
	k->all->busy++;
	store_read(k->all->core->store, run_known, on_known, k);
}

static void go_on(struct looks *l)
{
	for (struct look *k = l->first; k && l->busy < AT_ONCE; k = k->next)
		if (k->state == QUEUED)
			begin(k);
}

static const char below_no_root[] =
	"the repository is below no root of penstock.yml: add one to repositories.roots and run: "
	"penstock reload";

void looks_add(struct looks *l, const char *path, look_fn *fn, void *arg)
{
	const struct look_done refused = { path, NULL, PS_ENOENT, below_no_root, 0, 0, NULL };
	struct look *k;
	char *name;

	if (!config_root_of(l->core->policy->cfg, l->core->policy->base, path, &name)) {
		l->end(l->arg, &refused);
		if (fn)
			fn(arg, &refused);
		return;
	}
	k = xcalloc(1, sizeof(*k));
	*k = (struct look) { .all = l, .path = xstrdup(path), .name = name, .fn = fn, .arg = arg };
	*l->last = k;
	l->last = &k->next;
	go_on(l);
}
