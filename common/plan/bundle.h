/*
 * bundle – a release in one file, to be proven where no agent is: manifest, signature, whose.
 *
 * JSON of penstock's own ({"type": "penstock-release", "format": 1, ...}); the manifest is in it as
 * the text that was signed, byte for byte. `penstock release show R --bundle` writes it, `penstock
 * verify FILE` reads it.
 */
#ifndef PS_BUNDLE_H
#define PS_BUNDLE_H

#include <jansson.h>

#include "common/base/sign.h"

struct manifest;

struct bundle {
	char id[65], signature[SIGN_HEX], signed_by[SIGN_ID];
	char *manifest;
	size_t n;
};

/* From an object with the members digest, manifest, signature and signed_by, as the API gives a
 * release; or from a bundle. PS_EINVAL says what is missing; a release without signature is
 * PS_ENOENT. */
int bundle_from(struct bundle *b, const json_t *doc, struct ps_err *err) PS_MUSTCHECK;
json_t *bundle_json(const struct bundle *b);
void bundle_clear(struct bundle *b);
/* Proves that pub's key signed it and that the manifest is the id's; reads it into m. PS_ECONFLICT
 * says what does not hold. */
int bundle_prove(const struct bundle *b, const struct sign_public *pub, struct manifest *m,
		 struct ps_err *err) PS_MUSTCHECK;

/* How a release was reached, for its provenance. All but repository may be NULL. */
struct provenance_label {
	const char *repository, *ref, *commit, *version, *event, *made;
};
/*
 * An in-toto statement (https://in-toto.io/Statement/v1) with SLSA's predicate about how each
 * artifact came to be. A release without artifacts is its own subject. The statement is not signed
 * by itself: what it says of artifacts is in the signed manifest, and the id of both keys it to
 * that.
 */
json_t *provenance_json(const struct manifest *m, const struct bundle *b,
			const struct provenance_label *l);

#endif
