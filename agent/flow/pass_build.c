/* pass_build – queued builds get a free slot in the order of their numbers, or a reason. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/store/repository.h"
#include "common/base/id.h"

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

/* holder: one of the builds under way; NULL when the configuration gives no slot at all. */
static int say_busy(struct store_tx *tx, const struct build *b, const struct build *holder,
		    size_t busy, size_t ahead, unsigned slots, struct ps_err *err)
{
	char id[ID_TEXT], *detail;
	int rc;

	if (!holder)
		return build_set_reason(tx, b, "builder", "builders.default.slots is 0", err);
	detail = xasprintf("%zu of %u slots busy (%s since build %s), %zu ahead", busy, slots,
			   holder->pipeline, id_text(id, 'b', holder->id), ahead);
	rc = build_set_reason(tx, b, "builder", detail, err);
	free(detail);
	return rc;
}

/* Gives the queued ones what is free, in the order of their numbers. */
static int share_slots(struct store_tx *tx, struct pass *p, const struct builds *queued,
		       const struct builds *under_way, struct ps_err *err)
{
	unsigned slots = p->view.policy->cfg->builder.slots;
	const struct build *holder = under_way->n ? &under_way->v[0] : NULL;
	bool *taken = xcalloc(slots, sizeof(*taken));
	size_t busy = under_way->n, ahead = 0;
	int rc = 0;

	for (size_t i = 0; i < under_way->n; i++)
		if (under_way->v[i].slot >= 0 && under_way->v[i].slot < slots)
			taken[under_way->v[i].slot] = true;
	for (size_t i = 0; i < queued->n && rc == 0; i++) {
		const struct build *b = &queued->v[i];
		int64_t slot = pass_take_slot(taken, slots);

		if (slot < 0) {
			rc = say_busy(tx, b, holder, busy, ahead++, slots, err);
			continue;
		}
		rc = claim(tx, p, b, slot, err);
		holder = holder ? holder : b;
		busy++;
	}
	free(taken);
	return rc;
}

int pass_builds(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct builds queued = { NULL, 0 }, under_way = { NULL, 0 };
	const char *reason, *detail;
	char *stop;
	int rc = builds_in_state(tx, "queued", &queued, err);

	reason = pass_stopped(p, PAUSE_BUILD, NULL, NULL, &stop);
	detail = stop;
	if (!reason && !p->view.build_up) {
		reason = "builder";
		detail = "the build role is not running";
	} else if (!reason && p->view.sandbox_problem) {
		reason = "sandbox";
		detail = p->view.sandbox_problem;
	}
	for (size_t i = 0; i < queued.n && reason && rc == 0; i++)
		rc = build_set_reason(tx, &queued.v[i], reason, detail, err);
	if (rc == 0 && !reason && queued.n)
		rc = builds_under_way(tx, &under_way, err);
	if (rc == 0 && !reason)
		rc = share_slots(tx, p, &queued, &under_way, err);
	builds_clear(&queued);
	builds_clear(&under_way);
	free(stop);
	return rc;
}
