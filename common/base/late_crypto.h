/*
 * late_crypto – libcrypto loaded when the first digest or key is asked for. Programs that need it
 * always link it besides; for a short `penstock` that does not, it is most of the start.
 *
 * Whoever includes this calls it by its own names. Where it cannot be loaded the program stops, as
 * it would at its start.
 */
#ifndef PS_LATE_CRYPTO_H
#define PS_LATE_CRYPTO_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

/* Every function of it that common/base calls. */
#define LATE_CRYPTO(X) \
	X(BIO_ctrl) X(BIO_free) X(BIO_new) X(BIO_new_mem_buf) X(BIO_s_mem) X(CRYPTO_free) \
	X(EVP_DigestFinal_ex) X(EVP_DigestInit_ex) X(EVP_DigestSign) \
	X(EVP_DigestSignInit) X(EVP_DigestUpdate) X(EVP_DigestVerify) \
	X(EVP_DigestVerifyInit) X(EVP_MD_CTX_free) X(EVP_MD_CTX_new) X(EVP_MD_fetch) \
	X(EVP_PKEY_Q_keygen) X(EVP_PKEY_free) X(EVP_PKEY_get_id) \
	X(EVP_PKEY_get_raw_private_key) X(EVP_PKEY_get_raw_public_key) \
	X(EVP_PKEY_new_raw_private_key) X(EVP_PKEY_new_raw_public_key) X(EVP_sha1) \
	X(EVP_sha256) X(OPENSSL_init_crypto) X(PEM_read_bio_PUBKEY) \
	X(PEM_read_bio_PrivateKey) X(PEM_write_bio_PKCS8PrivateKey) \
	X(PEM_write_bio_PUBKEY) X(i2d_PUBKEY)

struct late_crypto {
#define LATE_CRYPTO_FIELD(name) __typeof__(name) *name;
	LATE_CRYPTO(LATE_CRYPTO_FIELD)
#undef LATE_CRYPTO_FIELD
};

const struct late_crypto *late_crypto(void);

#ifndef LATE_CRYPTO_LOADER
#define BIO_ctrl late_crypto()->BIO_ctrl
#define BIO_free late_crypto()->BIO_free
#define BIO_new late_crypto()->BIO_new
#define BIO_new_mem_buf late_crypto()->BIO_new_mem_buf
#define BIO_s_mem late_crypto()->BIO_s_mem
#define CRYPTO_free late_crypto()->CRYPTO_free
#define EVP_DigestFinal_ex late_crypto()->EVP_DigestFinal_ex
#define EVP_DigestInit_ex late_crypto()->EVP_DigestInit_ex
#define EVP_DigestSign late_crypto()->EVP_DigestSign
#define EVP_DigestSignInit late_crypto()->EVP_DigestSignInit
#define EVP_DigestUpdate late_crypto()->EVP_DigestUpdate
#define EVP_DigestVerify late_crypto()->EVP_DigestVerify
#define EVP_DigestVerifyInit late_crypto()->EVP_DigestVerifyInit
#define EVP_MD_CTX_free late_crypto()->EVP_MD_CTX_free
#define EVP_MD_CTX_new late_crypto()->EVP_MD_CTX_new
#define EVP_MD_fetch late_crypto()->EVP_MD_fetch
#define EVP_PKEY_Q_keygen late_crypto()->EVP_PKEY_Q_keygen
#define EVP_PKEY_free late_crypto()->EVP_PKEY_free
#define EVP_PKEY_get_id late_crypto()->EVP_PKEY_get_id
#define EVP_PKEY_get_raw_private_key late_crypto()->EVP_PKEY_get_raw_private_key
#define EVP_PKEY_get_raw_public_key late_crypto()->EVP_PKEY_get_raw_public_key
#define EVP_PKEY_new_raw_private_key late_crypto()->EVP_PKEY_new_raw_private_key
#define EVP_PKEY_new_raw_public_key late_crypto()->EVP_PKEY_new_raw_public_key
#define EVP_sha1 late_crypto()->EVP_sha1
#define EVP_sha256 late_crypto()->EVP_sha256
#define OPENSSL_init_crypto late_crypto()->OPENSSL_init_crypto
#define PEM_read_bio_PUBKEY late_crypto()->PEM_read_bio_PUBKEY
#define PEM_read_bio_PrivateKey late_crypto()->PEM_read_bio_PrivateKey
#define PEM_write_bio_PKCS8PrivateKey late_crypto()->PEM_write_bio_PKCS8PrivateKey
#define PEM_write_bio_PUBKEY late_crypto()->PEM_write_bio_PUBKEY
#define i2d_PUBKEY late_crypto()->i2d_PUBKEY
#endif

#endif
