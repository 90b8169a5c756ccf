/*
 * gates – what keeps one deployment of its own: `after`, `deploy: manual`, `deploy: approve`. Pure:
 * facts in, a wait or none out; and who may approve, with the words of the refusal.
 *
 * An approval counts while it speaks of the plan as it is, has not lapsed, and was given by one who
 * is of the fabric's owners today and cannot have pushed what is deployed (unless the fabric allows
 * `self_approval`). One of the fabric's `emergency` team, as an emergency, is enough by himself.
 */
#ifndef PS_GATES_H
#define PS_GATES_H

#include "agent/flow/acts.h"
#include "agent/flow/pass.h"
#include "agent/store/approval.h"
#include "agent/store/retention.h"

struct gates_facts {
	const struct config *cfg;
	const struct conf_environment *env;
	const struct conf_fabric *fabric; /* the environment's */
	const struct deployment *d;
	const char *digest;    /* of its plan as it is; NULL: none was made */
	const char *after_why; /* why `after` does not hold; NULL: it does, or there is none */
	const char *changed;   /* since it was approved; NULL: nothing to tell */
	const struct approvals *approvals; /* all that were ever given */
	const struct texts *makers;        /* who may have pushed it */
	int64_t now_ms;
};

/* The first of after and manual that keeps it; reason NULL: neither does. */
struct standstill gates_before_plan(const struct gates_facts *f);
/* Where the environment wants approvals: how many are missing and who could give them. */
struct standstill gates_after_plan(const struct gates_facts *f);
/* How many of those given count; *emergency: one of them as such, and then it is enough. */
unsigned gates_approved(const struct gates_facts *f, bool *emergency);
/* Those whose approval would count and is not there yet, by name: "kim, lee"; "" for nobody. free()
 * it. */
char *gates_could(const struct gates_facts *f);
/* PS_EPERM: who may not, why, and who could. */
int gates_check_approver(const struct gates_facts *f, const struct acts_person *who, bool emergency,
			 struct ps_err *err) PS_MUSTCHECK;
/* The same for what the owners alone may do to it: reject, deploy. */
int gates_check_owner(const struct gates_facts *f, const struct acts_person *who, const char *verb,
		      struct ps_err *err) PS_MUSTCHECK;

#endif
