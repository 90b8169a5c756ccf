/* sign – see sign.h. */
#include "config.h"

#include "common/base/sign.h"

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/late_crypto.h"

enum { SIGNATURE = (SIGN_HEX - 1) / 2 };

static EVP_PKEY *as_public(const struct sign_public *p)
{
	return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, p->raw, SIGN_RAW);
}

static EVP_PKEY *as_private(const struct sign_key *k)
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->secret, SIGN_RAW);
}

/* The public half of a pair, and its id. */
static int take_public(struct sign_public *p, EVP_PKEY *pkey, struct ps_err *err)
{
	unsigned char *der = NULL;
	size_t n = SIGN_RAW;
	char hex[DIGEST_HEX];
	int len;

	if (!pkey || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519 ||
	    EVP_PKEY_get_raw_public_key(pkey, p->raw, &n) != 1 || n != SIGN_RAW)
		return ps_err_set(err, PS_EINVAL, "it is no Ed25519 key");
	len = i2d_PUBKEY(pkey, &der);
	if (len <= 0)
		return ps_err_set(err, PS_EIO, "libcrypto cannot write the key");
	digest_bytes(hex, der, (size_t)len);
	OPENSSL_free(der);
	snprintf(p->id, sizeof(p->id), "%.16s", hex);
	return 0;
}

static int take_private(struct sign_key *k, EVP_PKEY *pkey, struct ps_err *err)
{
	size_t n = SIGN_RAW;
	int rc = take_public(&k->pub, pkey, err);

	if (rc == 0 && (EVP_PKEY_get_raw_private_key(pkey, k->secret, &n) != 1 || n != SIGN_RAW))
		rc = ps_err_set(err, PS_EINVAL, "it is no Ed25519 key");
	return rc;
}

int sign_key_make(struct sign_key *k, struct ps_err *err)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	int rc = take_private(k, pkey, err);

	EVP_PKEY_free(pkey);
	return rc < 0 ? ps_err_prefix(err, "cannot make an Ed25519 key") : 0;
}

int sign_key_read(struct sign_key *k, const char *pem, size_t n, struct ps_err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)n);
	/* a passphrase is not asked for: nobody sits there */
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
	int rc = take_private(k, pkey, err);

	EVP_PKEY_free(pkey);
	BIO_free(bio);
	return rc;
}

int sign_public_read(struct sign_public *p, const char *pem, size_t n, struct ps_err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)n);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	int rc = take_public(p, pkey, err);

	EVP_PKEY_free(pkey);
	BIO_free(bio);
	return rc;
}

static int write_pem(EVP_PKEY *pkey, bool private, struct buf *out, struct ps_err *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long n = 0;
	bool ok = bio && pkey &&
		  (private ? PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
			   : PEM_write_bio_PUBKEY(bio, pkey)) == 1;

	if (ok && (n = BIO_get_mem_data(bio, &data)) > 0)
		buf_add(out, data, (size_t)n);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return ok && n > 0 ? 0 : ps_err_set(err, PS_EIO, "libcrypto cannot write the key");
}

int sign_key_pem(const struct sign_key *k, struct buf *out, struct ps_err *err)
{
	return write_pem(as_private(k), true, out, err);
}

int sign_public_pem(const struct sign_public *p, struct buf *out, struct ps_err *err)
{
	return write_pem(as_public(p), false, out, err);
}

void sign_key_clear(struct sign_key *k)
{
	explicit_bzero(k, sizeof(*k));
}

int sign_bytes(const struct sign_key *k, const void *p, size_t n, char hex[SIGN_HEX],
	       struct ps_err *err)
{
	EVP_PKEY *pkey = as_private(k);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char raw[SIGNATURE];
	size_t len = sizeof(raw);
	bool ok = pkey && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
		  EVP_DigestSign(ctx, raw, &len, p, n) == 1 && len == sizeof(raw);

	for (size_t i = 0; ok && i < sizeof(raw); i++)
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return ok ? 0
		  : ps_err_set(err, PS_EIO, "libcrypto cannot sign with the key '%s'", k->pub.id);
}

static unsigned nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

bool sign_fits(const struct sign_public *pub, const void *p, size_t n, const char *hex)
{
	unsigned char raw[SIGNATURE];
	EVP_PKEY *pkey;
	EVP_MD_CTX *ctx;
	bool fits;

	if (!digest_is_hex(hex, SIGN_HEX - 1))
		return false;
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	pkey = as_public(pub);
	ctx = EVP_MD_CTX_new();
	fits = pkey && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	       EVP_DigestVerify(ctx, raw, sizeof(raw), p, n) == 1;
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	return fits;
}
