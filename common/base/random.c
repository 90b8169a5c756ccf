/* random – random_hex() of digest.h. Apart from digest.c because the hook links no libcrypto. */
#include "config.h"

#include <errno.h>
#include <sys/random.h>

#include "common/base/digest.h"

void random_hex(char *out, size_t n)
{
	unsigned char raw[64];

	PS_BUG_IF(n > sizeof(raw), "random id of %zu bytes", n);
	for (size_t got = 0; got < n;) {
		ssize_t r = getrandom(raw + got, n - got, 0);

		PS_BUG_IF(r < 0 && errno != EINTR, "getrandom: %s", strerror(errno));
		if (r > 0)
			got += (size_t)r;
	}
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
}
