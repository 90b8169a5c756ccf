/*
 * history_judge – does the store say what git did? See history.h.
 *
 * The truth of a ref is a path: its first value and the moves. Its events must be that path again,
 * but for what nobody could tell core: such moves may be missing where they lead back, and a run of
 * them may be one event. A move that core was told of, and one that it must find out (promised), is
 * an event of its own, once, with the push that made it among those named.
 *
 * Told apart and counted: `guessed`, events more than git made since a server-side update looks like
 * announced movements end to end; `elsewhere`, all is there once, but not in the order git did it (late
 * reports leave that open); `surplus`, events too many where intents were lost, or a ref was named twice
 * in one push (the gate refuses that), or words were late and refs moved without a word as well, or three
 * pushes of one ref were under way at once: there only the path and what was reported are promised.
 */
#include "config.h"

#include "agent/store/event.h"
#include "agent/store/repository.h"
#include "agent/store/sql.h"
#include "tests/unit/history.h"

enum { MAKERS = 16 };

struct seen {
	struct { char name[MAKERS][4]; int n; } makers[MOVES];
	struct events events;
	bool used[MOVES];
};

static int push_no(const char *name)
{
	return name && name[0] == 'p' ? name[1] - '0' : -1;
}

/* ---- what is promised ---- */

static bool is_honest(const struct world *w, const struct move *m)
{
	const struct live_push *p = &w->p[m->push];

	return !p->plan.blind && p->intent_at && p->seen[m->line] == m->old;
}

/* One that was read later was stored before it. */
static bool is_stale(const struct world *w, int at)
{
	const struct reading *r = &w->readings[at];

	for (int i = 0; i < at; i++)
		if (w->readings[i].ref == r->ref && w->readings[i].read > r->read)
			return true;
	return false;
}

/* Was another push of this ref under way between the two readings? */
static bool is_crowded(const struct world *w, int ref, int push, int64_t base, int64_t read)
{
	for (int q = 0; q < PUSHES; q++) {
		const struct live_push *p = &w->p[q];

		for (int i = 0; q != push && i < p->plan.n; i++)
			if (p->plan.v[i].ref % ALIAS == ref && p->from && p->from < read &&
			    (!p->settled_at || p->settled_at > base))
				return true;
	}
	return false;
}

/*
 * A killed client's move is found out when core has the intent before it takes a value that was read
 * after it, one was read before it, no other move of the ref lies between those two, and no other push
 * announces anything of the ref meanwhile: of several that do, the readings cannot tell which it was.
 */
static bool is_promised(const struct world *w, int ref, int at)
{
	const struct move *m = &w->moves[ref][at];
	int64_t before = at ? w->moves[ref][at - 1].at : 0, base = 0;
	int64_t after = at + 1 < w->nmoves[ref] ? w->moves[ref][at + 1].at : INT64_MAX;

	if (m->told)
		return true;
	if (m->push < 0 || w->h->lossy || w->h->twice || !is_honest(w, m))
		return false;
	for (int i = 0; i < w->nreadings; i++) {
		const struct reading *r = &w->readings[i];

		if (r->ref != ref || is_stale(w, i))
			continue;
		if (r->read > before && r->read < m->at)
			base = r->read;
		if (base && r->read > m->at && r->read < after)
			return r->at > w->p[m->push].intent_at &&
				!is_crowded(w, ref, m->push, base, r->read);
	}
	return false;
}

/* ---- the store ---- */

static int event_old(const struct ref_event *e)
{
	return e->old[0] == '0' ? 0 : e->old[0] - 'a' + 1;
}

static int event_new(const struct ref_event *e)
{
	return e->new[0] == '0' ? 0 : e->new[0] - 'a' + 1;
}

static int load(struct world *w, int ref, struct seen *s, char *tail, struct ps_err *err)
{
	sqlite3_stmt *q;
	struct ref r = { 0 };
	int rc = events_list(w->tx, 1, history_refs[ref], 0, MOVES, &s->events, err);

	for (size_t i = 0; rc == 0 && i < s->events.n; i++)	/* in the order of seq */
		for (size_t k = i + 1; k < s->events.n; k++)
			if (s->events.v[k].seq < s->events.v[i].seq) {
				struct ref_event swap = s->events.v[i];

				s->events.v[i] = s->events.v[k];
				s->events.v[k] = swap;
			}
	for (size_t i = 0; rc == 0 && i < s->events.n; i++) {
		q = sql_query(w->tx, err, "SELECT push.push FROM event_maker JOIN push"
			      " ON push.id = event_maker.push WHERE event = ? ORDER BY push.id", "i",
			      s->events.v[i].id);
		while ((rc = sql_next(w->tx, q, err)) > 0)
			snprintf(s->makers[i].name[s->makers[i].n++], 4, "%s", sql_text(q, 0));
		sql_done(q);
	}
	*tail = '\0';
	if (rc == 0 && ref_get(w->tx, 1, history_refs[ref], &r, NULL) == 0)
		*tail = *r.tail;
	ref_clear(&r);
	return rc;
}

