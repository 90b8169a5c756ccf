/* rule – see rule.h. reach() is the heart: it makes the tail be what was seen, with the best
 * explanation there is; everything else decides whether it may. */
#include "config.h"

#include "agent/flow/rule.h"

int rule_time_cmp(struct rule_time a, struct rule_time b)
{
	if (a.boot != b.boot)
		return a.boot < b.boot ? -1 : 1;
	return a.stamp < b.stamp ? -1 : a.stamp > b.stamp;
}

void rule_ref_clear(struct rule_ref *r)
{
	PS_FREE(r->events);
	PS_FREE(r->intents);
	memset(r, 0, sizeof(*r));
}

struct rule_event *rule_add_event(struct rule_ref *r, const struct rule_event *e)
{
	r->events = xgrow(r->events, r->nevents, &r->cap_events, sizeof(*r->events));
	r->events[r->nevents] = *e;
	return &r->events[r->nevents++];
}

struct rule_intent *rule_add_intent(struct rule_ref *r, const struct rule_intent *in)
{
	r->intents = xgrow(r->intents, r->nintents, &r->cap_intents, sizeof(*r->intents));
	r->intents[r->nintents] = *in;
	return &r->intents[r->nintents++];
}

static void oid_copy(char out[RULE_OID], const char *oid)
{
	snprintf(out, RULE_OID, "%s", oid);
}

static void set_baseline(struct rule_ref *r, const char *value, struct rule_time at)
{
	r->known = r->changed = true;
	r->seq = 0;
	r->at = at;
	oid_copy(r->tail, value);
}

/* The only place that makes an event: it begins at the tail and becomes it. */
static struct rule_event *append(struct rule_ref *r, const char *new, enum rule_kind kind,
				 int64_t push, int64_t k, struct rule_time at)
{
	struct rule_event e = { .seq = r->seq + 1, .kind = kind, .push = push, .k = k, .mark = RULE_NEW };

	/* a report that was late is still after what stands before it on the ref */
	e.at = rule_time_cmp(at, r->at) < 0 ? r->at : at;
	oid_copy(e.old, r->tail);
	oid_copy(e.new, new);
	oid_copy(r->tail, new);
	r->seq = e.seq;
	r->at = e.at;
	r->changed = true;
	return rule_add_event(r, &e);
}

static void intent_set(struct rule_intent *in, enum rule_intent_state state, const char *reason)
{
	in->state = state;
	in->reason = reason;
	if (in->mark != RULE_NEW)
		in->mark = RULE_CHANGED;
}

/*
 * The shortest chain of open intents from → … → to, each begun before t: breadth first over values.
 * chain gets indexes in order; returns how many, 0 when there is none. nintents places are needed.
 */
static size_t find_chain(const struct rule_ref *r, const char *from, const char *to,
			 struct rule_time t, size_t *chain)
{
	size_t n = r->nintents, head = 0, tail = 0, len = 0;
	size_t *queue = xcalloc(n + 1, sizeof(*queue));		/* intents in the order they were reached */
	size_t *before = xcalloc(n + 1, sizeof(*before));	/* whom each was reached from; n: the start */
	bool *taken = xcalloc(n + 1, sizeof(*taken));
	size_t found = n;

	for (bool first = true; found == n && (first || head < tail); first = false) {
		size_t parent = first ? n : queue[head++];
		const char *at = first ? from : r->intents[parent].new;

		for (size_t i = 0; i < n && found == n; i++) {
			const struct rule_intent *in = &r->intents[i];

			if (taken[i] || in->state != RULE_OPEN || rule_time_cmp(in->at, t) >= 0 ||
			    strcmp(in->old, at) != 0)
				continue;
			taken[i] = true;
			before[i] = parent;
			queue[tail++] = i;
			if (strcmp(in->new, to) == 0)
				found = i;
		}
	}
	for (size_t i = found; i != n; i = before[i])
		len++;
	for (size_t i = found, at = len; i != n; i = before[i])
		chain[--at] = i;
	free(queue);
	free(before);
	free(taken);
	return len;
}

