/* rule_way – ways over open intents, and who may have made what was found that way. */
#include "config.h"

#include "agent/flow/rule_parts.h"

/* ---- who may have made old→new ---- */

static bool is_edge(const char *old, const char *new, const char *a, const char *b)
{
	return strcmp(old, a) == 0 && strcmp(new, b) == 0;
}

static void add_maker(struct rule_step *s, int64_t push)
{
	for (size_t i = 0; i < s->nmakers; i++)
		if (s->makers[i] == push)
			return;
	s->makers = xgrow(s->makers, s->nmakers, &s->cap, sizeof(*s->makers));
	s->makers[s->nmakers++] = push;
}

/* Its push first; then all that announced the same, and all that may have made an equal event. */
static void name_makers(const struct rule *r, struct rule_step *s)
{
	if (s->kind == RULE_SURE)
		return;
	add_maker(s, s->push);
	for (size_t i = 0; i < r->t->nintents; i++) {
		const struct rule_intent *in = &r->t->intents[i];

		if (is_edge(in->old, in->new, s->old, s->new) && in->k < 0 &&
		    rule_older(r, in->begun, r->l->boot, r->l->to, true))
			add_maker(s, in->push);
	}
	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];

		for (size_t k = 0; e->kind == RULE_INFERRED && k < e->nmakers; k++)
			if (is_edge(e->old, e->new, s->old, s->new))
				add_maker(s, e->makers[k]);
	}
}

/* ---- chains ---- */

struct way {
	const char *from;
	bool behind;			/* from the tail on */
	size_t not_this;
	size_t *queue, *prev;		/* intents in the order they were reached, and from which */
	size_t n;
	bool *seen;
};

static bool may_lead(const struct rule *r, const struct way *w, size_t i)
{
	const struct rule_intent *in = &r->t->intents[i];

	if (r->l->thing == RULE_REPORT && in->push == r->l->push && in->k > r->l->k)
		return false;		/* a later line of the same report */
	return i != w->not_this && !r->used[i] &&
		rule_older(r, in->begun, r->l->boot, r->l->to, true) &&
		!(w->behind && in->k >= 0 && rule_is_passed(r, in->told));
}

/* Takes all intents that begin at `value`: those of the push in question first. */
static void spread(const struct rule *r, struct way *w, const char *value, size_t from)
{
	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; i < r->t->nintents; i++) {
			const struct rule_intent *in = &r->t->intents[i];

			if (w->seen[i] || (in->push == r->l->push) != own ||
			    strcmp(in->old, value) != 0 || !may_lead(r, w, i))
				continue;
			w->seen[i] = true;
			w->prev[w->n] = from;
			w->queue[w->n++] = i;
		}
}

/* The shortest way to v; where it ends in w->queue, or RULE_NONE. */
static size_t find_way(const struct rule *r, struct way *w, const char *v)
{
	size_t n = r->t->nintents;

	w->queue = xcalloc(n + 1, sizeof(*w->queue));
	w->prev = xcalloc(n + 1, sizeof(*w->prev));
	w->seen = xcalloc(n + 1, sizeof(*w->seen));
	spread(r, w, w->from, RULE_NONE);
	for (size_t at = 0; at < w->n; at++) {
		const char *here = r->t->intents[w->queue[at]].new;

		if (strcmp(here, v) == 0)
			return at;
		/* more than one step only when nothing of theirs is under way any more */
		if (r->l->thing == RULE_END && !r->direct)
			spread(r, w, here, at);
	}
	return RULE_NONE;
}

static void way_clear(struct way *w)
{
	free(w->queue);
	free(w->prev);
	free(w->seen);
}

static enum rule_kind kind_of(const struct rule_intent *in)
{
	return in->k >= 0 ? RULE_SURE : RULE_INFERRED;
}

/* Its events: appended, or before events[at]. */
static void walk(struct rule *r, const struct way *w, size_t end, size_t at)
{
	const struct rule_intent *in = &r->t->intents[w->queue[end]];

	if (w->prev[end] != RULE_NONE)
		walk(r, w, w->prev[end], at);
	if (at == RULE_NONE)
		rule_append(r, kind_of(in), in->new, in->push, in->k);
	else
		rule_insert(r, at, kind_of(in), in->old, in->new, in->push, in->k);
	name_makers(r, &r->out->v[r->out->n - 1]);
	rule_use(r, w->queue[end]);
}

void rule_reach(struct rule *r, const char *v, size_t not_this)
{
	struct way w = { .from = r->tail, .behind = true, .not_this = not_this };
	size_t end;

	if (strcmp(v, r->tail) == 0)
		return;
	end = find_way(r, &w, v);
	if (end != RULE_NONE)
		walk(r, &w, end, RULE_NONE);
	else
		rule_append(r, RULE_GAP, v, 0, -1);
	way_clear(&w);
}

void rule_fill(struct rule *r, size_t at, const char *old, const char *new, size_t not_this)
{
	struct way w = { .from = old, .not_this = not_this };
	size_t end;

	if (strcmp(old, new) == 0)
		return;
	end = find_way(r, &w, new);
	if (end != RULE_NONE)
		walk(r, &w, end, at);
	else
		rule_insert(r, at, RULE_GAP, old, new, 0, -1);
	way_clear(&w);
}

void rule_rest(struct rule *r, size_t at, const char *old, size_t not_this)
{
	const struct rule_event *e = &r->t->events[at];
	struct way w = { .from = old, .not_this = not_this };
	size_t end = find_way(r, &w, e->new), last = RULE_NONE;
	struct rule_step *s;

	if (end != RULE_NONE) {
		last = w.queue[end];
		if (w.prev[end] != RULE_NONE)
			walk(r, &w, w.prev[end], at);
	}
	s = rule_step(r, RULE_CHANGE);
	s->at = at;
	s->kind = last == RULE_NONE ? RULE_GAP : kind_of(&r->t->intents[last]);
	s->old = last == RULE_NONE ? old : r->t->intents[last].old;
	s->new = e->new;
	s->push = last == RULE_NONE ? 0 : r->t->intents[last].push;
	if (last != RULE_NONE) {
		s->k = r->t->intents[last].k;
		name_makers(r, s);
		rule_use(r, last);
	}
	way_clear(&w);
}
