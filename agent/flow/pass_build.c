/* pass_build – queued builds get a free slot in the order of the line; claims end when their lease
 * does. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/store/repository.h"
#include "common/base/id.h"

struct standstill pass_builders_blocked(const struct pass *p)
{
	struct standstill s = pass_stopped(p, PAUSE_BUILD, NULL, NULL);

	if (s.reason)
		return s;
	if (!p->view.build_up)
		return (struct standstill) {
			.reason = "builder", .detail = xstrdup("the build role is not running"),
			.blocked_by = xstrdup("penstock-build"), .lift = xstrdup("penstock status"),
		};
	if (p->view.toolchain.sandbox_problem)
		return (struct standstill) {
			.reason = "sandbox", .detail = xstrdup(p->view.toolchain.sandbox_problem),
			.blocked_by = xstrdup("bubblewrap"),
		};
	return (struct standstill) { .reason = NULL };
}

int pass_slots_read(struct store_tx *tx, const struct pass *p, struct slots *s, struct ps_err *err)
{
	struct builds builds = { NULL, 0 };
	struct tests tests = { NULL, 0 };
	char id[ID_TEXT] = "";
	int rc = builds_under_way(tx, &builds, err);

	*s = (struct slots) { .n = p->view.policy->cfg->builder.slots };
	s->taken = xcalloc(s->n, sizeof(*s->taken));
	if (rc == 0)
		rc = tests_under_way(tx, &tests, err);
	s->used = (unsigned)(builds.n + tests.n);
	for (size_t i = 0; i < builds.n; i++)
		if (builds.v[i].slot >= 0 && builds.v[i].slot < s->n)
			s->taken[builds.v[i].slot] = true;
	for (size_t i = 0; i < tests.n; i++)
		if (tests.v[i].slot >= 0 && tests.v[i].slot < s->n)
			s->taken[tests.v[i].slot] = true;
	if (builds.n)
		s->holder = xasprintf("%s since build %s", builds.v[0].pipeline,
				      id_text(id, 'b', builds.v[0].id));
	else if (tests.n)
		s->holder = xasprintf("%s since test %s", tests.v[0].pipeline,
				      id_text(id, 't', tests.v[0].id));
	s->holder_id = *id ? xstrdup(id) : NULL;
	builds_clear(&builds);
	tests_clear(&tests);
	return rc;
}

void pass_slots_clear(struct slots *s)
{
	free(s->taken);
	free(s->holder);
	free(s->holder_id);
	*s = (struct slots) { .taken = NULL };
}

int pass_slots_share(struct store_tx *tx, struct pass *p, enum line line, pass_claim_fn claim,
		     struct ps_err *err)
{
	struct sched_limit none = { .max = 0 };
	struct pass_candidates c = { .limit_of = NULL };
	const struct line_row **picked;
	struct slots s;
	size_t n, left;
	int rc = pass_slots_read(tx, p, &s, err);

	left = s.used < s.n ? s.n - s.used : 0;
	if (rc == 0)
		rc = pass_candidates_add(tx, p, line, "", left, 0, &c, err);
	picked = xcalloc(c.rows.n, sizeof(*picked));
	n = pass_pick(p, &c, left, &none, picked);
	for (size_t i = 0; i < n && rc == 0; i++) {
		int64_t slot = pass_take_slot(s.taken, s.n);

		rc = slot < 0 ? 0 : claim(tx, p, picked[i], slot, err);
	}
	free(picked);
	pass_slots_clear(&s);
	pass_candidates_clear(&c);
	return rc;
}

static struct standstill busy(const struct slots *s)
{
	bool test = s->holder_id && *s->holder_id == 't';

	if (!s->holder)
		return (struct standstill) {
			.reason = "builder", .detail = xstrdup("builders.default.slots is 0"),
			.blocked_by = xstrdup("builders.default.slots"),
			.lift = xstrdup("penstock reload"),
		};
	return (struct standstill) {
		.reason = "builder",
		.detail = xasprintf("%u of %u slots busy (%s)", s->used, s->n, s->holder),
		.blocked_by = xstrdup(s->holder_id),
		.lift = xstrdup(test ? "penstock tests" : "penstock builds --state running"),
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

int pass_builders_say(struct store_tx *tx, struct pass *p, enum line line, struct ps_err *err)
{
	struct standstill s = pass_builders_blocked(p);
	struct slots slots;
	int rc = 0;

	if (!s.reason) {
		rc = pass_slots_read(tx, p, &slots, err);
		s = busy(&slots);
		pass_slots_clear(&slots);
	}
	if (rc < 0)
		standstill_clear(&s);
	return rc < 0 ? rc : pass_stand(tx, line, "", &s, err);
}

int pass_builds(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct standstill s = pass_builders_blocked(p);
	struct builds under_way = { NULL, 0 };
	char *place = NULL;
	int rc = builds_under_way(tx, &under_way, err);

	if (rc == 0)
		rc = end_leases(tx, p, &under_way, err);
	if (rc == 0)
		rc = cancel_unwanted(tx, p, err);
	if (rc == 0 && !s.reason)
		rc = pass_slots_share(tx, p, LINE_BUILD, claim, err);
	if (rc == 0)
		rc = line_next_place(tx, LINE_BUILD, NULL, &place, err);
	if (rc > 0)
		rc = pass_builders_say(tx, p, LINE_BUILD, err);
	builds_clear(&under_way);
	free(place);
	standstill_clear(&s);
	return rc;
}
