/* Units of the merge rule: short histories of one ref, each with the chain of events it must give. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/flow/rule.h"
#include "common/base/buf.h"

enum what { NONE, BASE, INTENT, REPORT, END, BLIND, LOOK };

struct step {
	enum what what;
	int push;
	const char *old, *new, *seen;	/* of BASE, END and LOOK the value is in old */
	int64_t t, n;			/* n: ordinal of an intent, k of a report */
};

#define BASE_AT(value, at) { BASE, 0, value, NULL, NULL, at, 0 }
#define INTENT_OF(push, ordinal, old, new, seen, at) { INTENT, push, old, new, seen, at, ordinal }
#define REPORT_OF(push, k, old, new, at) { REPORT, push, old, new, NULL, at, k }
#define END_OF(push, value, at) { END, push, value, NULL, NULL, at, 0 }
#define BLIND_OF(push) { BLIND, push, NULL, NULL, NULL, 0, 0 }
#define LOOK_AT(value, at) { LOOK, 0, value, NULL, NULL, at, 0 }

/* sN sure by push N, iN inferred from it, g gap; then the intents as push.ordinal and their state. */
static const struct row { const char *name; struct step steps[12]; const char *want; } rows[] = {
	{ "plain push",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), REPORT_OF(1, 0, "A", "B", 11),
	    END_OF(1, "B", 12) },
	  "A>B s1 | B | 1.0 used" },
	{ "everything twice",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10),
	    INTENT_OF(1, 0, "A", "B", "A", 10), REPORT_OF(1, 0, "A", "B", 11),
	    REPORT_OF(1, 0, "A", "B", 11), END_OF(1, "B", 12), END_OF(1, "B", 12),
	    LOOK_AT("B", 13) },
	  "A>B s1 | B | 1.0 used" },
	{ "client killed",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), END_OF(1, "B", 12) },
	  "A>B i1 | B | 1.0 used" },
	{ "refused after pre-receive",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), END_OF(1, "A", 12) },
	  " | A | 1.0 void" },
	{ "report after the end",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), END_OF(1, "B", 12),
	    REPORT_OF(1, 0, "A", "B", 11) },
	  "A>B s1 | B | 1.0 used" },
	{ "two killed clients, there and back",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10),
	    INTENT_OF(2, 0, "B", "A", "B", 20), END_OF(1, "A", 30), END_OF(2, "A", 31) },
	  "A>B i1 B>A i2 | A | 1.0 used 2.0 used" },
	{ "two killed clients, chained without a look between",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10),
	    INTENT_OF(2, 0, "B", "C", "", 11), END_OF(2, "C", 20), END_OF(1, "C", 21) },
	  "A>B i1 B>C i2 | C | 1.0 used 2.0 used" },
	{ "the shortest chain",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10),
	    INTENT_OF(2, 0, "B", "C", "A", 11), INTENT_OF(3, 0, "A", "C", "A", 12),
	    END_OF(3, "C", 20), END_OF(1, "C", 21), END_OF(2, "C", 22) },
	  "A>C i3 | C | 1.0 void 2.0 void 3.0 used" },
	{ "same movement by two pushes, one wins",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10),
	    INTENT_OF(2, 0, "A", "B", "A", 11), REPORT_OF(2, 0, "A", "B", 12), END_OF(1, "B", 13),
	    END_OF(2, "B", 14) },
	  "A>B s2 | B | 1.0 void 2.0 used" },
	{ "there, back and there again by three pushes",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), REPORT_OF(1, 0, "A", "B", 11),
	    END_OF(1, "B", 12), INTENT_OF(2, 0, "B", "A", "B", 20), END_OF(2, "A", 21),
	    INTENT_OF(3, 0, "A", "B", "A", 30), REPORT_OF(3, 0, "A", "B", 31),
	    END_OF(3, "B", 32) },
	  "A>B s1 B>A i2 A>B s3 | B | 1.0 used 2.0 used 3.0 used" },
	{ "moved by nobody we know",
	  { BASE_AT("A", 0), LOOK_AT("B", 10) },
	  "A>B g | B |" },
	{ "a look waits for a living push",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), LOOK_AT("B", 11) },
	  " | A | 1.0 open" },
	{ "an older look is nothing",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), REPORT_OF(1, 0, "A", "B", 15),
	    LOOK_AT("A", 14) },
	  "A>B s1 | B | 1.0 used" },
	{ "an intent begun after the look explains nothing",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "", 20), END_OF(2, "B", 19) },
	  "A>B g | B | 1.0 open" },
	{ "the seen value is a look",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "B", "C", "B", 10), REPORT_OF(1, 0, "B", "C", 11) },
	  "A>B g B>C s1 | C | 1.0 used" },
	{ "a report from somewhere else",
	  { BASE_AT("A", 0), REPORT_OF(1, 0, "B", "C", 11) },
	  "A>B g B>C s1 | C |" },
	{ "a report inside a gap",
	  { BASE_AT("A", 0), LOOK_AT("C", 20), REPORT_OF(1, 0, "A", "B", 11) },
	  "A>C g | C |" },
	{ "first heard of in an intent",
	  { INTENT_OF(1, 0, "A", "B", "A", 10), REPORT_OF(1, 0, "A", "B", 11) },
	  "A>B s1 | B | 1.0 used" },
	{ "first heard of, client killed",
	  { INTENT_OF(1, 0, "A", "B", "A", 10), END_OF(1, "B", 20) },
	  "A>B i1 | B | 1.0 used" },
	{ "first heard of, nobody could read",
	  { INTENT_OF(1, 0, "A", "B", "", 10), END_OF(1, "B", 20) },
	  "A>B i1 | B | 1.0 used" },
	{ "first heard of, not moved",
	  { INTENT_OF(1, 0, "A", "B", "", 10), END_OF(1, "C", 20) },
	  " | C | 1.0 void" },
	{ "first look",
	  { LOOK_AT("A", 10), LOOK_AT("B", 11) },
	  "A>B g | B |" },
	{ "first report, no intent",
	  { REPORT_OF(1, 0, "A", "B", 10) },
	  "A>B s1 | B |" },
	{ "a ref twice in one push",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10),
	    INTENT_OF(1, 1, "B", "C", "A", 10), REPORT_OF(1, 0, "A", "B", 11),
	    REPORT_OF(1, 1, "B", "C", 11), END_OF(1, "C", 12) },
	  "A>B s1 B>C s1 | C | 1.0 used 1.1 used" },
	{ "nothing to move",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "0", "0", "A", 10), REPORT_OF(1, 0, "0", "0", 11) },
	  " | A | 1.0 void" },
	{ "an unreadable ref voids",
	  { BASE_AT("A", 0), INTENT_OF(1, 0, "A", "B", "A", 10), BLIND_OF(1) },
	  " | A | 1.0 void" },
	{ "a late spool of an older boot",
	  { BASE_AT("A", 5), INTENT_OF(1, 0, "A", "B", "A", -10), END_OF(1, "B", 20) },
	  "A>B i1 | B | 1.0 used" },
};

