/* merge_ref – see merge_ref.h. Here is also where an event is born: its state and why. */
#include "config.h"

#include "agent/flow/merge_ref.h"

#include "common/base/clock.h"

/* What the store knows of one ref, and the same as the rule reads it. */
struct known {
	struct ref ref;
	struct events events;
	struct intents intents;
	struct rule_table table;
	struct rule_event *rule_events;
	struct rule_intent *rule_intents;
};

bool merge_is_ours(const char *ref)
{
	return ps_starts(ref, "refs/penstock/");
}

static enum rule_kind kind_of(const char *word)
{
	enum rule_kind k = RULE_SURE;

	while (k < RULE_GAP && strcmp(rule_kind_word(k), word) != 0)
		k++;
	return k;
}

static void known_clear(struct known *k)
{
	ref_clear(&k->ref);
	events_clear(&k->events);
	intents_clear(&k->intents);
	free(k->rule_events);
	free(k->rule_intents);
}

static void to_rule(struct known *k, bool adopted)
{
	k->rule_events = xcalloc(k->events.n + 1, sizeof(*k->rule_events));
	for (size_t i = 0; i < k->events.n; i++) {
		const struct ref_event *e = &k->events.v[i];

		k->rule_events[i] = (struct rule_event) { e->old, e->new, kind_of(e->kind), e->push,
							  e->k,
							  { e->boot, e->stamp } };
	}
	k->rule_intents = xcalloc(k->intents.n + 1, sizeof(*k->rule_intents));
	for (size_t i = 0; i < k->intents.n; i++) {
		const struct intent *in = &k->intents.v[i];

		k->rule_intents[i] = (struct rule_intent) { in->push, in->old, in->new,
							    { in->boot, in->begun } };
	}
	k->table = (struct rule_table) {
		.boot_now = clock_boot_id(), .adopted = adopted, .tail = k->ref.tail,
		.last = { k->ref.boot, k->ref.stamp }, .events = k->rule_events,
			.nevents = k->events.n,
		.intents = k->rule_intents, .nintents = k->intents.n,
	};
}

static int known_load(struct known *k, struct merge *m, const char *ref, int64_t push,
		      struct ps_err *err)
{
	struct ps_err none = { 0 };
	int rc = ref_get(m->tx, m->repo->id, ref, &k->ref, &none);

	if (rc == PS_ENOENT)
		rc = 0;			/* no row: the rule knows what that means */
	else if (rc < 0)
		return ps_err_set(err, rc, "%s", none.msg);
	rc = events_for_rule(m->tx, m->repo->id, ref, push, &k->events, err);
	if (rc == 0)
		rc = intents_open(m->tx, m->repo->id, ref, MERGE_INTENTS_MAX, &k->intents, err);
	if (rc == 0)
		to_rule(k, m->repo->adopted_ms != 0);
	return rc;
}

/* ---- births ---- */

static int need_push(struct merge *m, int64_t id, struct ps_err *err)
{
	if (m->push.id == id)
		return 0;
	push_clear(&m->push);
	return id ? push_get(m->tx, id, &m->push, err) : 0;
}

static const char *why_held(const struct merge *m, enum rule_kind kind)
{
	if (kind == RULE_GAP || !m->push.id)
		return "no hook saw this movement";
	if (strcmp(m->push.judged, "none") == 0)
		return EVENT_NOT_JUDGED;
	if (!m->push.pusher && m->hold_unknown)
		return "the pusher is not known";
	return NULL;
}

static int born(struct merge *m, struct ref_event *e, enum rule_kind kind,
		const struct rule_step *s, struct ps_err *err)
{
	const char *held;
	int rc = need_push(m, s->push, err);

	if (rc < 0)
		return rc;
	held = why_held(m, kind);
	e->push = s->push;
	e->k = s->k;
	e->kind = (char *)rule_kind_word(kind);
	e->pusher = s->push ? push_shown(&m->push) : NULL;
	e->state = (char *)(held ? "held" : rule_is_zero(e->new) ? "done" : "open");
	e->reason = (char *)(held ? held : rule_is_zero(e->new) ?
			     "ref deleted: nothing is undeployed" : NULL);
	m->events++;
	return 0;
}

