/* bundle – see bundle.h. */
#include "config.h"

#include "common/plan/bundle.h"

#include "common/base/digest.h"
#include "common/plan/manifest.h"

#define TYPE "penstock-release"

static int take_hex(char *out, size_t size, const json_t *doc, const char *key, struct ps_err *err)
{
	const char *text = json_string_value(json_object_get(doc, key));

	if (!text || !digest_is_hex(text, size - 1))
		return ps_err_set(err, PS_EINVAL, "its '%s' is no row of %zu digits", key,
				  size - 1);
	memcpy(out, text, size);
	return 0;
}

int bundle_from(struct bundle *b, const json_t *doc, struct ps_err *err)
{
	const json_t *type = json_object_get(doc, "type"),
		     *manifest = json_object_get(doc, "manifest");
	int rc;

	*b = (struct bundle){ .manifest = NULL };
	if (!json_is_object(doc) || (type && !ps_streq(json_string_value(type), TYPE)) ||
	    !json_is_string(manifest))
		return ps_err_set(err, PS_EINVAL,
				  "it is no release: penstock release show R --bundle writes one");
	if (type && json_integer_value(json_object_get(doc, "format")) != 1)
		return ps_err_set(err, PS_ENOTSUP,
				  "it is of another format than 1: a newer penstock wrote it");
	if (json_is_null(json_object_get(doc, "signature")))
		return ps_err_set(err, PS_ENOENT, "it has no signature");
	rc = take_hex(b->id, sizeof(b->id), doc, "digest", err);
	if (rc == 0)
		rc = take_hex(b->signature, sizeof(b->signature), doc, "signature", err);
	if (rc == 0)
		rc = take_hex(b->signed_by, sizeof(b->signed_by), doc, "signed_by", err);
	if (rc < 0)
		return rc;
	b->manifest = xstrdup(json_string_value(manifest));
	b->n = strlen(b->manifest);
	return 0;
}

json_t *bundle_json(const struct bundle *b)
{
	return json_pack("{ss si ss ss ss ss ss}", "type", TYPE, "format", 1, "digest", b->id,
			 "manifest", b->manifest, "algorithm", "ed25519", "signature", b->signature,
			 "signed_by", b->signed_by);
}

void bundle_clear(struct bundle *b)
{
	PS_FREE(b->manifest);
}

int bundle_prove(const struct bundle *b, const struct sign_public *pub, struct manifest *m,
		 struct ps_err *err)
{
	if (strcmp(pub->id, b->signed_by) != 0)
		return ps_err_set(err, PS_ECONFLICT,
				  "release %.12s is signed by the key %s, and this is the key %s",
				  b->id, b->signed_by, pub->id);
	if (!sign_fits(pub, b->manifest, b->n, b->signature))
		return ps_err_set(
			err, PS_ECONFLICT,
			"the signature of release %.12s does not fit: manifest or signature was "
			"changed",
			b->id);
	return manifest_read(m, b->manifest, b->n, b->id, err);
}

/* ---- provenance ---- */

static json_t *subject(const char *name, const char *sha256)
{
	return json_pack("{ss s{ss}}", "name", name, "digest", "sha256", sha256);
}

static json_t *subjects(const struct manifest *m, const char *id)
{
	json_t *v = json_array();

	for (size_t i = 0; i < m->nartifacts; i++)
		json_array_append_new(v, subject(m->artifacts[i].file, m->artifacts[i].sha256));
	if (!m->nartifacts)
		json_array_append_new(v, subject("release", id));
	return v;
}

/* Whatever went in, by git's own names for it. */
static json_t *dependencies(const struct manifest *m, const struct provenance_label *l)
{
	json_t *v = json_array();

	if (l->commit)
		json_array_append_new(v, json_pack("{ss s{ss}}", "name", l->repository, "digest",
						   "gitCommit", l->commit));
	json_array_append_new(
		v, json_pack("{ss s{ss}}", "name", m->project, "digest", "gitTree", m->tree));
	for (size_t i = 0; i < m->ninputs; i++)
		json_array_append_new(v, json_pack("{ss s{ss}}", "name", m->inputs[i].path,
						   "digest", "gitObject", m->inputs[i].oid));
	if (*m->toolchain)
		json_array_append_new(v, json_pack("{ss s{ss}}", "name", "toolchain", "digest",
						   "sha256", m->toolchain));
	return v;
}

json_t *provenance_json(const struct manifest *m, const struct bundle *b,
			const struct provenance_label *l)
{
	char *builder = xasprintf("urn:penstock:key:%s", b->signed_by);
	json_t *definition = json_pack(
		"{ss s{ss ss ss* ss* ss*} s{ss} so}", "buildType", "urn:penstock:release:1",
		"externalParameters", "repository", l->repository, "project", m->project, "ref",
		l->ref, "commit", l->commit, "version", l->version, "internalParameters", "release",
		b->id, "resolvedDependencies", dependencies(m, l));
	json_t *run = json_pack("{s{ss s{ss}} s{ss* ss*}}", "builder", "id", builder, "version",
				"penstock", VERSION, "metadata", "invocationId", l->event,
				"finishedOn", l->made);
	json_t *v = json_pack("{ss so ss s{so so}}", "_type", "https://in-toto.io/Statement/v1",
			      "subject", subjects(m, b->id), "predicateType",
			      "https://slsa.dev/provenance/v1", "predicate", "buildDefinition",
			      definition, "runDetails", run);

	free(builder);
	return v;
}
