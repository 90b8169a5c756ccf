/* plan_parts – what the files that make a plan share; nobody else includes it. */
#ifndef PS_PLAN_PARTS_H
#define PS_PLAN_PARTS_H

#include "common/plan/plan.h"

void plan_problem(struct plan *p, const char *fmt, ...) PS_PRINTF(2, 3);
bool plan_has_artifact(const struct plan *p, const char *path);
/* plan_jobs.c */
int plan_jobs(struct plan *p, const struct plan_input *in, struct ps_err *err) PS_MUSTCHECK;

#endif
