/* rule – see rule.h and design: each function below is one row of the table in EVENTS, reach() the
 * word they share. What is not here yet: splitting a gap for a report that lies inside it. */
#include "config.h"

#include "agent/flow/rule.h"

/* The table as it becomes while steps are decided. */
struct rule {
	const struct rule_table *t;
	const struct rule_learnt *l;
	struct rule_steps *out;
	const char *tail;
	struct rule_stamp last;
	bool *used;			/* per intent */
};

const char *rule_kind_word(enum rule_kind k)
{
	static const char *const words[] = { "sure", "inferred", "gap" };

	return words[k];
}

bool rule_is_zero(const char *oid)
{
	return *oid && oid[strspn(oid, "0")] == '\0';
}

/* Not there, in the object format of the value that is. */
static const char *zero_like(const char *oid)
{
	static const char zeros[] =
		"0000000000000000000000000000000000000000000000000000000000000000";

	size_t n = strlen(oid), most = sizeof(zeros) - 1;

	return zeros + (n < most ? most - n : 0);
}

/* Is the stored stamp older than (or, with `same`, as old as) the one learnt now? */
static bool older(const struct rule *r, struct rule_stamp stored, const char *boot, int64_t ns,
		  bool same)
{
	if (strcmp(stored.boot, boot) == 0)
		return stored.ns < ns || (same && stored.ns == ns);
	return strcmp(stored.boot, r->t->boot_now) != 0;
}

static struct rule_step *step(struct rule *r, enum rule_do what)
{
	struct rule_steps *o = r->out;

	o->v = xgrow(o->v, o->n, &o->cap, sizeof(*o->v));
	o->v[o->n] = (struct rule_step) { .what = what, .k = -1, .seen = { r->l->boot, r->l->to } };
	return &o->v[o->n++];
}

static void baseline(struct rule *r, const char *value)
{
	struct rule_step *s = step(r, RULE_BASELINE);

	s->new = value;
	s->seen.ns = r->l->from;
	r->tail = value;
	r->last = s->seen;
}

static void append(struct rule *r, enum rule_kind kind, const char *new, int64_t push, int64_t k)
{
	struct rule_step *s = step(r, RULE_APPEND);

	s->kind = kind;
	s->old = r->tail;
	s->new = new;
	s->push = push;
	s->k = k;
	r->tail = new;
	/* a report that came late must not make the ref look older than it was known to be */
	if (older(r, r->last, s->seen.boot, s->seen.ns, true))
		r->last = s->seen;
	else
		s->seen = r->last;
}

static void use(struct rule *r, size_t i)
{
	step(r, RULE_USE)->at = i;
	r->used[i] = true;
}

/* ---- chains ---- */

struct search {
	size_t *queue, *prev;		/* intents in the order they were reached, and from which */
	size_t n;
	bool *seen;
};

enum { NO_PREV = SIZE_MAX };

static bool may_lead(const struct rule *r, size_t i, size_t not_this)
{
	const struct rule_intent *in = &r->t->intents[i];

	return i != not_this && !r->used[i] && older(r, in->begun, r->l->boot, r->l->to, true);
}

/* Takes all intents that begin at `value`: those of the push in question first. */
static void spread(const struct rule *r, struct search *s, const char *value, size_t from,
		   size_t not_this)
{
	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; i < r->t->nintents; i++) {
			const struct rule_intent *in = &r->t->intents[i];

			if (s->seen[i] || (in->push == r->l->push) != own ||
			    strcmp(in->old, value) != 0 || !may_lead(r, i, not_this))
				continue;
			s->seen[i] = true;
			s->prev[s->n] = from;
			s->queue[s->n++] = i;
		}
}

/* The shortest way from the tail to v over open intents; where it ends in s->queue, or NO_PREV. */
static size_t find_way(const struct rule *r, struct search *s, const char *v, size_t not_this)
{
	spread(r, s, r->tail, NO_PREV, not_this);
	for (size_t at = 0; at < s->n; at++) {
		const char *here = r->t->intents[s->queue[at]].new;

		if (strcmp(here, v) == 0)
			return at;
		spread(r, s, here, at, not_this);
	}
	return NO_PREV;
}

static void walk(struct rule *r, const struct search *s, size_t end)
{
	const struct rule_intent *in = &r->t->intents[s->queue[end]];

	if (s->prev[end] != NO_PREV)
		walk(r, s, s->prev[end]);
	append(r, RULE_INFERRED, in->new, in->push, -1);
	use(r, s->queue[end]);
}

/* The ref had value v: whatever is missing up to there becomes events. not_this: an intent that is
 * about to get an event of its own. */
static void reach(struct rule *r, const char *v, size_t not_this)
{
	size_t n = r->t->nintents, end;
	struct search s = { .n = 0 };

	if (strcmp(v, r->tail) == 0)
		return;
	s.queue = xcalloc(n + 1, sizeof(*s.queue));
	s.prev = xcalloc(n + 1, sizeof(*s.prev));
	s.seen = xcalloc(n + 1, sizeof(*s.seen));
	end = find_way(r, &s, v, not_this);
	if (end != NO_PREV)
		walk(r, &s, end);
	else
		append(r, RULE_GAP, v, 0, -1);
	free(s.queue);
	free(s.prev);
	free(s.seen);
}

