/*
 * local – a fabric that is a folder:
 *
 *	DIR/FileStore/prophecy/artifacts/...		artifacts, written once, 0444
 *	DIR/jobs/<place>/owner.json			whose place this is
 *	DIR/jobs/<place>/sets/<16 digits>/release.json	the stamp of a set of definitions
 *	DIR/jobs/<place>/sets/<16 digits>/jobs/x.json
 *	DIR/jobs/<place>/current -> sets/<16 digits>	renamed once per switch
 *	DIR/jobs/<place>/paused/jobs/x.json		that job is paused, whoever did it
 *
 * Nothing here depends on when or how often it was done: after a crash anywhere, doing it again
 * gives the same bytes. Leftovers have names that begin with .tmp-, and whoever writes to a folder
 * next removes them. Old sets stay. Below DIR no link is followed but our own.
 */
#include "config.h"

#include "agent/deploy/fabric/local_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"

enum { SET_DIGITS = 16, STAMP_MAX = 16 << 20 };

/* ---- folders ---- */

/* Makes the folder name in dfd; durable when it returns. Its mode is right at once (the umask of
 * who deploys is 022): a mode set afterwards would be missing after a crash in between. */
static int make_folder(int dfd, const char *name, struct ps_err *err)
{
	if (FAIL_AT("local.mkdir") || (mkdirat(dfd, name, 0755) < 0 && errno != EEXIST) ||
	    FAIL_AT("local.mkdir.sync") || fsync(dfd) < 0)
		return ps_err_errno(err, "cannot make the folder '%s'", name);
	return 0;
}

