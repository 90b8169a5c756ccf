/* config_root – roots of repositories against the real file system, and who may speak in them. */
#include <config.h>

#include "common/config/config.h"

#include <errno.h>
#include <pwd.h>
#include <unistd.h>

#include "common/base/fsutil.h"

char *config_root_path(const struct conf_root *r, const char *base)
{
	char *path = r->path[0] == '/' ? xstrdup(r->path) : fs_join(base, r->path);
	char *real = realpath(path, NULL);

	if (!real)
		return path;
	free(path);
	return real;
}

/* What is behind root in path: "a/b" for /srv/git and /srv/git/a/b; NULL when it is not below. */
static const char *below(const char *root, const char *path)
{
	size_t n = strlen(root);

	while (n && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) != 0 || path[n] != '/')
		return NULL;
	path += n;
	while (*path == '/')
		path++;
	return *path ? path : NULL;
}

/* The deepest root that holds it: one root may lie inside another. */
const struct conf_root *config_root_of(const struct config *c, const char *base,
				       const char *repo_path, char **name)
{
	const struct conf_root *found = NULL;
	const char *rest = NULL;
	size_t n;

	*name = NULL;
	for (size_t i = 0; i < c->nroots; i++) {
		char *root = config_root_path(&c->roots[i], base);
		const char *r = below(root, repo_path);

		if (r && (!rest || r > rest)) {
			rest = r;
			found = &c->roots[i];
		}
		free(root);
	}
	if (!found)
		return NULL;
	n = strlen(rest);
	while (n && rest[n - 1] == '/')
		n--;
	if (n >= 4 && memcmp(rest + n - 4, ".git", 4) == 0)
		n -= 4;
	while (n && rest[n - 1] == '/')		/* REPO/.git of a repository with a working tree */
		n--;
	if (!n)
		/* the root itself is a repository: it has no name here */
		return NULL;
	*name = xstrndup(rest, n);
	return found;
}

/* Digits are a uid; anything else is asked of the system's accounts. */
static bool uid_of(const char *entry, uint32_t *uid)
{
	struct passwd *pw;
	char *end;
	unsigned long n;

	if (entry[strspn(entry, "0123456789")] == '\0') {
		errno = 0;
		n = strtoul(entry, &end, 10);
		*uid = (uint32_t)n;
		return !errno && n < UINT32_MAX;
	}
	pw = getpwnam(entry);
	if (pw)
		*uid = pw->pw_uid;
	return pw != NULL;
}

bool config_root_admits(const struct conf_root *r, uint32_t uid)
{
	uint32_t is = 0;

	for (size_t i = 0; i < r->hook_users.n; i++)
		if (uid_of(r->hook_users.v[i], &is) && is == uid)
			return true;
	return false;
}

int config_check_trust(const struct config *c, const char *instance, uint32_t store_uid,
		       struct ps_err *err)
{
	char *real;
	bool system;

	if (!c->trusted_caller)
		return 0;
	real = realpath(instance, NULL);
	system = ps_streq(real ? real : instance, "/etc/penstock") ||
		 ps_starts(real ? real : instance, "/etc/penstock/");
	free(real);
	if (system)
		return ps_err_set(err, PS_ECONFIG,
				  "'identity.trusted_caller' (line %u) is refused under "
				  "'/etc/penstock': it is for one person's own instance; remove it",
				  c->trusted_pos.line);
	if (store_uid != geteuid())
		return ps_err_set(err, PS_ECONFIG,
				  "'identity.trusted_caller' (line %u) is refused: the store "
				  "belongs to uid %u and not to the caller; remove it",
				  c->trusted_pos.line, store_uid);
	return 0;
}
