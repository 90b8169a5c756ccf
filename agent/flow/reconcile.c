/* reconcile – see reconcile.h. */
#include "config.h"

#include "agent/flow/reconcile.h"

#include "agent/flow/intake.h"
#include "agent/flow/look.h"
#include "agent/store/repository.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum {
	BATCH = 1000,			/* repositories of one frame */
	MARK_LIMIT_MS = 90000, FIND_LIMIT_MS = 180000,
	MARK_MAX = 64,
	AGAIN_MAX_MS = 600000,		/* between two looks that fail */
};

/* What is remembered of one repository; the path is its key. */
struct seen {
	char *path, *name;		/* name NULL: the store does not know it (yet) */
	char mark[MARK_MAX];		/* when it was listed; "": it must be */
	int64_t listed_ns, gone_ms;
	int64_t again_ns;		/* after looks that failed: not before, unless asked */
	unsigned fails;			/* in a row */
	char *problem;			/* of its last look; NULL: none */
	char *taken;			/* another agent's lease lies in it; NULL: ours does */
	int64_t taken_ms;
	bool told;			/* the store says the same about that */
	bool looking, found;		/* a look is under way; the last search saw it */
	bool stored;			/* the store has known it by this path */
};

struct asked { flow_reconcile_fn *fn; void *arg; bool full; struct asked *next; };

struct reconcile {
	struct core *core;
	struct looks *looks;
	struct loop_watch *timer;
	struct seen **v;		/* by path */
	size_t n, cap;
	struct asked *waiting;		/* for the next pass */
	bool search_due;
	/* the pass under way */
	bool busy, at_once, full, marked;
	bool rests;			/* until the timer, between two parts */
	struct asked *asked;
	struct seen **order;
	size_t norder, at, pending;
	struct flow_reconciled now;
	int64_t began;
	struct repositories known;
	struct flow_reconcile_facts facts;
};

static void pass_start(struct reconcile *r);
static void maybe_end(struct reconcile *r);
static void mark_next(struct reconcile *r);

/* ---- what is remembered ---- */

static void seen_free(struct seen *s)
{
	free(s->path);
	free(s->name);
	free(s->problem);
	free(s->taken);
	free(s);
}

/* Where path stands, or would. */
static size_t place_of(const struct reconcile *r, const char *path, bool *there)
{
	size_t low = 0, high = r->n;

	*there = false;
	while (low < high && !*there) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(r->v[mid]->path, path);

		*there = c == 0;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return *there ? high : low;
}

static struct seen *find_or_add(struct reconcile *r, const char *path)
{
	bool there;
	size_t at = place_of(r, path, &there);
	struct seen *s;

	if (there)
		return r->v[at];
	s = xcalloc(1, sizeof(*s));
	s->path = xstrdup(path);
	r->v = xgrow(r->v, r->n, &r->cap, sizeof(*r->v));
	memmove(&r->v[at + 1], &r->v[at], (r->n - at) * sizeof(*r->v));
	r->v[at] = s;
	r->n++;
	return s;
}

/* Those the store knows, those that a search has seen, and those being looked at stay. */
static void take_known(struct reconcile *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n; i++)
		PS_FREE(r->v[i]->name);
	for (size_t i = 0; i < r->known.n; i++) {
		const struct repository *k = &r->known.v[i];
		struct seen *s = find_or_add(r, k->path);

		free(s->name);
		s->name = xstrdup(k->name);
		if (!s->stored) {	/* later we know better: what we write takes a while */
			s->gone_ms = k->gone_ms;
			s->told = !s->taken == !k->taken_ms;
			if (!s->taken && k->taken_ms) {
				s->taken = xstrdup_null(k->taken_by);
				s->taken_ms = k->taken_ms;
				s->told = true;
			}
		}
		s->stored = true;
	}
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i]->name || r->v[i]->found || r->v[i]->looking)
			r->v[kept++] = r->v[i];
		else
			seen_free(r->v[i]);
	}
	r->n = kept;
}

