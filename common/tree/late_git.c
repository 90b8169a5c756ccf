/* late_git – see late_git.h. */
#include "config.h"

#include "common/tree/late_git.h"

#include <dlfcn.h>

struct late_git late_git;

static bool find(void *library, const char *name, void *to, size_t size)
{
	void *at = dlsym(library, name);

	memcpy(to, &at, size);		/* ISO C has no conversion to a pointer to a function */
	return at != NULL;
}

#define FIND(name) && find(library, "git_" #name, &late_git.name, sizeof(late_git.name))

int late_git_load(struct ps_err *err)
{
	static bool loaded;
	void *library;

	if (loaded)
		return 0;
	/* the one that was there when this was built: another may have other functions and flags */
	library = dlopen("libgit2.so." LIBGIT2_SOVERSION, RTLD_LAZY | RTLD_LOCAL);
	loaded = library LATE_GIT(FIND);
	if (loaded)
		return 0;
	ps_err_set(err, PS_EIO, "cannot load libgit2, install it (Debian: libgit2-%s): %s",
		   LIBGIT2_SOVERSION, dlerror());
	if (library)
		dlclose(library);
	return PS_EIO;
}
