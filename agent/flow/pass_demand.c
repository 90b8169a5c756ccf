/* pass_demand – demands: from the tree that was surveyed to builds by key, and on to the
 * release. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/survey_json.h"
#include "common/base/id.h"
#include "common/plan/buildkey.h"

/* Inputs of one pipeline: its own folder and what the project shares. Freed with free(). */
static struct wire_tree_input *inputs_of(const struct wire_project *pr,
					 const struct wire_pipeline *pl, size_t *n)
{
	struct wire_tree_input *v = xcalloc(pr->shared.n + 1, sizeof(*v));

	v[0] = (struct wire_tree_input) { .path = pl->key, .oid = pl->oid, .is_dir = true };
	for (size_t i = 0; i < pr->shared.n; i++)
		v[i + 1] = pr->shared.v[i];
	*n = pr->shared.n + 1;
	return v;
}

/* The recipe of a pipeline's language is known to be there: hopeless() looked before. */
static int key_of(const struct pass *p, const struct wire_pipeline *pl,
		  const struct wire_tree_input *in, size_t n, char key[65], struct ps_err *err)
{
	struct buildkey_input *ki = xcalloc(n, sizeof(*ki));
	char project_digest[DIGEST_HEX];
	struct buildkey k = {
		.pipeline = pl->key, .inputs = ki, .ninputs = n, .project_digest = project_digest,
		.toolchain_digest = p->view.toolchain_digest, .arch = buildkey_arch(),
	};
	int rc;

	PS_BUG_IF(!buildkey_recipe(pl->language, &k.recipe, &k.recipe_revision), "no recipe for %s",
		  pl->key);
	digest_bytes(project_digest, pl->reduced, strlen(pl->reduced));
	for (size_t i = 0; i < n; i++)
		ki[i] = (struct buildkey_input) { in[i].path, in[i].oid, in[i].is_dir };
	rc = buildkey_make(key, &k, err);
	free(ki);
	return rc;
}

/* Finds the build of this pipeline's key or queues one, and ties the demand to it. */
static int need_build(struct store_tx *tx, struct pass *p, const struct demand *d,
		      const struct wire_project *pr, const struct wire_pipeline *pl,
		      struct ps_err *err)
{
	struct wire_tree_input *in;
	struct build b = { 0 };
	char key[65];
	int64_t id;
	size_t n;
	int rc;

	in = inputs_of(pr, pl, &n);
	rc = key_of(p, pl, in, n, key, err);
	if (rc == 0)
		rc = build_by_key(tx, key, &b, err);
	id = b.id;
	build_clear(&b);
	if (rc == PS_ENOENT) {
		char *spec = spec_to_json(in, n, pl->reduced, pl->wheel);
		struct build fresh = {
			.key = key, .repository = d->repository, .project = d->project,
			.commit_oid = d->commit_oid, .pipeline = (char *)pl->key, .spec = spec,
			.toolchain = p->view.toolchain_digest, .prefix = p->view.toolchain_prefix,
		};

		rc = build_insert(tx, &fresh, err);
		id = fresh.id;
		free(spec);
	}
	if (rc == 0)
		rc = build_link(tx, d->id, id, pl->key, err);
	free(in);
	return rc;
}

/* Why this project cannot be built at all; NULL when it can. free() it. */
static char *hopeless(const struct wire_project *pr)
{
	if (pr->problem)
		return xstrdup(pr->problem);
	for (size_t i = 0; i < pr->pipelines.n; i++) {
		const struct wire_pipeline *pl = &pr->pipelines.v[i];
		const char *recipe;
		unsigned revision;

		if (!pl->oid)
			return xasprintf("%s has no folder", pl->key);
		if (!pl->language || !buildkey_recipe(pl->language, &recipe, &revision))
			return xasprintf("%s is %s: no recipe for it in this version", pl->key,
					 pl->language ? pl->language : "of no language");
	}
	return NULL;
}