void reconcile_forget(struct reconcile *r, const char *path)
{
	bool there;
	size_t at = place_of(r, path, &there);

	if (!there)
		return;
	PS_FREE(r->v[at]->name);
	r->v[at]->found = false;
	if (r->v[at]->looking)		/* goes with the next list of those the store knows */
		return;
	seen_free(r->v[at]);
	memmove(&r->v[at], &r->v[at + 1], (--r->n - at) * sizeof(*r->v));
}

/* ---- looks ---- */

static void set_problem(struct seen *s, const char *problem)
{
	if (problem && !ps_streq(problem, s->problem))
		log_warn("look", s->path, "%s", problem);
	else if (!problem && s->problem)
		log_info("look", s->path, "can be read again");
	free(s->problem);
	s->problem = xstrdup_null(problem);
}

/* One that fails is tried after one period, two, four, at the latest after ten minutes. */
static void back_off(struct reconcile *r, struct seen *s)
{
	int64_t ms = r->core->policy->cfg->repo.look_every_ms;

	for (unsigned i = 0; i < s->fails && ms < AGAIN_MAX_MS; i++)
		ms *= 2;
	s->fails++;
	s->again_ns = clock_boot_ns() + (ms < AGAIN_MAX_MS ? ms : AGAIN_MAX_MS) * 1000000;
}

/* Every look ends here. */
static void on_look(void *arg, const struct look_done *d)
{
	struct reconcile *r = arg;
	struct seen *s = find_or_add(r, d->path);

	set_problem(s, d->problem);
	snprintf(s->mark, sizeof(s->mark), "%s", d->mark ? d->mark : "");
	if (d->problem) {
		back_off(r, s);
	} else {
		s->listed_ns = clock_boot_ns();
		s->fails = 0;
		s->again_ns = 0;
	}
	r->facts.listed++;
	r->facts.events += d->events;
	if (!d->problem)
		log_info("look", s->path, "%zu refs seen%s", d->refs,
			 d->events ? ", some had moved: see penstock events" : "");
	if (!s->looking)
		return;
	s->looking = false;
	r->now.listed++;
	r->now.events += d->events;
	r->now.problems += d->problem != NULL;
	r->pending--;
	maybe_end(r);
}

static void list(struct reconcile *r, struct seen *s)
{
	s->looking = true;
	r->pending++;
	looks_add(r->looks, s->path, NULL, NULL);
}

struct one { core_reply_fn *reply; void *arg; };

static void on_one(void *arg, const struct look_done *d)
{
	struct one *o = arg;
	char *text = xasprintf("%s: %zu refs seen%s", d->name ? d->name : d->path, d->refs,
			       d->events ? ", some had moved: see penstock events" : "");

	o->reply(o->arg, d->rc, d->problem, d->problem ? NULL : text);
	free(text);
	free(o);
}

void reconcile_one(struct reconcile *r, const char *path, core_reply_fn *reply, void *arg)
{
	struct one *o = xcalloc(1, sizeof(*o));

	*o = (struct one) { reply, arg };
	looks_add(r->looks, path, on_one, o);
}

/* ---- gone and back ---- */

struct gone { struct core *core; char *path; int64_t ms; };

static int run_gone(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct gone *g = arg;

	return repository_gone(tx, g->path, g->ms, err);
}

static void on_gone(void *arg, int rc, const struct ps_err *err)
{
	struct gone *g = arg;

	core_log_done(g->core, rc, err);
	free(g->path);
	free(g);
}

static void set_gone(struct reconcile *r, struct seen *s, bool gone)
{
	struct gone *g;

	if (gone == (s->gone_ms != 0))
		return;
	s->gone_ms = gone ? clock_wall_ms() : 0;
	s->mark[0] = '\0';
	r->search_due |= gone;		/* it may have moved */
	log_warn("look", s->path, "%s", gone ? "the repository is not there: no event of it is "
		 "taken into work until it is back" : "the repository is there again");
	if (!s->name)
		return;
	g = xcalloc(1, sizeof(*g));
	*g = (struct gone) { r->core, xstrdup(s->path), s->gone_ms };
	store_write(r->core->store, STORE_FULL, run_gone, on_gone, g);
}

