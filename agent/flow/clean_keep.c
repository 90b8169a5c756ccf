/* clean_keep – from the store's rows to the names of the files that stay; see clean.h. */
#include "config.h"

#include "agent/flow/clean.h"

#include "agent/store/artifact.h"
#include "agent/store/release.h"
#include "common/base/logfile.h"
#include "common/plan/manifest.h"
#include "common/plan/plan.h"

static int keep_release(struct store_tx *tx, const char *id, struct texts *out, struct ps_err *err)
{
	struct release r = { 0 };
	struct manifest m = { 0 };
	int rc = release_get(tx, id, &r, err);

	if (rc == 0)
		rc = manifest_read(&m, r.manifest, strlen(r.manifest), id, err);
	for (size_t i = 0; rc == 0 && i < m.nartifacts; i++)
		texts_add(out, m.artifacts[i].sha256);
	for (size_t i = 0; rc == 0 && i < m.njobs; i++)
		for (size_t k = 0; k < m.jobs[i].nfiles; k++)
			texts_add(out, m.jobs[i].files[k].sha256);
	manifest_clear(&m);
	release_clear(&r);
	return rc;
}

static int keep_plan(const char *text, struct texts *out, struct ps_err *err)
{
	struct plan p = { 0 };
	int rc = plan_read(&p, text, strlen(text), err);

	for (size_t i = 0; rc == 0 && i < p.nartifacts; i++)
		texts_add(out, p.artifacts[i].sha256);
	for (size_t i = 0; rc == 0 && i < p.njobs; i++)
		texts_add(out, p.jobs[i].digest);
	plan_clear(&p);
	return rc;
}

/* A log carries an ending, and a long one has parts (logfile.h): all names stay. */
static int keep_busy(struct store_tx *tx, struct texts *out, struct ps_err *err)
{
	struct texts busy = { NULL, 0, 0 };
	int rc = retention_busy(tx, &busy, err);

	for (size_t i = 0; rc == 0 && i < busy.n; i++) {
		char *log = xasprintf("%s.log", busy.v[i]);

		texts_add(out, busy.v[i]);
		for (unsigned nr = 0; nr < LOGFILE_PARTS; nr++) {
			char *part = logfile_part_path(log, nr);

			texts_add(out, part);
			free(part);
		}
		free(log);
	}
	texts_clear(&busy);
	return rc;
}

int clean_keep(struct store_tx *tx, int64_t rollbacks, struct texts *out, struct ps_err *err)
{
	struct texts releases = { NULL, 0, 0 }, plans = { NULL, 0, 0 };
	int rc = retention_releases(tx, rollbacks, &releases, err);

	if (rc == 0)
		rc = retention_back(tx, &releases, err);
	if (rc == 0)
		rc = retention_plans(tx, &plans, err);
	for (size_t i = 0; rc == 0 && i < releases.n; i++)
		rc = keep_release(tx, releases.v[i], out, err);
	for (size_t i = 0; rc == 0 && i < plans.n; i++)
		rc = keep_plan(plans.v[i], out, err);
	if (rc == 0)
		rc = retention_digests(tx, out, err);
	if (rc == 0)
		rc = keep_busy(tx, out, err);
	texts_clear(&releases);
	texts_clear(&plans);
	return rc;
}

int clean_paths(struct store_tx *tx, int64_t rollbacks, const struct texts *keep, int64_t *n,
		struct ps_err *err)
{
	struct texts releases = { NULL, 0, 0 }, versions = { NULL, 0, 0 };
	int rc = retention_releases(tx, rollbacks, &releases, err);

	if (rc == 0)
		rc = retention_back(tx, &releases, err);
	if (rc == 0)
		rc = retention_versions(tx, &releases, &versions, err);
	texts_sort(&versions);
	if (rc == 0)
		rc = deployed_artifacts_trim(tx, keep, &versions, n, err);
	texts_clear(&releases);
	texts_clear(&versions);
	return rc;
}
