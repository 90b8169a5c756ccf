/*
 * run_make – a deployed job becomes a queued run: its tasks are read from the definition that was
 * deployed, and what they stand on is proven to be of its release.
 */
#ifndef PS_RUN_MAKE_H
#define PS_RUN_MAKE_H

#include "agent/store/deployment.h"

/* who: as shown; config: instance, NULL for the job's own. PS_EINVAL says what is wrong with the
 * job or the instance. */
int run_make(struct store_tx *tx, const char *content, const char *who,
	     const struct deployed_job *j, const char *config, int64_t *id,
	     struct ps_err *err) PS_MUSTCHECK;

#endif
