/* merge_ref – see merge_ref.h. Here is also where an event is born: its state and why. */
#include "config.h"

#include "agent/flow/merge_ref.h"
#include "agent/store/audit.h"

#include "common/base/buf.h"
#include "common/base/clock.h"

enum {
	EVENTS_LEAST = 2,
	/* a look waits for a push no longer than that */
	LOOK_WAITS_S = 600,
};

/* What the store knows of one ref, and the same as the rule reads it. */
struct known {
	struct ref ref;
	struct events events;
	struct intents intents;
	struct rule_table table;
	struct rule_event *rule_events;
	struct rule_intent *rule_intents;
	struct event_makers *makers;	/* of each event */
	bool path;			/* its reflog tells something */
	struct rule_stamp since;	/* the earliest of what is under way began then */
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
	for (size_t i = 0; k->makers && i < k->events.n; i++)
		free(k->makers[i].v);
	free(k->makers);
	ref_clear(&k->ref);
	events_clear(&k->events);
	intents_clear(&k->intents);
	free(k->rule_events);
	free(k->rule_intents);
}

/* The first event that came after its reflog was read last. */
static size_t first_unlogged(const struct known *k)
{
	size_t i = 0;

	while (i < k->events.n && k->events.v[i].seq <= k->ref.log_seq)
		i++;
	return i;
}

static void to_rule(struct known *k, bool adopted)
{
	k->rule_events = xcalloc(k->events.n + 1, sizeof(*k->rule_events));
	for (size_t i = 0; i < k->events.n; i++) {
		const struct ref_event *e = &k->events.v[i];

		k->rule_events[i] = (struct rule_event) {
			.old = e->old, .new = e->new, .kind = kind_of(e->kind), .push = e->push,
			.k = e->k, .seen = { e->boot, e->stamp }, .makers = k->makers[i].v,
			.nmakers = k->makers[i].n,
		};
	}
	k->rule_intents = xcalloc(k->intents.n + 1, sizeof(*k->rule_intents));
	for (size_t i = 0; i < k->intents.n; i++) {
		const struct intent *in = &k->intents.v[i];

		k->rule_intents[i] = (struct rule_intent) {
			in->push, in->old, in->new, { in->boot, in->begun }, in->told,
			{ in->boot, in->told_stamp },
		};
	}
	k->table = (struct rule_table) {
		.boot_now = clock_boot_id(), .adopted = adopted, .tail = k->ref.tail,
		.last = { k->ref.boot, k->ref.stamp },
		.born = { k->ref.born_boot, k->ref.born }, .events = k->rule_events,
		.nevents = k->events.n,
		.read = { k->ref.read_boot, k->ref.read_stamp },
		.log = k->ref.tail ? k->ref.log_size : adopted ? 0 : -1,
		.logged = first_unlogged(k),
		.whole = k->ref.tail && (size_t)k->ref.seq == k->events.n,
		.intents = k->rule_intents, .nintents = k->intents.n,
	};
}

static bool is_older(struct rule_stamp a, struct rule_stamp b)
{
	return strcmp(a.boot, b.boot) == 0 ? a.ns < b.ns : strcmp(a.boot, clock_boot_id()) != 0;
}

static bool is_old_event(const struct ref_event *e, const void *arg)
{
	const struct known *k = arg;

	return is_older((struct rule_stamp) { e->boot, e->stamp }, k->since) &&
		(!k->path || e->seq <= k->ref.log_seq);
}

static void find_since(struct known *k, const struct rule_learnt *l)
{
	k->since = rule_began(l);
	for (size_t i = 0; i < k->intents.n; i++) {
		struct rule_stamp begun = { k->intents.v[i].boot, k->intents.v[i].begun };

		if (is_older(begun, k->since))
			k->since = begun;
	}
}

static int load_events(struct known *k, struct merge *m, const char *ref, struct ps_err *err)
{
	int rc = events_last(m->tx, m->repo->id, ref, EVENTS_LEAST, is_old_event, k, &k->events,
			     err);

	k->makers = xcalloc(k->events.n + 1, sizeof(*k->makers));
	for (size_t i = 0; rc == 0 && i < k->events.n; i++)
		if (kind_of(k->events.v[i].kind) == RULE_INFERRED)
			rc = event_makers(m->tx, k->events.v[i].id, &k->makers[i], err);
	return rc;
}

