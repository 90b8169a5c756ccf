/*
 * Units of the merge rule, as histories of one ref. Values are letters (0: not there), pushes are
 * numbers, the stamp is the place in the history times ten. A line of a history is
 *
 *	i P old new seen	intent of push P; seen '-': nobody could read the ref
 *	r P old new k		its report
 *	e P value		its end
 *	l value			a look; 'L': while an open intent's push lives
 *	a			the repository is adopted
 *	b			the machine starts anew
 *
 * and what must come out is the list of events: old, new, then s, i or g and the push.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/flow/rule.h"
#include "common/base/buf.h"

enum { MAX = 64 };

/* One ref, kept as the store would keep it. */
struct world {
	char boot[16];
	bool adopted;
	char tail[2];
	bool known;
	struct rule_stamp last, born, read;
	struct rule_event ev[MAX];
	size_t nev;
	struct rule_intent in[MAX];
	int state[MAX];			/* 'o', 'u', 'v' */
	size_t nin;
	int64_t now;
};

static const char *letter(char c)
{
	static char pool[128][2];

	pool[(int)c][0] = c;
	return pool[(int)c];
}

static void put_event(struct world *w, size_t at, const struct rule_step *s)
{
	memmove(&w->ev[at + 1], &w->ev[at], sizeof(w->ev[0]) * (w->nev++ - at));
	w->ev[at] = (struct rule_event) { .old = letter(*s->old), .new = letter(*s->new),
					  .kind = s->kind, .push = s->push, .k = s->k,
					  .seen = s->seen };
}

static void change_event(struct rule_event *e, const struct rule_step *s)
{
	assert_string_equal(e->new, s->new);
	e->old = letter(*s->old);
	e->kind = s->kind;
	e->push = s->push;
	e->k = s->k;
}

static void reopen(struct world *w, int64_t push)
{
	for (size_t k = 0; k < w->nin; k++)
		if (w->state[k] == 'u' && w->in[k].push == push)
			w->state[k] = 'o';
}

static void wait_for_end(struct world *w, const struct rule_learnt *l)
{
	for (size_t k = 0; k < w->nin; k++)
		if (w->state[k] == 'o' && w->in[k].push == l->push &&
		    strcmp(w->in[k].old, l->old) == 0 && strcmp(w->in[k].new, l->new) == 0) {
			w->in[k].k = l->k;
			w->in[k].told = l->told;
			return;
		}
	fail_msg("a report without an intent waits");
}

/* Returns false when it must be read again. */
static bool apply(struct world *w, const struct rule_learnt *l)
{
	struct rule_intent open[MAX];
	size_t at[MAX], n = 0, inserted = 0;
	bool done = true;
	struct rule_steps steps = { 0 };
	struct rule_table t = { .boot_now = w->boot, .adopted = w->adopted,
				.tail = w->known ? w->tail : NULL, .last = w->last,
				.born = w->born, .read = w->read, .events = w->ev,
				.nevents = w->nev, .whole = w->known, .intents = open };

	for (size_t i = 0; i < w->nin; i++)
		if (w->state[i] == 'o') {
			at[n] = i;
			open[n++] = w->in[i];
		}
	t.nintents = n;
	rule_apply(&t, l, &steps);
	for (size_t i = 0; i < steps.n; i++) {
		const struct rule_step *s = &steps.v[i];

		switch (s->what) {
		case RULE_BASELINE:
			assert_false(w->known);
			w->known = true;
			w->born = s->seen;
			snprintf(w->tail, sizeof(w->tail), "%c", *s->new);
			w->last = s->seen;
			break;
		case RULE_APPEND:
			assert_string_equal(s->old, w->tail);	/* they join */
			put_event(w, w->nev, s);
			snprintf(w->tail, sizeof(w->tail), "%c", *s->new);
			w->last = s->seen;
			break;
		case RULE_INSERT:		/* all of one go are put before the same event */
			put_event(w, s->at == RULE_FIRST ? w->nev : s->at + inserted, s);
			inserted += s->at != RULE_FIRST;
			break;
		case RULE_CHANGE:
			change_event(&w->ev[s->at + inserted], s);
			break;
		case RULE_MAKER:
			break;
		case RULE_LOGGED:
			break;
		case RULE_READ:
			w->read = s->seen;
			break;
		case RULE_OPEN:
			w->in[w->nin] = (struct rule_intent) { l->push, l->old, l->new,
							       { l->boot, l->from }, -1, { 0 } };
			w->state[w->nin++] = 'o';
			break;
		case RULE_USE:
			w->state[at[s->at]] = 'u';
			break;
		case RULE_VOID:
			w->state[at[s->at]] = 'v';
			break;
		case RULE_REOPEN:
			reopen(w, w->ev[s->at].push);
			break;
		case RULE_AGAIN:
			done = false;
			break;
		case RULE_WAIT:
			wait_for_end(w, l);
			break;
		}
	}
	rule_steps_clear(&steps);
	return done;
}

