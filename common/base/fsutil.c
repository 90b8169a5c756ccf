/* fsutil – see fsutil.h. The order of a durable write (write, fsync, rename, fsync of the folder)
 * lives here and nowhere else. */
#include "config.h"

#include "common/base/fsutil.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <limits.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"	/* random_hex() alone: the hook links this file and no libcrypto */
#include "common/base/failpoint.h"

int fs_read_fd(struct buf *out, int fd, size_t max, struct ps_err *err)
{
	size_t got = 0;

	for (;;) {
		ssize_t n = read(fd, buf_room(out, 65536), 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ps_err_errno(err, "cannot read");
		if (n == 0)
			return 0;
		got += (size_t)n;
		if (got > max)
			return ps_err_set(err, PS_ELIMIT, "larger than %zu bytes", max);
		buf_grew(out, (size_t)n);
	}
}

int fs_read(struct buf *out, int dirfd, const char *path, size_t max, struct ps_err *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc;

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	rc = fs_read_fd(out, fd, max, err);
	if (rc < 0)
		ps_err_prefix(err, "'%s'", path);
	close(fd);
	return rc;
}

int fs_write_all(int fd, const void *p, size_t n, struct ps_err *err)
{
	const char *at = p;

	while (n) {
		ssize_t w = write(fd, at, n);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return ps_err_errno(err, "cannot write");
		at += w;
		n -= (size_t)w;
	}
	return 0;
}

int fs_publish(int dirfd, const char *tmp, const char *name, int fd, struct ps_err *err)
{
	if (FAIL_AT("fs.fsync") || fsync(fd) < 0)
		return ps_err_errno(err, "cannot sync '%s'", name);
	if (FAIL_AT("fs.rename") || renameat(dirfd, tmp, dirfd, name) < 0)
		return ps_err_errno(err, "cannot publish '%s'", name);
	if (FAIL_AT("fs.fsyncdir") || fsync(dirfd) < 0)
		return ps_err_errno(err, "cannot sync the folder of '%s'", name);
	return 0;
}

void fs_tmp_name(char *out, size_t size)
{
	char hex[17];

	random_hex(hex, 8);
	snprintf(out, size, ".tmp-%d-%s", (int)getpid(), hex);
}

/* Opens a folder for *at() calls; AT_FDCWD is opened as ".", so fsync works on it too. */
static int open_dir(int dirfd, const char *path)
{
	return openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int fs_write_file(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		  struct ps_err *err)
{
	char tmp[64], *dir = xstrdup(name), *slash = strrchr(dir, '/');
	const char *base = slash ? name + (slash - dir) + 1 : name;
	int dfd, fd = -1, rc;

	if (slash)
		slash[slash == dir] = '\0';
	dfd = open_dir(dirfd, slash ? dir : ".");
	if (dfd < 0) {
		rc = ps_err_errno(err, "cannot open the folder of '%s'", name);
		goto out;
	}
	fs_tmp_name(tmp, sizeof(tmp));
	fd = openat(dfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		rc = ps_err_errno(err, "cannot create a file beside '%s'", name);
		goto out;
	}
	rc = fchmod(fd, mode) < 0 ? ps_err_errno(err, "cannot set the mode of '%s'", name) : 0;
	if (rc == 0)
		rc = fs_write_all(fd, p, n, err);
	if (rc == 0)
		rc = fs_publish(dfd, tmp, base, fd, err);
	if (rc < 0)
		unlinkat(dfd, tmp, 0);	/* may be renamed already: then there is none */
out:
	if (fd >= 0)
		close(fd);
	if (dfd >= 0)
		close(dfd);
	free(dir);
	return rc;
}

int fs_mkdirs(const char *path, mode_t mode, struct ps_err *err)
{
	char *p = xstrdup(path);
	int rc = 0;

	for (char *at = p + 1; rc == 0; at++) {
		bool end = *at == '\0';

		if (!end && *at != '/')
			continue;
		*at = '\0';
		if (mkdir(p, mode) < 0 && errno != EEXIST)
			rc = ps_err_errno(err, "cannot make the folder '%s'", p);
		if (end)
			break;
		*at = '/';
	}
	free(p);
	return rc;
}

static int remove_below(int dfd, dev_t dev, struct ps_err *err);

static int remove_one(int dfd, const char *name, dev_t dev, struct ps_err *err)
{
	struct stat st;
	int fd, rc;

	if (fstatat(dfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ps_err_errno(err, "cannot look at '%s'", name);
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(dfd, name, 0) < 0 && errno != ENOENT)
			return ps_err_errno(err, "cannot remove '%s'", name);
		return 0;
	}
	if (st.st_dev != dev)
		return ps_err_set(err, PS_EPERM, "'%s' is another file system: not removed", name);
	if ((st.st_mode & 0700) != 0700 && fchmodat(dfd, name, 0700, 0) < 0)
		return ps_err_errno(err, "cannot enter '%s'", name);
	fd = openat(dfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", name);
	rc = remove_below(fd, dev, err);
	if (rc == 0 && unlinkat(dfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		rc = ps_err_errno(err, "cannot remove the folder '%s'", name);
	return rc;
}

/* Takes fd over. */
static int remove_below(int fd, dev_t dev, struct ps_err *err)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	int rc = 0;

	if (!dir) {
		close(fd);
		return ps_err_errno(err, "cannot list a folder");
	}
	while (rc == 0 && (e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = remove_one(fd, e->d_name, dev, err);
	closedir(dir);
	return rc;
}

int fs_remove_tree(int dirfd, const char *path, struct ps_err *err)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : ps_err_errno(err, "cannot look at '%s'", path);
	return remove_one(dirfd, path, st.st_dev, err);
}

/* Whether the process that made this temporary name is no more. When another has its number now,
 * the file stays until the next start. */
static bool is_of_dead(const char *tmp)
{
	char *end;
	long pid = strtol(tmp + strlen(".tmp-"), &end, 10);

	return pid > 0 && *end == '-' && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* Several users may write in one sticky folder: each removes his own, the folder's owner all. */
static bool may_remove(int dirfd, const char *name)
{
	struct stat dir, st;

	if (geteuid() == 0 || fstat(dirfd, &dir) < 0 || dir.st_uid == geteuid() ||
	    !(dir.st_mode & S_ISVTX))
		return true;
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_uid == geteuid();
}

static int sweep(const char *path, bool dead_only, struct ps_err *err)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int rc = 0;

	if (!dir)
		return errno == ENOENT ? 0 : ps_err_errno(err, "cannot list '%s'", path);
	while (rc == 0 && (e = readdir(dir)))
		if (ps_starts(e->d_name, ".tmp-") && (!dead_only || is_of_dead(e->d_name)) &&
		    may_remove(dirfd(dir), e->d_name))
			rc = fs_remove_tree(dirfd(dir), e->d_name, err);
	closedir(dir);
	return rc;
}

int fs_sweep_tmp(const char *path, struct ps_err *err)
{
	return sweep(path, false, err);
}

int fs_sweep_dead(const char *path, struct ps_err *err)
{
	return sweep(path, true, err);
}

int fs_fsync_dir(const char *path, struct ps_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = 0;

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	if (fsync(fd) < 0)
		rc = ps_err_errno(err, "cannot sync '%s'", path);
	close(fd);
	return rc;
}

int fs_sync_tree(const char *path, struct ps_err *err)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int rc = 0;

	if (!dir)
		return ps_err_errno(err, "cannot list '%s'", path);
	while (rc == 0 && (e = readdir(dir))) {
		char *sub;
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		sub = fs_join(path, e->d_name);
		if (lstat(sub, &st) < 0)
			rc = ps_err_errno(err, "cannot look at '%s'", sub);
		else if (S_ISDIR(st.st_mode))
			rc = fs_sync_tree(sub, err);
		else if (S_ISREG(st.st_mode))
			rc = fs_fsync_dir(sub, err);
		free(sub);
	}
	closedir(dir);
	return rc < 0 ? rc : fs_fsync_dir(path, err);
}

char *fs_join(const char *a, const char *b)
{
	size_t n = strlen(a);

	while (n > 1 && a[n - 1] == '/')
		n--;
	while (*b == '/')
		b++;
	return n == 1 && a[0] == '/' ? xasprintf("/%s", b) : xasprintf("%.*s/%s", (int)n, a, b);
}

bool fs_exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

bool fs_is_clean_relative(const char *path)
{
	for (const char *p = path; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '\\')
			return false;
	if (!*path || *path == '/')
		return false;
	for (const char *part = path;;) {
		size_t n = strcspn(part, "/");

		if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' &&
							     part[1] == '.'))
			return false;
		if (!part[n])
			return true;
		part += n + 1;
	}
}

char *fs_find_program(const char *name)
{
	static const char *const places[] = { "%s/%s", "%s/../libexec/penstock/%s", NULL };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *found;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash)
			*slash = '\0';
		for (size_t i = 0; places[i]; i++) {
			found = i ? xasprintf("%s/../libexec/penstock/%s", self, name) :
				    xasprintf("%s/%s", self, name);
			if (access(found, X_OK) == 0)
				return found;
			free(found);
		}
	}
	found = xasprintf("%s/%s", PENSTOCK_LIBEXECDIR, name);
	if (access(found, X_OK) == 0)
		return found;
	free(found);
	return NULL;
}
