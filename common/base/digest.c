/* digest – see digest.h. */
#include "config.h"

#include "common/base/digest.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "common/base/late_crypto.h"

struct digest {
	EVP_MD_CTX *ctx;
};

static void to_hex(char *hex, const unsigned char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[p[i] >> 4];
		hex[2 * i + 1] = digits[p[i] & 15];
	}
	hex[2 * n] = '\0';
}

static EVP_MD_CTX *start(const EVP_MD *md)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	PS_BUG_IF(!ctx || EVP_DigestInit_ex(ctx, md, NULL) != 1, "libcrypto has no such digest");
	return ctx;
}

/* libcrypto would look this up for each digest, which takes longer than a short one itself. */
static EVP_MD *sha256;

static bool alone;

static void fetch(void)
{
	if (alone)
		OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void digest_alone(void)
{
	alone = true;
}

static const EVP_MD *fetched(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fetch);
	PS_BUG_IF(!sha256, "libcrypto has no SHA-256");
	return sha256;
}

struct digest *digest_new(void)
{
	struct digest *d = xcalloc(1, sizeof(*d));

	d->ctx = start(fetched());
	return d;
}

void digest_add(struct digest *d, const void *p, size_t n)
{
	PS_BUG_IF(EVP_DigestUpdate(d->ctx, p, n) != 1, "digest of %zu bytes failed", n);
}

void digest_end_raw(struct digest *d, unsigned char raw[DIGEST_RAW])
{
	unsigned n = 0;

	PS_BUG_IF(EVP_DigestFinal_ex(d->ctx, raw, &n) != 1 || n != DIGEST_RAW,
		  "digest did not end");
	EVP_MD_CTX_free(d->ctx);
	free(d);
}

void digest_end(struct digest *d, char hex[DIGEST_HEX])
{
	unsigned char raw[DIGEST_RAW];

	digest_end_raw(d, raw);
	to_hex(hex, raw, sizeof(raw));
}

void digest_bytes(char hex[DIGEST_HEX], const void *p, size_t n)
{
	struct digest *d = digest_new();

	digest_add(d, p, n);
	digest_end(d, hex);
}

int digest_fd(char hex[DIGEST_HEX], int fd, uint64_t *size, struct ps_err *err)
{
	struct digest *d = digest_new();
	char block[65536];
	uint64_t total = 0;
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int rc = ps_err_errno(err, "cannot read for the digest");

			digest_end(d, hex);
			return rc;
		}
		digest_add(d, block, (size_t)n);
		total += (uint64_t)n;
	}
	digest_end(d, hex);
	if (size)
		*size = total;
	return 0;
}

void digest_git_object(char hex[DIGEST_HEX], size_t digits, const char *type, const void *p,
		       size_t n)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	char head[64];
	int len = snprintf(head, sizeof(head), "%s %zu", type, n);
	EVP_MD_CTX *ctx = start(digits == PS_DIGEST_HEX ? fetched() : EVP_sha1());
	unsigned size = 0;

	PS_BUG_IF(EVP_DigestUpdate(ctx, head, (size_t)len + 1) != 1 ||
			  EVP_DigestUpdate(ctx, p, n) != 1 ||
			  EVP_DigestFinal_ex(ctx, raw, &size) != 1 || size != digits / 2,
		  "git object digest failed");
	to_hex(hex, raw, size);
	EVP_MD_CTX_free(ctx);
}

bool digest_is_hex(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}
