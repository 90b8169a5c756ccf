/*
 * rule_place – where the movement that a report tells of stands among the events.
 *
 * It is a true movement. Either it is an event that nobody has vouched for yet, or it takes a place
 * of its own. Of several places the one is right that leaves the fewest events when the ref's value
 * is known; so where it makes a difference, the report waits for the end of its push, which reads
 * the ref.
 */
#include "config.h"

#include "agent/flow/rule_parts.h"

static unsigned differ(const char *a, const char *b)
{
	return strcmp(a, b) != 0;
}

/* ---- what is there already ---- */

/* The open intent of this push for this movement, preferably one that waits as this very line. */
static size_t own_intent(const struct rule *r)
{
	const struct rule_learnt *l = r->l;
	size_t first = RULE_NONE;

	for (size_t i = 0; i < r->t->nintents; i++) {
		const struct rule_intent *in = &r->t->intents[i];

		if (in->push != l->push || strcmp(in->old, l->old) != 0 ||
		    strcmp(in->new, l->new) != 0)
			continue;
		if (in->k == l->k)
			return i;
		if (in->k < 0 && first == RULE_NONE)
			first = i;
	}
	return first;
}

static bool is_known(const struct rule *r, size_t own)
{
	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];

		if (e->kind == RULE_SURE && e->push == r->l->push && e->k == r->l->k)
			return true;
	}
	/* it waits, and this is the same once more */
	return own != RULE_NONE && r->t->intents[own].k == r->l->k && !r->l->value &&
		!r->l->at_last;
}

/* Not vouched for, and seen after this push may have moved the ref. */
static bool is_open_event(const struct rule *r, size_t i)
{
	const struct rule_event *e = &r->t->events[i];

	return e->kind != RULE_SURE && rule_seen_since(r, e->seen, rule_began(r->l));
}

/* The ends of events[at] that are not this movement's. */
static unsigned ends_off(const struct rule *r, size_t at)
{
	const struct rule_event *e = &r->t->events[at];

	return differ(e->old, r->l->old) + differ(e->new, r->l->new);
}

static size_t find_unconfirmed(const struct rule *r)
{
	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];

		if (e->kind == RULE_INFERRED && e->push == r->l->push && ends_off(r, i) == 0)
			return i;
	}
	for (size_t i = 0; i < r->t->nevents; i++)
		if (is_open_event(r, i) && ends_off(r, i) == 0)
			return i;
	return RULE_NONE;
}

/* events[at] is sure and this push's, from the movement's old value on. */
static void confirm(struct rule *r, size_t at)
{
	struct rule_step *s = rule_step(r, RULE_CHANGE);

	s->at = at;
	s->kind = RULE_SURE;
	s->old = r->l->old;
	s->new = r->l->new;
	s->push = r->l->push;
	s->k = r->l->k;
}

/* The intent from which events[at] was inferred, of another push, may still come true. */
static void let_go(struct rule *r, size_t at)
{
	const struct rule_event *e = &r->t->events[at];

	if (e->kind == RULE_INFERRED && e->push != r->l->push)
		rule_step(r, RULE_REOPEN)->at = at;
}

/* ---- places before the tail ---- */

/* what it costs to end at a value that the ref has not, and a bit */
enum { NEVER = 100, WRONG = 3 };

enum how { NOWHERE, SPLIT, CIRCLE, FIRST, DETOUR };

/* cost: twice the events that a place takes; one more where it is but perhaps allowed */
struct spot { enum how how; size_t at; unsigned cost; };

/*
 * Inside an event that nobody has vouched for. What was inferred has an intent on its side: when
 * its own report comes after all, it must be put in again.
 */
static void find_split(const struct rule *r, struct spot *best)
{
	for (size_t i = 0; i < r->t->nevents; i++) {
		unsigned cost = 2 * ends_off(r, i) + 2 * (r->t->events[i].kind != RULE_GAP);

		if (is_open_event(r, i) && cost < best->cost)
			*best = (struct spot) { SPLIT, i, cost };
	}
}

