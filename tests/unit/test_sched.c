/* Units of the order of a line: by tables, and by random lines against what turns must give. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "agent/flow/sched.h"

enum { NOW = 100 * 60 * 1000, MINUTE = 60 * 1000 };
#define OLD (NOW - 11 * MINUTE)
#define NEW (NOW - MINUTE)

/* First goes before second, whichever way they are asked. */
static const struct pair {
	const char *name;
	struct sched_thing first, second;
} pairs[] = {
	{ "bumped before all", { .id = 9, .bumped_ms = 5, .created_ms = NEW },
	  { .id = 1, .priority = 100, .created_ms = OLD } },
	{ "the latest bump first", { .id = 9, .bumped_ms = 6 }, { .id = 1, .bumped_ms = 5 } },
	{ "overdue before priority", { .id = 9, .created_ms = OLD, .turn = 7 },
	  { .id = 1, .priority = 100, .created_ms = NEW } },
	{ "overdue: the oldest, whatever its priority", { .id = 9, .created_ms = OLD - 1 },
	  { .id = 1, .priority = 100, .created_ms = OLD } },
	{ "just overdue", { .id = 9, .created_ms = NOW - SCHED_OVERDUE_MS },
	  { .id = 1, .priority = 1, .created_ms = NOW - SCHED_OVERDUE_MS + 1 } },
	{ "higher priority first", { .id = 9, .priority = 1, .turn = 9, .created_ms = NEW + 9 },
	  { .id = 1, .created_ms = NEW } },
	{ "negative priority last", { .id = 9, .created_ms = NEW },
	  { .id = 1, .priority = -1, .created_ms = NEW } },
	{ "turn before age", { .id = 9, .turn = 1, .created_ms = NEW + 5 },
	  { .id = 1, .turn = 2, .created_ms = NEW } },
	{ "age within a turn", { .id = 9, .turn = 1, .created_ms = NEW },
	  { .id = 1, .turn = 1, .created_ms = NEW + 5 } },
	{ "the number last", { .id = 1, .created_ms = NEW }, { .id = 9, .created_ms = NEW } },
};

static void check_pair(void **state)
{
	const struct pair *p = *state;

	assert_true(sched_compare(&p->first, &p->second, NOW) < 0);
	assert_true(sched_compare(&p->second, &p->first, NOW) > 0);
	assert_int_equal(sched_compare(&p->first, &p->first, NOW), 0);
}

/* Things of limit a, b or c in the order of the letters' places; what starts, as numbers. */
static const struct pick {
	const char *name, *line;
	size_t slots;
	struct sched_limit limits[3];
	const char *starts;
} picks[] = {
	{ "as many as there are slots", "abc", 2, { { 0, 0 } }, "01" },
	{ "no slot", "abc", 0, { { 0, 0 } }, "" },
	{ "nothing waits", "", 3, { { 0, 0 } }, "" },
	{ "a limit keeps its own alone", "aabac", 5, { { 1, 0 } }, "024" },
	{ "a limit that is full already", "ab", 5, { { 1, 1 } }, "1" },
	{ "two of one limit", "aaab", 3, { { 2, 0 } }, "013" },
	{ "more used than allowed", "ab", 5, { { 1, 3 } }, "1" },
	{ "limits are no slots", "aab", 1, { { 9, 0 } }, "0" },
};

static void check_pick(void **state)
{
	const struct pick *p = *state;
	struct sched_limit limits[3];
	struct sched_thing v[8];
	size_t n = strlen(p->line), got;

	memcpy(limits, p->limits, sizeof(limits));
	for (size_t i = 0; i < n; i++)		/* given backwards: the order is its work */
		v[n - 1 - i] = (struct sched_thing) { .id = (int64_t)i, .created_ms = NEW,
						      .limit = (size_t)(p->line[i] - 'a') };
	got = sched_pick(v, n, p->slots, limits, NOW);
	assert_int_equal(got, strlen(p->starts));
	for (size_t i = 0; i < got; i++)
		assert_int_equal(v[i].id, p->starts[i] - '0');
	for (size_t i = got + 1; i < n; i++)	/* the rest is in order, and nothing was lost */
		assert_true(v[i - 1].id < v[i].id);
	for (size_t i = 0; i < got; i++)
		limits[v[i].limit].used--;
	assert_memory_equal(limits, p->limits, sizeof(limits));
}

static const struct turn { const char *name; int64_t at, served, waiting, turn; } turns[] = {
	{ "a new repository joins the turn of the line", 7, -1, -1, 7 },
	{ "one that was served in it waits for the next", 7, 7, -1, 8 },
	{ "one that was served before joins", 7, 3, -1, 7 },
	{ "behind its own", 7, -1, 9, 10 },
	{ "the first of all", 0, -1, -1, 0 },
};

static void check_turn(void **state)
{
	const struct turn *t = *state;

	assert_int_equal(sched_turn(t->at, t->served, t->waiting), t->turn);
}

