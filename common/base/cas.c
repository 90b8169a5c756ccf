/* cas – the content store of fsutil.h. Apart from fsutil.c because it needs libcrypto. */
#include "config.h"

#include "common/base/fsutil.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"

char *cas_path(const char *dir, const char *hex)
{
	return xasprintf("%s/%.2s/%s", dir, hex, hex + 2);
}

bool cas_has(const char *dir, const char *hex)
{
	char *path = cas_path(dir, hex);
	bool yes = fs_exists(path);

	free(path);
	return yes;
}

bool cas_find(const char *dir, const char *digits, char hex[65])
{
	size_t n = strlen(digits), found = 0;
	char two[3] = { 0 }, *path;
	struct dirent *e;
	DIR *d;

	if (n < 16 || n > 64 || strspn(digits, "0123456789abcdef") != n)
		return false;
	memcpy(two, digits, 2);
	path = fs_join(dir, two);
	d = opendir(path);
	free(path);
	while (d && (e = readdir(d)))
		if (strlen(e->d_name) == 62 && strncmp(e->d_name, digits + 2, n - 2) == 0) {
			snprintf(hex, 65, "%s%.62s", two, e->d_name);
			found++;
		}
	if (d)
		closedir(d);
	return found == 1;
}

/* Is it there? Then it is as new as if it had been put now: a cleaner goes by its time. One that is
 * being taken away at this moment is not there. Another user's keeps its time: what a role puts is
 * hardly ever what another one put, and what is named by anything is not cleaned. */
static bool cas_touch(const char *dir, const char *hex)
{
	char *path = cas_path(dir, hex);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat mine, now;
	bool there;

	if (fd >= 0 && futimens(fd, NULL) < 0)
		log_debug("content", hex, "its time stays: %s", strerror(errno));
	there = fd >= 0 && fstat(fd, &mine) == 0 && lstat(path, &now) == 0 &&
		mine.st_ino == now.st_ino;
	if (fd >= 0)
		close(fd);
	free(path);
	return there;
}

/* Moves the finished temporary file to its name; what is there already has the same bytes. */
static int cas_settle(const char *dir, int dfd, const char *tmp, int fd, const char *hex,
		      struct ps_err *err)
{
	char two[3] = { hex[0], hex[1], '\0' }, *name;
	int rc, sub;

	if (cas_touch(dir, hex)) {
		unlinkat(dfd, tmp, 0);
		return 0;
	}
	if (mkdirat(dfd, two, 0755) < 0 && errno != EEXIST)
		return ps_err_errno(err, "cannot make the folder '%s/%s'", dir, two);
	name = xasprintf("%s/%s", two, hex + 2);
	if (fchmod(fd, 0444) < 0)
		rc = ps_err_errno(err, "cannot set the mode of '%s'", name);
	else
		rc = fs_publish(dfd, tmp, name, fd, err);
	sub = rc == 0 ? openat(dfd, two, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (rc == 0 && (sub < 0 || FAIL_AT("cas.fsyncdir") || fsync(sub) < 0))
		rc = ps_err_errno(err, "cannot sync the folder of '%s'", name);
	if (sub >= 0)
		close(sub);
	free(name);
	return rc;
}

int cas_put_bytes(const char *dir, const void *p, size_t n, char hex[65], struct ps_err *err)
{
	char tmp[64];
	int dfd, fd, rc;

	digest_bytes(hex, p, n);
	if (cas_touch(dir, hex))
		return 0;
	dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dfd < 0)
		return ps_err_errno(err, "cannot open '%s'", dir);
	fs_tmp_name(tmp, sizeof(tmp));
	fd = openat(dfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = ps_err_errno(err, "cannot create a file in '%s'", dir);
		close(dfd);
		return rc;
	}
	rc = fs_write_all(fd, p, n, err);
	if (rc == 0)
		rc = cas_settle(dir, dfd, tmp, fd, hex, err);
	if (rc < 0)
		unlinkat(dfd, tmp, 0);
	close(fd);
	close(dfd);
	return rc;
}

static int copy_digest(int from, int to, char hex[65], uint64_t *size, struct ps_err *err)
{
	struct digest *d = digest_new();
	char block[65536];
	uint64_t total = 0;
	int rc = 0;

	while (rc == 0) {
		ssize_t n = pread(from, block, sizeof(block), (off_t)total);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = ps_err_errno(err, "cannot read");
		if (n <= 0)
			break;
		digest_add(d, block, (size_t)n);
		total += (uint64_t)n;
		rc = fs_write_all(to, block, (size_t)n, err);
	}
	digest_end(d, hex);
	if (size)
		*size = total;
	return rc;
}

int cas_put_fd(const char *dir, int from, char hex[65], uint64_t *size, struct ps_err *err)
{
	int dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd, rc;
	char tmp[64];

	if (dfd < 0)
		return ps_err_errno(err, "cannot open '%s'", dir);
	fs_tmp_name(tmp, sizeof(tmp));
	fd = openat(dfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = ps_err_errno(err, "cannot create a file in '%s'", dir);
		close(dfd);
		return rc;
	}
	rc = copy_digest(from, fd, hex, size, err);
	if (rc == 0)
		rc = cas_settle(dir, dfd, tmp, fd, hex, err);
	if (rc < 0)
		unlinkat(dfd, tmp, 0);
	close(fd);
	close(dfd);
	return rc;
}

int cas_open(const char *dir, const char *hex, struct ps_err *err)
{
	struct stat st;
	char *path;
	int fd;

	if (!digest_is_hex(hex, PS_DIGEST_HEX))
		return ps_err_set(err, PS_EINVAL, "'%s' is not a SHA-256", hex);
	path = cas_path(dir, hex);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		fd = ps_err_errno(err, "cannot open the content %.12s", hex);
	} else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		fd = ps_err_set(err, PS_EINVAL, "the content %.12s is not a regular file", hex);
	}
	free(path);
	return fd;
}

int cas_read(struct buf *out, const char *dir, const char *hex, size_t max, struct ps_err *err)
{
	int fd = cas_open(dir, hex, err), rc;
	char got[DIGEST_HEX];
	size_t from = out->len;

	if (fd < 0)
		return fd;
	rc = fs_read_fd(out, fd, max, err);
	close(fd);
	if (rc < 0)
		return rc;
	digest_bytes(got, buf_str(out) + from, out->len - from);
	if (strcmp(got, hex) != 0)
		return ps_err_set(err, PS_ECONFLICT, "the content %.12s has other bytes: %.12s",
				  hex, got);
	return 0;
}

int cas_copy(int to, const char *dir, const char *hex, struct ps_err *err)
{
	int fd = cas_open(dir, hex, err), rc;
	char got[DIGEST_HEX];

	if (fd < 0)
		return fd;
	rc = copy_digest(fd, to, got, NULL, err);
	close(fd);
	if (rc == 0 && strcmp(got, hex) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "the content %.12s has other bytes: %.12s", hex,
				got);
	return rc;
}
