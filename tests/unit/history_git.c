/* history_git – refs, receive-pack and hooks: see history.h. */
#include "config.h"

#include "tests/unit/history.h"

static int target(int ref)
{
	return ref == ALIAS ? 0 : ref;
}

static void move(struct world *w, int ref, int new, int push, int line)
{
	if (w->value[ref] == new)
		return;
	PS_BUG_IF(w->nmoves[ref] == MOVES, "a history of more than %d moves", MOVES);
	w->moves[ref][w->nmoves[ref]++] = (struct move) {
		.old = w->value[ref], .new = new, .push = push, .line = line, .at = ++w->now,
	};
	w->value[ref] = new;
}

static void connect_client(struct world *w, int at, const struct push_plan *plan)
{
	struct live_push *p = &w->p[at];

	if (p->phase != AWAY)
		return;
	*p = (struct live_push) { .plan = *plan, .phase = CONNECTED, .boot = w->boot };
	for (int i = 0; i < plan->n; i++) {
		int now = w->value[target(plan->v[i].ref)];

		/* a ref named again begins where the line before ends */
		for (int k = 0; k < i; k++)
			if (target(plan->v[k].ref) == target(plan->v[i].ref))
				now = plan->v[k].ref == plan->v[i].ref ? plan->v[k].new : p->old[k];
		p->old[i] = plan->v[i].claim < 0 ? now : plan->v[i].claim;
	}
}

/* Git takes an alias beside its target only where both say the same. */
static bool other_name_done(const struct live_push *p, int at)
{
	for (int i = 0; i < at; i++)
		if (p->plan.v[i].ref != p->plan.v[at].ref &&
		    target(p->plan.v[i].ref) == target(p->plan.v[at].ref))
			return true;
	return false;
}

static bool may_move(const struct world *w, const struct live_push *p, int i)
{
	const struct command *c = &p->plan.v[i];

	if (c->refused)
		return false;
	return other_name_done(p, i) || w->value[target(c->ref)] == p->old[i];
}

static void carry_out(struct world *w, int at, int i)
{
	struct live_push *p = &w->p[at];
	const struct command *c = &p->plan.v[i];

	/* deleting what is not there is done and not reported; a second name is, whatever became
	 * of the first */
	p->ok[i] = p->old[i] != 0 || c->new != 0;
	if (other_name_done(p, i) && w->h->lossy)
		p->ok[i] = false;	/* who does not know the intent cannot tell */
	if (!other_name_done(p, i))
		move(w, target(c->ref), c->new, at, i);
}

static void do_moves(struct world *w, int at)
{
	struct live_push *p = &w->p[at];
	bool all = true;

	if (!p->plan.atomic) {
		if (p->next < p->plan.n && may_move(w, p, p->next))
			carry_out(w, at, p->next);
		p->phase = ++p->next < p->plan.n ? MOVING : MOVED;
		return;
	}
	for (int i = 0; i < p->plan.n; i++) {
		all = all && may_move(w, p, i);
		for (int k = 0; k < i; k++)	/* one transaction takes a ref once */
			all = all && p->plan.v[k].ref != p->plan.v[i].ref;
	}
	for (int i = 0; all && i < p->plan.n; i++)
		carry_out(w, at, i);
	p->phase = MOVED;
}

static bool any_ok(const struct live_push *p)
{
	for (int i = 0; i < p->plan.n; i++)
		if (p->ok[i])
			return true;
	return false;
}

static void step(struct world *w, int at)
{
	struct live_push *p = &w->p[at];

	switch (p->phase) {
	case CONNECTED:
		p->from = ++w->now;
		p->read = ++w->now;
		for (int i = 0; i < p->plan.n; i++)
			p->seen[i] = w->value[target(p->plan.v[i].ref)];
		p->phase = READ;
		return;
	case READ:
		p->to = ++w->now;
		agent_hear(w, at, false, p->plan.intent);
		p->phase = TOLD;
		return;
	case TOLD:
	case MOVING:
		do_moves(w, at);
		return;
	case MOVED:
		p->post = ++w->now;
		if (!p->killed && any_ok(p))
			agent_hear(w, at, true, p->plan.report);
		p->phase = REPORTED;
		return;
	case REPORTED:
		p->phase = ENDED;
		return;
	case AWAY:
	case ENDED:
		return;
	}
}

void git_do(struct world *w, const struct op *op)
{
	switch (op->what) {
	case OP_PUSH:
		connect_client(w, op->p, &op->plan);
		return;
	case OP_STEP:
		step(w, op->p);
		return;
	case OP_KILL:			/* before its hook began: then it is no push at all */
		w->p[op->p].killed |= w->p[op->p].phase > CONNECTED;
		return;
	case OP_SERVER:
		move(w, op->ref, op->new, -1, 0);
		return;
	case OP_REBOOT:			/* before core, which starts anew */
		for (int i = 0; i < PUSHES; i++)
			if (w->p[i].phase != AWAY)
				w->p[i].phase = ENDED;
		return;
	default:
		return;
	}
}

void git_finish(struct world *w)
{
	for (int i = 0; i < PUSHES; i++)
		while (w->p[i].phase != AWAY && w->p[i].phase != ENDED)
			step(w, i);
}
