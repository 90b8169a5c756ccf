/*
 * The merge rule against histories made at random: the real functions over a store in memory.
 *
 *	test_history [--count N] [--seed S] [--no-drain] [--quiet]
 *
 * History number S, S+1, ... S+N-1. One that fails is made shorter while it fails, and printed as a
 * list of operations; --seed with its number and --count 1 shows it again. --quiet only counts.
 * --no-drain: core looks without taking the spool first; then histories must fail.
 */
#include "config.h"

#include <stdlib.h>

#include "agent/store/sql.h"
#include "common/base/clock.h"
#include "tests/unit/history.h"

/* ---- chance: the same numbers everywhere ---- */

static uint64_t chance;

static unsigned draw(unsigned n)
{
	uint64_t z = chance += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (unsigned)((z ^ (z >> 31)) % n);
}

static bool one_in(unsigned n)
{
	return draw(n) == 0;
}

/* ---- histories ---- */

static enum road draw_road(bool late, bool may_be_lost)
{
	unsigned n = draw(10);

	if (!late)
		return n < 7 ? BY_DOOR : may_be_lost ? LOST : BY_DOOR;
	return n < 4 ? BY_DOOR : n < 7 ? BY_SPOOL : n < 8 ? BY_BOTH : may_be_lost ? LOST : BY_DOOR;
}

static void plan_push(struct push_plan *p, const struct history *h)
{
	bool lossy = h->lossy;

	*p = (struct push_plan) { .n = 1, .atomic = one_in(4), .blind = lossy && h->looked && one_in(6),
				  .intent = draw_road(h->late, lossy),
				  .report = draw_road(h->late, true) };
	if (one_in(3))
		p->n += 1 + (int)draw(COMMANDS - 1);
	for (int i = 0; i < p->n; i++) {
		struct command *c = &p->v[i];

		*c = (struct command) { .ref = one_in(2) ? 0 : (int)draw(REFS + 1),
					.new = (int)draw(VALUES), .claim = -1,
					.refused = one_in(6) };
		if (one_in(8))
			c->claim = (int)draw(VALUES);
		/* git takes an alias beside its target only where both say the same */
		for (int k = 0; k < i; k++)
			if (c->ref % ALIAS == 0 && p->v[k].ref % ALIAS == 0 &&
			    c->ref != p->v[k].ref)
				c->ref = 1;
	}
	for (int i = 1; !h->twice && i < p->n; i++)
		for (int k = 0; k < i; k++)
			if (p->v[i].ref == p->v[k].ref)
				p->n = i;
	if (p->n > 1 && p->v[0].ref == 0 && one_in(6)) {
		p->v[1] = p->v[0];
		p->v[1].ref = ALIAS;
		p->n = 2;
	}
}

static struct op *add(struct history *h, enum what what)
{
	PS_BUG_IF(h->n == OPS, "a history of more than %d operations", OPS);
	h->v[h->n] = (struct op) { .what = what };
	return &h->v[h->n++];
}

static void add_steps(struct history *h, int pushes)
{
	for (unsigned n = draw(7); n > 0; n--) {
		struct op *op = add(h, one_in(6) ? OP_SETTLE : OP_STEP);

		/* mostly the newest: some pushes go through, some hang */
		op->p = one_in(2) ? pushes - 1 : (int)draw((unsigned)pushes);
	}
}

static void add_op(struct history *h, int *pushes)
{
	unsigned n = draw(100);

	if (n < 45 && *pushes < PUSHES) {
		struct op *op = add(h, OP_PUSH);

		op->p = (*pushes)++;
		plan_push(&op->plan, h);
	} else if (n < 58) {
		add(h, OP_KILL)->p = *pushes ? (int)draw((unsigned)*pushes) : 0;
	} else if (n < 68) {
		struct op *op = add(h, h->server ? OP_SERVER : OP_LOOK);

		op->ref = one_in(2) ? 0 : (int)draw(REFS);
		op->new = (int)draw(VALUES);
	} else if (n < 74) {
		add(h, OP_TAKE)->n = 1 + (int)draw(4);
	} else if (n < 80) {
		add(h, OP_LOOK);
	} else if (n < 86) {
		add(h, OP_STOP);
	} else if (n < 92) {
		add(h, OP_START);
	} else if (n < 94) {
		add(h, OP_REBOOT)->power = h->lossy;
	} else {
		add(h, OP_SETTLE)->p = *pushes ? (int)draw((unsigned)*pushes) : 0;
	}
}

