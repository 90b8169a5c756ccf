/* push – see push.h. */
#include "config.h"

#include "agent/store/push.h"

#include "agent/store/event.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_push(kind, name) ROWS_COL(push, kind, name)
ROWS_SHAPE(push, "push", PUSH_COLS)

#define ROWS_COL_intent(kind, name) ROWS_COL(intent, kind, name)
ROWS_SHAPE(intent,
	   "(SELECT intent.*, push.boot AS boot, push.stamp AS begun, push.repository AS repository"
	   " FROM intent JOIN push ON push.id = intent.push) AS intent", INTENT_COLS)

static const struct state_move moves[] = {
	{ "open", "used" }, { "open", "void" }, { "used", "open" }, { "used", "void" },
};

/* How much was judged, least first. */
static int judged_rank(const char *judged)
{
	static const char *const words[] = { "none", "skipped", "program", "gate" };

	for (size_t i = 0; i < PS_NELEM(words); i++)
		if (strcmp(words[i], judged) == 0)
			return (int)i;
	return -1;
}

static int push_again(struct store_tx *tx, const struct push *is, struct push *p, struct ps_err *err)
{
	int rc = 0;

	if (is->repository != p->repository || is->uid != p->uid)
		return ps_err_set(err, PS_EPERM, "push id '%s' belongs to another push", p->push);
	p->id = is->id;
	if (judged_rank(p->judged) <= judged_rank(is->judged))
		return 0;
	rc = sql_run(tx, err, "UPDATE push SET judged = ? WHERE id = ?", "ti", p->judged, is->id);
	if (rc >= 0 && judged_rank(is->judged) == 0 && strcmp(p->judged, "skipped") != 0)
		rc = events_judged(tx, is->id, err);
	return rc < 0 ? rc : 0;
}

int push_put(struct store_tx *tx, struct push *p, struct ps_err *err)
{
	struct push is = { 0 };
	int rc = rows_one(tx, &push_shape, &is, err, "WHERE push = ?", "t", p->push);

	if (rc == 0) {
		rc = push_again(tx, &is, p, err);
	} else if (rc == PS_ENOENT) {
		if (err)
			*err = (struct ps_err) { .code = 0 };
		rc = sql_run(tx, err,
			     "INSERT INTO push (push, repository, pusher, acting_as, uid, judged, boot, stamp, pid,"
			     " pid_start, ended, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
			     "tittittiiii", p->push, p->repository, p->pusher, p->acting_as, p->uid, p->judged,
			     p->boot, p->stamp, p->pid, p->pid_start, clock_wall_ms());
		p->id = rc < 0 ? 0 : sql_last_id(tx);
	}
	push_clear(&is);
	return rc < 0 ? rc : 0;
}

int push_has_intent(struct store_tx *tx, const char *push, bool *has, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT 1 FROM push JOIN intent ON intent.push = push.id"
				    " WHERE push.push = ? LIMIT 1", "t", push);
	int rc = sql_next(tx, q, err);

	*has = rc > 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int push_get(struct store_tx *tx, int64_t id, struct push *out, struct ps_err *err)
{
	return rows_one(tx, &push_shape, out, err, "WHERE id = ?", "i", id);
}

int pushes_open(struct store_tx *tx, struct pushes *out, struct ps_err *err)
{
	return rows_select(tx, &push_shape, out, err, "WHERE ended = 0 ORDER BY id", "");
}

int push_began(struct store_tx *tx, const struct push *p, const char *boot, int64_t stamp, struct ps_err *err)
{
	int rc = 0;

	if (strcmp(p->boot, boot) == 0 && stamp < p->stamp)
		rc = sql_run(tx, err, "UPDATE push SET stamp = ? WHERE id = ?", "ii", stamp, p->id);
	return rc < 0 ? rc : 0;
}

int push_set_ended(struct store_tx *tx, int64_t id, bool ended, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE push SET ended = ? WHERE id = ?", "ii", (int64_t)ended, id);

	return rc < 0 ? rc : 0;
}

int pushes_forget(struct store_tx *tx, const char *why, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE intent SET state = 'void', reason = ? WHERE state = 'open'", "t", why);

	if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE push SET ended = 1 WHERE ended = 0", "");
	return rc < 0 ? rc : 0;
}

char *push_shown(const struct push *p)
{
	if (p->acting_as && p->pusher)
		return xasprintf("%s (as %s)", p->pusher, p->acting_as);
	return p->pusher ? xstrdup(p->pusher) : NULL;
}

void push_clear(struct push *p)
{
	rows_clear_one(&push_shape, p);
}

void pushes_clear(struct pushes *l)
{
	rows_clear(&push_shape, l);
}

int intent_get(struct store_tx *tx, int64_t push, const char *ref, int64_t ordinal,
	       struct intent *out, struct ps_err *err)
{
	return rows_one(tx, &intent_shape, out, err, "WHERE push = ? AND ref = ? AND ordinal = ?", "iti",
			push, ref, ordinal);
}

int intent_insert(struct store_tx *tx, const struct intent *i, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO intent (push, ref, ordinal, old, new, seen, state, reason, alias)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", "ititttttt", i->push, i->ref, i->ordinal, i->old,
			 i->new, i->seen, i->state, i->reason, i->alias);

	return rc < 0 ? rc : 0;
}

int intent_set_seen(struct store_tx *tx, const struct intent *i, const char *seen, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE intent SET seen = ? WHERE push = ? AND ref = ? AND ordinal = ?", "titi",
			 seen, i->push, i->ref, i->ordinal);

	return rc < 0 ? rc : 0;
}

int intent_set_told(struct store_tx *tx, const struct intent *i, int64_t told, int64_t stamp,
		    struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "UPDATE intent SET told = ?, told_stamp = ? WHERE push = ? AND ref = ? AND ordinal = ?",
			 "iiiti", told, stamp, i->push, i->ref, i->ordinal);

	return rc < 0 ? rc : 0;
}

int intent_set_state(struct store_tx *tx, const struct intent *i, const char *state, const char *reason,
		     struct ps_err *err)
{
	int rc = state_may_go("intent", moves, PS_NELEM(moves), i->state, state, err);

	if (rc == 0)
		rc = sql_run(tx, err,
			     "UPDATE intent SET state = ?, reason = ? WHERE push = ? AND ref = ? AND ordinal = ?",
			     "ttiti", state, reason, i->push, i->ref, i->ordinal);
	return rc < 0 ? rc : 0;
}

int intents_open(struct store_tx *tx, int64_t repository, const char *ref, int64_t limit,
		 struct intents *out, struct ps_err *err)
{
	return rows_select(tx, &intent_shape, out, err,
			   "WHERE state = 'open' AND ref = ? AND repository = ? ORDER BY push, ordinal LIMIT ?",
			   "tii", ref, repository, limit);
}

int intents_of_push(struct store_tx *tx, int64_t push, struct intents *out, struct ps_err *err)
{
	return rows_select(tx, &intent_shape, out, err, "WHERE push = ? ORDER BY ordinal", "i", push);
}

void intent_clear(struct intent *i)
{
	rows_clear_one(&intent_shape, i);
}

void intents_clear(struct intents *l)
{
	rows_clear(&intent_shape, l);
}