static int known_load(struct known *k, struct merge *m, const char *ref,
		      const struct rule_learnt *l, struct ps_err *err)
{
	struct ps_err none = { 0 };
	int rc = ref_get(m->tx, m->repo->id, ref, &k->ref, &none);

	if (rc == PS_ENOENT)
		rc = 0;			/* no row: the rule knows what that means */
	else if (rc < 0)
		return ps_err_set(err, rc, "%s", none.msg);
	rc = intents_open(m->tx, m->repo->id, ref, MERGE_INTENTS_MAX, &k->intents, err);
	find_since(k, l);
	k->path = l->npath > 1;
	if (rc == 0)
		rc = load_events(k, m, ref, err);
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

/* Who may have made an event, as it is shown, and the first reason why it must be held. */
struct birth { struct buf who; const char *held; bool unknown; };

static bool shows(const struct buf *who, const char *name)
{
	static const char or[] = " or ";
	const char *at = buf_str(who);
	size_t n = strlen(name);

	for (; (at = strstr(at, name)); at += n)
		if ((!at[n] || ps_starts(at + n, or)) &&
		    (at == who->data || (at - who->data >= 4 && ps_starts(at - 4, or))))
			return true;
	return false;
}

static int add_maker(struct birth *b, struct merge *m, int64_t push, struct ps_err *err)
{
	int rc = need_push(m, push, err);
	char *name;

	if (rc < 0)
		return rc;
	name = push_shown(&m->push);
	if (!b->held && strcmp(m->push.judged, "none") == 0)
		b->held = EVENT_NOT_JUDGED;
	if (!b->held && strcmp(m->push.judged, "skipped") == 0)
		b->held = EVENT_SKIPPED;
	if (!name && m->hold_unknown)
		b->held = "the pusher is not known";
	b->unknown |= !name;
	if (name && !shows(&b->who, name))
		buf_addf(&b->who, "%s%s", b->who.len ? " or " : "", name);
	free(name);
	return 0;
}

static int birth_of(struct birth *b, struct merge *m, const int64_t *makers, size_t n,
		    struct ps_err *err)
{
	int rc = 0;

	*b = (struct birth) { .held = n ? NULL : "no hook saw this movement" };
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_maker(b, m, makers[i], err);
	if (b->unknown && b->who.len)
		buf_adds(&b->who, " or unknown");
	return rc;
}

static void born(struct ref_event *e, struct birth *b)
{
	e->pusher = b->who.len ? b->who.data : NULL;
	e->state = (char *)(b->held ? "held" : rule_is_zero(e->new) ? "done" : "open");
	e->reason = (char *)(b->held ? b->held : rule_is_zero(e->new) ?
			     "ref deleted: nothing is undeployed" : NULL);
}

static int put_makers(struct merge *m, int64_t event, const struct rule_step *s,
		      struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->nmakers; i++)
		rc = event_maker_put(m->tx, event, s->makers[i], err);
	return rc;
}

/* Whoever may let it go asks the audit why it did not act by itself. */
static int tell_held(struct merge *m, int64_t event, const struct birth *b, const char *was,
		     struct ps_err *err)
{
	if (!b->held || ps_streq(was, "held"))
		return 0;
	return audit_put_id(m->tx, &(struct audit) { .who = AUDIT_CORE, .what = "held",
						     .why = b->held }, 'e', event, err);
}

/* One that is not sure names all that may have made it; the first is who is taken for its push. */
static int make_event(struct merge *m, const char *ref, const struct known *k,
		      const struct rule_step *s, int64_t *first, struct ps_err *err)
{
	struct ref_event e = {
		.repository = m->repo->id, .ref = (char *)ref, .old = (char *)s->old,
		.new = (char *)s->new, .kind = (char *)rule_kind_word(s->kind), .push = s->push,
		.k = s->k, .boot = (char *)s->seen.boot, .stamp = s->seen.ns,
	};
	struct birth b;
	int rc = birth_of(&b, m, s->nmakers ? s->makers : &s->push,
			  s->nmakers ? s->nmakers : s->push != 0, err);

	born(&e, &b);
	m->events++;
	if (rc == 0 && s->what == RULE_CHANGE) {
		e.id = k->events.v[s->at].id;
		rc = event_change(m->tx, &e, err);
	} else if (rc == 0 && s->what == RULE_INSERT) {
		rc = event_insert(m->tx, &e, s->at == RULE_FIRST ? 0 : k->events.v[s->at].id, err);
	} else if (rc == 0) {
		rc = event_append(m->tx, &e, err);
	}
	if (rc == 0)
		rc = put_makers(m, e.id, s, err);
	if (rc == 0)
		rc = tell_held(m, e.id, &b, s->what == RULE_CHANGE ? k->events.v[s->at].state :
			       NULL, err);
	if (rc == 0 && s->what != RULE_CHANGE && !*first)
		*first = e.id;
	buf_clear(&b.who);
	return rc;
}