static int make(struct history *h, uint64_t seed)
{
	int pushes = 0, ops;

	chance = seed * 0x2545f4914f6cdd1dull;
	*h = (struct history) { .looked = !one_in(4), .lossy = one_in(3), .twice = one_in(8),
				.late = !one_in(3), .server = one_in(2) };
	for (int i = 0; i < REFS; i++)
		h->first[i] = one_in(2) ? 0 : (int)draw(VALUES);
	ops = 5 + (int)draw(26);
	h->logs = seed % 3 == 0;	/* not drawn: the others stay what they were */
	h->cut = seed % 9 == 0;
	for (int i = 0; i < ops; i++) {
		add_op(h, &pushes);
		if (pushes && h->n < OPS - 40)
			add_steps(h, pushes);
	}
	return ops;
}

/* ---- one history ---- */

static void exec(struct store_tx *tx, const char *text)
{
	struct ps_err err = { 0 };

	PS_BUG_IF(tx_exec(tx, text, &err) < 0, "%s: %s", text, err.msg);
}

static void print_path(struct world *w, int ref);

static void play(struct world *w, struct store_tx *tx, const struct history *h, bool no_drain,
		 bool shown)
{
	static const struct op look = { .what = OP_LOOK }, start = { .what = OP_START };

	*w = (struct world) { .h = h, .tx = tx, .no_drain = no_drain };
	memcpy(w->value, h->first, sizeof(w->value));
	exec(tx, "BEGIN");
	exec(tx, "SAVEPOINT synced");
	w->up = !h->looked;
	if (h->looked) {
		agent_do(w, &start);
		agent_do(w, &look);
	} else {
		agent_do(w, &(struct op) { .what = OP_TAKE });
	}
	for (int i = 0; i < h->n && !*w->why; i++) {
		git_do(w, &h->v[i]);
		agent_do(w, &h->v[i]);
	}
	git_finish(w);
	agent_finish(w);
	history_judge(w);
	for (int i = 0; shown && i < REFS; i++)
		if (w->nmoves[i])
			print_path(w, i);
	tx_release_all(tx);
	exec(tx, "ROLLBACK");
}

/* ---- a failure, made shorter ---- */

static bool fails(struct store_tx *tx, const struct history *h, bool no_drain, struct world *w)
{
	play(w, tx, h, no_drain, false);
	return *w->why != '\0';
}

static bool try(struct store_tx *tx, struct history *h, const struct history *shorter,
		bool no_drain)
{
	static struct world w;

	if (!fails(tx, shorter, no_drain, &w))
		return false;
	*h = *shorter;
	return true;
}

static bool drop_some(struct store_tx *tx, struct history *h, int n, bool no_drain)
{
	bool any = false;
	static struct history s;

	for (int i = h->n - n; i >= 0; i--) {
		s = *h;
		memmove(&s.v[i], &s.v[i + n], sizeof(s.v[0]) * (size_t)(s.n - i - n));
		s.n -= n;
		if (try(tx, h, &s, no_drain)) {
			any = true;
			if (i > h->n - n)
				i = h->n - n + 1;
		}
	}
	return any;
}