int local_open(int dfd, const char *path, bool make, struct ps_err *err)
{
	char *parts = xstrdup(path), *save = NULL;
	int at = fcntl(dfd, F_DUPFD_CLOEXEC, 0), rc = 0;

	if (at < 0)
		rc = ps_err_errno(err, "cannot open '%s'", path);
	for (char *part = strtok_r(parts, "/", &save); rc == 0 && part;
	     part = strtok_r(NULL, "/", &save)) {
		int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (next < 0 && errno == ENOENT && make) {
			rc = make_folder(at, part, err);
			if (rc == 0)
				next = openat(at, part,
					      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		}
		if (rc == 0 && next < 0 && (errno == ELOOP || errno == ENOTDIR))
			rc = ps_err_set(err, PS_ECONFLICT, "'%s' of '%s' is not a folder", part,
					path);
		else if (rc == 0 && next < 0)
			rc = ps_err_errno(err, "cannot open '%s' of '%s'", part, path);
		if (next >= 0) {
			close(at);
			at = next;
		}
	}
	free(parts);
	if (rc < 0 && at >= 0)
		close(at);
	return rc < 0 ? rc : at;
}

/*
 * The fabric's folder, locked for as long as the descriptor is open: one ability at a time writes
 * there, so a leftover that it finds has no owner any more. -1 in *fd after an error.
 */
static int lock_fabric(int *fd, const struct fabric_target *t, bool make, struct ps_err *err)
{
	int rc = make ? fs_mkdirs(t->dir, 0755, err) : 0;

	*fd = -1;
	if (rc < 0)
		return rc;
	*fd = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return ps_err_errno(err, "cannot open the fabric's folder '%s'", t->dir);
	while (rc == 0 && flock(*fd, LOCK_EX) < 0)
		if (errno != EINTR)
			rc = ps_err_errno(err, "cannot lock the fabric's folder '%s'", t->dir);
	return rc;
}

static int open_place(int fd, const struct fabric_target *t, bool make, struct ps_err *err)
{
	char *path = xasprintf("jobs/%s", t->place);
	int place = local_open(fd, path, make, err);

	free(path);
	return place;
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

int local_sweep(int dfd, struct ps_err *err)
{
	int copy = openat(dfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (!dir) {
		rc = ps_err_errno(err, "cannot list a folder of the fabric");
		if (copy >= 0)
			close(copy);
		return rc;
	}
	while (rc == 0 && (e = readdir(dir)))
		if (ps_starts(e->d_name, ".tmp-"))
			rc = fs_remove_tree(dfd, e->d_name, err);
	closedir(dir);
	return rc;
}

/* ---- artifacts ---- */

/* 1 when name holds exactly these bytes, 0 when it is not there, PS_ECONFLICT with others. */
static int look_at(int dfd, const char *name, const char *sha256, const char *path,
		   struct ps_err *err)
{
	int fd = openat(dfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc;
	char got[DIGEST_HEX];

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && errno == ELOOP)
		return ps_err_set(err, PS_ECONFLICT, "'%s' is a link", path);
	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	rc = digest_fd(got, fd, NULL, err);
	if (rc < 0)
		ps_err_prefix(err, "'%s'", path);
	else if (strcmp(got, sha256) != 0)
		rc = ps_err_set(err, PS_ECONFLICT,
				"'%s' is there with other bytes (%.12s, not %.12s): an artifact's "
				"path never gets others",
				path, got, sha256);
	else if (fsync(fd) < 0 || fsync(dfd) < 0) /* the crash may have come before these */
		rc = ps_err_errno(err, "cannot sync '%s'", path);
	close(fd);
	return rc < 0 ? rc : 1;
}

static int write_artifact(int dfd, const char *name, const struct fabric_target *t,
			  const struct fabric_file *f, struct ps_err *err)
{
	char tmp[64];
	int fd, rc;

	fs_tmp_name(tmp, sizeof(tmp));
	fd = openat(dfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return ps_err_errno(err, "cannot create '%s'", f->path);
	rc = cas_copy(fd, t->content, f->sha256, err);
	if (rc == 0 && (FAIL_AT("local.artifact") || fchmod(fd, 0444) < 0))
		rc = ps_err_errno(err, "cannot set the mode of '%s'", f->path);
	if (rc == 0)
		rc = fs_publish(dfd, tmp, name, fd, err);
	if (rc < 0)
		unlinkat(dfd, tmp, 0); /* may be renamed already: then there is none */
	close(fd);
	return rc;
}

static int local_put_artifact(struct fabric_target *t, const struct fabric_file *f,
			      enum fabric_outcome *outcome, struct ps_err *err)
{
	char *folder = xasprintf("FileStore/%s", f->path), *name = strrchr(folder, '/');
	int fd, dfd = -1, rc = lock_fabric(&fd, t, true, err);

	*name++ = '\0';
	*outcome = FABRIC_NOT_DONE;
	if (rc == 0)
		rc = dfd = local_open(fd, folder, true, err);
	if (rc >= 0)
		rc = local_sweep(dfd, err);
	if (rc == 0)
		rc = look_at(dfd, name, f->sha256, f->path, err);
	if (rc == 1) {
		*outcome = FABRIC_ALREADY;
		rc = 0;
	} else if (rc == 0) {
		rc = write_artifact(dfd, name, t, f, err);
		if (rc == 0)
			*outcome = FABRIC_DONE;
	}
	close_all((const int[]) { dfd, fd }, 2);
	free(folder);
	return rc;
}

/* ---- the set of definitions ---- */

/* Is this place ours? A place that nobody has yet becomes ours. */
static int take_place(int pfd, const struct fabric_target *t, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = fs_read(&b, pfd, "owner.json", STAMP_MAX, err);

	if (rc == PS_ENOENT)
		rc = fs_write_file(pfd, "owner.json", t->owner, strlen(t->owner), 0444, err);
	else if (rc == 0 && strcmp(buf_str(&b), t->owner) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "'jobs/%s' on the fabric belongs to %s",
				t->place, buf_str(&b));
	buf_clear(&b);
	return rc;
}

static int write_definition(int set, const struct fabric_target *t, const struct fabric_file *f,
			    struct ps_err *err)
{
	char *folder = xstrdup(f->path), *slash = strrchr(folder, '/');
	struct buf b = BUF_INIT;
	int dfd, rc;

	if (slash)
		*slash = '\0';
	dfd = local_open(set, slash ? folder : "", true, err);
	rc = dfd < 0 ? dfd : cas_read(&b, t->content, f->sha256, PS_JSON_MAX, err);
	if (rc == 0)
		rc = fs_write_file(dfd, f->path + (slash ? slash - folder + 1 : 0), buf_str(&b),
				   b.len, 0444, err);
	if (dfd >= 0)
		close(dfd);
	buf_clear(&b);
	free(folder);
	return rc;
}

/* Writes the set under a temporary name, whole and durable, and renames it once. flags: of
 * renameat2(); what is exchanged has the temporary name then. */
static int write_set(int sfd, const char *name, const struct fabric_target *t,
		     const struct fabric_set *s, unsigned flags, struct ps_err *err)
{
	char tmp[64];
	int dfd, rc;

	fs_tmp_name(tmp, sizeof(tmp));
	dfd = local_open(sfd, tmp, true, err);
	rc = dfd < 0 ? dfd : 0;
	for (size_t i = 0; rc == 0 && i < s->nfiles; i++)
		rc = write_definition(dfd, t, &s->files[i], err);
	for (size_t i = 0; rc == 0 && i < s->norphans; i++)
		rc = write_definition(dfd, t, &s->orphans[i], err);
	if (rc == 0)
		rc = fs_write_file(dfd, "release.json", s->stamp, strlen(s->stamp), 0444, err);
	if (rc == 0 && (FAIL_AT("local.set") || renameat2(sfd, tmp, sfd, name, flags) < 0 ||
			FAIL_AT("local.set.sync") || fsync(sfd) < 0))
		rc = ps_err_errno(err, "cannot publish the definitions '%s'", name);
	if (dfd >= 0)
		close(dfd);
	return rc;
}

static int look_at_definition(int dfd, const struct fabric_file *f, struct ps_err *err)
{
	int fd = openat(dfd, f->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc;
	char got[DIGEST_HEX];

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", f->path);
	rc = digest_fd(got, fd, NULL, err);
	if (rc == 0 && strcmp(got, f->sha256) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "'%s' has other bytes", f->path);
	close(fd);
	return rc;
}

/* 1 when the set is there as it must be, 0 when it is not there. */
static int look_at_set(int sfd, const char *name, const struct fabric_set *s, struct ps_err *err)
{
	int dfd = openat(sfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc;
	struct buf b = BUF_INIT;
	struct ps_err why = { 0 };

	if (dfd < 0)
		return errno == ENOENT
			       ? 0
			       : ps_err_errno(err, "cannot open the definitions '%s'", name);
	rc = fs_read(&b, dfd, "release.json", STAMP_MAX, &why);
	for (size_t i = 0; rc == 0 && i < s->nfiles; i++)
		rc = look_at_definition(dfd, &s->files[i], &why);
	for (size_t i = 0; rc == 0 && i < s->norphans; i++)
		rc = look_at_definition(dfd, &s->orphans[i], &why);
	if (rc == 0 && strcmp(buf_str(&b), s->stamp) != 0)
		rc = ps_err_set(&why, PS_ECONFLICT, "'release.json' has other bytes");
	/* A set was renamed whole: what differs now was done by somebody else. */
	if (rc < 0)
		rc = ps_err_set(err, rc == PS_EIO ? PS_EIO : PS_ECONFLICT,
				"the definitions '%s' on the fabric were "
				"changed by hand: %s",
				name, why.msg);
	else if (fsync(sfd) < 0)
		rc = ps_err_errno(err, "cannot sync the definitions '%s'", name);
	close(dfd);
	buf_clear(&b);
	return rc < 0 ? rc : 1;
}

static int local_put_jobs(struct fabric_target *t, const struct fabric_set *s,
			  enum fabric_outcome *outcome, struct ps_err *err)
{
	char name[SET_DIGITS + 1];
	int fd, pfd = -1, sfd = -1, rc = lock_fabric(&fd, t, true, err);

	*outcome = FABRIC_NOT_DONE;
	snprintf(name, sizeof(name), "%s", s->digest);
	if (rc == 0)
		rc = pfd = open_place(fd, t, true, err);
	if (rc >= 0)
		rc = local_sweep(pfd, err);
	if (rc == 0)
		rc = take_place(pfd, t, err);
	if (rc == 0)
		rc = sfd = local_open(pfd, "sets", true, err);
	if (rc >= 0)
		rc = local_sweep(sfd, err);
	if (rc < 0)
		goto out;
	rc = look_at_set(sfd, name, s, err);
	if (rc == 1) {
		*outcome = FABRIC_ALREADY;
		rc = 0;
	} else if (rc == 0 || rc == PS_ECONFLICT) {
		/* changed by hand: what is meant takes its place */
		rc = write_set(sfd, name, t, s, rc < 0 ? RENAME_EXCHANGE : 0, err);
		if (rc == 0)
			*outcome = FABRIC_DONE;
		if (rc == 0)
			rc = local_sweep(sfd, err);
	}
out:
	close_all((const int[]) { sfd, pfd, fd }, 3);
	return rc;
}

/* ---- the switch ---- */

/* The target of `current`: its length, 0 when there is none. */
static int read_current(int pfd, char *out, size_t size, struct ps_err *err)
{
	ssize_t n = readlinkat(pfd, "current", out, size - 1);

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n < 0 && errno == EINVAL)
		return ps_err_set(err, PS_ECONFLICT,
				  "'current' is no link: it was changed by hand");
	if (n < 0)
		return ps_err_errno(err, "cannot read 'current'");
	out[n] = '\0';
	return (int)n;
}

static int write_current(int pfd, const char *target, struct ps_err *err)
{
	char tmp[64];

	fs_tmp_name(tmp, sizeof(tmp));
	if (FAIL_AT("local.link") || symlinkat(target, pfd, tmp) < 0)
		return ps_err_errno(err, "cannot make a link");
	if (FAIL_AT("local.switch") || renameat(pfd, tmp, pfd, "current") < 0 ||
	    FAIL_AT("local.switch.sync") || fsync(pfd) < 0)
		return ps_err_errno(err, "cannot switch 'current'");
	return 0;
}

static int local_switch_jobs(struct fabric_target *t, const struct fabric_set *s,
			     enum fabric_outcome *outcome, struct ps_err *err)
{
	char target[64], now[64], *stamp = NULL;
	int fd, pfd = -1, rc = lock_fabric(&fd, t, false, err);
	struct stat st;

	*outcome = FABRIC_NOT_DONE;
	snprintf(target, sizeof(target), "sets/%.*s", SET_DIGITS, s->digest);
	if (rc == 0)
		rc = pfd = open_place(fd, t, false, err);
	if (rc >= 0)
		rc = local_sweep(pfd, err);
	if (rc == 0)
		rc = take_place(pfd, t, err);
	if (rc == 0) {
		stamp = xasprintf("%s/release.json", target);
		if (fstatat(pfd, stamp, &st, AT_SYMLINK_NOFOLLOW) < 0)
			rc = ps_err_errno(err, "the definitions '%s' are not ready", target);
	}
	if (rc == 0)
		rc = local_pause_orphans(pfd, s, err);
	if (rc == 0)
		rc = read_current(pfd, now, sizeof(now), err);
	if (rc > 0 && strcmp(now, target) == 0) {
		*outcome = FABRIC_ALREADY;
		rc = fsync(pfd) < 0 ? ps_err_errno(err, "cannot sync 'current'") : 0;
	} else if (rc >= 0) {
		rc = write_current(pfd, target, err);
		*outcome = rc == 0 ? FABRIC_DONE : FABRIC_UNKNOWN;
	}
	if (rc == 0) {
		rc = local_wake_wanted(pfd, s, err);
		if (rc < 0)
			*outcome = FABRIC_UNKNOWN;
	}
	close_all((const int[]) { pfd, fd }, 2);
	free(stamp);
	return rc;
}

static int local_observe(const struct fabric_target *t, struct buf *stamp, struct ps_err *err)
{
	int fd, pfd = -1, rc = lock_fabric(&fd, t, false, err);

	if (rc == 0)
		rc = pfd = open_place(fd, t, false, err);
	if (rc >= 0)
		rc = fs_read(stamp, pfd, "current/release.json", STAMP_MAX, err);
	close_all((const int[]) { pfd, fd }, 2);
	return rc;
}

/* In force is this set, and each part of it is as it was put there. */
static int check_place(int pfd, const struct fabric_set *s, struct ps_err *err)
{
	char target[64], now[64];
	int sfd = -1, rc = read_current(pfd, now, sizeof(now), err);

	snprintf(target, sizeof(target), "sets/%.*s", SET_DIGITS, s->digest);
	if (rc < 0)
		return rc;
	if (rc == 0 || strcmp(now, target) != 0)
		return ps_err_set(err, PS_ECONFLICT, "other definitions than ours are in force");
	rc = sfd = local_open(pfd, "sets", false, err);
	if (rc >= 0)
		rc = look_at_set(sfd, target + strlen("sets/"), s, err);
	if (rc == 0)
		rc = ps_err_set(err, PS_ECONFLICT, "the definitions '%s' are gone", target);
	if (sfd >= 0)
		close(sfd);
	return rc < 0 ? rc : local_check_pauses(pfd, s, err);
}

static int local_check(const struct fabric_target *t, const struct fabric_set *s,
		       struct ps_err *err)
{
	int fd, pfd = -1, rc = lock_fabric(&fd, t, false, err);

	if (rc == 0)
		rc = pfd = open_place(fd, t, false, err);
	if (rc >= 0)
		rc = check_place(pfd, s, err);
	close_all((const int[]) { pfd, fd }, 2);
	return rc;
}

static const struct fabric_sets local_sets = {
	.put = local_put_jobs,
	.switch_to = local_switch_jobs,
	.observe = local_observe,
	.check = local_check,
};

const struct fabric_driver fabric_local = {
	.name = "local",
	.put_artifact = local_put_artifact,
	.look = local_look,
	.sets = &local_sets,
};
