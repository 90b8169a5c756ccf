/* artifact – see artifact.h. */
#include "config.h"

#include "agent/store/artifact.h"

#include "agent/store/sql.h"

#define ROWS_COL_deployed_artifact(kind, name) ROWS_COL(deployed_artifact, kind, name)
ROWS_SHAPE(deployed_artifact, "deployed_artifact", DEPLOYED_ARTIFACT_COLS)

int deployed_artifacts(struct store_tx *tx, const char *fabric, int64_t repository, const char *project,
		       struct deployed_artifacts *out, struct ps_err *err)
{
	return rows_select(tx, &deployed_artifact_shape, out, err,
			   "WHERE fabric = ? AND repository = ? AND project = ? ORDER BY path", "tit", fabric, repository,
			   project);
}

int deployed_artifact_put(struct store_tx *tx, const struct deployment *d, const char *path, const char *digest,
			  struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO deployed_artifact (fabric, repository, project, path, digest) VALUES (?, ?, ?, ?, ?)"
			 " ON CONFLICT (fabric, repository, project, path) DO UPDATE SET digest = excluded.digest", "tittt",
			 d->fabric, d->repository, d->project, path, digest);

	return rc < 0 ? rc : 0;
}

void deployed_artifacts_clear(struct deployed_artifacts *l)
{
	rows_clear(&deployed_artifact_shape, l);
}