/* ---- random lines ---- */

enum { REPOS = 5, STEPS = 400, LINES = 300 };

static uint64_t seed;

static unsigned rnd(unsigned n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(seed >> 33) % n;
}

struct line {
	struct sched_thing v[STEPS];
	int64_t repo[STEPS + 1];	/* by number of the thing */
	size_t n;
	int64_t at, served[REPOS], ids;
	unsigned waiting[REPOS];
	/* [a][b]: how often a was served since b has been waiting without a break */
	int64_t ahead[REPOS][REPOS];
};

static void enter(struct line *l, unsigned repo)
{
	int64_t waiting = -1;
	struct sched_thing *t = &l->v[l->n++];

	for (size_t i = 0; i + 1 < l->n; i++)
		if (l->repo[l->v[i].id] == repo && l->v[i].turn > waiting)
			waiting = l->v[i].turn;
	*t = (struct sched_thing) { .id = ++l->ids, .created_ms = NOW + l->ids,
				    .turn = sched_turn(l->at, l->served[repo], waiting) };
	l->repo[t->id] = repo;
	if (!l->waiting[repo]++)
		for (unsigned a = 0; a < REPOS; a++)
			l->ahead[a][repo] = l->ahead[repo][a] = 0;
}

static void serve(struct line *l)
{
	struct sched_limit none = { .max = 0 };
	unsigned repo;

	assert_int_equal(sched_pick(l->v, l->n, 1, &none, NOW), 1);
	repo = (unsigned)l->repo[l->v[0].id];
	l->at = sched_serve(l->at, &l->v[0], NOW);
	l->served[repo] = l->v[0].turn;
	memmove(&l->v[0], &l->v[1], --l->n * sizeof(l->v[0]));
	l->waiting[repo]--;
	for (unsigned b = 0; b < REPOS; b++) {
		l->ahead[repo][b]++;
		if (b == repo || !l->waiting[b])
			continue;
		if (l->ahead[repo][b] - l->ahead[b][repo] > 2)
			fail_msg("repository %u was served %lld times while %u waited and was %lld "
				 "times", repo, (long long)l->ahead[repo][b], b,
				 (long long)l->ahead[b][repo]);
	}
}

/* Whoever waits is never more than two behind another; a busy one (0) has most of the line. */
static void repositories_in_turn(void **state)
{
	uint64_t first = (uint64_t)time(NULL);

	(void)state;
	for (unsigned i = 0; i < LINES; i++) {
		struct line l = { .n = 0 };

		seed = first + i;
		for (unsigned r = 0; r < REPOS; r++)
			l.served[r] = -1;
		for (unsigned s = 0; s < STEPS; s++) {
			if (l.n && rnd(2))
				serve(&l);
			else
				enter(&l, rnd(3) ? 0 : rnd(REPOS));
		}
	}
	print_message("%d random lines of %d steps, seeds from %llu\n", LINES, STEPS,
		      (unsigned long long)first);
}

/* The choice is the sorted line's beginning, by an order that is one. */
static void order_is_total(void **state)
{
	uint64_t first = (uint64_t)time(NULL);

	(void)state;
	for (unsigned i = 0; i < LINES; i++) {
		struct sched_thing v[12];
		struct sched_limit none = { .max = 0 };

		seed = first + i;
		for (size_t k = 0; k < PS_NELEM(v); k++)
			v[k] = (struct sched_thing) {
				.id = (int64_t)k, .bumped_ms = rnd(4) ? 0 : 1 + (int64_t)rnd(3),
				.priority = (int64_t)rnd(3) - 1, .turn = (int64_t)rnd(3),
				.created_ms = rnd(3) ? NEW + (int64_t)rnd(3) : OLD - (int64_t)rnd(3),
			};
		assert_int_equal(sched_pick(v, PS_NELEM(v), 5, &none, NOW), 5);
		for (size_t a = 0; a < PS_NELEM(v); a++)
			for (size_t b = a + 1; b < PS_NELEM(v); b++)
				assert_true(sched_compare(&v[a], &v[b], NOW) < 0);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[64];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(pairs); i++)
		t[n++] = (struct CMUnitTest) { .name = pairs[i].name, .test_func = check_pair,
					       .initial_state = (void *)&pairs[i] };
	for (size_t i = 0; i < PS_NELEM(picks); i++)
		t[n++] = (struct CMUnitTest) { .name = picks[i].name, .test_func = check_pick,
					       .initial_state = (void *)&picks[i] };
	for (size_t i = 0; i < PS_NELEM(turns); i++)
		t[n++] = (struct CMUnitTest) { .name = turns[i].name, .test_func = check_turn,
					       .initial_state = (void *)&turns[i] };
	t[n++] = (struct CMUnitTest) cmocka_unit_test(repositories_in_turn);
	t[n++] = (struct CMUnitTest) cmocka_unit_test(order_is_total);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("sched", t, n, NULL, NULL);
}