/* ---- another agent's ---- */

struct taken { struct core *core; char *path, *by; int64_t ms; };

static int run_taken(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct taken *t = arg;

	return repository_taken(tx, t->path, t->by, t->ms, err);
}

static void on_taken(void *arg, int rc, const struct ps_err *err)
{
	struct taken *t = arg;

	core_log_done(t->core, rc, err);
	free(t->path);
	free(t->by);
	free(t);
}

/* The store knows the repository only after the first look at it. */
static void tell_taken(struct reconcile *r, struct seen *s)
{
	struct taken *t;

	if (s->told || !s->stored)
		return;
	s->told = true;
	t = xcalloc(1, sizeof(*t));
	*t = (struct taken) { r->core, xstrdup(s->path), xstrdup_null(s->taken), s->taken_ms };
	store_write(r->core->store, STORE_FULL, run_taken, on_taken, t);
}

static void set_taken(struct reconcile *r, struct seen *s, const char *by)
{
	if (*by ? !ps_streq(by, s->taken) : s->taken != NULL) {
		s->taken_ms = !*by ? 0 : s->taken ? s->taken_ms : clock_wall_ms();
		free(s->taken);
		s->taken = *by ? xstrdup(by) : NULL;
		s->told = false;
		if (*by)
			log_warn("look", s->path, "%s works with this repository: nothing of it "
				 "is taken into work here", by);
		else
			log_info("look", s->path, "no other agent works with it any more");
	}
	tell_taken(r, s);
}

/* ---- stage one ---- */

