/*
 * verified – was a release verified on an environment's fabric, as the configuration in force would
 * render it there? What a later environment's `after` asks.
 *
 * The labels by which it was verified there are rendered again: a rule of the admin that makes
 * other bytes of them makes it unverified until it was deployed so. What was deployed in part
 * proves nothing.
 */
#ifndef PS_VERIFIED_H
#define PS_VERIFIED_H

#include "agent/store/store.h"
#include "common/config/config.h"
#include "common/config/paths.h"

struct verified_ask {
	const struct config *cfg;
	const struct ps_paths *paths;
	const struct conf_environment *env;	/* the one that goes first */
	int64_t repository;
	const char *project, *release;
};

/* *is: it was. Else *why says what is missing there ("not verified on fabric qa", with the cause);
 * free() it. */
int verified_release(struct store_tx *tx, const struct verified_ask *q, bool *is, char **why,
		     struct ps_err *err) PS_MUSTCHECK;

#endif
