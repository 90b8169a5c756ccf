/*
 * run_make – a deployed job becomes a queued run. On a local fabric its tasks are read from the
 * definition that was deployed, and what they stand on is proven to be of its release; a provider
 * does that itself.
 */
#ifndef PS_RUN_MAKE_H
#define PS_RUN_MAKE_H

#include <jansson.h>

#include "agent/store/deployment.h"

struct run_ask {
	const char *content;  /* content store */
	const char *who;      /* as shown */
	const char *provider; /* of its fabric */
	const char *config;   /* instance; NULL: the job's own */
	const json_t *params; /* an object of texts; NULL */
};

/* PS_EINVAL says what is wrong with the job, the instance or the parameters; what a provider thinks
 * of them is known when it is asked. */
int run_make(struct store_tx *tx, const struct run_ask *ask, const struct deployed_job *j,
	     int64_t *id, struct ps_err *err) PS_MUSTCHECK;

#endif
