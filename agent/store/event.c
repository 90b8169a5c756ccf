/* event – see event.h. */
#include "config.h"

#include "agent/store/event.h"

#include "agent/store/repository.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_ref_event(kind, name) ROWS_COL(ref_event, kind, name)
ROWS_SHAPE(ref_event,
	   "(SELECT event.*, repository.path AS repository_path, repository.name AS repository_name,"
	   " repository.gone_ms > 0 OR repository.taken_ms > 0 AS repository_stands"
	   " FROM event JOIN repository ON repository.id = event.repository) AS event", EVENT_COLS)

static const struct state_move moves[] = {
	{ "open", "open" }, { "open", "held" }, { "open", "done" }, { "open", "superseded" },
	{ "held", "held" }, { "held", "open" }, { "held", "done" }, { "held", "superseded" },
};

int event_get(struct store_tx *tx, int64_t id, struct ref_event *out, struct ps_err *err)
{
	int rc = rows_one(tx, &ref_event_shape, out, err, "WHERE id = ?", "i", id);

	return rc == PS_ENOENT ? ps_err_set(err, rc, "there is no event e%lld", (long long)id) : rc;
}

int events_list(struct store_tx *tx, int64_t repository, const char *ref, int64_t before,
		int64_t limit, struct events *out, struct ps_err *err)
{
	return rows_select(tx, &ref_event_shape, out, err,
			   "WHERE (? = 0 OR repository = ?) AND (? IS NULL OR ref = ?) AND (? = 0 OR id < ?)"
			   " ORDER BY id DESC LIMIT ?", "iittiii",
			   repository, repository, ref, ref, before, before, limit);
}

enum { SURVEY_AGAIN_MS = 5000 };	/* a gate that cannot is not asked in a circle */

static int count_claims(struct store_tx *tx, int64_t now_ms, int64_t *n, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT COUNT(*) FROM event WHERE state = 'open' AND surveyed = 0"
				    " AND lease_ms > ?", "i", now_ms);
	int rc = sql_next(tx, q, err);

	*n = rc > 0 ? sql_int(q, 0) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int events_claim_surveys(struct store_tx *tx, int64_t most, int64_t now_ms, int64_t lease_ms,
			 struct events *out, struct ps_err *err)
{
	size_t from = out->n;
	int64_t claimed;
	int rc = count_claims(tx, now_ms, &claimed, err);

	if (rc == 0 && claimed < most)
		rc = rows_select(tx, &ref_event_shape, out, err,
				 "WHERE state = 'open' AND surveyed = 0 AND lease_ms <= ? AND repository_path <> ''"
				 " AND NOT repository_stands"
				 " AND (push IS NULL OR EXISTS (SELECT 1 FROM push WHERE push.id = event.push AND ended = 1))"
				 " ORDER BY lease_ms, id LIMIT ?", "ii", now_ms, most - claimed);
	for (size_t i = from; i < out->n && rc >= 0; i++) {
		rc = sql_run(tx, err, "UPDATE event SET fence = fence + 1, lease_ms = ? WHERE id = ?", "ii", lease_ms,
			     out->v[i].id);
		out->v[i].fence++;
	}
	return rc < 0 ? rc : 0;
}