static bool simplify(struct store_tx *tx, struct history *h, bool no_drain)
{
	static struct history s;
	bool any = false;

	for (int i = 0; i < h->n; i++) {
		const struct push_plan *p = &h->v[i].plan;

		for (int c = 0; h->v[i].what == OP_PUSH && p->n > 1 && c < p->n; c++) {
			s = *h;
			memmove(&s.v[i].plan.v[c], &s.v[i].plan.v[c + 1],
				sizeof(p->v[0]) * (size_t)(p->n - c - 1));
			s.v[i].plan.n--;
			any |= try(tx, h, &s, no_drain);
		}
		s = *h;
		s.v[i].plan.intent = s.v[i].plan.report = BY_DOOR;
		if (p->intent || p->report)
			any |= try(tx, h, &s, no_drain);
		s = *h;
		s.v[i].plan.intent = BY_DOOR;
		if (p->intent)
			any |= try(tx, h, &s, no_drain);
		s = *h;
		s.v[i].plan.atomic = s.v[i].plan.blind = false;
		if (p->atomic || p->blind)
			any |= try(tx, h, &s, no_drain);
	}
	for (int i = 0; i < REFS; i++) {
		s = *h;
		s.first[i] = 0;
		if (h->first[i])
			any |= try(tx, h, &s, no_drain);
	}
	return any;
}

static void shrink(struct store_tx *tx, struct history *h, bool no_drain)
{
	bool any = true;

	while (any) {
		any = false;
		for (int n = 16; n > 0; n /= 2)
			if (h->n >= n)
				any |= drop_some(tx, h, n, no_drain);
		any |= simplify(tx, h, no_drain);
	}
}

/* ---- as people read it ---- */

static void print_push(const struct op *op)
{
	static const char *const roads[] = { "door", "spool", "door and spool", "lost" };
	const struct push_plan *p = &op->plan;

	printf("  p%d connects:%s", op->p, p->atomic ? " atomic" : "");
	for (int i = 0; i < p->n; i++) {
		printf(" %s", history_refs[p->v[i].ref]);
		if (p->v[i].claim >= 0)
			printf(" from %c", history_letter(history_value(p->v[i].claim)));
		printf(" to %c%s;", history_letter(history_value(p->v[i].new)),
		       p->v[i].refused ? " (git refuses it)" : "");
	}
	printf(" intent: %s%s; report: %s\n", roads[p->intent], p->blind ? ", nothing seen" : "",
	       roads[p->report]);
}

static void print_op(const struct op *op)
{
	switch (op->what) {
	case OP_PUSH:
		print_push(op);
		return;
	case OP_STEP:
		printf("  p%d goes on\n", op->p);
		return;
	case OP_KILL:
		printf("  p%d's client is killed\n", op->p);
		return;
	case OP_SERVER:
		printf("  on the server: %s to %c\n", history_refs[op->ref],
		       history_letter(history_value(op->new)));
		return;
	case OP_SETTLE:
		printf("  core settles p%d, a step\n", op->p);
		return;
	case OP_TAKE:
		printf("  core takes %d of the spool\n", op->n);
		return;
	case OP_LOOK:
		printf("  core looks, a step\n");
		return;
	case OP_STOP:
		printf("  core stops\n");
		return;
	case OP_START:
		printf("  core starts\n");
		return;
	case OP_REBOOT:
		printf("  the machine starts anew%s\n", op->power ? ", power was lost" : "");
		return;
	}
}

static void print_path(struct world *w, int ref)
{
	struct ps_err err = { 0 };
	sqlite3_stmt *q;

	printf("  %s began at %c; git:", history_refs[ref],
	       history_letter(history_value(w->h->first[ref])));
	for (int i = 0; i < w->nmoves[ref]; i++) {
		const struct move *m = &w->moves[ref][i];

		printf(" %c%c", history_letter(history_value(m->old)),
		       history_letter(history_value(m->new)));
		if (m->push >= 0)
			printf("(p%d%s)", m->push, m->told ? ", reported" : m->promised ?
			       ", promised" : "");
	}
	printf("; events:");
	q = sql_query(w->tx, &err,
		      "SELECT old, new, kind, (SELECT push FROM push WHERE push.id = event.push)"
		      " FROM event WHERE ref = ? ORDER BY seq", "t", history_refs[ref]);
	while (sql_next(w->tx, q, &err) > 0)
		printf(" %c%c(%s%s%s)", history_letter(sql_text(q, 0)),
		       history_letter(sql_text(q, 1)), sql_text(q, 2), sql_text(q, 3) ? " " : "",
		       sql_text(q, 3) ? sql_text(q, 3) : "");
	sql_done(q);
	printf("\n");
}

