/* runs – a worker for each run at a provider: what it says goes to core, what core says to it. */
#ifndef PS_DEPLOY_RUNS_H
#define PS_DEPLOY_RUNS_H

#include "agent/loop/role.h"

/* Starts it, or goes on looking after it. A claim before this one ends. */
void runs_start(struct role *r, const struct wire_remote_run *m);
void runs_ok(const struct wire_remote_ok *m);
/* Only runs are cancelled here; one without a worker has the wish in its next claim. */
void runs_cancel(const struct wire_cancel *m);

#endif
