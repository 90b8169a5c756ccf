/* content – see content.h. */
#include "config.h"

#include "agent/flow/content.h"

#include "common/plan/buildkey.h"

struct wire_tree_input *content_inputs(const struct wire_project *pr,
				       const struct wire_pipeline *pl, size_t *n)
{
	struct wire_tree_input *v = xcalloc(pr->shared.n + 1, sizeof(*v));

	v[0] = (struct wire_tree_input) { .path = pl->key, .oid = pl->oid, .is_dir = true };
	for (size_t i = 0; i < pr->shared.n; i++)
		v[i + 1] = pr->shared.v[i];
	*n = pr->shared.n + 1;
	return v;
}

/* The SHA-256 of the project file reduced to it, or what somebody has made of that already. */
static const char *reduced_digest(const struct wire_pipeline *pl, char hex[DIGEST_HEX])
{
	if (pl->reduced_digest)
		return pl->reduced_digest;
	digest_bytes(hex, pl->reduced, strlen(pl->reduced));
	return hex;
}

int content_key(const struct wire_pipeline *pl, const struct wire_tree_input *in, size_t n,
		const char *toolchain, char key[DIGEST_HEX], struct ps_err *err)
{
	struct buildkey_input *ki = xcalloc(n, sizeof(*ki));
	char hex[DIGEST_HEX];
	struct buildkey k = {
		.pipeline = pl->key, .inputs = ki, .ninputs = n,
		.project_digest = reduced_digest(pl, hex), .toolchain_digest = toolchain,
		.arch = buildkey_arch(),
	};
	int rc;

	PS_BUG_IF(!buildkey_recipe(pl->language, &k.recipe, &k.recipe_revision), "no recipe for %s",
		  pl->key);
	for (size_t i = 0; i < n; i++)
		ki[i] = (struct buildkey_input) { in[i].path, in[i].oid, in[i].is_dir };
	rc = buildkey_make(key, &k, err);
	free(ki);
	return rc;
}

char *content_hopeless(const struct wire_project *pr)
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

static const struct build *build_of(const struct builds *l, const char *pipeline)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].pipeline, pipeline) == 0)
			return &l->v[i];
	return NULL;
}

void content_manifest(struct manifest *m, const struct wire_project *pr,
		      const struct builds *builds, const char *toolchain)
{
	*m = (struct manifest) { .project = (char *)pr->path, .tree = (char *)pr->oid,
				 .toolchain = (char *)toolchain };
	m->inputs = xcalloc(pr->shared.n, sizeof(*m->inputs));
	for (size_t i = 0; i < pr->shared.n; i++)
		m->inputs[m->ninputs++] = (struct manifest_input) { (char *)pr->shared.v[i].path,
								    (char *)pr->shared.v[i].oid };
	m->artifacts = xcalloc(pr->pipelines.n, sizeof(*m->artifacts));
	for (size_t i = 0; i < pr->pipelines.n; i++) {
		const struct wire_pipeline *pl = &pr->pipelines.v[i];
		const struct build *b = build_of(builds, pl->key);
		struct manifest_artifact *a = &m->artifacts[m->nartifacts++];

		PS_BUG_IF(!b || !b->digest || !b->name, "a passed build of %s has no artifact",
			  pl->key);
		*a = (struct manifest_artifact) { .pipeline = (char *)pl->key, .file = b->name,
						  .size = b->size };
		snprintf(a->sha256, sizeof(a->sha256), "%s", b->digest);
		a->instances = xcalloc(pl->instances.n, sizeof(*a->instances));
		for (size_t k = 0; k < pl->instances.n; k++)
			a->instances[a->ninstances++] = (char *)pl->instances.v[k];
	}
	m->jobs = xcalloc(pr->jobs.n, sizeof(*m->jobs));
	for (size_t i = 0; i < pr->jobs.n; i++) {
		const struct wire_job *j = &pr->jobs.v[i];
		struct manifest_job *to = &m->jobs[m->njobs++];

		*to = (struct manifest_job) { .key = (char *)j->key, .name = (char *)j->name,
					      .provider = (char *)j->provider,
					      .fabric_id = j->fabric_id };
		to->files = xcalloc(j->files.n, sizeof(*to->files));
		for (size_t k = 0; k < j->files.n; k++) {
			struct manifest_file *f = &to->files[to->nfiles++];

			f->path = (char *)j->files.v[k].path;
			snprintf(f->sha256, sizeof(f->sha256), "%s", j->files.v[k].digest);
		}
	}
}

void content_manifest_drop(struct manifest *m)
{
	for (size_t i = 0; i < m->nartifacts; i++)
		free(m->artifacts[i].instances);
	for (size_t i = 0; i < m->njobs; i++)
		free(m->jobs[i].files);
	free(m->inputs);
	free(m->artifacts);
	free(m->jobs);
}
