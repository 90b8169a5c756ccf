/* hold – see hold.h. */
#include "config.h"

#include "agent/store/hold.h"

#include "agent/store/repository.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"
#include "common/base/id.h"

static int two_numbers(struct store_tx *tx, sqlite3_stmt *q, int64_t *a, int64_t *b, struct ps_err *err)
{
	int rc = sql_next(tx, q, err);

	*a = rc > 0 ? sql_int(q, 0) : 0;
	*b = rc > 0 ? sql_int(q, 1) : 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

int hold_before(struct store_tx *tx, const char *path, int64_t *last_event, int64_t *refs, struct ps_err *err)
{
	return two_numbers(tx, sql_query(tx, err,
					 "SELECT (SELECT COALESCE(MAX(id), 0) FROM event), (SELECT COUNT(*) FROM ref"
					 " JOIN repository ON repository.id = ref.repository"
					 " WHERE repository.path = ? AND trim(ref.tail, '0') <> '')", "t", path),
			   last_event, refs, err);
}

bool hold_is_much(int64_t moved, int64_t refs)
{
	return moved > HOLD_MOVED || (refs > HOLD_MOVED && moved * HOLD_PART > refs);
}

#define GAPS_OF_LOOK "FROM event WHERE repository = (SELECT id FROM repository WHERE path = ?) AND id > ?" \
	" AND kind = 'gap' AND state = 'held'"

int hold_after(struct store_tx *tx, const char *path, int64_t last_event, int64_t refs, struct ps_err *err)
{
	int64_t moved, first;
	char id[ID_TEXT], *why;
	int rc = two_numbers(tx, sql_query(tx, err, "SELECT COUNT(*), MIN(id) " GAPS_OF_LOOK, "ti", path, last_event),
			     &moved, &first, err);

	if (rc < 0 || !hold_is_much(moved, refs))
		return rc;
	why = xasprintf("%lld refs moved at once and no hook saw it, as when an old copy is restored; held as one, %s",
			(long long)moved, id_text(id, 'e', first));
	rc = sql_run(tx, err, "UPDATE event SET held_with = ?, reason = ? WHERE id IN (SELECT id " GAPS_OF_LOOK ")", "itti",
		     first, why, path, last_event);
	free(why);
	return rc < 0 ? rc : 0;
}

static int number_of(struct store_tx *tx, const char *sql, int64_t id, int64_t *out, struct ps_err *err)
{
	int64_t none;

	return two_numbers(tx, sql_query(tx, err, sql, "i", id), out, &none, err);
}

static int not_held(const struct ref_event *e, struct ps_err *err)
{
	char id[ID_TEXT], by[ID_TEXT];

	id_text(id, 'e', e->id);
	if (strcmp(e->state, "superseded") == 0 && e->superseded_by)
		return ps_err_set(err, PS_ESTALE, "%s is superseded by %s: only the last movement of a ref may act",
				  id, id_text(by, 'e', e->superseded_by));
	return ps_err_set(err, PS_ESTALE, "%s is not held: it is %s", id, e->state);
}

int hold_get(struct store_tx *tx, int64_t id, bool alone, struct events *out, struct ps_err *err)
{
	struct ref_event e = { 0 };
	int64_t first = 0;
	int rc = event_get(tx, id, &e, err);

	if (rc == 0)
		rc = number_of(tx, "SELECT held_with, 0 FROM event WHERE id = ?", id, &first, err);
	if (rc == 0 && first == id && !alone)
		rc = events_held_with(tx, id, out, err);
	else if (rc == 0 && strcmp(e.state, "held") == 0)
		rc = events_held_with(tx, -id, out, err);
	if (rc == 0 && !out->n)
		rc = not_held(&e, err);
	event_clear(&e);
	return rc;
}

int hold_is_his(struct store_tx *tx, const struct ref_event *e, const char *login, bool *his, struct ps_err *err)
{
	int64_t found = 0, none;
	int rc = two_numbers(tx, sql_query(tx, err,
					   "SELECT COUNT(*), 0 FROM push WHERE repository = ?"
					   " AND (pusher = ? OR acting_as = ?) AND (id = ? OR EXISTS (SELECT 1 FROM intent"
					   " WHERE intent.push = push.id AND intent.ref = ? AND intent.new = ?))",
					   "ittitt", e->repository, login, login, e->push, e->ref, e->new),
			     &found, &none, err);

	*his = found > 0;
	return rc;
}

int hold_was_let_go(struct store_tx *tx, int64_t event, bool *was, struct ps_err *err)
{
	int64_t n = 0;
	int rc = number_of(tx, "SELECT COUNT(*), 0 FROM event WHERE id = ? AND let_by IS NOT NULL", event, &n, err);

	*was = n > 0;
	return rc;
}

int hold_let_go(struct store_tx *tx, const struct ref_event *e, const char *who, const char *why, bool *acts,
		struct ps_err *err)
{
	bool gone = strspn(e->new, "0") == strlen(e->new);
	struct ref r = { 0 };
	int rc = ref_get(tx, e->repository, e->ref, &r, err);

	*acts = rc == 0 && r.seq == e->seq;
	ref_clear(&r);
	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE event SET let_by = ?, let_why = ?, let_ms = ?, surveyed = 0, lease_ms = 0 WHERE id = ?", "ttii", who, why,
			     clock_wall_ms(), e->id);
	if (rc >= 0 && *acts)
		rc = event_end(tx, e->id, gone ? "done" : "open", gone ? "ref deleted: nothing is undeployed" : NULL, err);
	else if (rc >= 0)
		rc = sql_run(tx, err, "UPDATE event SET state = 'superseded', superseded_by = (SELECT id FROM event AS t"
			     " WHERE t.repository = ? AND t.ref = ? ORDER BY t.seq DESC LIMIT 1) WHERE id = ?", "iti",
			     e->repository, e->ref, e->id);
	return rc < 0 ? rc : 0;
}

int hold_adopt(struct store_tx *tx, const char *path, const char *ref, const char *who, const char *boot,
	       int64_t stamp, int64_t *id, struct ps_err *err)
{
	struct repository repo = { 0 };
	struct ref r = { 0 };
	char *zeros = NULL;
	int rc = repository_by_path(tx, path, &repo, err);

	if (rc == 0)
		rc = ref_get(tx, repo.id, ref, &r, NULL);
	if (rc == PS_ENOENT || (rc == 0 && strspn(r.tail, "0") == strlen(r.tail)))
		rc = ps_err_set(err, PS_ENOENT, "'%s' has no ref '%s': give its full name, like refs/heads/main", path, ref);
	else if (rc == 0 && r.seq)
		rc = ps_err_set(err, PS_ECONFLICT, "'%s' has events already, its value came with the last of them: "
				"penstock events --ref %s", ref, ref);
	if (rc == 0) {
		struct ref_event e = {
			.repository = repo.id, .ref = r.name, .new = r.tail, .kind = (char *)"sure", .k = -1,
			.pusher = (char *)who, .state = (char *)"open", .boot = (char *)boot, .stamp = stamp,
		};

		e.old = zeros = xstrdup(r.tail);
		memset(zeros, '0', strlen(zeros));
		rc = sql_run(tx, err, "UPDATE ref SET tail = ?, log_seq = 1 WHERE repository = ? AND name = ? AND seq = 0", "tit", zeros,
			     repo.id, ref);
		if (rc >= 0)
			rc = event_append(tx, &e, err);
		*id = e.id;
	}
	free(zeros);
	ref_clear(&r);
	repository_clear(&repo);
	return rc < 0 ? rc : 0;
}
