/*
 * verified – whether a fabric was as planned after a deployment, and what that says of a release.
 *
 * A verification begins when the last step is done and the deployer looked: `looked` when the fabric
 * was as planned. Then the environment may want a run to pass (`running`); it ends `verified` or
 * `failed`, with the reason. A part of a release (`whole` 0) goes the same way and proves nothing
 * about the release.
 */
#ifndef PS_STORE_VERIFIED_H
#define PS_STORE_VERIFIED_H

#include "agent/store/rows.h"

#define VERIFICATION_COLS(X)                                                                  \
	X(i, deployment) X(t, fabric) X(i, repository) X(t, project) X(t, release) X(t, digest) \
	X(i, whole) X(t, state) X(t, reason) X(i, run) X(i, until_ms) X(i, since_ms)
ROWS_STRUCT(verification, VERIFICATION_COLS)

/* From the members that name it, state and reason. Its deployment ends in the same transaction. */
int verification_insert(struct store_tx *tx, const struct verification *v,
			struct ps_err *err) PS_MUSTCHECK;
/* looked → running, with the run that shall pass until then (run, until_ms). */
int verification_await(struct store_tx *tx, int64_t deployment, int64_t run, int64_t until_ms,
		       struct ps_err *err) PS_MUSTCHECK;
/* looked or running → verified or failed (reason: why). */
int verification_end(struct store_tx *tx, int64_t deployment, const char *state, const char *reason,
		     struct ps_err *err) PS_MUSTCHECK;
/* Those in this state, by deployment, at most limit. */
int verifications_in(struct store_tx *tx, const char *state, int64_t limit,
		     struct verifications *out, struct ps_err *err) PS_MUSTCHECK;
/* PS_ENOENT: that deployment has none. */
int verification_get(struct store_tx *tx, int64_t deployment, struct verification *out,
		     struct ps_err *err) PS_MUSTCHECK;
/* What is known of a release on a fabric as a whole: of each rendered digest the newest that has
 * ended, newest first. */
int verifications_of(struct store_tx *tx, const char *fabric, int64_t repository,
		     const char *project, const char *release, struct verifications *out,
		     struct ps_err *err) PS_MUSTCHECK;
void verification_clear(struct verification *v);
void verifications_clear(struct verifications *l);

#endif
