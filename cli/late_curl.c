/* late_curl – see late_curl.h. */
#include "config.h"

#include "cli/late_curl.h"

#include <dlfcn.h>

static bool find(void *library, const char *name, void *to, size_t size)
{
	void *at = dlsym(library, name);

	memcpy(to, &at, size);		/* ISO C has no conversion to a pointer to a function */
	return at != NULL;
}

#define FIND(function) find(library, "curl_" #function, &calls.function, sizeof(calls.function))

const struct late_curl *late_curl(struct ps_err *err)
{
	static struct late_curl calls;
	static bool loaded;
	void *library;

	if (loaded)
		return &calls;
	library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);	/* so named since 7.16.0 */
	loaded = library && FIND(easy_init) && FIND(easy_setopt) && FIND(easy_perform) &&
		FIND(easy_getinfo) && FIND(easy_cleanup) && FIND(easy_strerror) &&
		FIND(slist_append) && FIND(slist_free_all);
	if (loaded)
		return &calls;
	ps_err_set(err, PS_EIO, "cannot load libcurl, install it (Debian: libcurl4): %s",
		   dlerror());
	if (library)
		dlclose(library);
	return NULL;
}