/* What was reported and waited, then the end itself: as merge_end() does. */
static void end_push(struct world *w, struct rule_learnt *l)
{
	for (size_t i = 0; i < w->nin; i++) {
		struct rule_learnt r = *l;

		if (w->state[i] != 'o' || w->in[i].push != l->push || w->in[i].k < 0)
			continue;
		r.thing = RULE_REPORT;
		r.old = w->in[i].old;
		r.new = w->in[i].new;
		r.k = w->in[i].k;
		r.told = w->in[i].told;
		r.begun = w->in[i].begun;
		assert_true(apply(w, &r));
	}
	apply(w, l);
}

static void step(struct world *w, const char *line)
{
	static char boots[MAX][16];
	struct rule_learnt l = { .boot = w->boot };
	char what, a = 0, b = 0, c = 0;
	int p = 0;
	int64_t k = 0;

	w->now += 10;
	l.from = l.to = w->now;
	what = line[0];
	if (what == 'i' || what == 'r') {
		assert_int_equal(sscanf(line + 1, " %d %c %c %c", &p, &a, &b, &c), 4);
		l.thing = what == 'i' ? RULE_INTENT : RULE_REPORT;
		l.push = p;
		l.old = letter(a);
		l.new = letter(b);
		l.value = what == 'i' && c != '-' ? letter(c) : NULL;
		for (size_t i = 0; i < w->nin; i++)
			if (w->in[i].push == p) {
				l.begun = w->in[i].begun;
				l.recorded = what == 'i' && *w->in[i].old == a &&
					*w->in[i].new == b;
				break;
			}
		k = what == 'r' ? c - '0' : 0;
		l.k = k;
		l.told = (struct rule_stamp) { w->boot, w->now };
	} else if (what == 'e') {
		assert_int_equal(sscanf(line + 1, " %d %c", &p, &a), 2);
		l.thing = RULE_END;
		l.push = p;
		l.value = letter(a);
	} else if (what == 'l' || what == 'L') {
		assert_int_equal(sscanf(line + 1, " %c", &a), 1);
		l.thing = RULE_LOOK;
		l.value = letter(a);
		l.lives = what == 'L';
	} else if (what == 'a') {
		w->adopted = true;
		return;
	} else {
		static size_t nboots;

		assert_int_equal(what, 'b');
		/* stored stamps keep the old name */
		snprintf(boots[nboots], sizeof(boots[0]), "%s", w->boot);
		w->last.boot = w->last.boot ? boots[nboots] : NULL;
		w->born.boot = w->born.boot ? boots[nboots] : NULL;
		w->read.boot = w->read.boot ? boots[nboots] : NULL;
		for (size_t i = 0; i < w->nin; i++)
			w->in[i].begun.boot = w->in[i].told.boot = boots[nboots];
		for (size_t i = 0; i < w->nev; i++)
			w->ev[i].seen.boot = boots[nboots];
		nboots = (nboots + 1) % MAX;
		snprintf(w->boot, sizeof(w->boot), "boot%zu-%d", nboots, (int)w->now % 97);
		w->now = 0;		/* the new boot counts from nothing */
		return;
	}
	if (w->last.boot == NULL)
		w->last.boot = w->boot;
	if (what == 'e')
		end_push(w, &l);
	else
		apply(w, &l);
}