/* A negative t is a stamp of the boot before. */
static struct rule_time when(int64_t t)
{
	return (struct rule_time) { .boot = t < 0 ? 1 : 2, .stamp = t < 0 ? -t : t };
}

static void take(struct rule_ref *r, const struct step *s)
{
	struct rule_intent in = { .push = s->push, .ordinal = s->n, .at = when(s->t) };
	int64_t seq;

	switch (s->what) {
	case NONE:
		break;
	case BASE:
		r->known = true;
		r->at = when(s->t);
		snprintf(r->tail, sizeof(r->tail), "%s", s->old);
		break;
	case INTENT:
		snprintf(in.old, sizeof(in.old), "%s", s->old);
		snprintf(in.new, sizeof(in.new), "%s", s->new);
		snprintf(in.seen, sizeof(in.seen), "%s", s->seen);
		rule_intent(r, &in);
		break;
	case REPORT:
		rule_report(r, s->push, s->n, s->old, s->new, when(s->t), &seq);
		break;
	case END:
		rule_end(r, s->push, s->old, when(s->t));
		break;
	case BLIND:
		rule_end_blind(r, s->push, "gone");
		break;
	case LOOK:
		rule_look(r, s->old, when(s->t));
		break;
	}
}

static void describe(const struct rule_ref *r, struct buf *out)
{
	static const char *const states[] = { "open", "used", "void" };

	for (size_t i = 0; i < r->nevents; i++) {
		const struct rule_event *e = &r->events[i];

		buf_addf(out, "%s%s>%s %c", i ? " " : "", e->old, e->new, "sig"[e->kind]);
		if (e->push)
			buf_addf(out, "%d", (int)e->push);
	}
	buf_addf(out, " | %s |", r->tail);
	for (size_t i = 0; i < r->nintents; i++)
		buf_addf(out, " %d.%d %s", (int)r->intents[i].push, (int)r->intents[i].ordinal,
			 states[r->intents[i].state]);
}

/* What must hold after every step: the events join, number themselves, and end at the tail. */
static void check_chain(const struct rule_ref *r)
{
	for (size_t i = 0; i < r->nevents; i++) {
		const struct rule_event *e = &r->events[i];

		assert_int_equal(e->seq, i + 1);
		assert_string_not_equal(e->old, e->new);
		assert_string_equal(e->new, i + 1 < r->nevents ? r->events[i + 1].old : r->tail);
		assert_true(i == 0 || rule_time_cmp(r->events[i - 1].at, e->at) <= 0);
	}
	assert_int_equal(r->seq, r->nevents);
}

static void history(void **state)
{
	const struct row *row = *state;
	struct rule_ref r = { .known = false };
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < PS_NELEM(row->steps); i++) {
		take(&r, &row->steps[i]);
		check_chain(&r);
	}
	describe(&r, &got);
	assert_string_equal(buf_str(&got), row->want);
	buf_clear(&got);
	rule_ref_clear(&r);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[PS_NELEM(rows)];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		tests[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = history,
						 .initial_state = (void *)&rows[i] };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("rule", tests, PS_NELEM(tests), NULL, NULL);
}