/* A value that was read: nothing when it may have been read before the last event. */
static void reach_read(struct rule *r, const char *v)
{
	if (older(r, r->last, r->l->boot, r->l->from, false))
		reach(r, v, NO_PREV);
}

/* ---- the rows ---- */

static void learn_intent(struct rule *r)
{
	const struct rule_learnt *l = r->l;

	if (l->recorded)
		return;
	if (l->value && !r->tail)
		baseline(r, l->value);
	else if (l->value)
		reach_read(r, l->value);
	if (strcmp(l->old, l->new) != 0)
		step(r, RULE_OPEN);
}

static size_t own_intent(const struct rule *r)
{
	for (size_t i = 0; i < r->t->nintents; i++) {
		const struct rule_intent *in = &r->t->intents[i];

		if (in->push == r->l->push && strcmp(in->old, r->l->old) == 0 &&
		    strcmp(in->new, r->l->new) == 0)
			return i;
	}
	return NO_PREV;
}

static bool is_movement(const struct rule_event *e, const struct rule_learnt *l)
{
	return strcmp(e->old, l->old) == 0 && strcmp(e->new, l->new) == 0;
}

static struct rule_stamp began(const struct rule_learnt *l)
{
	return l->begun.boot ? l->begun : (struct rule_stamp) { l->boot, l->from };
}

/* The event this report is about, when it is there already but nobody has vouched for it. */
static size_t find_unconfirmed(const struct rule *r)
{
	const struct rule_learnt *l = r->l;
	struct rule_stamp begun = began(l);

	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];

		if (e->kind == RULE_INFERRED && e->push == l->push && is_movement(e, l))
			return i;
	}
	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];

		if (e->kind != RULE_SURE && e->push != l->push && is_movement(e, l) &&
		    !older(r, e->seen, begun.boot, begun.ns, false))
			return i;
	}
	return NO_PREV;
}

static void confirm(struct rule *r, size_t at, size_t own)
{
	const struct rule_event *e = &r->t->events[at];
	struct rule_step *s;

	if (e->push && e->push != r->l->push)
		step(r, RULE_REOPEN)->at = at;
	s = step(r, RULE_CONFIRM);
	s->at = at;
	s->push = r->l->push;
	s->k = r->l->k;
	if (e->push != r->l->push && own != NO_PREV)
		use(r, own);		/* its own was used when it was inferred */
}

/* Does a gap that was seen after this push began hold its movement? It will be split there; until
 * then it stays inside, held. */
static bool is_inside_gap(const struct rule *r)
{
	struct rule_stamp begun = began(r->l);

	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];

		if (e->kind == RULE_GAP && !older(r, e->seen, begun.boot, begun.ns, false))
			return true;
	}
	return false;
}

static void learn_report(struct rule *r)
{
	const struct rule_learnt *l = r->l;
	size_t own = own_intent(r), at;

	if (strcmp(l->old, l->new) == 0)
		return;
	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];

		if (e->kind == RULE_SURE && e->push == l->push && e->k == l->k)
			return;
	}
	at = find_unconfirmed(r);
	if (at != NO_PREV) {
		confirm(r, at, own);
		return;
	}
	if (!r->tail)
		baseline(r, l->old);
	if (strcmp(l->old, r->tail) != 0 && is_inside_gap(r))
		return;
	reach(r, l->old, own);		/* also when it comes late: what follows must join */
	append(r, RULE_SURE, l->new, l->push, l->k);
	if (own != NO_PREV && !r->used[own])
		use(r, own);
}

/* A ref that was never seen before its push ended: where the push began, if that explains it. */
static void late_baseline(struct rule *r)
{
	const char *v = r->l->value;

	for (size_t i = 0; i < r->t->nintents; i++)
		if (strcmp(r->t->intents[i].new, v) == 0) {
			baseline(r, r->t->intents[i].old);
			r->last.ns--;	/* this same look may go on from there */
			return;
		}
	baseline(r, v);
}

static void learn_end(struct rule *r)
{
	if (r->l->value && !r->tail)
		late_baseline(r);
	if (r->l->value)
		reach_read(r, r->l->value);
	for (size_t i = 0; i < r->t->nintents; i++)
		if (r->t->intents[i].push == r->l->push && !r->used[i])
			step(r, RULE_VOID)->at = i;
}

static void learn_look(struct rule *r)
{
	if (r->l->lives || !r->l->value)
		return;
	if (!r->tail)
		baseline(r, r->l->value);
	else
		reach_read(r, r->l->value);
}

void rule_apply(const struct rule_table *t, const struct rule_learnt *l, struct rule_steps *out)
{
	static void (*const rows[])(struct rule *) = {
		[RULE_INTENT] = learn_intent, [RULE_REPORT] = learn_report,
		[RULE_END] = learn_end, [RULE_LOOK] = learn_look,
	};
	struct rule r = { .t = t, .l = l, .out = out, .tail = t->tail, .last = t->last };
	const char *any = l->value ? l->value : l->old;

	r.used = xcalloc(t->nintents + 1, sizeof(*r.used));
	if (!r.tail && t->adopted && any && !(l->thing == RULE_INTENT && l->recorded)) {
		baseline(&r, zero_like(any));
		r.last.ns--;		/* that was before anything that is learnt now */
	}
	rows[l->thing](&r);
	free(r.used);
}

void rule_steps_clear(struct rule_steps *s)
{
	PS_FREE(s->v);
	s->n = s->cap = 0;
}