int events_any_unsurveyed(struct store_tx *tx, bool *any, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT 1 FROM event WHERE state = 'open' AND surveyed = 0 LIMIT 1", "");
	int rc = sql_next(tx, q, err);

	*any = rc > 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int event_release_survey(struct store_tx *tx, int64_t id, int64_t fence, struct ps_err *err)
{
	int rc;

	if (id)
		rc = sql_run(tx, err, "UPDATE event SET lease_ms = ? WHERE id = ? AND fence = ? AND surveyed = 0",
			     "iii", clock_wall_ms() + SURVEY_AGAIN_MS, id, fence);
	else
		rc = sql_run(tx, err, "UPDATE event SET fence = fence + 1, lease_ms = 0 WHERE state = 'open'"
			     " AND surveyed = 0 AND lease_ms > 0", "");
	return rc < 0 ? rc : 0;
}

int event_settled(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET settling = 0 WHERE id = ?", "i", id);

	return rc < 0 ? rc : 0;
}

static void reverse(struct events *l)
{
	for (size_t i = 0; i < l->n / 2; i++) {
		struct ref_event swap = l->v[i];

		l->v[i] = l->v[l->n - 1 - i];
		l->v[l->n - 1 - i] = swap;
	}
}

int events_last(struct store_tx *tx, int64_t repository, const char *ref, int64_t least,
		event_old_fn *is_old, const void *arg, struct events *out, struct ps_err *err)
{
	for (int64_t n = least;; n *= 4) {
		int rc = rows_select(tx, &ref_event_shape, out, err,
				     "WHERE repository = ? AND ref = ? ORDER BY seq DESC LIMIT ?", "iti",
				     repository, ref, n);

		if (rc < 0 || (int64_t)out->n < n || is_old(&out->v[out->n - 1], arg)) {
			reverse(out);
			return rc;
		}
		events_clear(out);
	}
}

int events_of_push(struct store_tx *tx, int64_t push, struct events *out, struct ps_err *err)
{
	return rows_select(tx, &ref_event_shape, out, err, "WHERE push = ? ORDER BY id", "i", push);
}

int events_held_with(struct store_tx *tx, int64_t first, struct events *out, struct ps_err *err)
{
	return first < 0 ? rows_select(tx, &ref_event_shape, out, err, "WHERE id = ? AND state = 'held'", "i", -first) :
			   rows_select(tx, &ref_event_shape, out, err,
				       "WHERE held_with = ? AND state = 'held' ORDER BY id", "i", first);
}

static int insert(struct store_tx *tx, struct ref_event *e, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO event (repository, ref, seq, old, new, kind, push, k, pusher, state, reason,"
			 " boot, stamp, at_ms, surveyed) VALUES (?, ?, ?, ?, ?, ?, NULLIF(?, 0), ?, ?, ?, ?, ?, ?, ?, 0)",
			 "ititttiittttii", e->repository, e->ref, e->seq, e->old, e->new, e->kind, e->push,
			 e->k, e->pusher, e->state, e->reason, e->boot, e->stamp, clock_wall_ms());

	if (rc >= 0)
		e->id = sql_last_id(tx);
	return rc < 0 ? rc : 0;
}

int event_append(struct store_tx *tx, struct ref_event *e, struct ps_err *err)
{
	struct ref r = { 0 };
	int rc = ref_get(tx, e->repository, e->ref, &r, err);

	if (rc == 0 && strcmp(r.tail, e->old) != 0)
		rc = ps_err_set(err, PS_ESTALE, "an event of '%s' would begin at %s where the last one ended at %s",
				e->ref, e->old, r.tail);
	e->seq = r.seq + 1;
	if (rc == 0)
		rc = insert(tx, e, err);
	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE ref SET tail = ?, seq = ?, boot = ?, stamp = ? WHERE repository = ? AND name = ?",
			     "titiit", e->new, e->seq, e->boot, e->stamp, e->repository, e->ref);
	ref_clear(&r);
	return rc < 0 ? rc : 0;
}

/* In two steps: (repository, ref, seq) is unique at every moment, whatever order rows are taken in. */
static int make_place(struct store_tx *tx, const struct ref_event *e, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET seq = -seq - 1 WHERE repository = ? AND ref = ? AND seq >= ?",
			 "iti", e->repository, e->ref, e->seq);

	if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE event SET seq = -seq WHERE repository = ? AND ref = ? AND seq < 0",
			     "it", e->repository, e->ref);
	if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE ref SET seq = seq + 1, log_seq = log_seq + (log_seq >= ?) WHERE repository = ?"
			     " AND name = ?", "iit", e->seq, e->repository, e->ref);
	return rc < 0 ? rc : 0;
}

static int place_of(struct store_tx *tx, const struct ref_event *e, int64_t before, int64_t *seq, struct ps_err *err)
{
	struct ref_event next = { 0 };
	struct ref r = { 0 };
	int rc = before ? event_get(tx, before, &next, err) : ref_get(tx, e->repository, e->ref, &r, err);

	*seq = before ? next.seq : r.seq + 1;
	event_clear(&next);
	ref_clear(&r);
	return rc;
}

int event_insert(struct store_tx *tx, struct ref_event *e, int64_t before, struct ps_err *err)
{
	int rc = place_of(tx, e, before, &e->seq, err);

	if (rc == 0)
		rc = make_place(tx, e, err);
	return rc == 0 ? insert(tx, e, err) : rc;
}

int event_set_pusher(struct store_tx *tx, int64_t id, const char *pusher, const char *state, const char *reason,
		     struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET pusher = ? WHERE id = ?", "ti", pusher, id);

	/* one that was superseded, let go or taken into work meanwhile keeps that */
	if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE event SET state = ?, reason = ? WHERE id = ? AND surveyed = 0"
			     " AND (state = 'held' OR (state = 'open' AND ? = 'held'))", "ttit", state, reason, id,
			     state);
	return rc < 0 ? rc : 0;
}

int event_change(struct store_tx *tx, const struct ref_event *e, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET old = ?, kind = ?, push = NULLIF(?, 0), k = ? WHERE id = ?",
			 "ttiii", e->old, e->kind, e->push, e->k, e->id);

	if (rc >= 0)
		rc = sql_run(tx, err, "DELETE FROM event_maker WHERE event = ?", "i", e->id);
	return rc < 0 ? rc : event_set_pusher(tx, e->id, e->pusher, e->state, e->reason, err);
}

