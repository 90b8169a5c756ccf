/* approval – see approval.h. */
#include "config.h"

#include "agent/store/approval.h"

#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_approval(kind, name) ROWS_COL(approval, kind, name)
ROWS_SHAPE(approval, "approval", APPROVAL_COLS)

int approval_insert(struct store_tx *tx, struct approval *a, struct ps_err *err)
{
	int rc;

	a->at_ms = clock_wall_ms();
	rc = sql_run(tx, err,
		     "INSERT INTO approval (deployment, plan_digest, login, who, decision, emergency, message, policy, at_ms)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", "itttt" "itti", a->deployment, a->plan_digest, a->login, a->who,
		     a->decision, a->emergency, a->message, a->policy, a->at_ms);
	if (rc < 0)
		return rc;
	a->id = sql_last_id(tx);
	return 0;
}

int approvals_of(struct store_tx *tx, int64_t deployment, struct approvals *out, struct ps_err *err)
{
	return rows_select(tx, &approval_shape, out, err, "WHERE deployment = ? ORDER BY id", "i", deployment);
}

void approvals_clear(struct approvals *l)
{
	rows_clear(&approval_shape, l);
}
