/*
 * sign – Ed25519 signatures and the two halves of a key. Wraps libcrypto.
 *
 * A key's id is the first 16 digits of the SHA-256 of its public half as DER, so that others get it
 * too: openssl pkey -pubin -in KEY -outform DER | sha256sum. A signature is over the bytes
 * themselves, not over a digest of them (openssl pkeyutl -verify -rawin).
 */
#ifndef PS_SIGN_H
#define PS_SIGN_H

#include "common/base/err.h"

struct buf;

enum { SIGN_RAW = 32, SIGN_ID = 17, SIGN_HEX = 129, SIGN_PEM_MAX = 4096 };

struct sign_public {
	unsigned char raw[SIGN_RAW];
	char id[SIGN_ID];
};

struct sign_key {
	unsigned char secret[SIGN_RAW];
	struct sign_public pub;
};

int sign_key_make(struct sign_key *k, struct ps_err *err) PS_MUSTCHECK;
/* From PEM (PKCS#8). PS_EINVAL: no Ed25519 key. */
int sign_key_read(struct sign_key *k, const char *pem, size_t n, struct ps_err *err) PS_MUSTCHECK;
int sign_key_pem(const struct sign_key *k, struct buf *out, struct ps_err *err) PS_MUSTCHECK;
void sign_key_clear(struct sign_key *k); /* overwrites */

/* From PEM; what stands in front of it is skipped. */
int sign_public_read(struct sign_public *p, const char *pem, size_t n,
		     struct ps_err *err) PS_MUSTCHECK;
int sign_public_pem(const struct sign_public *p, struct buf *out, struct ps_err *err) PS_MUSTCHECK;

int sign_bytes(const struct sign_key *k, const void *p, size_t n, char hex[SIGN_HEX],
	       struct ps_err *err) PS_MUSTCHECK;
/* Is hex the signature of these bytes by this key? */
bool sign_fits(const struct sign_public *pub, const void *p, size_t n, const char *hex);

#endif
