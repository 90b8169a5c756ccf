/*
 * tree_dir – a plain folder as a snapshot, for `penstock check` and for tests.
 *
 * Every access starts at the folder's own descriptor and never follows a link on the way, so a
 * link to /etc inside a project stays a link. Nothing is hashed: oids are empty.
 */
#include "config.h"

#include "common/tree/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/buf.h"

struct tree_dir {
	struct tree base;
	int fd;
};

/* With O_PATH the last part may be a link: the descriptor then names the link itself. */
static int open_below(const struct tree_dir *d, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (!*path)
		path = ".";
	fd = syscall(SYS_openat2, d->fd, path, &how, sizeof(how));
	return (int)fd;
}

/* False for what git would not hold: sockets, devices, fifos. */
static bool kind_of(const struct stat *st, enum tree_kind *kind)
{
	if (S_ISDIR(st->st_mode))
		*kind = TREE_DIR;
	else if (S_ISLNK(st->st_mode))
		*kind = TREE_LINK;
	else if (S_ISREG(st->st_mode))
		*kind = st->st_mode & S_IXUSR ? TREE_EXEC : TREE_FILE;
	else
		return false;
	return true;
}

/* Most file systems tell folders and links in the listing; only of files stat says if they may be
 * executed. */
static bool kind_of_entry(int dirfd, const struct dirent *de, enum tree_kind *kind)
{
	struct stat st;

	if (de->d_type == DT_DIR || de->d_type == DT_LNK) {
		*kind = de->d_type == DT_DIR ? TREE_DIR : TREE_LINK;
		return true;
	}
	return fstatat(dirfd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && kind_of(&st, kind);
}

static bool has_git_part(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
		if (strncmp(p, ".git", 4) == 0 && (p[4] == '/' || !p[4]))
			return true;
	return false;
}

static int dir_stat(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *err)
{
	const struct tree_dir *d = (const struct tree_dir *)t;
	const char *slash = strrchr(path, '/');
	char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
	int pfd = has_git_part(path) ? (errno = ENOENT, -1) :
		open_below(d, parent, O_RDONLY | O_DIRECTORY);
	struct stat st;
	int rc = 0;

	free(parent);
	if (pfd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == EXDEV))
		return PS_ENOENT;
	if (pfd < 0)
		return ps_err_errno(err, "cannot look at '%s'", path);
	if (fstatat(pfd, slash ? slash + 1 : *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) < 0)
		rc = errno == ENOENT || errno == ENAMETOOLONG ? PS_ENOENT :
			ps_err_errno(err, "cannot look at '%s'", path);
	else if (!kind_of(&st, &out->kind))
		rc = PS_ENOENT;
	close(pfd);
	return rc;
}

static int dir_list(struct tree *t, const char *path, struct tree_list *out, struct ps_err *err)
{
	const struct tree_dir *d = (const struct tree_dir *)t;
	int fd = has_git_part(path) ? (errno = ENOENT, -1) :
		open_below(d, path, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	size_t cap = 0;
	int rc = 0;

	if (!dir) {
		rc = errno == ENOTDIR || errno == ELOOP ?
			ps_err_set(err, PS_ENOENT, "'%s' is not a folder", path) :
			ps_err_errno(err, "cannot list '%s'", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0 && (de = readdir(dir))) {
		enum tree_kind kind;

		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
		    strcmp(de->d_name, ".git") == 0 || !kind_of_entry(dirfd(dir), de, &kind))
			continue;
		if (out->n == TREE_ENTRIES_MAX)
			rc = ps_err_set(err, PS_ELIMIT, "'%s' has more than %d entries", path,
					TREE_ENTRIES_MAX);
		else
			tree_list_add(out, &cap, de->d_name, kind);
	}
	closedir(dir);
	return rc;
}

static int read_link(const struct tree_dir *d, const char *path, size_t max, struct buf *out,
		     struct ps_err *err)
{
	int fd = open_below(d, path, O_PATH);
	char target[4096];
	ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target));
	int rc = 0;

	if (n < 0)			/* a link on the way there */
		rc = ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	else if ((size_t)n > max)
		rc = ps_err_set(err, PS_ELIMIT, "link '%s' is too long", path);
	else
		buf_add(out, target, (size_t)n);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* As many bytes as the file has: it does not change while we look. */
static int read_file(int fd, const char *path, size_t max, struct buf *out, struct ps_err *err)
{
	struct stat st;
	size_t got = 0, size;

	if (fstat(fd, &st) < 0)
		return ps_err_errno(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	if ((uint64_t)st.st_size > max)
		return ps_err_set(err, PS_ELIMIT, "'%s': larger than %zu bytes", path, max);
	size = (size_t)st.st_size;
	while (got < size) {
		ssize_t n = read(fd, buf_room(out, size - got), size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? ps_err_errno(err, "cannot read '%s'", path) :
				ps_err_set(err, PS_EIO, "'%s' got shorter while it was read", path);
		buf_grew(out, (size_t)n);
		got += (size_t)n;
	}
	return 0;
}

static int dir_read(struct tree *t, const char *path, size_t max, struct buf *out,
		    struct ps_err *err)
{
	const struct tree_dir *d = (const struct tree_dir *)t;
	int fd = has_git_part(path) ? (errno = ENOENT, -1) :
		open_below(d, path, O_RDONLY | O_NONBLOCK), rc;

	if (fd < 0 && errno == ELOOP)
		return read_link(d, path, max, out, err);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EXDEV || errno == ENXIO))
		return ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	if (fd < 0)
		return ps_err_errno(err, "cannot read '%s'", path);
	rc = read_file(fd, path, max, out, err);
	close(fd);
	return rc;
}

static void dir_close(struct tree *t)
{
	struct tree_dir *d = (struct tree_dir *)t;

	close(d->fd);
	free(d);
}

static const struct tree_ops dir_ops = {
	.list = dir_list, .stat = dir_stat, .read = dir_read, .close = dir_close,
};

int tree_dir_open(struct tree **out, const char *dir, struct ps_err *err)
{
	struct tree_dir *d;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ps_err_errno(err, "cannot open folder '%s'", dir);
	d = xcalloc(1, sizeof(*d));
	d->base.ops = &dir_ops;
	d->fd = fd;
	*out = &d->base;
	return 0;
}
