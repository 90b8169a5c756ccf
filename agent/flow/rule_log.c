/*
 * rule_log – what a ref's reflog tells, where the repository keeps one.
 *
 * An entry is evidence of a movement, no more: a log may have been cut, edited, or be of another
 * life of the ref. So it is believed as a whole or not at all: it must lead from where the ref was
 * when it was read last to the value that was read now, and every event that came to be since must
 * be found in it, in order. Then its other entries are movements of their own.
 */
#include "config.h"

#include "agent/flow/rule_parts.h"

/* The step of the log, from step j on, that event i is, or with which the gap i ends. */
static size_t find_step(const struct rule *r, size_t i, size_t j)
{
	const struct rule_event *e = &r->t->events[i];
	const char *const *path = r->l->path;

	for (; j + 1 < r->l->npath; j++)
		if (strcmp(path[j + 1], e->new) == 0 &&
		    (e->kind == RULE_GAP || strcmp(path[j], e->old) == 0))
			return j;
	return RULE_NONE;
}

bool rule_log_fits(const struct rule *r)
{
	const struct rule_table *t = r->t;
	const char *begin = t->logged < t->nevents ? t->events[t->logged].old : r->tail;
	size_t j = 0;

	if (r->l->npath < 2 || r->l->log_since != t->log || strcmp(r->l->path[0], begin) != 0 ||
	    strcmp(r->l->path[r->l->npath - 1], r->l->value) != 0)
		return false;
	for (size_t i = t->logged; i < t->nevents && j != RULE_NONE; i++) {
		j = find_step(r, i, j);
		j += j != RULE_NONE;
	}
	return j != RULE_NONE;
}

void rule_log_tell(struct rule *r)
{
	const char *const *path = r->l->path;
	size_t j = 0;

	r->direct = true;
	for (size_t i = r->t->logged; i < r->t->nevents; i++) {
		const struct rule_event *e = &r->t->events[i];
		size_t to = find_step(r, i, j);

		for (; j < to; j++)
			rule_fill(r, i, path[j], path[j + 1], RULE_NONE);
		if (e->kind == RULE_GAP && strcmp(e->old, path[to]) != 0)
			rule_rest(r, i, path[to], RULE_NONE);
		j = to + 1;
	}
	for (; j + 1 < r->l->npath; j++)
		rule_reach(r, path[j + 1], RULE_NONE);
	r->direct = false;
}

void rule_log_note(struct rule *r)
{
	if (r->l->log_since != r->t->log)
		return;			/* of two that were read at once one was stored before */
	if (r->l->log != r->t->log || r->t->logged < r->t->nevents ||
	    strcmp(r->tail, r->t->tail ? r->t->tail : "") != 0)
		rule_step(r, RULE_LOGGED)->k = r->l->log;
}