/* A few of those that are due for a listing at each time, not all in the same minute. */
static bool listed_long_ago(const struct reconcile *r, const struct seen *s)
{
	int64_t every = r->core->policy->cfg->repo.list_every_ms, age;
	uint32_t h = 2166136261u;

	for (const char *p = s->path; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	age = (clock_boot_ns() - s->listed_ns) / 1000000;
	return age > every - (int64_t)(h % 1024) * every / 4096;
}

static void on_mark(struct reconcile *r, struct seen *s, const char *mark, const char *holder)
{
	r->now.repositories++;
	r->facts.statted++;
	set_gone(r, s, strcmp(mark, "-") == 0);
	if (!s->gone_ms)
		set_taken(r, s, holder);
	if (s->gone_ms || s->looking || (!r->asked && clock_boot_ns() < s->again_ns))
		return;
	if (r->full || !*s->mark || strcmp(mark, s->mark) != 0 || listed_long_ago(r, s))
		list(r, s);
}

static void pass_end(struct reconcile *r, const char *problem)
{
	int64_t left;

	r->busy = false;
	r->facts.at = r->facts.of = 0;
	PS_FREE(r->order);
	if (problem) {
		log_warn("look", NULL, "the repositories were not looked at: %s", problem);
	} else {
		r->facts.passes++;
		r->facts.last_ms = clock_wall_ms();
		r->facts.last = r->now;
	}
	while (r->asked) {
		struct asked *a = r->asked;

		r->asked = a->next;
		a->fn(a->arg, problem, &r->now);
		free(a);
	}
	if (r->core->role->stopping)
		return;
	left = r->core->policy->cfg->repo.look_every_ms - (clock_boot_ns() - r->began) / 1000000;
	if (r->waiting || (r->search_due && !problem))
		left = 0;
	loop_timer_set(r->timer, left > 0 ? left : 0);
}

static void maybe_end(struct reconcile *r)
{
	if (r->busy && r->marked && !r->pending)
		pass_end(r, NULL);
}

static void on_marked(void *arg, struct msg *m, const char *problem)
{
	struct reconcile *r = arg;
	const struct wire_strs *marks = m ? &m->u.marked.marks : NULL;
	size_t left = r->norder - r->at, n = left < BATCH ? left : BATCH, batches;

	if (m && !problem)
		problem = m->u.marked.problem;
	if (!problem && marks->n != n)
		problem = "the gate answered for other repositories than it was asked about";
	if (problem) {
		r->marked = true;	/* what is being listed is let go on */
		r->at = r->norder;
		pass_end(r, problem);
		return;
	}
	for (size_t i = 0; i < n; i++)
		on_mark(r, r->order[r->at + i], marks->v[i],
			i < m->u.marked.holders.n ? m->u.marked.holders.v[i] : "");
	r->at += n;
	r->facts.at = r->at;
	batches = (r->norder + BATCH - 1) / BATCH;
	if (r->at == r->norder || r->at_once || r->waiting) {
		mark_next(r);
	} else {
		r->rests = true;
		loop_timer_set(r->timer, r->core->policy->cfg->repo.look_every_ms /
			       (int64_t)batches);
	}
}

static void mark_next(struct reconcile *r)
{
	size_t left = r->norder - r->at, n = left < BATCH ? left : BATCH;
	struct wire_mark q = { .id = 0 };
	const char **paths;

	r->rests = false;
	if (!n) {
		r->marked = true;
		maybe_end(r);
		return;
	}
	paths = xcalloc(n, sizeof(*paths));
	for (size_t i = 0; i < n; i++)
		paths[i] = r->order[r->at + i]->path;
	q.repositories.v = paths;
	q.repositories.n = n;
	r->facts.frames++;
	ask_send(r->core->asks, r->core->roles[CORE_GATE].peer, MSG_mark, &q, MARK_LIMIT_MS,
		 on_marked, r);
	free(paths);
}

/* ---- a pass ---- */

static void start_marking(struct reconcile *r)
{
	r->order = xcalloc(r->n + 1, sizeof(*r->order));
	if (r->n)
		memcpy(r->order, r->v, r->n * sizeof(*r->order));
	r->norder = r->n;
	r->at = 0;
	r->facts.at = 0;
	r->facts.of = r->n;
	mark_next(r);
}

static void on_found(void *arg, struct msg *m, const char *problem)
{
	struct reconcile *r = arg;
	const struct wire_found *f = m ? &m->u.found : NULL;

	if (f && f->problem)
		log_warn("look", NULL, "%s", f->problem);
	if (!f) {
		r->search_due = true;
		pass_end(r, problem);
		return;
	}
	for (size_t i = 0; i < r->n; i++)
		r->v[i]->found = false;
	for (size_t i = 0; i < f->repositories.n; i++)
		find_or_add(r, f->repositories.v[i])->found = true;
	start_marking(r);
}

static int run_known(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return repositories_all(tx, &((struct reconcile *)arg)->known, err);
}

static void on_known(void *arg, int rc, const struct ps_err *err)
{
	struct reconcile *r = arg;

	if (rc == 0)
		take_known(r);
	repositories_clear(&r->known);
	if (rc < 0 || r->core->role->stopping) {
		pass_end(r, rc < 0 ? ps_err_msg(err, rc) : "core ends");
	} else if (r->search_due) {
		r->search_due = false;
		r->at_once = true;
		ask_send(r->core->asks, r->core->roles[CORE_GATE].peer, MSG_find,
			 &(struct wire_find) { 0 }, FIND_LIMIT_MS, on_found, r);
	} else {
		start_marking(r);
	}
}

static void pass_start(struct reconcile *r)
{
	r->busy = true;
	r->marked = r->full = false;
	r->began = clock_boot_ns();
	r->now = (struct flow_reconciled) { 0 };
	r->asked = r->waiting;
	r->waiting = NULL;
	r->at_once = r->asked != NULL;
	for (const struct asked *a = r->asked; a; a = a->next)
		r->full |= a->full;
	r->search_due |= r->asked != NULL;
	store_read(r->core->store, run_known, on_known, r);
}

static void on_timer(void *arg)
{
	struct reconcile *r = arg;

	if (r->rests)
		mark_next(r);		/* the next part of one that is spread */
	else if (r->busy)
		return;			/* it is at work, and its end sets the timer */
	else if (r->core->roles[CORE_GATE].peer || r->waiting)
		pass_start(r);		/* without a gate its hello begins anew */
}

void reconcile_start(struct reconcile *r)
{
	r->search_due = true;
	for (size_t i = 0; i < r->n; i++)	/* what it was before is not known any more */
		r->v[i]->mark[0] = '\0';
	if (!r->busy)
		pass_start(r);
}

void reconcile_on_spool(struct reconcile *r, int64_t started)
{
	looks_on_spool(r->looks, started);
}

struct reconcile *reconcile_new(struct core *c)
{
	struct reconcile *r = xcalloc(1, sizeof(*r));

	r->core = c;
	r->looks = looks_new(c, on_look, r);
	r->timer = loop_timer(c->loop, on_timer, r);
	return r;
}

void reconcile_free(struct reconcile *r)
{
	if (!r)
		return;
	r->busy = false;
	looks_free(r->looks);
	ask_forget(r->core->asks, r);
	for (int i = 0; i < 2; i++)
		for (struct asked **list = i ? &r->waiting : &r->asked; *list;) {
			struct asked *a = *list;

			*list = a->next;
			a->fn(a->arg, "core ends", &r->now);
			free(a);
		}
	for (size_t i = 0; i < r->n; i++)
		seen_free(r->v[i]);
	free(r->v);
	free(r->order);
	repositories_clear(&r->known);
	loop_watch_free(r->timer);
	free(r);
}

/* ---- for people ---- */

struct one_named { flow_reconcile_fn *fn; void *arg; };

static void on_named(void *arg, const struct look_done *d)
{
	struct one_named *o = arg;
	const struct flow_reconciled done = { 1, 1, d->events, d->problem != NULL };

	o->fn(o->arg, d->problem, &done);
	free(o);
}

static const char *path_of(const struct reconcile *r, const char *repository)
{
	for (size_t i = 0; i < r->n; i++)
		if (ps_streq(r->v[i]->name, repository))
			return r->v[i]->path;
	return NULL;
}

void flow_reconcile(struct core *c, const char *repository, bool full, flow_reconcile_fn *fn,
		    void *arg)
{
	const struct flow_reconciled none = { 0 };
	struct reconcile *r = c->intake->reconcile;
	char *real = repository && *repository == '/' ? realpath(repository, NULL) : NULL;
	const char *path = real ? real : repository ? path_of(r, repository) : NULL;
	struct asked *a;

	if (repository && !path) {
		fn(arg, "no repository is known by this name or path", &none);
	} else if (path) {
		struct one_named *o = xcalloc(1, sizeof(*o));

		*o = (struct one_named) { fn, arg };
		looks_add(r->looks, path, on_named, o);
	} else {
		a = xcalloc(1, sizeof(*a));
		*a = (struct asked) { fn, arg, full, r->waiting };
		r->waiting = a;
		/* one that is spread is hurried on, then comes ours */
		loop_timer_set(r->timer, 0);
	}
	free(real);
}

const struct flow_reconcile_facts *flow_reconcile_facts(const struct core *c)
{
	return &c->intake->reconcile->facts;
}

bool flow_reconcile_trouble(const struct core *c, size_t *at, struct flow_trouble *out)
{
	const struct reconcile *r = c->intake->reconcile;

	for (; *at < r->n; ++*at) {
		const struct seen *s = r->v[*at];

		if (!s->gone_ms && !s->problem && !s->taken)
			continue;
		*out = (struct flow_trouble) { s->path, s->name, s->gone_ms, s->problem, s->taken,
					       s->taken_ms };
		++*at;
		return true;
	}
	return false;
}
