/*
 * sched – who of those that wait goes next. Pure: what waits and what is free in, a choice out.
 *
 * The order of a line, first rule first:
 *	1. bumped by a person, the latest bump first;
 *	2. older than ten minutes, the oldest first: nothing starves;
 *	3. the environment's priority, higher first;
 *	4. repositories in turn, then age.
 *
 * Turns make rule 4 a number, so that the order is an index and nobody counts repositories: a line
 * has the turn it is at (that of what was served last), and what enters gets the first turn from
 * there on that its repository has not used (sched_turn). In each turn a repository is served once,
 * however much it has waiting: with two repositories in line the whole time, neither gets more than
 * two ahead of the other.
 */
#ifndef PS_SCHED_H
#define PS_SCHED_H

#include "common/base/ps.h"

enum { SCHED_OVERDUE_MS = 10 * 60 * 1000 };

struct sched_thing {
	int64_t id;
	int64_t bumped_ms;	/* 0: nobody did */
	int64_t priority;	/* of its environment; higher goes first */
	int64_t turn;
	int64_t created_ms;
	size_t limit;		/* index of the limit it falls under */
};

/* How many of one kind (a fabric's) may be under way. max 0: no limit but the slots. */
struct sched_limit { size_t max, used; };

/* The turn of something new: `at` is the line's turn; `served` and `waiting` are the highest of its
 * repository that was served and that still waits, -1 for none. */
int64_t sched_turn(int64_t at, int64_t served, int64_t waiting);
/* The turn a line is at after t was served: things that went out of turn do not move it. */
int64_t sched_serve(int64_t at, const struct sched_thing *t, int64_t now_ms);
/* < 0: a goes before b. Never 0 for two things: the number decides. */
int sched_compare(const struct sched_thing *a, const struct sched_thing *b, int64_t now_ms);
/*
 * Orders v and moves to its front those that start now: at most `slots` and within their limits,
 * whose `used` go up. Returns how many; the rest stays in order behind them. One that its limit
 * keeps back does not hold those of other limits.
 */
size_t sched_pick(struct sched_thing *v, size_t n, size_t slots, struct sched_limit *limits,
		  int64_t now_ms);

#endif