/* ---- the path ---- */

static bool is_path(struct world *w, int ref, const struct seen *s, char tail)
{
	const struct events *l = &s->events;

	if (!tail && w->nmoves[ref] == 0)
		return true;
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].seq != (int64_t)i + 1)
			world_wrong(w, "%s: place %lld instead of %zu", history_refs[ref],
				    (long long)l->v[i].seq, i + 1);
	for (size_t i = 1; i < l->n; i++)
		if (strcmp(l->v[i - 1].new, l->v[i].old) != 0)
			world_wrong(w, "%s: the events do not join", history_refs[ref]);
	if (l->n && *l->v[l->n - 1].new != tail)
		world_wrong(w, "%s: the tail is not where the events end", history_refs[ref]);
	w->lost = w->lost || (tail && tail != *history_value(w->value[ref]));
	if (tail && tail != *history_value(w->value[ref]))
		world_wrong(w, "%s: ends at %c, git is at %c", history_refs[ref],
			    tail == '0' ? '0' : tail - 32,
			    history_letter(history_value(w->value[ref])));
	return !*w->why;
}

/* reach[i]: the events so far may have led to the i-th value of the truth. */
static void skip_circles(const struct world *w, int ref, const int *value, bool *reach)
{
	for (int i = 0; i < w->nmoves[ref]; i++)
		for (int k = i; reach[i] && k < w->nmoves[ref] && !w->moves[ref][k].promised; k++)
			if (value[k + 1] == value[i])
				reach[k + 1] = true;
}

static void take_event(const struct world *w, int ref, const int *value, const struct ref_event *e,
		       const bool *from, bool *to)
{
	bool sure = strcmp(e->kind, "sure") == 0;

	for (int i = 0; i < w->nmoves[ref]; i++) {
		if (!from[i] || value[i] != event_old(e))
			continue;
		for (int k = i; k < w->nmoves[ref]; k++) {
			bool whole = !sure && !(k > i && w->moves[ref][k].promised) &&
				!(k > i && w->moves[ref][i].promised);

			if (value[k + 1] == event_new(e) &&
			    (k == i ? !sure || w->moves[ref][k].told : whole))
				to[k + 1] = true;
			if (k > i && w->moves[ref][k].promised)
				break;
			if (w->moves[ref][i].promised)
				break;
		}
	}
}

/*
 * Intents of refused pushes that lie end to end look like their movements when somebody else moved the
 * ref from the first's old to the last's new value at once: events i to i + n - 1 for that.
 */
static void take_chain(const struct world *w, int ref, const int *value, const struct seen *s,
		       size_t i, size_t n, const bool *from, bool *to)
{
	const struct ref_event *last = &s->events.v[i + n - 1];
	struct ref_event whole = s->events.v[i];

	for (size_t k = i; k < i + n; k++)
		if (strcmp(s->events.v[k].kind, "inferred") != 0)
			return;
	whole.new = last->new;
	take_event(w, ref, value, &whole, from, to);
}

enum { CHAIN = 3 };

static bool is_under_way(const struct world *w, int push, int ref, int64_t at)
{
	const struct live_push *p = &w->p[push];

	for (int i = 0; i < p->plan.n; i++)
		if (p->plan.v[i].ref % ALIAS == ref)
			return p->from && p->from <= at &&
				(!p->settled_at || p->settled_at > at);
	return false;
}

/* Three pushes of one ref at once: their reports may be placed in more than one way. */
static bool is_tangled(const struct world *w, int ref)
{
	for (int i = 0; i < PUSHES; i++) {
		int n = 0;

		for (int k = 0; k < PUSHES; k++)
			n += is_under_way(w, i, ref, w->p[i].from) &&
				is_under_way(w, k, ref, w->p[i].from);
		if (n > 2)
			return true;
	}
	return false;
}

/* What core is told leaves open how many it were. */
static bool is_lenient(const struct world *w, int ref)
{
	const struct history *h = w->h;

	return h->lossy || h->twice || (h->late && h->server) || is_tangled(w, ref);
}

static void judge_path(struct world *w, int ref, const struct seen *s)
{
	int value[MOVES + 1], n = w->nmoves[ref];
	/* reach[k]: after the last but k events */
	bool reach[CHAIN + 1][MOVES + 1] = { { false } }, next[MOVES + 1];

	value[0] = w->h->first[ref];
	for (int i = 0; i < n; i++)
		value[i + 1] = w->moves[ref][i].new;
	for (int i = 0; i <= n; i++) {	/* the baseline: before everything that is promised */
		reach[0][i] = true;
		if (i < n && w->moves[ref][i].promised)
			break;
	}
	skip_circles(w, ref, value, reach[0]);
	for (size_t i = 0; i < s->events.n; i++) {
		memset(next, 0, sizeof(next));
		take_event(w, ref, value, &s->events.v[i], reach[0], next);
		for (size_t k = 1; k < CHAIN && k <= i; k++)
			take_chain(w, ref, value, s, i - k, k + 1, reach[k], next);
		memmove(reach[1], reach[0], sizeof(reach[0]) * CHAIN);
		memcpy(reach[0], next, sizeof(next));
		skip_circles(w, ref, value, reach[0]);
	}
	if (!reach[0][n] && s->events.n > (size_t)n && is_lenient(w, ref))
		w->surplus += (long)(s->events.n - (size_t)n);
	else if (!reach[0][n] && s->events.n > (size_t)n)
		world_wrong(w, "%s: the events are not what git did", history_refs[ref]);
	w->elsewhere += !reach[0][n];
	w->strict += n > 0 && !is_lenient(w, ref);
	w->judged += n > 0;
}

