/* closure – see closure.h. */
#include "config.h"

#include "agent/store/closure.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_closure(kind, name) ROWS_COL(closure, kind, name)
ROWS_SHAPE(closure, "closure", CLOSURE_COLS)

static const struct { const char *kind, *word, *lifter; } kinds[] = {
	{ CLOSURE_FREEZE, "frozen", "unfreeze" },
	{ CLOSURE_LOCK, "locked", "unlock" },
};

int closures_all(struct store_tx *tx, struct closures *out, struct ps_err *err)
{
	return rows_select(tx, &closure_shape, out, err, "WHERE 1 = 1 ORDER BY fabric, kind", "");
}

int closure_put(struct store_tx *tx, const struct closure *c, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO closure (fabric, kind, who, why, since_ms, until_ms) VALUES (?, ?, ?, ?, ?, ?)"
			 " ON CONFLICT (fabric, kind) DO UPDATE SET who = excluded.who, why = excluded.why,"
			 " until_ms = excluded.until_ms", "ttttii", c->fabric, c->kind, c->who, c->why, clock_wall_ms(),
			 c->until_ms);

	return rc < 0 ? rc : 0;
}

int closure_lift(struct store_tx *tx, const char *fabric, const char *kind, bool *lifted, struct ps_err *err)
{
	int rc = sql_run(tx, err, "DELETE FROM closure WHERE fabric = ? AND kind = ?", "tt", fabric, kind);

	*lifted = rc > 0;
	return rc < 0 ? rc : 0;
}

void closures_clear(struct closures *l)
{
	rows_clear(&closure_shape, l);
}

const struct closure *closure_of(const struct closures *l, const char *fabric, const char *kind, int64_t now_ms)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct closure *c = &l->v[i];

		if (strcmp(c->fabric, fabric) == 0 && strcmp(c->kind, kind) == 0 &&
		    (!c->until_ms || c->until_ms > now_ms))
			return c;
	}
	return NULL;
}

static size_t kind_of(const struct closure *c)
{
	size_t i = 0;

	while (strcmp(kinds[i].kind, c->kind) != 0)
		i++;
	return i;
}

char *closure_text(const struct closure *c)
{
	char since[CLOCK_TEXT], until[CLOCK_TEXT];

	return xasprintf("fabric %s is %s by %s since %s%s%s: %s", c->fabric, kinds[kind_of(c)].word, c->who,
			 clock_text(since, c->since_ms), c->until_ms ? " until " : "",
			 c->until_ms ? clock_text(until, c->until_ms) : "", c->why);
}

char *closure_lifter(const struct closure *c)
{
	return xasprintf("penstock %s %s", kinds[kind_of(c)].lifter, c->fabric);
}
