/* sched – see sched.h. */
#include "config.h"

#include "agent/flow/sched.h"

enum rank { BUMPED, OVERDUE, IN_TURN };

static enum rank rank_of(const struct sched_thing *t, int64_t now_ms)
{
	if (t->bumped_ms)
		return BUMPED;
	return t->created_ms <= now_ms - SCHED_OVERDUE_MS ? OVERDUE : IN_TURN;
}

static int order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

int64_t sched_turn(int64_t at, int64_t served, int64_t waiting)
{
	int64_t own = (served > waiting ? served : waiting) + 1;

	return own > at ? own : at;
}

int64_t sched_serve(int64_t at, const struct sched_thing *t, int64_t now_ms)
{
	return rank_of(t, now_ms) == IN_TURN && t->turn > at ? t->turn : at;
}

int sched_compare(const struct sched_thing *a, const struct sched_thing *b, int64_t now_ms)
{
	enum rank rank = rank_of(a, now_ms);
	int c = order(rank, rank_of(b, now_ms));

	if (c == 0 && rank == BUMPED)
		c = order(b->bumped_ms, a->bumped_ms);
	if (c == 0 && rank == IN_TURN)
		c = order(b->priority, a->priority);
	if (c == 0 && rank == IN_TURN)
		c = order(a->turn, b->turn);
	if (c == 0)
		c = order(a->created_ms, b->created_ms);
	return c ? c : order(a->id, b->id);
}

/* Lines are short here: the heads of each place. */
static void sort(struct sched_thing *v, size_t n, int64_t now_ms)
{
	for (size_t i = 1; i < n; i++) {
		struct sched_thing t = v[i];
		size_t k = i;

		for (; k > 0 && sched_compare(&t, &v[k - 1], now_ms) < 0; k--)
			v[k] = v[k - 1];
		v[k] = t;
	}
}

size_t sched_pick(struct sched_thing *v, size_t n, size_t slots, struct sched_limit *limits,
		  int64_t now_ms)
{
	size_t picked = 0;

	sort(v, n, now_ms);
	for (size_t i = 0; i < n && picked < slots; i++) {
		struct sched_limit *l = &limits[v[i].limit];
		struct sched_thing t = v[i];

		if (l->max && l->used >= l->max)
			continue;
		l->used++;
		memmove(&v[picked + 1], &v[picked], (i - picked) * sizeof(*v));
		v[picked++] = t;
	}
	return picked;
}
