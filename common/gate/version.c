/* version – see version.h. */
#include "config.h"

#include "common/gate/version.h"

#include <ctype.h>

const char *version_of_tag(const char *tag)
{
	const char *slash = strrchr(tag, '/'), *v = slash ? slash + 1 : tag;

	v += *v == 'v';
	return isdigit((unsigned char)*v) ? v : NULL;
}

/* Without a v before it; the length is without .0 behind it. */
static size_t core_length(const char **version)
{
	size_t n;

	*version += **version == 'v';
	n = strlen(*version);
	while (n > 2 && strspn(*version, "0123456789.") >= n && (*version)[n - 1] == '0' &&
	       (*version)[n - 2] == '.')
		n -= 2;
	return n;
}

bool version_same(const char *a, const char *b)
{
	size_t n = core_length(&a), m = core_length(&b);

	return n == m && memcmp(a, b, n) == 0;
}

/* The next number of a dotted version; false at its end. */
static bool next_number(const char **at, unsigned long long *n)
{
	*n = 0;
	if (!isdigit((unsigned char)**at))
		return false;
	for (; isdigit((unsigned char)**at); ++*at)
		*n = *n > 1000000000000ULL ? *n : *n * 10 + (unsigned long long)(**at - '0');
	if (**at == '.')
		++*at;
	return true;
}

bool version_higher(const char *a, const char *b, bool *known)
{
	unsigned long long x, y;
	bool more = true;

	a += *a == 'v';
	b += *b == 'v';
	*known = isdigit((unsigned char)*a) && isdigit((unsigned char)*b);
	while (*known && more) {
		bool p = next_number(&a, &x), q = next_number(&b, &y);

		if (x != y)
			return x > y;
		more = p || q;
	}
	/* numbers are equal: what is left, like -rc1, comes before nothing; of two nobody knows */
	if (*a && *b && strcmp(a, b) != 0)
		*known = false;
	return *known && !*a && *b;
}
