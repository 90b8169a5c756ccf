/* acts_close – freeze, unfreeze, lock, unlock: a fabric is closed to deployments, and open again.
 */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/acts_rights.h"
#include "agent/store/closure.h"
#include "common/base/clock.h"

static const struct close_verb {
	enum acts_verb verb;
	const char *kind, *done, *undone;
	bool opens;
} verbs[] = {
	{ ACTS_FREEZE, CLOSURE_FREEZE, "frozen", NULL, false },
	{ ACTS_UNFREEZE, CLOSURE_FREEZE, "open", "was not frozen", true },
	{ ACTS_LOCK, CLOSURE_LOCK, "locked", NULL, false },
	{ ACTS_UNLOCK, CLOSURE_LOCK, "open", "was not locked", true },
};

static const struct close_verb *verb_of(enum acts_verb verb)
{
	size_t i = 0;

	while (verbs[i].verb != verb)
		i++;
	return &verbs[i];
}

static int check(struct acting *a, const struct close_verb *v, struct ps_err *err)
{
	const char *fabric = a->ask.thing ? a->ask.thing : "";
	int rc;

	/* what the configuration has no more may still be opened, by an admin */
	if (!config_fabric(a->cfg, fabric) && !(v->opens && a->ask.who.admin)) {
		a->next = xstrdup("penstock fabrics");
		return ps_err_set(err, PS_ENOENT, "there is no fabric '%s'", fabric);
	}
	rc = acts_check(a->cfg, &a->ask.who, acts_word(v->verb), fabric, NULL, fabric, err);
	if (rc == 0 && !v->opens && (!a->ask.why || !*a->ask.why))
		rc = ps_err_set(err, PS_EINVAL, "say why: -m TEXT; all who wait will read it");
	if (rc == 0 && a->ask.until_ms && a->ask.until_ms <= clock_wall_ms())
		rc = ps_err_set(err, PS_EINVAL, "that time is over already");
	return rc;
}

int acts_close(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	const struct close_verb *v = verb_of(a->ask.verb);
	char until[CLOCK_TEXT], *what = NULL;
	bool lifted = true;
	int rc = check(a, v, err);

	if (rc == 0 && v->opens)
		rc = closure_lift(tx, a->ask.thing, v->kind, &lifted, err);
	else if (rc == 0)
		rc = closure_put(tx,
				 &(struct closure){ .fabric = (char *)a->ask.thing,
						    .kind = (char *)v->kind,
						    .who = (char *)a->ask.who.shown,
						    .why = (char *)a->ask.why,
						    .until_ms = a->ask.until_ms },
				 err);
	if (rc == 0 && a->ask.until_ms)
		what = xasprintf("until %s", clock_text(until, a->ask.until_ms));
	if (rc == 0)
		acts_item_named(a, a->ask.thing, v->done, lifted ? a->why : v->undone, what);
	free(what);
	return rc;
}
