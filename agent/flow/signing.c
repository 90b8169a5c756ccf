/* signing – see signing.h. */
#include "config.h"

#include "agent/flow/signing.h"

#include "agent/store/release.h"
#include "common/base/digest.h"
#include "common/base/log.h"

enum { MANY = 100000 };

static int sign_one(struct store_tx *tx, const struct sign_key *key, const struct release *r,
		    size_t *n, struct ps_err *err)
{
	char digest[DIGEST_HEX], signature[SIGN_HEX];
	int rc;

	digest_bytes(digest, r->manifest, strlen(r->manifest));
	if (strcmp(digest, r->id) != 0) {
		log_error("release", NULL, "%.12s is not signed: its manifest has the digest %.12s",
			  r->id, digest);
		return 0;
	}
	rc = sign_bytes(key, r->manifest, strlen(r->manifest), signature, err);
	if (rc == 0)
		rc = release_sign(tx, r->id, signature, key->pub.id, err);
	*n += rc == 0;
	return rc;
}

int signing_run(struct store_tx *tx, const struct sign_key *key, size_t *signed_now,
		struct ps_err *err)
{
	struct releases l;
	int rc = releases_unsigned(tx, MANY, &l, err);

	*signed_now = 0;
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = sign_one(tx, key, &l.v[i], signed_now, err);
	releases_clear(&l);
	return rc;
}
