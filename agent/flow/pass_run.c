/* pass_run – queued runs start when one of the builders' slots for runs is free. */
#include "config.h"

#include "agent/flow/pass.h"

#include "common/base/id.h"

static int64_t free_slot(const struct runs *running, unsigned slots)
{
	for (int64_t s = 0; s < slots; s++) {
		bool taken = false;

		for (size_t i = 0; i < running->n; i++)
			taken |= running->v[i].slot == s;
		if (!taken)
			return s;
	}
	return -1;
}

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

int pass_runs(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct runs queued = { NULL, 0 }, running = { NULL, 0 };
	unsigned slots = p->view.policy->cfg->builder.slots;
	size_t ahead = 0;
	int rc = runs_in_state(tx, "queued", &queued, err);

	for (size_t i = 0; i < queued.n && rc == 0; i++) {
		const char *detail = NULL, *reason = blocked(p, &detail);
		char id[ID_TEXT], *text;
		int64_t slot;

		if (reason) {
			rc = run_set_reason(tx, queued.v[i].id, reason, detail, err);
			continue;
		}
		runs_clear(&running);
		rc = runs_in_state(tx, "running", &running, err);
		slot = free_slot(&running, slots);
		if (rc == 0 && slot >= 0) {
			rc = start(tx, p, &queued.v[i], slot, err);
		} else if (rc == 0) {
			text = xasprintf("%zu of %u runs under way (%s), %zu ahead", running.n,
					 slots, id_text(id, 'x', running.v[0].id), ahead++);
			rc = run_set_reason(tx, queued.v[i].id, "builder", text, err);
			free(text);
		}
	}
	runs_clear(&queued);
	runs_clear(&running);
	return rc;
}
