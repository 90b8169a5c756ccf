/* run_toolchain – see run_toolchain.h. */
#include "config.h"

#include "agent/flow/run_toolchain.h"

#include "agent/flow/survey_json.h"
#include "agent/store/build.h"
#include "agent/store/demand.h"
#include "agent/store/release.h"
#include "common/base/id.h"
#include "common/plan/manifest.h"

/* Where the toolchain lay that its first artifact was built with. */
static int in_its_place(struct store_tx *tx, const struct manifest *m,
			const struct toolchain_now *t, char **prefix, struct ps_err *err)
{
	const struct toolchain_one *one;
	struct build b = { 0 };
	int rc = m->nartifacts ? build_of_artifact(tx, m->artifacts[0].sha256, &b, err) : 0;

	one = rc == 0 && b.prefix ? toolchains_by_prefix(t, b.prefix) : NULL;
	*prefix = one ? xstrdup(one->prefix) : NULL;
	build_clear(&b);
	return rc == PS_ENOENT ? 0 : rc;
}

static int by_rule(struct store_tx *tx, const struct run *r, const char *repo,
		   const struct toolchain_now *t, const struct config *cfg, char **prefix,
		   char **why, struct ps_err *err)
{
	struct toolchain_choice choice;
	struct wire_project pr = { .path = NULL };
	struct demand d = { 0 };
	json_t *doc = NULL;
	char id[ID_TEXT];
	int rc = demand_of_run(tx, r->fabric, r->repository, r->project, r->release, &d, err);
	bool found = rc == 0;

	if (found)
		rc = survey_from_json(&pr, &doc, d.survey, err);
	if (rc < 0 && rc != PS_ENOENT)
		goto out;
	rc = 0;
	toolchains_choose(&choice, t, cfg, repo ? repo : "", r->project,
			  found ? d.environment : NULL, found ? pr.language : NULL);
	*prefix = xstrdup_null(choice.prefix);
	if (!choice.prefix)
		*why = xasprintf("%s; then: penstock retry %s", choice.problem ? choice.problem :
				 "there is no toolchain", id_text(id, 'x', r->id));
out:
	survey_from_json_clear(&pr, doc);
	demand_clear(&d);
	return rc;
}

int run_toolchain(struct store_tx *tx, const struct run *r, const char *repo,
		  const struct toolchain_now *t, const struct config *cfg, char **prefix,
		  char **why, struct ps_err *err)
{
	const struct toolchain_one *same = NULL;
	struct release rel = { 0 };
	struct manifest m = { 0 };
	struct ps_err unread;
	int rc = release_get(tx, r->release, &rel, err);

	*prefix = *why = NULL;
	/* of one that cannot be read only the rules are left */
	if (rc == 0 && manifest_read(&m, rel.manifest, strlen(rel.manifest), rel.id, &unread) == 0)
		same = toolchains_by_digest(t, m.toolchain);
	rc = rc == PS_ENOENT ? 0 : rc;
	if (same)
		*prefix = xstrdup(same->prefix);
	else if (rc == 0)
		rc = in_its_place(tx, &m, t, prefix, err);
	if (rc == 0 && !*prefix)
		rc = by_rule(tx, r, repo, t, cfg, prefix, why, err);
	manifest_clear(&m);
	release_clear(&rel);
	return rc;
}
