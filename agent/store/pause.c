/* pause – see pause.h. */
#include "config.h"

#include "agent/store/pause.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_pause(kind, name) ROWS_COL(pause, kind, name)
ROWS_SHAPE(pause, "pause", PAUSE_COLS)

static const struct {
	const char *word;
	bool named;
	unsigned stops;			/* bits of enum pause_work */
} scopes[] = {
	{ "all",         false, 1u << PAUSE_BUILD | 1u << PAUSE_DEPLOY | 1u << PAUSE_RUN },
	{ "builder",     false, 1u << PAUSE_BUILD | 1u << PAUSE_RUN },
	{ "fabric",      true,  1u << PAUSE_DEPLOY | 1u << PAUSE_RUN },
	{ "environment", true,  1u << PAUSE_DEPLOY },
};

int pauses_all(struct store_tx *tx, struct pauses *out, struct ps_err *err)
{
	return rows_select(tx, &pause_shape, out, err,
			   "WHERE 1 = 1 ORDER BY CASE scope WHEN 'all' THEN 0 WHEN 'builder' THEN 1"
			   " WHEN 'fabric' THEN 2 ELSE 3 END, name, kind", "");
}

int pause_put(struct store_tx *tx, const struct pause *p, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO pause (scope, name, kind, who, why, since_ms) VALUES (?, ?, ?, ?, ?, ?)"
			 " ON CONFLICT (scope, name, kind) DO UPDATE SET who = excluded.who,"
			 " why = excluded.why", "tttt" "ti", p->scope, p->name, p->kind, p->who, p->why,
			 clock_wall_ms());

	return rc < 0 ? rc : 0;
}

int pause_lift(struct store_tx *tx, const char *scope, const char *name, int64_t *lifted,
	       struct ps_err *err)
{
	int rc = scope ? sql_run(tx, err, "DELETE FROM pause WHERE scope = ? AND name = ?", "tt", scope, name) :
			 sql_run(tx, err, "DELETE FROM pause", "");

	*lifted = rc > 0 ? rc : 0;
	return rc < 0 ? rc : 0;
}

void pauses_clear(struct pauses *l)
{
	rows_clear(&pause_shape, l);
}

bool pause_scope_fits(const char *scope, const char *name)
{
	for (size_t i = 0; i < PS_NELEM(scopes); i++)
		if (strcmp(scopes[i].word, scope) == 0)
			return scopes[i].named == (*name != '\0');
	return false;
}

static bool stops(const struct pause *p, enum pause_work work, const char *environment, const char *fabric)
{
	for (size_t i = 0; i < PS_NELEM(scopes); i++) {
		if (strcmp(scopes[i].word, p->scope) != 0 || !(scopes[i].stops & 1u << work))
			continue;
		return !scopes[i].named ||
		       ps_streq(p->name, strcmp(p->scope, "fabric") == 0 ? fabric : environment);
	}
	return false;
}

const struct pause *pause_of(const struct pauses *l, enum pause_work work, const char *environment,
			     const char *fabric)
{
	for (size_t i = 0; i < l->n; i++)
		if (stops(&l->v[i], work, environment, fabric))
			return &l->v[i];
	return NULL;
}

char *pause_subject(const struct pause *p)
{
	return xasprintf("%s%s%s", p->scope, *p->name ? " " : "", p->name);
}

char *pause_lifter(const struct pause *p)
{
	return xasprintf("penstock resume %s%s%s", p->scope, *p->name ? " " : "", p->name);
}

char *pause_text(const struct pause *p)
{
	char since[CLOCK_TEXT], *subject = pause_subject(p);
	char *text = xasprintf("%s by %s since %s: %s", strcmp(p->kind, "drain") == 0 ? "drained" : subject,
			       p->who, clock_text(since, p->since_ms), p->why);

	free(subject);
	return text;
}
