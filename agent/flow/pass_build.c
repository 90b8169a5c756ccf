/* pass_build – queued builds get a free slot in the order of their numbers, or a reason. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/store/repository.h"
#include "common/base/id.h"

/* The first slot that no build under way holds; -1 when all are taken. */
static int64_t free_slot(const struct builds *under_way, unsigned slots)
{
	for (int64_t s = 0; s < slots; s++) {
		bool taken = false;

		for (size_t i = 0; i < under_way->n; i++)
			taken |= under_way->v[i].slot == s;
		if (!taken)
			return s;
	}
	return -1;
}

static int claim(struct store_tx *tx, struct pass *p, const struct build *b, int64_t slot,
		 struct ps_err *err)
{
	const struct conf_builder *limits = &p->view.policy->cfg->builder;
	struct repository r = { 0 };
	struct act *a;
	int64_t fence = 0;
	int rc = repository_get(tx, b->repository, &r, err);

	if (rc == 0)
		rc = build_claim(tx, b->id, slot, p->view.now_ms + limits->time_ms + 60000, &fence,
				 err);
	if (rc == 0) {
		a = pass_act(p, ACT_BUILD, b->id);
		a->fence = fence;
		a->slot = slot;
		a->repository = xstrdup(r.path);
		rc = build_get(tx, b->id, &a->build, err);
	}
	repository_clear(&r);
	return rc;
}

static int say_busy(struct store_tx *tx, const struct build *b, const struct builds *under_way,
		    size_t ahead, unsigned slots, struct ps_err *err)
{
	char id[ID_TEXT], *detail;
	int rc;

	detail = xasprintf("%zu of %u slots busy (%s since build %s), %zu ahead", under_way->n,
			   slots, under_way->v[0].pipeline, id_text(id, 'b', under_way->v[0].id),
			   ahead);
	rc = build_set_reason(tx, b->id, "builder", detail, err);
	free(detail);
	return rc;
}

int pass_builds(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct builds queued = { NULL, 0 }, busy = { NULL, 0 };
	unsigned slots = p->view.policy->cfg->builder.slots;
	size_t ahead = 0;
	int rc = builds_in_state(tx, "queued", &queued, err);

	for (size_t i = 0; i < queued.n && rc == 0; i++) {
		const struct build *b = &queued.v[i];
		int64_t slot;

		if (!p->view.build_up) {
			rc = build_set_reason(tx, b->id, "builder", "the build role is not running",
					      err);
			continue;
		}
		if (p->view.sandbox_problem) {
			rc = build_set_reason(tx, b->id, "sandbox", p->view.sandbox_problem, err);
			continue;
		}
		builds_clear(&busy);
		rc = builds_under_way(tx, &busy, err);
		slot = free_slot(&busy, slots);
		if (rc == 0 && slot >= 0)
			rc = claim(tx, p, b, slot, err);
		else if (rc == 0)
			rc = say_busy(tx, b, &busy, ahead++, slots, err);
	}
	builds_clear(&queued);
	builds_clear(&busy);
	return rc;
}
