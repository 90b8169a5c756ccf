/* acts_repair – a run that did not pass goes on from what failed: what passed stays passed. Where
 * it ran at a provider it is that provider's run which goes on. */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/acts_rights.h"
#include "agent/flow/pass.h"
#include "common/base/id.h"

static int refuse(struct acting *a, char *next, struct ps_err *err, const char *why)
{
	a->next = next;
	return ps_err_set(err, PS_EBUSY, "%s %s", a->ask.thing, why);
}

static int check_state(struct acting *a, const struct run *r, int64_t by, struct ps_err *err)
{
	char id[ID_TEXT];

	if (strcmp(r->state, "queued") == 0 || strcmp(r->state, "running") == 0)
		return refuse(a, xasprintf("penstock runs %s", a->ask.thing), err,
			      "has not ended");
	if (strcmp(r->state, "passed") == 0)
		return refuse(a, NULL, err, "passed: there is nothing to repair");
	if (by)
		return refuse(a, xasprintf("penstock repair %s", id_text(id, 'x', by)), err,
			      "was repaired already, and what came of it is the newer run's");
	return 0;
}

static int check_provider(struct acting *a, const struct run *r, struct ps_err *err)
{
	if (!run_is_remote(r))
		return 0;
	if (!r->remote_id)
		return refuse(a, xasprintf("penstock retry %s", a->ask.thing), err,
			      "never began at its provider: there is nothing that could go on");
	if (strcmp(r->state, "unknown") == 0)
		return refuse(a, xasprintf("penstock retry %s", a->ask.thing), err,
			      "is not there at its provider any more");
	if (a->repairs_unknown)
		return 0;
	for (size_t i = 0; i < a->nrepairs; i++)
		if (strcmp(a->repairs[i], r->provider) == 0)
			return 0;
	a->next = xasprintf("penstock retry %s", a->ask.thing);
	return ps_err_set(err, PS_ENOTSUP, "%s cannot go on from a failed task; the whole job can "
			  "run again", r->provider);
}

int acts_repair(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	/* who may run there may; being an admin is not enough, as for `run` */
	struct acts_person who = { a->ask.who.login, a->ask.who.shown, false };
	struct run r = { 0 };
	int64_t id, fresh = 0, by = 0;
	int rc;

	if (!a->ask.thing || !id_parse(a->ask.thing, 'x', &id))
		return ps_err_set(err, PS_EINVAL, "'%s' is nothing that can be repaired: say x7",
				  a->ask.thing ? a->ask.thing : "");
	rc = acts_unknown(a, "run", run_get(tx, id, &r, err), err);
	if (rc == 0)
		rc = acts_check(a->cfg, &who, "repair", a->ask.thing, NULL, r.fabric, err);
	if (rc == 0)
		rc = run_repaired_by(tx, id, &by, err);
	if (rc == 0)
		rc = check_state(a, &r, by, err);
	if (rc == 0)
		rc = check_provider(a, &r, err);
	if (rc == 0)
		rc = run_repair(tx, &r, a->ask.who.shown, &fresh, err);
	if (rc == 0)
		rc = pass_enter(tx, LINE_RUN, "", fresh, 0, r.repository, err);
	if (rc == 0)
		acts_item(a, 'x', fresh, "queued", a->why, r.job);
	run_clear(&r);
	return rc;
}
