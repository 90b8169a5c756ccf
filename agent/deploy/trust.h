/*
 * trust – is what shall be deployed what was built, tested and signed?
 */
#ifndef PS_DEPLOY_TRUST_H
#define PS_DEPLOY_TRUST_H

#include "common/wire/msg.h"

/*
 * The manifest has the digest that is the release's id, one of the public keys in the folder `keys`
 * fits the signature, the project is the one deployed, and each artifact is one that the manifest
 * names, by file name and digest. (That bytes have their digest is checked where they are read.)
 * PS_ECONFLICT says what does not hold.
 */
int deploy_trust(const struct wire_deploy_start *d, const char *keys,
		 struct ps_err *err) PS_MUSTCHECK;

#endif
