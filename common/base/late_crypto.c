/* late_crypto – see late_crypto.h. */
#include "config.h"

#define LATE_CRYPTO_LOADER
#include "common/base/late_crypto.h"

#include <dlfcn.h>
#include <pthread.h>

#include "common/base/ps.h"

#define AS_TEXT(word) #word
#define NAME_OF(version) "libcrypto.so." AS_TEXT(version)

static struct late_crypto calls;

static bool find(void *library, const char *name, void *to, size_t size)
{
	void *at = dlsym(library, name);

	memcpy(to, &at, size);		/* ISO C has no conversion to a pointer to a function */
	return at != NULL;
}

#define FIND(name) && find(library, #name, &calls.name, sizeof(calls.name))

static void load(void)
{
	/* the one that was there when this was built */
	void *library = dlopen(NAME_OF(OPENSSL_SHLIB_VERSION), RTLD_LAZY | RTLD_LOCAL);
	bool loaded = library LATE_CRYPTO(FIND);

	PS_BUG_IF(!loaded, "cannot load libcrypto, install it (Debian: libssl3): %s", dlerror());
}

const struct late_crypto *late_crypto(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return &calls;
}
