/* users – see users.h. */
#include "config.h"

#include "agent/users.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/log.h"

enum { GROUPS_MAX = 64 };

static const char *const names[ROLE_COUNT] = {
	[ROLE_CORE] = "core",
	[ROLE_GATE] = "gate",
	[ROLE_BUILD] = "build",
	[ROLE_DEPLOY] = "deploy",
};

static const struct conf_role *role_of(const struct config *cfg, enum role_no no)
{
	for (size_t i = 0; i < cfg->nroles; i++)
		if (strcmp(cfg->roles[i].name, names[no]) == 0)
			return &cfg->roles[i];
	return NULL;
}

static int find_one(struct users *u, enum role_no no, const char *name, struct ps_err *err)
{
	struct user *it = &u->of[no];
	const struct passwd *pw = getpwnam(name);

	if (!pw)
		return ps_err_set(err, PS_ECONFIG,
				  "the user '%s' of the %s role (roles: in penstock.yml) is not on "
				  "this machine; make it by: adduser --system --group %s",
				  name, names[no], name);
	if (pw->pw_uid == 0)
		return ps_err_set(err, PS_ECONFIG,
				  "the %s role cannot be root; name a user of its own under "
				  "roles: in penstock.yml", names[no]);
	for (int i = 0; i < (int)no; i++)
		if (u->of[i].uid == pw->pw_uid)
			return ps_err_set(err, PS_ECONFIG,
					  "the roles %s and %s have one user, '%s'; give each its "
					  "own under roles: in penstock.yml",
					  names[i], names[no], name);
	*it = (struct user){ .name = xstrdup(name),
			     .home = xstrdup(pw->pw_dir),
			     .uid = pw->pw_uid,
			     .gid = pw->pw_gid,
			     .groups = xcalloc(GROUPS_MAX + 1, sizeof(gid_t)) };
	return 0;
}

/* The gate reads repositories by the groups of its account. A sandbox keeps the groups of who
 * starts it: the build role has none. */
static int find_groups(struct users *u, enum role_no no, struct ps_err *err)
{
	struct user *it = &u->of[no];
	int n = GROUPS_MAX;

	if (no == ROLE_BUILD)
		return 0;
	if (no == ROLE_GATE) {
		if (getgrouplist(it->name, it->gid, it->groups, &n) < 0)
			return ps_err_set(err, PS_ECONFIG,
					  "the user '%s' of the gate role is in more than "
					  "%d groups", it->name, GROUPS_MAX);
		it->ngroups = (size_t)n;
	}
	it->groups[it->ngroups++] = u->shared;
	return 0;
}

int users_find(struct users *u, const struct config *cfg, struct ps_err *err)
{
	const struct group *shared;
	int rc = 0;

	*u = (struct users){ .apart = false };
	if (!cfg->nroles)
		return 0;
	if (geteuid() != 0) {
		log_warn("roles", NULL, "penstock.yml names users for the roles, and root did not "
			 "start this agent: all roles run as its own user");
		return 0;
	}
	shared = getgrnam(SHARED_GROUP);
	if (!shared)
		return ps_err_set(err, PS_ECONFIG,
				  "the group '" SHARED_GROUP "', to which belongs what the roles "
				  "share, is not on this machine; make it by: addgroup --system "
				  SHARED_GROUP);
	u->shared = shared->gr_gid;
	for (int i = 0; i < ROLE_COUNT && rc == 0; i++) {
		rc = find_one(u, (enum role_no)i, role_of(cfg, (enum role_no)i)->user, err);
		if (rc == 0)
			rc = find_groups(u, (enum role_no)i, err);
	}
	u->apart = rc == 0;
	return rc;
}

bool users_are(const struct users *u, const struct config *cfg)
{
	if (!u->apart)
		return !cfg->nroles || geteuid() != 0;
	for (int i = 0; i < ROLE_COUNT; i++) {
		const struct conf_role *r = role_of(cfg, (enum role_no)i);

		if (!r || strcmp(r->user, u->of[i].name) != 0)
			return false;
	}
	return true;
}

void users_clear(struct users *u)
{
	for (int i = 0; i < ROLE_COUNT; i++) {
		free(u->of[i].name);
		free(u->of[i].home);
		free(u->of[i].groups);
	}
	*u = (struct users){ .apart = false };
}

/* Rights that a later exec, or a file with capabilities, could give back. */
static bool drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	return syscall(SYS_capset, &head, none) == 0;
}

/* Needs a right that goes with the user, so it comes first. */
static bool drop_bounds(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return false;
	return true;
}

void users_become(const struct users *u, enum role_no no)
{
	const struct user *it = &u->of[no];

	if (!u->apart)
		return;
	if (drop_bounds() && setgroups(it->ngroups, it->groups) == 0 &&
	    setresgid(it->gid, it->gid, it->gid) == 0 &&
	    setresuid(it->uid, it->uid, it->uid) == 0 && drop_capabilities() &&
	    setenv("HOME", it->home, 1) == 0 && setenv("USER", it->name, 1) == 0 &&
	    setenv("LOGNAME", it->name, 1) == 0 && chdir("/") == 0)
		return;
	fprintf(stderr, "penstockd: cannot become the user '%s' of the %s role: %s\n", it->name,
		names[no], strerror(errno));
	_exit(126);
}