static const struct row { const char *name, *history, *events, *intents; } rows[] = {
	{ "plain push", "i 1 0 A 0|r 1 0 A 0|e 1 A", "0As1", "u" },
	{ "two pushes", "i 1 0 A 0|r 1 0 A 0|e 1 A|i 2 A B A|r 2 A B 0|e 2 B", "0As1 ABs2", "uu" },
	{ "first look is a baseline", "l A|a|l A", "", "" },
	{ "a ref seen by no hook", "l A|a|l B", "ABg0", "" },
	{ "a new ref after the baseline", "l A|a|l A|i 1 A B A|r 1 A B 0|l B", "ABs1", "u" },
	{ "client killed", "i 1 A B A|e 1 B", "ABi1", "u" },
	{ "client killed, then a push", "i 1 A B A|i 2 B C B|r 2 B C 0|e 1 C|e 2 C", "ABi1 BCs2",
	  "uu" },
	{ "there and back, both clients killed", "i 1 A B A|i 2 B A B|e 1 A|e 2 A", "ABi1 BAi2",
	  "uu" },
	{ "there and back, the first end late", "i 1 A B A|i 2 B A B|e 2 A|e 1 A", "ABi1 BAi2",
	  "uu" },
	{ "refused update", "i 1 A B A|e 1 A", "", "v" },
	{ "refused as another was faster", "i 1 A B A|i 2 A C A|r 1 A B 0|e 2 B|e 1 B", "ABs1",
	  "uv" },
	{ "report after inferred", "i 1 A B A|i 2 B C B|r 1 A B 0|r 2 B C 0|e 1 C|e 2 C",
	  "ABs1 BCs2", "uu" },
	{ "report twice", "i 1 A B A|r 1 A B 0|r 1 A B 0|e 1 B|r 1 A B 0", "ABs1", "u" },
	{ "intent twice", "i 1 A B A|i 1 A B A|r 1 A B 0|e 1 B", "ABs1", "u" },
	{ "report without intent", "l A|a|r 1 A B 0|e 1 B", "ABs1", "" },
	{ "report of a ref never heard of", "r 1 A B 0|e 1 B", "ABs1", "" },
	{ "report over a hole", "l A|a|i 1 B C -|r 1 B C 0|e 1 C", "ABg0 BCs1", "u" },
	{ "nothing moves", "i 1 0 0 0|r 1 0 0 0|e 1 0", "", "" },
	{ "deleted", "i 1 A 0 A|r 1 A 0 0|e 1 0", "A0s1", "u" },
	{ "one ref named twice", "i 1 A B A|i 1 B C A|r 1 A B 0|r 1 B C 1|e 1 C", "ABs1 BCs1",
	  "uu" },
	{ "twice, client killed", "i 1 A B A|i 1 B C A|e 1 C", "ABi1 BCi1", "uu" },
	{ "moved on the server between", "i 1 A B A|r 1 A B 0|e 1 B|i 2 C D C|r 2 C D 0|e 2 D",
	  "ABs1 BCg0 CDs2", "uu" },
	{ "a look while a push lives", "i 1 A B A|L B|r 1 A B 0|e 1 B", "ABs1", "u" },
	{ "a gap that gets its report", "l A|a|i 1 A B -|e 2 B|r 1 A B 0", "ABs1", "u" },
	{ "another push's movement", "i 1 A B A|i 2 A B A|e 1 B|r 2 A B 0|e 2 B", "ABs2", "ou" },
	{ "a report inside a gap", "l A|a|i 1 A B -|l C|r 1 A B 0|e 1 C", "ABs1 BCg0", "u" },
	{ "a look between, then a late report", "l A|a|l B|i 1 B C B|r 1 B C 0", "ABg0 BCs1", "u" },
	{ "the shortest way", "i 1 A B A|i 2 B C A|i 3 A C A|e 3 C|e 1 C|e 2 C", "ACi3", "vvu" },
	{ "there, back and there again",
	  "i 1 A B A|r 1 A B 0|e 1 B|i 2 B A B|e 2 A|i 3 A B A|r 3 A B 0|e 3 B",
	  "ABs1 BAi2 ABs3", "uuu" },
	{ "unread intent, killed", "i 1 A B -|e 1 B", "ABi1", "u" },
	{ "unread intent, refused", "i 1 A B -|e 1 A", "", "v" },
	{ "new ref after adoption", "a|i 1 0 A 0|r 1 0 A 0|e 1 A", "0As1", "u" },
	{ "server made it after adoption", "a|i 1 A B A|r 1 A B 0|e 1 B", "0Ag0 ABs1", "u" },
	{ "alias and its target", "i 1 A B A|i 1 A B A|r 1 A B 0|e 1 B", "ABs1", "u" },
	{ "reboot ends it", "i 1 A B A|b|e 1 B", "ABi1", "u" },
	{ "reboot, report in the spool", "i 1 A B A|r 1 A B 0|b|i 2 B C B|r 2 B C 0|e 1 C|e 2 C",
	  "ABs1 BCs2", "uu" },
	{ "moved while the machine was off", "l A|a|b|l B", "ABg0", "" },
};

