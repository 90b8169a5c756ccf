/* ps – allocation that aborts, and the loud end for broken invariants. */
#include "config.h"

#include "common/base/ps.h"

#include <stdlib.h>
#include <string.h>

void ps_bug(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "penstock: BUG at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

static void *must(void *p, size_t size)
{
	if (!p) {
		fprintf(stderr, "penstock: out of memory for %zu bytes\n", size);
		abort();
	}
	return p;
}

void *xmalloc(size_t size)
{
	return must(malloc(size ? size : 1), size);
}

void *xcalloc(size_t n, size_t size)
{
	return must(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *xrealloc(void *p, size_t size)
{
	return must(realloc(p, size ? size : 1), size);
}

void *xgrow(void *p, size_t n, size_t *cap, size_t item)
{
	if (p && n < *cap)
		return p;
	*cap = *cap ? *cap * 2 : 8;
	PS_BUG_IF(*cap > SIZE_MAX / item, "array of %zu items", *cap);
	return xrealloc(p, *cap * item);
}

char *xstrdup(const char *s)
{
	return must(strdup(s), strlen(s) + 1);
}

char *xstrdup_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
	return must(strndup(s, n), n + 1);
}

void *xmemdup(const void *p, size_t n)
{
	void *copy = xmalloc(n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		must(NULL, strlen(fmt));
	return s;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}

bool ps_streq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool ps_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool ps_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}