/* Makes v the tail as of t: nothing, inferred events, or one gap. */
static void reach(struct rule_ref *r, const char *v, struct rule_time t)
{
	size_t *chain, n;

	if (!r->known) {
		/* never looked at: an open intent that ends here says where it began */
		for (size_t i = 0; i < r->nintents; i++)
			if (r->intents[i].state == RULE_OPEN && strcmp(r->intents[i].new, v) == 0 &&
			    rule_time_cmp(r->intents[i].at, t) < 0) {
				set_baseline(r, r->intents[i].old, r->intents[i].at);
				break;
			}
		if (!r->known)
			set_baseline(r, v, t);
	}
	if (strcmp(v, r->tail) == 0 || rule_time_cmp(t, r->at) <= 0)
		return;
	chain = xcalloc(r->nintents + 1, sizeof(*chain));
	n = find_chain(r, r->tail, v, t, chain);
	for (size_t i = 0; i < n; i++) {
		struct rule_intent *in = &r->intents[chain[i]];

		append(r, in->new, RULE_INFERRED, in->push, -1, t);
		intent_set(in, RULE_USED, NULL);
	}
	if (n == 0)
		append(r, v, RULE_GAP, 0, -1, t);
	free(chain);
}

void rule_intent(struct rule_ref *r, const struct rule_intent *in)
{
	struct rule_intent *mine;

	for (size_t i = 0; i < r->nintents; i++)
		if (r->intents[i].push == in->push && r->intents[i].ordinal == in->ordinal)
			return;
	if (in->seen[0])
		reach(r, in->seen, in->at);
	mine = rule_add_intent(r, in);
	mine->mark = RULE_NEW;
	mine->state = RULE_OPEN;
	mine->reason = NULL;
	if (strcmp(in->old, in->new) == 0)
		intent_set(mine, RULE_VOID, "nothing to move");
}

/* The push did what it had announced: the first such intent is used up. */
static void use_intent(struct rule_ref *r, int64_t push, const char *old, const char *new)
{
	struct rule_intent *best = NULL;

	for (size_t i = 0; i < r->nintents; i++) {
		struct rule_intent *in = &r->intents[i];

		if (in->push == push && in->state == RULE_OPEN && strcmp(in->old, old) == 0 &&
		    strcmp(in->new, new) == 0 && (!best || in->ordinal < best->ordinal))
			best = in;
	}
	if (best)
		intent_set(best, RULE_USED, NULL);
}

/* An event that push may have made and that is told already, or is about to be. */
static struct rule_event *event_of(struct rule_ref *r, int64_t push, enum rule_kind kind, int64_t k,
				   const char *old, const char *new)
{
	for (size_t i = 0; i < r->nevents; i++) {
		struct rule_event *e = &r->events[i];

		if (e->push == push && e->kind == kind &&
		    (kind == RULE_SURE ? e->k == k : strcmp(e->old, old) == 0 && strcmp(e->new, new) == 0))
			return e;
	}
	return NULL;
}

enum rule_said rule_report(struct rule_ref *r, int64_t push, int64_t k, const char *old,
			   const char *new, struct rule_time at, int64_t *seq)
{
	struct rule_event *e = event_of(r, push, RULE_SURE, k, old, new);

	if (e) {
		*seq = e->seq;
		return RULE_SAID_AGAIN;
	}
	e = event_of(r, push, RULE_INFERRED, k, old, new);
	if (e) {
		e->kind = RULE_SURE;
		e->k = k;
		e->mark = e->mark == RULE_NEW ? RULE_NEW : RULE_CHANGED;
		*seq = e->seq;
		return RULE_SAID_SURE;
	}
	if (strcmp(old, new) == 0) {	/* what did not exist was deleted */
		*seq = 0;
		return RULE_SAID_INSIDE;
	}
	if (!r->known)
		set_baseline(r, old, at);
	if (strcmp(old, r->tail) != 0)
		reach(r, old, at);
	if (strcmp(old, r->tail) != 0) {	/* not newer than the last event: inside one that is there */
		*seq = r->seq;
		return RULE_SAID_INSIDE;
	}
	*seq = append(r, new, RULE_SURE, push, k, at)->seq;
	use_intent(r, push, old, new);
	return RULE_SAID_NEW;
}

static void void_open(struct rule_ref *r, int64_t push, const char *reason)
{
	for (size_t i = 0; i < r->nintents; i++)
		if (r->intents[i].push == push && r->intents[i].state == RULE_OPEN)
			intent_set(&r->intents[i], RULE_VOID, reason);
}

void rule_end(struct rule_ref *r, int64_t push, const char *value, struct rule_time at)
{
	reach(r, value, at);
	void_open(r, push, "push ended, ref did not move");
}

void rule_end_blind(struct rule_ref *r, int64_t push, const char *reason)
{
	void_open(r, push, reason);
}

void rule_look(struct rule_ref *r, const char *value, struct rule_time at)
{
	for (size_t i = 0; i < r->nintents; i++)
		if (r->intents[i].state == RULE_OPEN)
			return;
	reach(r, value, at);
}
