/* pass_run – queued runs start when one of the builders' slots for runs is free. */
#include "config.h"

#include "agent/flow/pass.h"

#include "common/base/id.h"

static const char *blocked(const struct pass *p, const char **detail)
{
	if (!p->view.build_up || !p->view.toolchain_known) {
		*detail = "the build role is not running";
		return "builder";
	}
	if (p->view.sandbox_problem) {
		*detail = p->view.sandbox_problem;
		return "sandbox";
	}
	*detail = p->view.toolchain_problem;
	return p->view.toolchain_digest ? NULL : "toolchain";
}

static int start(struct store_tx *tx, struct pass *p, const struct run *r, int64_t slot,
		 struct ps_err *err)
{
	int64_t fence = 0;
	int rc = run_claim(tx, r->id, slot, &fence, err);
	struct act *a;

	if (rc < 0)
		return rc;
	a = pass_act(p, ACT_RUN, r->id);
	a->fence = fence;
	a->slot = slot;
	return run_get(tx, r->id, &a->run, err);
}

static int say_busy(struct store_tx *tx, const struct run *r, const struct run *holder, size_t busy,
		    size_t ahead, unsigned slots, struct ps_err *err)
{
	char id[ID_TEXT], *text;
	int rc;

	if (!holder)
		return run_set_reason(tx, r, "builder", "builders.default.slots is 0", err);
	text = xasprintf("%zu of %u runs under way (%s), %zu ahead", busy, slots,
			 id_text(id, 'x', holder->id), ahead);
	rc = run_set_reason(tx, r, "builder", text, err);
	free(text);
	return rc;
}

static int share_slots(struct store_tx *tx, struct pass *p, const struct runs *queued,
		       const struct runs *running, struct ps_err *err)
{
	unsigned slots = p->view.policy->cfg->builder.slots;
	const struct run *holder = running->n ? &running->v[0] : NULL;
	bool *taken = xcalloc(slots, sizeof(*taken));
	size_t busy = running->n, ahead = 0;
	int rc = 0;

	for (size_t i = 0; i < running->n; i++)
		if (running->v[i].slot >= 0 && running->v[i].slot < slots)
			taken[running->v[i].slot] = true;
	for (size_t i = 0; i < queued->n && rc == 0; i++) {
		const struct run *r = &queued->v[i];
		char *stop;
		const char *reason = pass_stopped(p, PAUSE_RUN, NULL, r->fabric, &stop);
		int64_t slot = reason ? -1 : pass_take_slot(taken, slots);

		if (reason) {
			rc = run_set_reason(tx, r, reason, stop, err);
			free(stop);
			continue;
		}
		if (slot < 0) {
			rc = say_busy(tx, r, holder, busy, ahead++, slots, err);
			continue;
		}
		rc = start(tx, p, r, slot, err);
		holder = holder ? holder : r;
		busy++;
	}
	free(taken);
	return rc;
}

int pass_runs(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct runs queued = { NULL, 0 }, running = { NULL, 0 };
	const char *detail = NULL, *reason = blocked(p, &detail);
	int rc = runs_in_state(tx, "queued", &queued, err);

	for (size_t i = 0; i < queued.n && reason && rc == 0; i++)
		rc = run_set_reason(tx, &queued.v[i], reason, detail, err);
	if (rc == 0 && !reason && queued.n)
		rc = runs_in_state(tx, "running", &running, err);
	if (rc == 0 && !reason)
		rc = share_slots(tx, p, &queued, &running, err);
	runs_clear(&queued);
	runs_clear(&running);
	return rc;
}