int event_maker_put(struct store_tx *tx, int64_t event, int64_t push, struct ps_err *err)
{
	int rc = sql_run(tx, err, "INSERT INTO event_maker (event, push) VALUES (?, ?) ON CONFLICT DO NOTHING", "ii",
			 event, push);

	return rc < 0 ? rc : 0;
}

int event_makers(struct store_tx *tx, int64_t event, struct event_makers *out, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT push FROM event_maker WHERE event = ? ORDER BY push", "i", event);
	size_t cap = 0;
	int rc;

	*out = (struct event_makers) { NULL, 0 };
	while ((rc = sql_next(tx, q, err)) > 0) {
		out->v = xgrow(out->v, out->n, &cap, sizeof(*out->v));
		out->v[out->n++] = sql_int(q, 0);
	}
	sql_done(q);
	return rc;
}

int events_judged(struct store_tx *tx, int64_t push, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE event SET"
			 " state = CASE WHEN trim(new, '0') = '' THEN 'done' ELSE 'open' END,"
			 " reason = CASE WHEN trim(new, '0') = '' THEN 'ref deleted: nothing is undeployed' END"
			 " WHERE push = ? AND state = 'held' AND surveyed = 0 AND reason = ? AND pusher IS NOT NULL"
			 " AND NOT EXISTS (SELECT 1 FROM event_maker JOIN push ON push.id = event_maker.push"
			 " WHERE event_maker.event = event.id AND push.judged IN ('none', 'skipped'))",
			 "it", push, EVENT_NOT_JUDGED);

	return rc < 0 ? rc : 0;
}

int events_supersede(struct store_tx *tx, int64_t repository, const char *ref, int64_t first_new,
		     struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE event SET state = 'superseded',"
			 " reason = CASE WHEN state = 'held' THEN reason END, superseded_by ="
			 " (SELECT id FROM event AS t WHERE t.repository = ? AND t.ref = ? ORDER BY t.seq DESC LIMIT 1)"
			 " WHERE repository = ? AND ref = ?"
			 " AND seq < (SELECT seq FROM ref WHERE ref.repository = ? AND ref.name = ?)"
			 " AND (state = 'held' OR (state = 'open' AND surveyed = 0) OR id >= ?)",
			 "itititi", repository, ref, repository, ref, repository, ref, first_new);

	return rc < 0 ? rc : 0;
}

/* surveyed: 0 not yet, 1 its tree is known and its commit is kept, 2 the commit is let go again. */
int events_to_unkeep(struct store_tx *tx, int64_t limit, struct events *out, struct ps_err *err)
{
	return rows_select(tx, &ref_event_shape, out, err,
			   "WHERE surveyed = 1 AND state IN ('done', 'superseded', 'held') AND repository_path <> ''"
			   " AND NOT EXISTS (SELECT 1 FROM event AS other WHERE other.repository = event.repository"
			   " AND other.new = event.new AND other.state = 'open') ORDER BY id LIMIT ?", "i", limit);
}

int event_kept_no_more(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET surveyed = 2 WHERE id = ? AND surveyed = 1", "i", id);

	return rc < 0 ? rc : 0;
}

int event_set_surveyed(struct store_tx *tx, int64_t id, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET surveyed = 1 WHERE id = ?", "i", id);

	return rc < 0 ? rc : 0;
}

int event_end(struct store_tx *tx, int64_t id, const char *state, const char *reason, struct ps_err *err)
{
	struct ref_event e = { 0 };
	int rc = event_get(tx, id, &e, err);

	if (rc == 0)
		rc = state_may_go("event", moves, PS_NELEM(moves), e.state, state, err);
	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE event SET state = ?, reason = ? WHERE id = ?", "tti", state, reason, id);
	event_clear(&e);
	return rc < 0 ? rc : 0;
}

int event_reopen(struct store_tx *tx, int64_t id, bool again, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE event SET state = 'open', reason = NULL, surveyed = ?, lease_ms = 0 WHERE id = ?"
			 " AND state = 'done'", "ii", (int64_t)!again, id);

	if (rc == 0)
		return ps_err_set(err, PS_ESTALE, "an event that is not done is not opened again");
	return rc < 0 ? rc : 0;
}

int event_newest(struct store_tx *tx, int64_t repository, const char *ref, int64_t *id, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT id FROM event WHERE repository = ? AND ref = ?"
				    " ORDER BY seq DESC LIMIT 1", "it", repository, ref);
	int rc = sql_next(tx, q, err);

	*id = rc > 0 ? sql_int(q, 0) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

void event_clear(struct ref_event *e)
{
	rows_clear_one(&ref_event_shape, e);
}

void events_clear(struct events *l)
{
	rows_clear(&ref_event_shape, l);
}
