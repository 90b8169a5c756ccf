/* pass_build – queued builds get a free slot in the order of the line; claims end when their lease
 * does. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/store/repository.h"
#include "common/base/id.h"

static struct standstill blocked(const struct pass *p)
{
	struct standstill s = pass_stopped(p, PAUSE_BUILD, NULL, NULL);

	if (s.reason)
		return s;
	if (!p->view.build_up)
		return (struct standstill) {
			.reason = "builder", .detail = xstrdup("the build role is not running"),
			.blocked_by = xstrdup("penstock-build"), .lift = xstrdup("penstock status"),
		};
	if (p->view.sandbox_problem)
		return (struct standstill) {
			.reason = "sandbox", .detail = xstrdup(p->view.sandbox_problem),
			.blocked_by = xstrdup("bubblewrap"),
		};
	return (struct standstill) { .reason = NULL };
}

/* holder: one of those under way; NULL when the configuration gives no slot at all. */
static struct standstill busy(const struct pass *p, const struct build *holder, size_t taken)
{
	unsigned slots = p->view.policy->cfg->builder.slots;
	char id[ID_TEXT];

	if (!holder)
		return (struct standstill) {
			.reason = "builder", .detail = xstrdup("builders.default.slots is 0"),
			.blocked_by = xstrdup("builders.default.slots"),
			.lift = xstrdup("penstock reload"),
		};
	id_text(id, 'b', holder->id);
	return (struct standstill) {
		.reason = "builder",
		.detail = xasprintf("%zu of %u slots busy (%s since build %s)", taken, slots,
				    holder->pipeline, id),
		.blocked_by = xstrdup(id), .lift = xstrdup("penstock builds --state running"),
	};
}

static int claim(struct store_tx *tx, struct pass *p, const struct line_row *row, int64_t slot,
		 struct ps_err *err)
{
	struct act *a = pass_act(p, ACT_BUILD, row->id);
	struct repository r = { 0 };
	int rc = pass_served(tx, LINE_BUILD, "", row, p->view.now_ms, err);

	if (rc == 0)
		rc = build_claim(tx, row->id, slot, p->view.now_ms + LEASE_EXPORT_MS,
				 &a->fence, err);
	a->slot = slot;
	if (rc == 0)
		rc = build_get(tx, row->id, &a->build, err);
	if (rc == 0)
		rc = repository_get(tx, a->build.repository, &r, err);
	a->repository = xstrdup_null(r.path);
	repository_clear(&r);
	return rc;
}

/* Gives those that come first what is free. */
static int share_slots(struct store_tx *tx, struct pass *p, const struct builds *under_way,
		       struct ps_err *err)
{
	unsigned slots = p->view.policy->cfg->builder.slots;
	size_t used = under_way->n, free_slots = used < slots ? slots - used : 0, n;
	struct sched_limit none = { .max = 0 };
	struct pass_candidates c = { .limit_of = NULL };
	const struct line_row **picked;
	bool *taken = xcalloc(slots, sizeof(*taken));
	int rc = pass_candidates_add(tx, p, LINE_BUILD, "", free_slots, 0, &c, err);

	for (size_t i = 0; i < under_way->n; i++)
		if (under_way->v[i].slot >= 0 && under_way->v[i].slot < slots)
			taken[under_way->v[i].slot] = true;
	picked = xcalloc(c.rows.n, sizeof(*picked));
	n = pass_pick(p, &c, free_slots, &none, picked);
	for (size_t i = 0; i < n && rc == 0; i++) {
		int64_t slot = pass_take_slot(taken, slots);

		rc = slot < 0 ? 0 : claim(tx, p, picked[i], slot, err);
	}
	free(picked);
	free(taken);
	pass_candidates_clear(&c);
	return rc;
}

/* Nobody has told anything of it for too long: back into the line, with a fence that keeps the old
 * claim's answers out. */
static int end_leases(struct store_tx *tx, struct pass *p, const struct builds *under_way,
		      struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < under_way->n && rc == 0; i++) {
		const struct build *b = &under_way->v[i];

		if (b->lease_ms > p->view.now_ms)
			continue;
		pass_act(p, ACT_CANCEL_BUILD, b->id)->fence = b->fence;
		rc = build_requeue(tx, b->id, b->fence, NULL, err);
	}
	return rc;
}

static int cancel_unwanted(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	int rc = builds_to_cancel(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct act *a = pass_act(p, ACT_CANCEL_BUILD, l.v[i].id);

		a->fence = l.v[i].fence;
		a->name = xstrdup(l.v[i].cancel);
		rc = build_set_told(tx, l.v[i].id, err);
	}
	builds_clear(&l);
	return rc;
}

/* What is left in the line says why it is. */
static int say(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct standstill s = blocked(p);
	struct builds l = { NULL, 0 };
	int rc = 0;

	if (!s.reason) {
		rc = builds_under_way(tx, &l, err);
		s = busy(p, l.n ? &l.v[0] : NULL, l.n);
	}
	builds_clear(&l);
	return rc < 0 ? rc : pass_stand(tx, LINE_BUILD, "", &s, err);
}

int pass_builds(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct standstill s = blocked(p);
	struct builds under_way = { NULL, 0 };
	char *place = NULL;
	int rc = builds_under_way(tx, &under_way, err);

	if (rc == 0)
		rc = end_leases(tx, p, &under_way, err);
	if (rc == 0)
		rc = cancel_unwanted(tx, p, err);
	builds_clear(&under_way);
	if (rc == 0)
		rc = builds_under_way(tx, &under_way, err);
	if (rc == 0 && !s.reason)
		rc = share_slots(tx, p, &under_way, err);
	if (rc == 0)
		rc = line_next_place(tx, LINE_BUILD, NULL, &place, err);
	if (rc > 0)
		rc = say(tx, p, err);
	builds_clear(&under_way);
	free(place);
	standstill_clear(&s);
	return rc;
}
