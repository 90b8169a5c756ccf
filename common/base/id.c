/* id – see id.h. */
#include "config.h"

#include "common/base/id.h"

#include <errno.h>

const char *id_text(char *out, char kind, int64_t n)
{
	snprintf(out, ID_TEXT, "%c%lld", kind, (long long)n);
	return out;
}

bool id_parse(const char *s, char kind, int64_t *n)
{
	char *end;
	long long v;

	if (*s == kind)
		s++;
	if (*s < '1' || *s > '9')
		return false;
	errno = 0;
	v = strtoll(s, &end, 10);
	if (errno || *end)
		return false;
	*n = v;
	return true;
}

char id_kind(const char *s)
{
	int64_t n;

	return *s && strchr("ebtdx", *s) && id_parse(s, *s, &n) ? *s : 0;
}
