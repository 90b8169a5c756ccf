/*
 * pass_gate – one deployment before its gates, in their order: the rule still exists → after → by
 * hand → plan → approval. What comes behind them is its environment's and fabric's (pass_deploy.c).
 */
#ifndef PS_PASS_GATE_H
#define PS_PASS_GATE_H

#include "agent/flow/pass.h"
#include "common/plan/plan.h"

struct gated {
	const struct conf_environment *env;
	const struct conf_fabric *fabric;
	struct plan plan; /* when it was made: for an approval, and to start */
	char *repository; /* its name, with the plan */
};
void gated_clear(struct gated *g);

/* State of the deployment and of the demand behind it move together. */
int pass_both(struct store_tx *tx, const struct deployment *d, const char *state,
	      const char *reason, const char *detail, int64_t by, struct ps_err *err) PS_MUSTCHECK;
/* The configuration has no place for it any more. */
int pass_cancel_by_rule(struct store_tx *tx, const struct pass *p, const struct deployment *d,
			struct ps_err *err) PS_MUSTCHECK;
/*
 * *go: nothing of its own keeps it. Else it has been ended (no rule is left, the plan has
 * problems), or its row says at which gate it stands. to_start: its plan is made in any case, and
 * its definitions are in the content store; a plan that differs from the approved one sends it back
 * to its approval.
 */
int pass_gate(struct store_tx *tx, struct pass *p, const struct deployment *d, bool to_start,
	      struct gated *g, bool *go, struct ps_err *err) PS_MUSTCHECK;
/* Those that something happened to, or that another configuration judged: on to their next gate, or
 * into the line. */
int pass_gates(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;

#endif