/* There and back, where the ref had one of the two values before something that was seen later. */
static void find_circle(const struct rule *r, struct spot *best)
{
	for (size_t i = r->t->nevents; best->cost > 4 && i-- > 0;) {
		const struct rule_event *e = &r->t->events[i];

		if (rule_seen_since(r, e->seen, rule_began(r->l)) &&
		    (strcmp(e->old, r->l->old) == 0 || strcmp(e->old, r->l->new) == 0))
			*best = (struct spot) { CIRCLE, i, 4 };
	}
}

/* Before the baseline, if that was read when the movement had been made: surely, or perhaps. */
static void find_first(const struct rule *r, struct spot *best)
{
	const char *base = r->t->nevents ? r->t->events[0].old : r->tail;
	unsigned cost = 2 + 2 * differ(base, r->l->new);

	if (!r->t->whole || !rule_seen_since(r, r->t->born, rule_began(r->l)))
		return;
	if (!rule_seen_since(r, r->t->born, r->l->told)) {
		if (!r->l->begun.boot)
			return;		/* of a push of which nothing is known: rather not */
		cost++;
	}
	if (cost < best->cost)
		*best = (struct spot) { FIRST, 0, cost };
}

/* x→y becomes x→o, o→n, n→y; the row that is there becomes the last of them. */
static void split(struct rule *r, size_t at, size_t own)
{
	const struct rule_event *e = &r->t->events[at];

	let_go(r, at);
	rule_fill(r, at, e->old, r->l->old, own);
	if (strcmp(r->l->new, e->new) == 0) {
		confirm(r, at);
		return;
	}
	rule_insert(r, at, RULE_SURE, r->l->old, r->l->new, r->l->push, r->l->k);
	rule_rest(r, at, r->l->new, own);
}

/* The tail was read between this push's intent and its report. */
static bool is_unsure(const struct rule *r)
{
	return r->t->read.boot && rule_seen_since(r, r->t->read, rule_began(r->l)) &&
		!rule_is_passed(r, r->l->told);
}

static void append(struct rule *r, size_t own)
{
	/* nobody knows any more on which side of that reading the last events are */
	if (is_unsure(r))
		rule_step(r, RULE_READ)->seen = (struct rule_stamp) { "", 0 };
	rule_reach(r, r->l->old, own);	/* what follows must join */
	rule_append(r, RULE_SURE, r->l->new, r->l->push, r->l->k);
}

static void put(struct rule *r, const struct spot *s, size_t own)
{
	const struct rule_learnt *l = r->l;
	const char *base = r->t->nevents ? r->t->events[0].old : r->tail;
	const char *tail = r->tail;
	size_t at = r->t->nevents ? 0 : RULE_FIRST;

	if (s->how == DETOUR) {
		append(r, own);
		rule_reach(r, tail, own);
	} else if (s->how == SPLIT) {
		split(r, s->at, own);
	} else if (s->how == CIRCLE) {
		rule_fill(r, s->at, r->t->events[s->at].old, l->old, own);
		rule_insert(r, s->at, RULE_SURE, l->old, l->new, l->push, l->k);
		rule_fill(r, s->at, l->new, r->t->events[s->at].old, own);
	} else {
		rule_insert(r, at, RULE_SURE, l->old, l->new, l->push, l->k);
		rule_fill(r, at, l->new, base, own);
	}
}

/* ---- which ---- */

/*
 * Neither place is surely right without the ref's value, or a line before this one waits for it, or
 * the tail was read between this push's intent and its report: on which side did it move the ref?
 */
static bool depends(const struct rule *r, bool maybe_first, unsigned here, unsigned behind)
{
	if (r->l->value || r->l->at_last)
		return false;
	for (size_t i = 0; i < r->t->nintents; i++)
		if (r->t->intents[i].push == r->l->push && r->t->intents[i].k >= 0)
			return true;
	if (is_unsure(r) || maybe_first)
		return true;
	return here <= behind + WRONG && behind <= here + WRONG;
}

/* Twice the events between two values behind the tail: none when what another push reported, and
 * what waits as well, leads there. */
