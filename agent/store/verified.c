/* verified – see verified.h. */
#include "config.h"

#include "agent/store/verified.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_verification(kind, name) ROWS_COL(verification, kind, name)
ROWS_SHAPE(verification, "verification", VERIFICATION_COLS)

static const struct state_move moves[] = {
	{ "looked", "running" }, { "looked", "verified" }, { "looked", "failed" },
	{ "running", "verified" }, { "running", "failed" },
};

int verification_insert(struct store_tx *tx, const struct verification *v, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO verification (deployment, fabric, repository, project, release, digest, whole,"
			 " state, reason, since_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "ititttitti",
			 v->deployment, v->fabric, v->repository, v->project, v->release, v->digest,
			 v->whole, v->state, v->reason, clock_wall_ms());

	return rc < 0 ? rc : 0;
}

/* The one door for a change of state. */
static int set_state(struct store_tx *tx, int64_t deployment, const char *state, const char *reason,
		     struct ps_err *err)
{
	struct verification v = { 0 };
	int rc = verification_get(tx, deployment, &v, err);

	if (rc == 0)
		state_must_go("verification", deployment, moves, PS_NELEM(moves), v.state, state);
	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE verification SET state = ?, reason = ?, since_ms = ? WHERE deployment = ?",
			     "ttii", state, reason, clock_wall_ms(), deployment);
	verification_clear(&v);
	return rc < 0 ? rc : 0;
}

int verification_await(struct store_tx *tx, int64_t deployment, int64_t run, int64_t until_ms, struct ps_err *err)
{
	int rc = set_state(tx, deployment, "running", NULL, err);

	if (rc == 0)
		rc = sql_run(tx, err, "UPDATE verification SET run = ?, until_ms = ? WHERE deployment = ?", "iii", run,
			     until_ms, deployment);
	return rc < 0 ? rc : 0;
}

int verification_end(struct store_tx *tx, int64_t deployment, const char *state, const char *reason,
		     struct ps_err *err)
{
	return set_state(tx, deployment, state, reason, err);
}

int verifications_in(struct store_tx *tx, const char *state, int64_t limit, struct verifications *out,
		     struct ps_err *err)
{
	return rows_select(tx, &verification_shape, out, err, "WHERE state = ? ORDER BY deployment LIMIT ?", "ti", state,
			   limit);
}

int verification_get(struct store_tx *tx, int64_t deployment, struct verification *out, struct ps_err *err)
{
	return rows_one(tx, &verification_shape, out, err, "WHERE deployment = ?", "i", deployment);
}

int verifications_of(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		     const char *release, struct verifications *out, struct ps_err *err)
{
	return rows_select(tx, &verification_shape, out, err,
			   "WHERE deployment IN (SELECT MAX(deployment) FROM verification WHERE fabric = ?"
			   " AND repository = ? AND project = ? AND release = ? AND whole = 1"
			   " AND state IN ('verified', 'failed') GROUP BY digest) ORDER BY deployment DESC", "titt",
			   fabric, repository, project, release);
}

void verification_clear(struct verification *v)
{
	rows_clear_one(&verification_shape, v);
}

void verifications_clear(struct verifications *l)
{
	rows_clear(&verification_shape, l);
}
