/* pass_line – the lines of the store and the order of sched.h brought together. */
#include "config.h"

#include "agent/flow/pass.h"

void standstill_clear(struct standstill *s)
{
	free(s->detail);
	free(s->blocked_by);
	free(s->lift);
	*s = (struct standstill) { .reason = NULL };
}

int pass_stand(struct store_tx *tx, enum line line, const char *place, struct standstill *s,
	       struct ps_err *err)
{
	char *name = wait_place(line, place);
	struct wait w = { .reason = s->reason, .detail = s->detail, .blocked_by = s->blocked_by,
			  .lift = s->lift };
	int rc = s->reason ? wait_set(tx, name, &w, err) : wait_clear(tx, name, err);

	free(name);
	standstill_clear(s);
	return rc;
}

int pass_places(struct store_tx *tx, enum line line, struct pass_places *out, struct ps_err *err)
{
	const char *last = "";
	char *place = NULL;
	int rc;

	while ((rc = line_next_place(tx, line, last, &place, err)) > 0) {
		last = place;
		out->v = xgrow(out->v, out->n, &out->cap, sizeof(*out->v));
		out->v[out->n++] = place;
	}
	return rc;
}

void pass_places_clear(struct pass_places *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct pass_places) { .v = NULL };
}

_Static_assert((int)LINE_OVERDUE_MS == (int)SCHED_OVERDUE_MS, "one order");

static struct sched_thing thing_of(const struct line_row *r, size_t limit)
{
	return (struct sched_thing) { .id = r->id, .bumped_ms = r->bumped_ms,
				      .priority = r->priority, .turn = r->turn,
				      .created_ms = r->created_ms, .limit = limit };
}

int pass_enter(struct store_tx *tx, enum line line, const char *group, int64_t id, int64_t priority,
	       int64_t repository, struct ps_err *err)
{
	struct line_turns t;
	int rc = line_turns(tx, line, group, priority, repository, &t, err);

	return rc < 0 ? rc : line_enter(tx, line, id, priority,
					sched_turn(t.at, t.served, t.waiting), err);
}

int pass_served(struct store_tx *tx, enum line line, const char *group, const struct line_row *r,
		int64_t now_ms, struct ps_err *err)
{
	struct sched_thing t = thing_of(r, 0);
	struct line_turns turns;
	int rc = line_turns(tx, line, group, r->priority, r->repository, &turns, err);

	return rc < 0 ? rc : line_served(tx, line, group, r, sched_serve(turns.at, &t, now_ms),
					 err);
}

void pass_candidates_clear(struct pass_candidates *c)
{
	line_rows_clear(&c->rows);
	free(c->limit_of);
	*c = (struct pass_candidates) { .limit_of = NULL };
}

int pass_candidates_add(struct store_tx *tx, struct pass *p, enum line line, const char *place,
			size_t k, size_t limit, struct pass_candidates *c, struct ps_err *err)
{
	size_t from = c->rows.n;
	int rc = line_heads(tx, line, place, p->view.now_ms - SCHED_OVERDUE_MS, k, &c->rows, err);

	for (size_t i = from; i < c->rows.n; i++) {
		c->limit_of = xgrow(c->limit_of, i, &c->cap, sizeof(*c->limit_of));
		c->limit_of[i] = limit;
	}
	return rc;
}

/* The rows in the order of the choice: line_row has no room for where it came from. */
static const struct line_row *row_of(const struct line_rows *l, int64_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].id == id)
			return &l->v[i];
	PS_BUG_IF(true, "%lld was picked and never stood in line", (long long)id);
}

size_t pass_pick(const struct pass *p, const struct pass_candidates *c, size_t slots,
		 struct sched_limit *limits, const struct line_row **out)
{
	struct sched_thing *v = xcalloc(c->rows.n, sizeof(*v));
	size_t picked;

	for (size_t i = 0; i < c->rows.n; i++)
		v[i] = thing_of(&c->rows.v[i], c->limit_of[i]);
	picked = sched_pick(v, c->rows.n, slots, limits, p->view.now_ms);
	for (size_t i = 0; i < picked; i++)
		out[i] = row_of(&c->rows, v[i].id);
	free(v);
	return picked;
}
