/*
 * signing – releases that have no signature get one: those of a store that came from version 2, and
 * those that were made while there was no key.
 */
#ifndef PS_SIGNING_H
#define PS_SIGNING_H

#include "agent/store/store.h"
#include "common/base/sign.h"

/* A transaction of core's at its start and with each configuration. A release whose manifest is not
 * what its id says is left alone, and logged. */
int signing_run(struct store_tx *tx, const struct sign_key *key, size_t *signed_now,
		struct ps_err *err) PS_MUSTCHECK;

#endif
