/*
 * artifact – what deployments of one project have put at the paths of a fabric. It stays there; core
 * remembers it as long as somebody may ask.
 */
#ifndef PS_STORE_ARTIFACT_H
#define PS_STORE_ARTIFACT_H

#include "agent/store/deployment.h"
#include "agent/store/retention.h"

#define DEPLOYED_ARTIFACT_COLS(X) X(t, path) X(t, digest)
ROWS_STRUCT(deployed_artifact, DEPLOYED_ARTIFACT_COLS)

/* By path. */
int deployed_artifacts(struct store_tx *tx, const char *fabric, int64_t repository,
		       const char *project, struct deployed_artifacts *out,
		       struct ps_err *err) PS_MUSTCHECK;
/* d has put it there, or found it there. */
int deployed_artifact_put(struct store_tx *tx, const struct deployment *d, const char *path,
			  const char *digest, struct ps_err *err) PS_MUSTCHECK;
/*
 * Forgets what lies at paths that no release in force or in reach names: bytes that are none of
 * these digests, and of the others the paths whose version is none of these, but for one of each
 * file, which an artifact that no job names is found at. Both lists are sorted (texts_sort()).
 * Nothing on the fabric is touched: what is put there again is found. *n: how many rows.
 */
int deployed_artifacts_trim(struct store_tx *tx, const struct texts *digests,
			    const struct texts *versions, int64_t *n,
			    struct ps_err *err) PS_MUSTCHECK;
void deployed_artifacts_clear(struct deployed_artifacts *l);

#endif