static void check_row(void **state)
{
	const struct row *row = *state;
	struct world w = { .boot = "boot" };
	struct buf got = BUF_INIT;
	char *history = xstrdup(row->history), *save = NULL, states[MAX + 1] = "";

	for (char *line = strtok_r(history, "|", &save); line; line = strtok_r(NULL, "|", &save))
		step(&w, line);
	for (size_t i = 0; i < w.nev; i++)
		buf_addf(&got, "%s%c%c%c%d", i ? " " : "", *w.ev[i].old, *w.ev[i].new,
			 *rule_kind_word(w.ev[i].kind), (int)w.ev[i].push);
	for (size_t i = 0; i < w.nin; i++)
		states[i] = (char)w.state[i];
	assert_string_equal(buf_str(&got), row->events);
	assert_string_equal(states, row->intents);
	buf_clear(&got);
	free(history);
}

/* A value read before the last event tells nothing; one read while it came about is no gap. */
static void reading_takes_time(void **state)
{
	struct world w = { .boot = "boot" };
	struct rule_learnt stale = { .thing = RULE_LOOK, .boot = "boot", .from = 15, .to = 50,
				     .value = "A" };
	struct rule_learnt meanwhile = { .thing = RULE_END, .boot = "boot", .push = 9, .from = 35,
					 .to = 60, .value = "C" };

	(void)state;
	step(&w, "i 1 A B A");		/* 10 */
	step(&w, "r 1 A B 0");		/* 20 */
	assert_true(apply(&w, &stale));	/* asked at 15: it may have been A then */
	assert_int_equal(w.nev, 1);
	stale.thing = RULE_END;
	stale.push = 1;
	assert_false(apply(&w, &stale));	/* an end is read once more */
	w.now = 40;
	step(&w, "i 2 B C -");		/* 50: began while the ref was being read */
	apply(&w, &meanwhile);
	assert_int_equal(w.nev, 2);
	assert_int_equal(w.ev[1].kind, RULE_INFERRED);
	assert_int_equal(w.ev[1].push, 2);
}

/* Whoever may have made what was inferred is named: who announced it then, and who is heard of late. */
static void all_who_may_have_made_it(void **state)
{
	static const int64_t makers[] = { 1 };
	struct rule_stamp at = { "boot", 10 }, seen = { "boot", 30 };
	struct rule_intent two[] = { { 1, "A", "B", at, -1, { 0 } }, { 2, "A", "B", at, -1, { 0 } } };
	struct rule_event one[] = { { .old = "A", .new = "B", .kind = RULE_INFERRED, .push = 1, .k = -1,
				      .seen = seen, .makers = makers, .nmakers = 1 } };
	struct rule_table t = { .boot_now = "boot", .tail = "A", .last = at, .born = at,
				.intents = two, .nintents = 2 };
	struct rule_learnt look = { .thing = RULE_LOOK, .boot = "boot", .from = 20, .to = 30,
				    .value = "B" };
	struct rule_learnt late = { .thing = RULE_INTENT, .boot = "boot", .from = 12, .to = 15,
				    .value = "A", .push = 3, .old = "A", .new = "B" };
	struct rule_steps steps = { 0 };

	(void)state;
	rule_apply(&t, &look, &steps);
	assert_int_equal(steps.v[1].what, RULE_APPEND);
	assert_int_equal(steps.v[1].nmakers, 2);
	rule_steps_clear(&steps);
	t = (struct rule_table) { .boot_now = "boot", .tail = "B", .last = seen, .born = at,
				  .events = one, .nevents = 1, .whole = true };
	rule_apply(&t, &late, &steps);
	assert_int_equal(steps.v[0].what, RULE_MAKER);
	assert_int_equal(steps.v[0].push, 3);
	rule_steps_clear(&steps);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 2];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = check_row,
					     .initial_state = (void *)&rows[i] };
	t[PS_NELEM(rows)] = (struct CMUnitTest) { .name = "reading takes time",
						  .test_func = reading_takes_time };
	t[PS_NELEM(rows) + 1] = (struct CMUnitTest) { .name = "all who may have made it",
						      .test_func = all_who_may_have_made_it };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("rule", t, PS_NELEM(t), NULL, NULL);
}