/* ---- who ---- */

static bool is_event_of(const struct ref_event *e, const struct move *m)
{
	return event_old(e) == m->old && event_new(e) == m->new;
}

static bool names(const struct seen *s, size_t i, int push)
{
	for (int k = 0; k < s->makers[i].n; k++)
		if (push_no(s->makers[i].name[k]) == push)
			return true;
	return false;
}

static const char *push_name(struct world *w, int64_t id, char out[8])
{
	struct ps_err err = { 0 };
	sqlite3_stmt *q = sql_query(w->tx, &err, "SELECT push FROM push WHERE id = ?", "i", id);

	snprintf(out, 8, "%s", sql_next(w->tx, q, &err) > 0 ? sql_text(q, 0) : "");
	sql_done(q);
	return out;
}

/* Each that core was told of: exactly one sure event of that push. */
static void judge_sure(struct world *w, int ref, struct seen *s)
{
	char name[8];
	size_t sure = 0;
	int told = 0;

	for (int i = 0; i < w->nmoves[ref]; i++) {
		const struct move *m = &w->moves[ref][i];
		bool found = false;

		told += m->told;
		for (size_t k = 0; m->told && !found && k < s->events.n; k++) {
			const struct ref_event *e = &s->events.v[k];

			found = !s->used[k] && strcmp(e->kind, "sure") == 0 && is_event_of(e, m) &&
				push_no(push_name(w, e->push, name)) == m->push;
			s->used[k] = s->used[k] || found;
		}
		w->lost = w->lost || (m->told && !found);
		if (m->told && !found)
			world_wrong(w, "%s: p%d's movement %c to %c has no event of its own",
				    history_refs[ref], m->push,
				    history_letter(history_value(m->old)),
				    history_letter(history_value(m->new)));
	}
	for (size_t k = 0; k < s->events.n; k++)
		sure += strcmp(s->events.v[k].kind, "sure") == 0;
	if (sure != (size_t)told)
		world_wrong(w, "%s: %zu sure events, %d movements were reported", history_refs[ref],
			    sure, told);
}

/* Each that was promised without a report: an event of its own that names its push among others. */
static bool match(const struct world *w, int ref, struct seen *s, int from)
{
	const struct move *m = &w->moves[ref][from];

	if (from == w->nmoves[ref])
		return true;
	if (m->told || !m->promised)
		return match(w, ref, s, from + 1);
	for (size_t k = 0; k < s->events.n; k++) {
		if (s->used[k] || !is_event_of(&s->events.v[k], m) || !names(s, k, m->push))
			continue;
		s->used[k] = true;
		if (match(w, ref, s, from + 1))
			return true;
		s->used[k] = false;
	}
	return false;
}

/* With a reflog that nobody cut and that was there all the time, its events are all of its moves. */
static void judge_log(struct world *w, int ref, const struct seen *s)
{
	bool exact = (int)s->events.n == w->nmoves[ref];

	if (!w->h->logs || w->h->cut || !w->h->looked)
		return;
	for (int i = 0; i < w->nmoves[ref]; i++)
		if (!w->moves[ref][i].new)
			return;
	for (int i = 0; exact && i < w->nmoves[ref]; i++)
		exact = is_event_of(&s->events.v[i], &w->moves[ref][i]);
	w->logged++;
	w->exact += exact;
}

static void judge_ref(struct world *w, int ref)
{
	struct seen s = { .used = { false } };
	struct ps_err err = { 0 };
	char tail;

	for (int i = 0; i < w->nmoves[ref]; i++)
		w->moves[ref][i].promised = is_promised(w, ref, i);
	if (load(w, ref, &s, &tail, &err) < 0)
		world_wrong(w, "%s", err.msg);
	if (is_path(w, ref, &s, tail))
		judge_path(w, ref, &s);
	if (!*w->why)
		judge_sure(w, ref, &s);
	if (!*w->why && !match(w, ref, &s, 0)) {
		w->lost = true;
		world_wrong(w, "%s: a killed client's movement has no event that names its push",
			    history_refs[ref]);
	}
	if (s.events.n > (size_t)w->nmoves[ref])
		w->guessed += (long)s.events.n - w->nmoves[ref];
	w->events += (long)s.events.n;
	if (!*w->why)
		judge_log(w, ref, &s);
	events_clear(&s.events);
}

void history_judge(struct world *w)
{
	for (int i = 0; i < REFS && !*w->why; i++)
		judge_ref(w, i);
}
