/* repo_mark – has a ref moved? Answered by stat alone. See repo.h.
 *
 * Every change of a ref makes or renames a file: a loose one in its folder, all others in
 * packed-refs. So folders' times and the file's are enough, but of every folder, since a change far
 * below does not rise to the top. */
#include "config.h"

#include "common/tree/repo.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"

enum {
	YOUNG_NS = 2000000000,		/* coarse clocks of file systems: two seconds at most */
	FOLDERS_MAX = 20000,
	DEPTH_MAX = 64,
};

struct marker {
	struct digest *digest;
	int64_t now;			/* wall clock, ns: what file times are made of */
	size_t folders;
	bool young;
};

static int64_t ns_of(struct timespec t)
{
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void add(struct marker *m, const char *name, const struct stat *st)
{
	int64_t mtime = ns_of(st->st_mtim), ctime = ns_of(st->st_ctim), age = m->now - ctime;
	char line[160];
	int n = snprintf(line, sizeof(line), "%lld %lld %llu %lld %u ", (long long)mtime,
			 (long long)ctime, (unsigned long long)st->st_ino,
			 (long long)st->st_size, (unsigned)st->st_nlink);

	digest_add(m->digest, line, (size_t)n);
	digest_add(m->digest, name, strlen(name) + 1);
	if (age < YOUNG_NS && age > -YOUNG_NS)
		m->young = true;
}

static void add_folder(struct marker *m, int dirfd, const char *name, int depth);

/* The folders inside; takes fd over. Their order in the folder is part of the mark: it changes with
 * the folder, and then its times have changed as well. */
static void add_inside(struct marker *m, int fd, bool top, int depth)
{
	DIR *list = fdopendir(fd);
	struct dirent *d;

	if (!list) {
		close(fd);
		m->young = true;
		return;
	}
	while ((d = readdir(list))) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    (d->d_type != DT_DIR && d->d_type != DT_UNKNOWN) ||
		    (top && strcmp(d->d_name, "penstock") == 0))
			continue;
		add_folder(m, dirfd(list), d->d_name, depth + 1);
	}
	closedir(list);
}

static void add_folder(struct marker *m, int dirfd, const char *name, int depth)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {			/* a file where the kind was not told; gone this moment */
		if (errno != ENOTDIR && errno != ENOENT)
			m->young = true;
		return;
	}
	if (fstat(fd, &st) < 0 || ++m->folders > FOLDERS_MAX || depth > DEPTH_MAX) {
		m->young = true;
		close(fd);
		return;
	}
	add(m, name, &st);
	add_inside(m, fd, depth == 0, depth);
}

int repo_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), inner;

	if (fd < 0 || faccessat(fd, "HEAD", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return fd;
	inner = openat(fd, ".git", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (inner >= 0 && faccessat(inner, "HEAD", F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		close(inner);
		inner = -1;
		errno = ENOENT;
	}
	close(fd);
	return inner;
}

void repo_mark(const char *path, char mark[REPO_MARK])
{
	struct marker m = { .digest = NULL };
	char hex[DIGEST_HEX];
	struct timespec now;
	struct stat st;
	int fd = repo_folder(path);

	if (fd < 0) {
		snprintf(mark, REPO_MARK, "%s", errno == ENOENT || errno == ENOTDIR ?
			 REPO_MARK_GONE : REPO_MARK_NONE);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	m.now = ns_of(now);
	m.digest = digest_new();
	if (fstatat(fd, "packed-refs", &st, AT_SYMLINK_NOFOLLOW) == 0)
		add(&m, "packed-refs", &st);
	else if (errno != ENOENT)
		m.young = true;
	add_folder(&m, fd, "refs", 0);
	close(fd);
	digest_end(m.digest, hex);
	if (!m.folders)			/* refs itself cannot be read, or is not there */
		m.young = true;
	snprintf(mark, REPO_MARK, "%.*s", REPO_MARK - 1, m.young ? REPO_MARK_NONE : hex);
}
