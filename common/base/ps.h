/*
 * ps.h – what every file of penstock may lean on: attributes, limits, the allocation family.
 *
 * Allocation aborts when memory runs out: sizes that come from a stranger are bounded before they
 * reach these functions, so running out is never a peer's doing.
 */
#ifndef PS_H
#define PS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PS_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define PS_MUSTCHECK __attribute__((warn_unused_result))
#define PS_NORETURN __attribute__((noreturn))
#define PS_UNUSED __attribute__((unused))
#define PS_NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define PS_BIT(n) (1u << (n))

/* Stops the program loudly: an invariant of ours is broken and going on would write nonsense. */
#define PS_BUG_IF(cond, ...)                                       \
	do {                                                       \
		if (cond)                                          \
			ps_bug(__FILE__, __LINE__, __VA_ARGS__);   \
	} while (0)

/* Limits that more than one module needs to agree on. Sizes in bytes. */
enum {
	PS_OID_HEX_MAX = 64,		/* SHA-256 object names; SHA-1 names have 40 */
	PS_DIGEST_HEX = 64,		/* SHA-256 in hex */
	PS_REF_MAX = 1024,		/* length of a ref name */
	PS_NAME_MAX = 255,		/* a name of ours: team, fabric, environment, toolchain */
	PS_PUSH_REFS_MAX = 10000,	/* commands of one push */
	PS_YAML_MAX = 4 << 20,		/* pbt_project.yml; beyond it is "not checked" */
	PS_JSON_MAX = 32 << 20,		/* job and workflow JSON */
	PS_DEPTH_MAX = 200,		/* nesting of YAML and JSON */
};

void ps_bug(const char *file, int line, const char *fmt, ...) PS_NORETURN PS_PRINTF(3, 4);

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
/* Grows an array of n items to n + 1, doubling; *cap is kept by the caller. */
void *xgrow(void *p, size_t n, size_t *cap, size_t item) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
/* NULL for NULL. */
char *xstrdup_null(const char *s);
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void *xmemdup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) PS_PRINTF(1, 2) __attribute__((returns_nonnull));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((returns_nonnull));

/* NULL-tolerant comparison: two NULLs are equal. */
bool ps_streq(const char *a, const char *b);
bool ps_starts(const char *s, const char *prefix);
bool ps_ends(const char *s, const char *suffix);
/* Frees *p and sets it to NULL; for struct members that may be freed twice. */
#define PS_FREE(p)          \
	do {                \
		free(p);    \
		(p) = NULL; \
	} while (0)

#endif
