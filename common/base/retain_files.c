/* retain_files – see retain.h: the hands. */
#include "config.h"

#include "common/base/retain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/fsutil.h"

enum { TWO = 2, DEEP = 32 };

static int64_t mtime_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static void add(struct retain_files *l, char *name, int64_t size, int64_t mtime_ms)
{
	l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
	l->v[l->n++] = (struct retain_file) { .name = name, .size = size, .mtime_ms = mtime_ms };
}

static DIR *open_folder(int dfd, const char *name)
{
	int fd = openat(dfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d && fd >= 0)
		close(fd);
	return d;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void list_two(struct retain_files *l, int dfd, const char *two)
{
	DIR *d = open_folder(dfd, two);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (!digest_is_hex(e->d_name, PS_DIGEST_HEX - TWO) ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		add(l, xasprintf("%s%s", two, e->d_name), st.st_blocks * 512, mtime_of(&st));
	}
	if (d)
		closedir(d);
}

int retain_list_contents(struct retain_files *l, const char *dir, struct ps_err *err)
{
	DIR *d = open_folder(AT_FDCWD, dir);
	struct dirent *e;

	if (!d)
		return ps_err_errno(err, "cannot list '%s'", dir);
	while ((e = readdir(d)))
		if (digest_is_hex(e->d_name, TWO))
			list_two(l, dirfd(d), e->d_name);
	closedir(d);
	return 0;
}

/* Bytes of it and of all below; *newest: the youngest time in it. */
static int64_t measure(int dfd, const char *name, int64_t *newest, int depth)
{
	struct dirent *e;
	struct stat st;
	int64_t sum;
	DIR *d;

	if (fstatat(dfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	sum = st.st_blocks * 512;
	*newest = mtime_of(&st) > *newest ? mtime_of(&st) : *newest;
	d = S_ISDIR(st.st_mode) && depth < DEEP ? open_folder(dfd, name) : NULL;
	while (d && (e = readdir(d)))
		if (!is_dots(e->d_name))
			sum += measure(dirfd(d), e->d_name, newest, depth + 1);
	if (d)
		closedir(d);
	return sum;
}

static bool is_of(const char *name, const char *kinds)
{
	if (!kinds)
		return !ps_starts(name, ".tmp-");
	return strchr(kinds, name[0]) && name[1] >= '0' && name[1] <= '9';
}

int retain_list_folder(struct retain_files *l, const char *dir, const char *kinds,
		       struct ps_err *err)
{
	DIR *d = open_folder(AT_FDCWD, dir);
	struct dirent *e;

	if (!d)
		return ps_err_errno(err, "cannot list '%s'", dir);
	while ((e = readdir(d))) {
		int64_t newest = INT64_MIN, size;

		if (is_dots(e->d_name) || !is_of(e->d_name, kinds))
			continue;
		size = measure(dirfd(d), e->d_name, &newest, 0);
		add(l, xstrdup(e->d_name), size, newest);
	}
	closedir(d);
	return 0;
}

int retain_remove_content(const char *dir, const struct retain_file *f, struct ps_err *err)
{
	char *path = cas_path(dir, f->name), tmp[64], *aside;
	struct stat st;
	int rc;

	fs_tmp_name(tmp, sizeof(tmp));
	aside = fs_join(dir, tmp);
	if (rename(path, aside) < 0)
		rc = errno == ENOENT ? 0 : ps_err_errno(err, "cannot remove '%s'", path);
	else if (stat(aside, &st) == 0 && mtime_of(&st) > f->mtime_ms)
		rc = rename(aside, path) < 0 ? ps_err_errno(err, "cannot put '%s' back", path) : 0;
	else
		rc = unlink(aside) < 0 ? ps_err_errno(err, "cannot remove '%s'", aside) : 1;
	free(aside);
	free(path);
	return rc;
}

int retain_remove_entry(const char *dir, const struct retain_file *f, struct ps_err *err)
{
	int dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	int64_t newest = INT64_MIN;

	if (dfd < 0)
		return ps_err_errno(err, "cannot open '%s'", dir);
	measure(dfd, f->name, &newest, 0);
	if (!fs_is_clean_relative(f->name) || strchr(f->name, '/'))
		rc = ps_err_set(err, PS_EINVAL, "'%s' is no entry of '%s'", f->name, dir);
	else if (newest == INT64_MIN || newest > f->mtime_ms)	/* gone; touched since */
		rc = 0;
	else
		rc = fs_remove_tree(dfd, f->name, err) < 0 ? PS_EIO : 1;
	close(dfd);
	return rc;
}