static unsigned way_cost(const struct rule *r, const char *from, const char *to)
{
	for (size_t i = 0; i < r->t->nintents; i++) {
		const struct rule_intent *in = &r->t->intents[i];

		if (in->k >= 0 && in->push != r->l->push && strcmp(in->old, from) == 0 &&
		    strcmp(in->new, to) == 0 && !rule_is_passed(r, in->told))
			return 0;
	}
	return 2 * differ(from, to);
}

/* Is the way from the tail to o announced? Of two places that cost the same, behind then. */
static bool is_announced(const struct rule *r)
{
	for (size_t i = 0; i < r->t->nintents; i++) {
		const struct rule_intent *in = &r->t->intents[i];

		if (in->push != r->l->push && strcmp(in->old, r->tail) == 0 &&
		    strcmp(in->new, r->l->old) == 0 &&
		    rule_older(r, in->begun, r->l->told.boot, r->l->told.ns, true))
			return true;
	}
	return false;
}

/* There and back behind the tail, which was read after that. */
static void find_detour(const struct rule *r, struct spot *best)
{
	unsigned cost = 2 + way_cost(r, r->tail, r->l->old) + 2 * differ(r->l->new, r->tail);

	if (rule_is_passed(r, r->l->told) && cost < best->cost)
		*best = (struct spot) { DETOUR, 0, cost };
}

static void find_spot(const struct rule *r, struct spot *best)
{
	bool meets = strcmp(r->l->old, r->tail) == 0;

	find_split(r, best);
	find_first(r, best);
	/* as it is nearly always; the lines of one report have one stamp */
	if (meets && !r->l->value && !rule_is_passed(r, r->l->told) &&
	    rule_older(r, r->last, r->l->told.boot, r->l->told.ns, true))
		return;
	find_circle(r, best);
	find_detour(r, best);
}

/* Where the lines end that this push reported of the ref behind this one, as far as they join. */
static const char *ends_at(const struct rule *r, const char *at)
{
	int64_t k = r->l->k + 1;

	for (size_t i = 0; i < r->t->nintents; i++) {
		const struct rule_intent *in = &r->t->intents[i];

		if (in->push != r->l->push || in->k != k || strcmp(in->old, at) != 0)
			continue;
		at = in->new;
		k++;
		i = SIZE_MAX;		/* from the first again */
	}
	return at;
}

static void place(struct rule *r, size_t own)
{
	const struct rule_learnt *l = r->l;
	struct spot spot = { NOWHERE, 0, NEVER };
	bool passed = rule_is_passed(r, l->told);
	unsigned here, behind = passed ? NEVER : 2 + way_cost(r, r->tail, l->old);

	find_spot(r, &spot);
	here = spot.cost;
	if (l->value && spot.how != NOWHERE) {
		here += way_cost(r, ends_at(r, r->tail), l->value);
		behind += way_cost(r, ends_at(r, l->new), l->value);
	}
	if (depends(r, spot.how == FIRST && spot.cost % 2, here, behind))
		rule_step(r, RULE_WAIT);
	else if (spot.how == NOWHERE || behind < here || (behind == here && is_announced(r)))
		append(r, own);
	else
		put(r, &spot, own);
}

void rule_report(struct rule *r)
{
	const struct rule_learnt *l = r->l;
	size_t own = own_intent(r), at;

	if (strcmp(l->old, l->new) == 0 || is_known(r, own))
		return;
	if (l->value && !rule_older(r, l->told, l->boot, l->from, false)) {
		rule_step(r, RULE_WAIT);	/* read before that: another push's end */
		return;
	}
	if (!r->tail)
		rule_baseline(r, l->old);
	at = find_unconfirmed(r);
	if (at != RULE_NONE && r->t->events[at].kind == RULE_INFERRED &&
	    r->t->events[at].push == l->push)
		own = RULE_NONE;	/* its own was used when this was inferred */
	if (at != RULE_NONE) {
		let_go(r, at);
		confirm(r, at);
	} else if (l->value && !rule_is_newer(r)) {
		rule_step(r, RULE_AGAIN);
		return;
	} else {
		place(r, own);
	}
	if (own != RULE_NONE && !r->used[own] && r->out->v[r->out->n - 1].what != RULE_WAIT)
		rule_use(r, own);
}
