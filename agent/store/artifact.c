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

/* ---- forgetting ---- */

#define LYING_COLS(X) X(t, fabric) X(i, repository) X(t, project) X(t, digest) X(t, path)
ROWS_STRUCT(lying, LYING_COLS)
#define ROWS_COL_lying(kind, name) ROWS_COL(lying, kind, name)
ROWS_SHAPE(lying, "deployed_artifact", LYING_COLS)

static const char *file_of(const struct lying *l)
{
	const char *slash = strrchr(l->path, '/');

	return slash ? slash + 1 : l->path;
}

/* .../VERSION/pipeline/FILE: is the version one of these? */
static bool has_version(const struct lying *l, const struct texts *versions)
{
	char *path = xstrdup(l->path), *part = NULL;
	bool has = false;

	for (int i = 0; i < 3 && (part = strrchr(path, '/')); i++) {
		has = i == 2 && texts_has(versions, part + 1);
		*part = '\0';
	}
	free(path);
	return has;
}

/* The same bytes as the same file of the same project there: 0. */
static int file_order(const struct lying *a, const struct lying *b)
{
	int order = strcmp(a->fabric, b->fabric);

	if (!order)
		order = (a->repository > b->repository) - (a->repository < b->repository);
	if (!order)
		order = strcmp(a->project, b->project);
	if (!order)
		order = strcmp(a->digest, b->digest);
	return order ? order : strcmp(file_of(a), file_of(b));
}

static int by_file(const void *a, const void *b)
{
	int order = file_order(a, b);

	return order ? order : strcmp(((const struct lying *)a)->path, ((const struct lying *)b)->path);
}

static int forget_path(struct store_tx *tx, const struct lying *l, int64_t *n, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "DELETE FROM deployed_artifact WHERE fabric = ? AND repository = ? AND project = ?"
			 " AND path = ?", "titt", l->fabric, l->repository, l->project, l->path);

	*n += rc > 0 ? rc : 0;
	return rc < 0 ? rc : 0;
}

int deployed_artifacts_trim(struct store_tx *tx, const struct texts *digests, const struct texts *versions,
			    int64_t *n, struct ps_err *err)
{
	struct lyings all = { NULL, 0 };
	int rc = rows_select(tx, &lying_shape, &all, err, "", "");

	if (all.n)
		qsort(all.v, all.n, sizeof(*all.v), by_file);
	for (size_t i = 0, end; rc == 0 && i < all.n; i = end) {
		bool gone = !texts_has(digests, all.v[i].digest), named = false;

		for (end = i + 1; end < all.n && file_order(&all.v[i], &all.v[end]) == 0;)
			end++;
		for (size_t k = i; k < end && !gone; k++)
			named |= has_version(&all.v[k], versions);
		for (size_t k = i; rc == 0 && k < end; k++)
			if (gone || (named ? !has_version(&all.v[k], versions) : k != i))
				rc = forget_path(tx, &all.v[k], n, err);
	}
	rows_clear(&lying_shape, &all);
	return rc;
}

void deployed_artifacts_clear(struct deployed_artifacts *l)
{
	rows_clear(&deployed_artifact_shape, l);
}
