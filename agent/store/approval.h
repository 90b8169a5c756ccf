/*
 * approval – what people decided about a deployment's plan. Rows are added and never changed: what counts of
 * them is asked when it matters (agent/flow/gates.h).
 */
#ifndef PS_STORE_APPROVAL_H
#define PS_STORE_APPROVAL_H

#include "agent/store/rows.h"

/* decision: approved, rejected. */
#define APPROVAL_COLS(X)                                                                     \
	X(i, id) X(i, deployment) X(t, plan_digest) X(t, login) X(t, who) X(t, decision)     \
	X(i, emergency) X(t, message) X(t, policy) X(i, at_ms)
ROWS_STRUCT(approval, APPROVAL_COLS)

/* Sets id and at_ms. */
int approval_insert(struct store_tx *tx, struct approval *a, struct ps_err *err) PS_MUSTCHECK;
/* All of a deployment, in their order. */
int approvals_of(struct store_tx *tx, int64_t deployment, struct approvals *out,
		 struct ps_err *err) PS_MUSTCHECK;
void approvals_clear(struct approvals *l);

#endif