/* Ties the demand to the builds of its pipelines, once; false with a reason while it cannot be. */
static int key_demand(struct store_tx *tx, struct pass *p, struct demand *d, bool *keyed,
		      struct ps_err *err)
{
	struct wire_project pr;
	json_t *doc = NULL;
	char *why;
	int rc;

	*keyed = false;
	rc = survey_from_json(&pr, &doc, d->survey, err);
	if (rc < 0)
		return rc;
	why = hopeless(&pr);
	if (why) {
		rc = demand_set(tx, d->id, "failed", why, NULL, 0, err);
	} else if (!pr.pipelines.n) {
		*keyed = true;
		rc = demand_set_toolchain(tx, d->id, "", err);
	} else if (!p->view.build_up || !p->view.toolchain_known) {
		rc = demand_set(tx, d->id, "waiting", "toolchain",
				"the build role has not said yet which one it has", 0, err);
	} else if (!p->view.toolchain_digest) {
		rc = demand_set(tx, d->id, "waiting", "toolchain", p->view.toolchain_problem, 0,
				err);
	} else {
		for (size_t i = 0; i < pr.pipelines.n && rc == 0; i++)
			rc = need_build(tx, p, d, &pr, &pr.pipelines.v[i], err);
		if (rc == 0)
			rc = demand_set_toolchain(tx, d->id, p->view.toolchain_digest, err);
		/* the release may come in this very pass */
		d->toolchain = xstrdup(p->view.toolchain_digest);
		*keyed = rc == 0;
	}
	free(why);
	survey_from_json_clear(&pr, doc);
	return rc;
}

/* What its builds say of a demand that has no release yet. */
static int weigh_builds(struct store_tx *tx, struct pass *p, struct demand *d, struct ps_err *err)
{
	struct builds l = { NULL, 0 };
	const struct build *waits = NULL, *runs = NULL, *failed = NULL;
	char id[ID_TEXT];
	int rc = builds_of_demand(tx, d->id, &l, err);

	for (size_t i = 0; i < l.n; i++) {
		const struct build *b = &l.v[i];

		if (strcmp(b->state, "failed") == 0 || strcmp(b->state, "cancelled") == 0)
			failed = failed ? failed : b;
		else if (strcmp(b->state, "queued") == 0)
			waits = waits ? waits : b;
		else if (strcmp(b->state, "passed") != 0)
			runs = runs ? runs : b;
	}
	if (rc == 0 && failed) {
		char *why = xasprintf("build %s of %s %s: %s", id_text(id, 'b', failed->id),
				      failed->pipeline, failed->state,
				      failed->reason ? failed->reason : "no reason told");

		rc = demand_set(tx, d->id, "failed", why, NULL, 0, err);
		free(why);
	} else if (rc == 0 && runs) {
		char *detail = xasprintf("build %s of %s is %s", id_text(id, 'b', runs->id),
					 runs->pipeline, runs->state);

		rc = demand_set(tx, d->id, "active", NULL, detail, 0, err);
		free(detail);
	} else if (rc == 0 && waits) {
		/* pass_builds() comes after us: what it finds is told by the next pass */
		rc = demand_set(tx, d->id, "waiting", waits->reason ? waits->reason : "builder",
				waits->detail, 0, err);
	} else if (rc == 0) {
		rc = pass_release(tx, p, d, &l, err);
	}
	builds_clear(&l);
	return rc;
}

int pass_demands(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	struct demands l = { NULL, 0 };
	int rc = demands_open(tx, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		struct demand *d = &l.v[i];
		bool keyed = d->toolchain != NULL;

		if (d->release)
			continue;	/* its deployment speaks for it */
		if (!keyed)
			rc = key_demand(tx, p, d, &keyed, err);
		if (rc == 0 && keyed)
			rc = weigh_builds(tx, p, d, err);
	}
	demands_clear(&l);
	return rc;
}
