/*
 * places – who may do what in which folder when the roles are apart; see users.h.
 *
 * Whoever owns a folder could put something else at a name in it before we come there: a path is
 * opened with no link followed anywhere, and what is changed is what was opened.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/sysd.h"
#include "agent/users.h"
#include "common/base/fsutil.h"

enum { DEPTH_MAX = 200, TWO_DIGITS = 256 };

enum deep { ITSELF, FILES, ALL }; /* what is given with a folder that had another owner */

struct owner {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

static int open_folder(const char *path)
{
	const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
				      .resolve = RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

static int give_fd(int fd, const struct owner *o)
{
	/* a change of owner takes setgid away */
	return fchown(fd, o->uid, o->gid) == 0 && fchmod(fd, o->mode) == 0 ? 0 : -1;
}

static int give_inside(int fd, const struct owner *o, enum deep deep, unsigned depth);

static int give_entry(int dirfd, const char *name, const struct owner *o, enum deep deep,
		      unsigned depth)
{
	struct stat st;
	int fd, rc;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return fchownat(dirfd, name, o->uid, o->gid, AT_SYMLINK_NOFOLLOW);
	if (deep != ALL)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = give_inside(fd, o, deep, depth + 1);
	if (rc == 0)
		rc = give_fd(fd, o);
	close(fd);
	return rc;
}

static int give_inside(int fd, const struct owner *o, enum deep deep, unsigned depth)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0), rc = 0;
	DIR *dir = own >= 0 ? fdopendir(own) : NULL;
	struct dirent *e;

	if (!dir || depth > DEPTH_MAX) {
		if (dir)
			closedir(dir);
		else if (own >= 0)
			close(own);
		return -1;
	}
	while (rc == 0 && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = give_entry(fd, e->d_name, o, deep, depth);
	closedir(dir);
	return rc;
}

/* What is inside goes first: whoever is interrupted finds the old owner again, and starts anew. */
static int give(const char *path, const struct owner *o, enum deep deep, struct ps_err *err)
{
	int fd = open_folder(path), rc = fd < 0 ? -1 : 0;
	struct stat st;

	if (rc == 0)
		rc = fstat(fd, &st);
	if (rc == 0 && deep != ITSELF && (st.st_uid != o->uid || st.st_gid != o->gid))
		rc = give_inside(fd, o, deep, 0);
	if (rc == 0)
		rc = give_fd(fd, o);
	if (rc < 0)
		rc = ps_err_errno(err, "cannot give '%s' to the role that needs it", path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static int make_and_give(const char *dir, const char *name, const struct owner *o, enum deep deep,
			 struct ps_err *err)
{
	char *path = fs_join(dir, name);
	int fd = open_folder(dir), rc = 0;

	if (fd < 0 || (mkdirat(fd, name, 0700) < 0 && errno != EEXIST))
		rc = ps_err_errno(err, "cannot make '%s'", path);
	if (fd >= 0)
		close(fd);
	if (rc == 0)
		rc = give(path, o, deep, err);
	free(path);
	return rc;
}

/* The content store: core, gate and build put contents there, sticky: what is there stays as it
 * is for all but build, which cleans. A folder that one of them made would not be the others'. */
static int give_artifacts(const struct users *u, const char *path, struct ps_err *err)
{
	const struct owner o = { u->of[ROLE_BUILD].uid, u->shared, 03770 };
	int rc = give(path, &o, ITSELF, err);

	for (unsigned i = 0; i < TWO_DIGITS && rc == 0; i++) {
		char two[3];

		snprintf(two, sizeof(two), "%02x", i & 0xff);
		rc = make_and_give(path, two, &o, ITSELF, err);
	}
	return rc;
}

/* Whoever started an instance may give it away only where nobody else could have prepared it. */
static int check_base(const struct ps_paths *p, struct ps_err *err)
{
	struct stat st;

	if (p->system)
		return 0;
	if (stat(p->base, &st) < 0)
		return ps_err_errno(err, "cannot look at '%s'", p->base);
	if (st.st_uid != 0 || (st.st_mode & 022))
		return ps_err_set(err, PS_ECONFIG,
				  "roles with users of their own need a folder that only root "
				  "writes to: chown root '%s' && chmod go-w '%s'",
				  p->base, p->base);
	return 0;
}

/* One that another user left could not be replaced in a sticky folder. */
static int remove_socket(const char *path, struct ps_err *err)
{
	if (sysd_socket(path) >= 0 || unlink(path) == 0 || errno == ENOENT)
		return 0;
	return ps_err_errno(err, "cannot remove '%s'", path);
}

int places_give(const struct users *u, const struct ps_paths *p, struct ps_err *err)
{
	const struct user *core = &u->of[ROLE_CORE], *gate = &u->of[ROLE_GATE],
			  *build = &u->of[ROLE_BUILD], *deploy = &u->of[ROLE_DEPLOY];
	const struct {
		const char *path;
		struct owner owner;
		enum deep deep;
	} table[] = {
		/* hooks of any user read one file of it, by name */
		{ p->state, { core->uid, core->gid, 0711 }, FILES },
		/* they write there, for core to read (spool.h) */
		{ p->spool, { core->uid, core->gid, 03773 }, ITSELF },
		/* core's sockets, which all may reach; sticky: our pid is not core's to move */
		{ p->run, { 0, core->gid, 01775 }, ITSELF },
		{ p->verdicts, { gate->uid, gate->gid, 0700 }, ALL },
		/* written by build, read by core */
		{ p->logs, { build->uid, core->gid, 02750 }, ALL },
		/* written by deploy, read by core */
		{ p->outputs, { deploy->uid, core->gid, 02750 }, ALL },
		/* written by the gate; build reads them and removes them */
		{ p->work_export, { gate->uid, build->gid, 02770 }, ALL },
		{ p->work_build, { build->uid, build->gid, 0700 }, ALL },
		{ p->work_run, { build->uid, build->gid, 0700 }, ALL },
		/* written by deploy; build runs what is there */
		{ p->fabrics, { deploy->uid, build->gid, 02750 }, ITSELF },
	};
	int rc = u->apart ? check_base(p, err) : 0;

	for (size_t i = 0; u->apart && rc == 0 && i < PS_NELEM(table); i++)
		rc = give(table[i].path, &table[i].owner, table[i].deep, err);
	if (u->apart && rc == 0)
		rc = give_artifacts(u, p->artifacts, err);
	if (u->apart && rc == 0)
		rc = remove_socket(p->hook_sock, err);
	if (u->apart && rc == 0)
		rc = remove_socket(p->api_sock, err);
	return rc;
}

int places_fabrics(const struct users *u, const struct ps_paths *p, const struct config *cfg,
		   struct ps_err *err)
{
	const struct user *build = &u->of[ROLE_BUILD];
	const struct owner all = { u->of[ROLE_DEPLOY].uid, build->gid, 02750 };
	const struct owner data = { build->uid, build->gid, 0700 };
	int rc = 0;

	for (size_t i = 0; u->apart && rc == 0 && i < cfg->nfabrics; i++) {
		const char *name = cfg->fabrics[i].name;
		char *dir;

		if (cfg->fabrics[i].provider != CONF_LOCAL)
			continue;
		dir = fs_join(p->fabrics, name);
		rc = make_and_give(p->fabrics, name, &all, ALL, err);
		if (rc == 0)
			rc = make_and_give(dir, "data", &data, ALL, err);
		free(dir);
	}
	return rc;
}