static int do_append(struct merge *m, const char *ref, const struct rule_step *s, int64_t *first,
		     struct ps_err *err)
{
	struct ref_event e = {
		.repository = m->repo->id, .ref = (char *)ref, .old = (char *)s->old,
			.new = (char *)s->new,
		.boot = (char *)s->seen.boot, .stamp = s->seen.ns,
	};
	int rc = born(m, &e, s->kind, s, err);

	if (rc == 0)
		rc = event_append(m->tx, &e, err);
	if (rc == 0 && !*first)
		*first = e.id;
	free(e.pusher);
	return rc;
}

static int do_confirm(struct merge *m, const struct ref_event *was, const struct rule_step *s,
		      struct ps_err *err)
{
	struct ref_event e = { .id = was->id, .new = was->new };
	int rc = born(m, &e, RULE_SURE, s, err);

	if (rc == 0)
		rc = event_confirm(m->tx, &e, err);
	free(e.pusher);
	return rc;
}

/* The intent that an event was inferred from, of a push that turned out not to have made it. */
static int do_reopen(struct merge *m, const char *ref, const struct ref_event *e,
		     struct ps_err *err)
{
	struct intents l = { 0 };
	int rc = intents_of_push(m->tx, e->push, &l, err);

	if (rc == 0)
		rc = need_push(m, e->push, err);
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct intent *in = &l.v[i];

		if (strcmp(in->state, "used") != 0 || strcmp(in->ref, ref) != 0 ||
		    strcmp(in->old, e->old) != 0 || strcmp(in->new, e->new) != 0)
			continue;
		rc = m->push.ended ? intent_set_state(m->tx, in, "void",
						      "another push made this movement", err) :
				     intent_set_state(m->tx, in, "open", NULL, err);
		break;
	}
	intents_clear(&l);
	return rc;
}

static int do_step(struct merge *m, const char *ref, const struct known *k,
		   const struct rule_step *s, int64_t *first, bool *open, struct ps_err *err)
{
	switch (s->what) {
	case RULE_BASELINE:
		return ref_baseline(m->tx, m->repo->id, ref, s->new, s->seen.boot, s->seen.ns, err);
	case RULE_APPEND:
		return do_append(m, ref, s, first, err);
	case RULE_CONFIRM:
		return do_confirm(m, &k->events.v[s->at], s, err);
	case RULE_OPEN:
		if (open)
			*open = true;
		return 0;
	case RULE_USE:
		return intent_set_state(m->tx, &k->intents.v[s->at], "used", NULL, err);
	case RULE_REOPEN:
		return do_reopen(m, ref, &k->events.v[s->at], err);
	case RULE_VOID:
		return intent_set_state(m->tx, &k->intents.v[s->at], "void",
					"push ended, ref did not move", err);
	}
	return 0;
}

int merge_ref(struct merge *m, const char *ref, struct rule_learnt *l, bool *open,
	      struct ps_err *err)
{
	struct rule_steps steps = { 0 };
	struct known k = { .ref = { 0 } };
	size_t before = m->events;
	int64_t first = 0;		/* of the new ones */
	int rc = known_load(&k, m, ref, l->push, err);

	if (rc == 0) {
		l->lives = l->thing == RULE_LOOK && k.intents.n > 0;
		rule_apply(&k.table, l, &steps);
	}
	for (size_t i = 0; rc == 0 && i < steps.n; i++)
		rc = do_step(m, ref, &k, &steps.v[i], &first, open, err);
	if (rc == 0 && m->events > before)
		rc = events_supersede(m->tx, m->repo->id, ref, first ? first : INT64_MAX, err);
	rule_steps_clear(&steps);
	known_clear(&k);
	return rc;
}
