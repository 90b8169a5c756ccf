/*
 * artifact – what deployments of one project have put at the paths of a fabric. It stays there.
 */
#ifndef PS_STORE_ARTIFACT_H
#define PS_STORE_ARTIFACT_H

#include "agent/store/deployment.h"

#define DEPLOYED_ARTIFACT_COLS(X) X(t, path) X(t, digest)
ROWS_STRUCT(deployed_artifact, DEPLOYED_ARTIFACT_COLS)

/* By path. */
int deployed_artifacts(struct store_tx *tx, const char *fabric, int64_t repository,
		       const char *project, struct deployed_artifacts *out,
		       struct ps_err *err) PS_MUSTCHECK;
/* d has put it there, or found it there. */
int deployed_artifact_put(struct store_tx *tx, const struct deployment *d, const char *path,
			  const char *digest, struct ps_err *err) PS_MUSTCHECK;
void deployed_artifacts_clear(struct deployed_artifacts *l);

#endif
