/* rule – see rule.h and design: each learn_ function below is one row of the table, rule_way.c the
 * word they share (reach). */
#include "config.h"

#include "agent/flow/rule_parts.h"

/* a push whose intent is lost may have begun that long before its report */
enum { NO_INTENT_S = 3600 };

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

bool rule_older(const struct rule *r, struct rule_stamp stored, const char *boot, int64_t ns,
		bool same)
{
	if (strcmp(stored.boot, boot) == 0)
		return stored.ns < ns || (same && stored.ns == ns);
	return strcmp(stored.boot, r->t->boot_now) != 0;
}

bool rule_is_passed(const struct rule *r, struct rule_stamp told)
{
	return r->t->read.boot && !rule_older(r, r->t->read, told.boot, told.ns, true);
}

struct rule_step *rule_step(struct rule *r, enum rule_do what)
{
	struct rule_steps *o = r->out;

	o->v = xgrow(o->v, o->n, &o->cap, sizeof(*o->v));
	o->v[o->n] = (struct rule_step) { .what = what, .k = -1, .seen = { r->l->boot, r->l->to } };
	return &o->v[o->n++];
}

void rule_baseline(struct rule *r, const char *value)
{
	struct rule_step *s = rule_step(r, RULE_BASELINE);

	s->new = value;
	s->seen.ns = r->l->from;
	r->tail = value;
	r->last = s->seen;
}

void rule_append(struct rule *r, enum rule_kind kind, const char *new, int64_t push, int64_t k)
{
	struct rule_step *s = rule_step(r, RULE_APPEND);

	s->kind = kind;
	s->old = r->tail;
	s->new = new;
	s->push = push;
	s->k = k;
	r->tail = new;
	if (r->l->thing == RULE_REPORT)
		s->seen = kind != RULE_SURE && rule_is_passed(r, r->l->told) ? r->t->read :
			r->l->told;
	/* a report that came late must not make the ref look older than it was known to be */
	if (rule_older(r, r->last, s->seen.boot, s->seen.ns, true))
		r->last = s->seen;
	else
		s->seen = r->last;
}

void rule_insert(struct rule *r, size_t at, enum rule_kind kind, const char *old, const char *new,
		 int64_t push, int64_t k)
{
	struct rule_step *s = rule_step(r, RULE_INSERT);

	s->at = at;
	s->kind = kind;
	s->old = old;
	s->new = new;
	s->push = push;
	s->k = k;
	s->seen = at == RULE_FIRST ? r->t->born : r->t->events[at].seen;
}

void rule_use(struct rule *r, size_t i)
{
	rule_step(r, RULE_USE)->at = i;
	r->used[i] = true;
}

struct rule_stamp rule_began(const struct rule_learnt *l)
{
	if (l->thing == RULE_REPORT)
		return l->begun.boot ? l->begun :
			(struct rule_stamp) { l->told.boot,
					      l->told.ns - NO_INTENT_S * 1000000000LL };
	return (struct rule_stamp) { l->boot, l->to };
}

bool rule_is_newer(const struct rule *r)
{
	return rule_older(r, r->last, r->l->boot, r->l->from, false) &&
		(!r->t->read.boot || rule_older(r, r->t->read, r->l->boot, r->l->from, false));
}

/* A value that was read: nothing when it may have been read before the last event. */
static void reach_read(struct rule *r, const char *v)
{
	if (!rule_is_newer(r))
		return;
	/* what is under way may be told of later: then it matters when the tail was read */
	if (r->t->nintents || strcmp(v, r->tail) != 0)
		rule_step(r, RULE_READ)->seen.ns = r->l->from;
	if (rule_log_fits(r))
		rule_log_tell(r);
	else
		rule_reach(r, v, RULE_NONE);
	if (r->l->thing == RULE_LOOK || r->l->thing == RULE_END)
		rule_log_note(r);
}

/* ---- the rows ---- */

bool rule_seen_since(const struct rule *r, struct rule_stamp seen, struct rule_stamp begun)
{
	return !rule_older(r, seen, begun.boot, begun.ns, true);
}

/* An intent that came late: what was inferred without it may be its push's. */
static void claim_inferred(struct rule *r)
{
	const struct rule_learnt *l = r->l;

	for (size_t i = 0; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];
		struct rule_step *s;

		if (e->kind != RULE_INFERRED || e->push == l->push || strcmp(e->old, l->old) != 0 ||
		    strcmp(e->new, l->new) != 0 ||
		    !rule_seen_since(r, e->seen, rule_began(l)))
			continue;
		s = rule_step(r, RULE_MAKER);
		s->at = i;
		s->push = l->push;
	}
}

static void learn_intent(struct rule *r)
{
	const struct rule_learnt *l = r->l;

	if (l->recorded)
		return;
	if (l->value && !r->tail)
		rule_baseline(r, l->value);
	else if (l->value)
		reach_read(r, l->value);
	if (strcmp(l->old, l->new) == 0)
		return;
	claim_inferred(r);
	rule_step(r, RULE_OPEN);
}

/* ---- ends and looks ---- */

/* A ref that was never seen before its push ended: where the push began, if that explains it. */
static void late_baseline(struct rule *r)
{
	const char *v = r->l->value, *began = NULL;

	for (size_t i = 0; i < r->t->nintents; i++) {
		if (strcmp(r->t->intents[i].old, v) == 0) {
			rule_baseline(r, v);	/* it did not move, as far as is known */
			return;
		}
		if (strcmp(r->t->intents[i].new, v) == 0 && !began)
			began = r->t->intents[i].old;
	}
	rule_baseline(r, began ? began : v);
	r->last.ns -= began != NULL;	/* this same look may go on from there */
}

static void learn_end(struct rule *r)
{
	if (r->l->value && !r->tail)
		late_baseline(r);
	if (r->l->value && (strcmp(r->l->value, r->tail) != 0 || r->l->npath > 1) &&
	    !rule_is_newer(r)) {
		rule_step(r, RULE_AGAIN);
		return;
	}
	if (r->l->value)
		reach_read(r, r->l->value);
	for (size_t i = 0; i < r->t->nintents; i++)
		if (r->t->intents[i].push == r->l->push && r->t->intents[i].k < 0 && !r->used[i])
			rule_step(r, RULE_VOID)->at = i;
}

static void learn_look(struct rule *r)
{
	if (!r->l->value)
		return;
	if (!r->tail) {
		rule_baseline(r, r->l->value);
		rule_log_note(r);
	} else if (!r->l->lives) {
		reach_read(r, r->l->value);
	}
}

void rule_apply(const struct rule_table *t, const struct rule_learnt *l, struct rule_steps *out)
{
	static void (*const rows[])(struct rule *) = {
		[RULE_INTENT] = learn_intent, [RULE_REPORT] = rule_report,
		[RULE_END] = learn_end, [RULE_LOOK] = learn_look,
	};
	struct rule r = { .t = t, .l = l, .out = out, .tail = t->tail, .last = t->last };
	const char *any = l->value ? l->value : l->old;

	r.used = xcalloc(t->nintents + 1, sizeof(*r.used));
	if (!r.tail && t->adopted && any && !(l->thing == RULE_INTENT && l->recorded)) {
		rule_baseline(&r, zero_like(any));
		r.last.ns--;		/* that was before anything that is learnt now */
	}
	rows[l->thing](&r);
	free(r.used);
}

void rule_steps_clear(struct rule_steps *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i].makers);
	PS_FREE(s->v);
	s->n = s->cap = 0;
}