/* One more that may have made it. */
static int do_maker(struct merge *m, const struct ref_event *is, const struct rule_step *s,
		    struct ps_err *err)
{
	struct event_makers l = { NULL, 0 };
	struct ref_event e = { .new = is->new };
	struct birth b = { .held = NULL };
	int rc = event_maker_put(m->tx, is->id, s->push, err);

	if (rc == 0)
		rc = event_makers(m->tx, is->id, &l, err);
	if (rc == 0)
		rc = birth_of(&b, m, l.v, l.n, err);
	born(&e, &b);
	if (rc == 0)
		rc = event_set_pusher(m->tx, is->id, e.pusher, e.state, e.reason, err);
	if (rc == 0)
		rc = tell_held(m, is->id, &b, is->state, err);
	buf_clear(&b.who);
	free(l.v);
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
		   const struct rule_step *s, struct merge_ref_done *done, struct ps_err *err)
{
	switch (s->what) {
	case RULE_BASELINE:
		return ref_baseline(m->tx, m->repo->id, ref, s->new, s->seen.boot, s->seen.ns, err);
	case RULE_APPEND:
	case RULE_INSERT:
	case RULE_CHANGE:
		return make_event(m, ref, k, s, &done->first, err);
	case RULE_MAKER:
		return do_maker(m, &k->events.v[s->at], s, err);
	case RULE_LOGGED:
		return ref_set_log(m->tx, m->repo->id, ref, s->k, err);
	case RULE_READ:
		return ref_set_read(m->tx, m->repo->id, ref, s->seen.boot, s->seen.ns, err);
	case RULE_OPEN:
		done->open = true;
		return 0;
	case RULE_USE:
		return intent_set_state(m->tx, &k->intents.v[s->at], "used", NULL, err);
	case RULE_REOPEN:
		return do_reopen(m, ref, &k->events.v[s->at], err);
	case RULE_VOID:
		return intent_set_state(m->tx, &k->intents.v[s->at], "void",
					"push ended, ref did not move", err);
	case RULE_AGAIN:
		done->again = true;
		return 0;
	case RULE_WAIT:
		done->waits = true;
		return 0;
	}
	return 0;
}

/* A push that has been under way for long does not keep the ref from being looked at. */
static bool lives(const struct known *k, const struct rule_learnt *l)
{
	for (size_t i = 0; i < k->intents.n; i++)
		if (strcmp(k->intents.v[i].boot, l->boot) == 0 &&
		    l->to - k->intents.v[i].begun < LOOK_WAITS_S * 1000000000LL)
			return true;
	return false;
}

int merge_ref(struct merge *m, const char *ref, struct rule_learnt *l,
	      struct merge_ref_done *done, struct ps_err *err)
{
	struct rule_steps steps = { 0 };
	struct known k = { .ref = { 0 } };
	size_t before = m->events;
	int rc = known_load(&k, m, ref, l, err);

	*done = (struct merge_ref_done) { .open = false };
	if (rc == 0) {
		l->lives = l->thing == RULE_LOOK && lives(&k, l);
		rule_apply(&k.table, l, &steps);
	}
	for (size_t i = 0; rc == 0 && i < steps.n; i++)
		rc = do_step(m, ref, &k, &steps.v[i], done, err);
	if (rc == 0 && m->events > before)
		rc = events_supersede(m->tx, m->repo->id, ref,
				      done->first ? done->first : INT64_MAX, err);
	rule_steps_clear(&steps);
	known_clear(&k);
	return rc;
}
