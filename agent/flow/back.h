/*
 * back – one project goes back on one fabric to a release that was verified there: an emergency, so
 * without second person and windows, and with a pin, so that nothing newer follows by itself.
 *
 * It is a demand like any other that people ask for (asking.h, `rollback`): what goes back are the
 * release's own bytes and definitions, rendered for its old label. Jobs that the newer release made
 * become orphans. Nothing about data is undone.
 */
#ifndef PS_BACK_H
#define PS_BACK_H

#include "agent/flow/asking.h"
#include "agent/store/pin.h"

struct back_ask {
	const struct config *cfg;
	const struct ps_paths *paths;
	const struct conf_fabric *fabric;
	const char *to;		/* as typed for a release; NULL: the last one verified before */
	const char *by, *why;	/* as shown; NULL: not said */
};

/* The one project that is meant, as its newest deployment there: clear it. PS_ENOENT, PS_EINVAL
 * say what to type. */
int back_place(struct store_tx *tx, const struct conf_fabric *f, const char *repository,
	       const char *project, struct deployment *out, struct ps_err *err) PS_MUSTCHECK;
/* Pins the fabric and asks for the deployment. *what: "1.0.0 (0a1b2c3d4e5f) in place of 1.0.1
 * (...)"; free() it. PS_ENOENT: nothing to go back to. */
int back_put(struct store_tx *tx, const struct back_ask *q, const struct deployment *now,
	     int64_t *event, char **what, struct ps_err *err) PS_MUSTCHECK;
/* What came by `at` once more, as it was asked (`rollback`, `prune`); jobs: JSON list, or NULL. */
int back_again(struct store_tx *tx, const struct back_ask *q, const struct deployment *at,
	       const char *asked, const char *jobs, int64_t *event,
	       struct ps_err *err) PS_MUSTCHECK;

#endif
