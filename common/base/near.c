/* near – see near.h. */
#include "config.h"

#include "common/base/near.h"

bool near_one_away(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	if (na == nb)
		return na && (strcmp(a + i + 1, b + i + 1) == 0 ||
			      (a[i + 1] && a[i] == b[i + 1] && a[i + 1] == b[i] &&
			       strcmp(a + i + 2, b + i + 2) == 0));
	if (na + 1 == nb)
		return strcmp(a + i, b + i + 1) == 0;
	return nb + 1 == na && strcmp(a + i + 1, b + i) == 0;
}
