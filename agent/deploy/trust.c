/* trust – see trust.h. */
#include "config.h"

#include "agent/deploy/trust.h"

#include "common/config/keys.h"
#include "common/plan/manifest.h"

/* Whose signature, by the public keys that lie here: core does not say which are good. */
static int check_signature(const struct wire_deploy_start *d, const char *keys, struct ps_err *err)
{
	const struct key_known *k;
	struct keys_known known;
	int rc;

	if (!d->signature || !d->signed_by)
		return ps_err_set(err, PS_ECONFLICT,
				  "release %.12s has no signature; once there is a key "
				  "(penstock key rotate makes one), core signs it",
				  d->release);
	rc = keys_list(&known, keys, err);
	if (rc < 0)
		return rc;
	k = keys_find(&known, d->signed_by);
	if (!k)
		rc = ps_err_set(err, PS_ECONFLICT,
				"release %.12s is signed by the key %s, which is not among "
				"the public keys in '%s'; see: penstock key list",
				d->release, d->signed_by, keys);
	else if (!sign_fits(&k->pub, d->manifest.p, d->manifest.n, d->signature))
		rc = ps_err_set(err, PS_ECONFLICT,
				"the signature of release %.12s does not fit the key %s: "
				"manifest or signature was changed; see: penstock verify %.12s",
				d->release, d->signed_by, d->release);
	keys_clear(&known);
	return rc;
}

static int check_artifact(const struct manifest *m, const struct wire_artifact *a,
			  struct ps_err *err)
{
	const char *slash = strrchr(a->path, '/'), *file = slash ? slash + 1 : a->path;
	const struct manifest_artifact *is = manifest_artifact_named(m, file);

	if (is && strcmp(is->sha256, a->digest) == 0)
		return 0;
	return ps_err_set(err, PS_ECONFLICT,
			  "'%s' with the digest %.12s is not in the signed manifest%s%.12s", file,
			  a->digest, is ? ", which says " : "", is ? is->sha256 : "");
}

int deploy_trust(const struct wire_deploy_start *d, const char *keys, struct ps_err *err)
{
	struct manifest m;
	int rc = check_signature(d, keys, err);

	if (rc == 0)
		rc = manifest_read(&m, d->manifest.p, d->manifest.n, d->release, err);
	if (rc < 0)
		return rc;
	if (strcmp(m.project, d->project) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "release %.12s is one of project %s, not of %s",
				d->release, m.project, d->project);
	for (size_t i = 0; i < d->artifacts.n && rc == 0; i++)
		rc = check_artifact(&m, &d->artifacts.v[i], err);
	manifest_clear(&m);
	return rc;
}
