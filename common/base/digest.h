/*
 * digest – SHA-256, in hex, of bytes and of files; and random ids. Wraps libcrypto.
 */
#ifndef PS_DIGEST_H
#define PS_DIGEST_H

#include "common/base/err.h"

enum {
	DIGEST_HEX = PS_DIGEST_HEX + 1,		/* buffer size with NUL */
	DIGEST_RAW = PS_DIGEST_HEX / 2,
};

struct digest;		/* a running SHA-256 */

struct digest *digest_new(void);
void digest_add(struct digest *d, const void *p, size_t n);
/* Writes the hex of everything added and frees d. */
void digest_end(struct digest *d, char hex[DIGEST_HEX]);
void digest_end_raw(struct digest *d, unsigned char raw[DIGEST_RAW]);

/* This process needs libcrypto for digests alone, and never for TLS: the machine's openssl.cnf is
 * not read, which takes longer than a short check. Before all others. */
void digest_alone(void);

void digest_bytes(char hex[DIGEST_HEX], const void *p, size_t n);
/* Reads fd from its position to the end. *size (may be NULL) is set to the bytes read. */
int digest_fd(char hex[DIGEST_HEX], int fd, uint64_t *size, struct ps_err *err) PS_MUSTCHECK;
/* The object name git would give, over "<type> <len>\0<bytes>": SHA-1 where names have 40 digits,
 * SHA-256 where they have 64. */
void digest_git_object(char hex[DIGEST_HEX], size_t digits, const char *type, const void *p,
		       size_t n);
/* True for exactly n lower-case hex digits and nothing behind. */
bool digest_is_hex(const char *s, size_t n);
/* n random bytes as 2n hex digits and NUL; aborts when the kernel gives none. */
void random_hex(char *out, size_t n);

#endif