/* Once more, and the store is asked before it is forgotten. */
static void show(struct store_tx *tx, const struct history *h, bool no_drain)
{
	static struct world w;

	for (int i = 0; i < h->n; i++)
		print_op(&h->v[i]);
	play(&w, tx, h, no_drain, true);
	printf("  so far judged: %s\n", *w.why ? w.why : "right");
}

struct totals { long histories, ops, moves, events, promised, failed, lost, guessed, elsewhere, surplus, logged, exact,
	judged, strict; };

static bool run(struct store_tx *tx, uint64_t seed, bool no_drain, bool quiet, struct totals *t)
{
	static struct history h;
	static struct world w;

	t->ops += make(&h, seed);
	t->histories++;
	play(&w, tx, &h, no_drain, false);
	t->events += w.events;
	t->guessed += w.guessed;
	t->elsewhere += w.elsewhere;
	t->surplus += w.surplus;
	t->logged += w.logged;
	t->exact += w.exact;
	t->judged += w.judged;
	t->strict += w.strict;
	for (int r = 0; r < REFS; r++)
		for (int i = 0; i < w.nmoves[r]; i++) {
			t->moves++;
			t->promised += w.moves[r][i].promised && !w.moves[r][i].told;
		}
	if (!*w.why)
		return true;
	t->failed++;
	t->lost += w.lost;
	if (quiet) {
		printf("history %llu: %s\n", (unsigned long long)seed, w.why);
		return false;
	}
	printf("history %llu fails: %s\n", (unsigned long long)seed, w.why);
	shrink(tx, &h, no_drain);
	printf("made shorter (%s%s, %s):\n", h.logs ? "reflogs, " : "", h.lossy ? "intents may be lost" : "no intent is lost",
	       h.looked ? "adopted" : "not looked at before");
	show(tx, &h, no_drain);
	return false;
}

struct options { uint64_t seed, count; bool no_drain, quiet; };

static bool read_options(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--no-drain") == 0)
			o->no_drain = true;
		else if (strcmp(argv[i], "--quiet") == 0)
			o->quiet = true;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			o->seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
			o->count = strtoull(argv[++i], NULL, 10);
		else
			return false;
	}
	return true;
}

static void print_totals(const struct options *o, const struct totals *t)
{
	printf("%ld movements, %ld of killed clients found out; of %ld paths %ld judged strictly; events guessed %ld, "
	       "surplus in the other paths %ld, paths in another order %ld;\n"
	       "refs with a reflog %ld, told to the letter %ld\n",
	       t->moves, t->promised, t->judged, t->strict, t->guessed, t->surplus, t->elsewhere,
	       t->logged, t->exact);
	printf("histories %ld (%llu to %llu), operations %ld, events %ld, lost %ld, doubled %ld\n",
	       t->histories, (unsigned long long)o->seed,
	       (unsigned long long)(o->seed + o->count - 1), t->ops, t->events, t->lost,
	       t->failed - t->lost);
}

int main(int argc, char **argv)
{
	struct options o = { .seed = 1, .count = 1500 };
	struct store_tx tx = { .db = NULL };
	struct ps_err err = { 0 };
	struct totals t = { 0 };
	int shown = 0;

	if (!read_options(argc, argv, &o)) {
		fprintf(stderr, "usage: test_history [--count N] [--seed S] [--no-drain] [--quiet]\n");
		return 2;
	}
	if (sqlite3_open(":memory:", &tx.db) != SQLITE_OK)
		return 1;
	tx_enter(&tx);
	if (store_migrate(&tx, ":memory:", &err) < 0) {
		printf("%s\n", err.msg);
		return 1;
	}
	for (uint64_t i = 0; i < o.count && shown < 3; i++)
		shown += !run(&tx, o.seed + i, o.no_drain, o.quiet, &t) && !o.quiet;
	print_totals(&o, &t);
	tx_clear(&tx);
	return t.failed ? 1 : 0;
}
