/* local_look – what is in force on a local fabric, read without its lock: a set never changes once
 * it has its name, so the link `current` is followed once and everything is read behind it. */
#include "config.h"

#include "agent/deploy/fabric/local_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"

enum { FOLDER = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

/* Opens path below dfd part by part, the last one with flags; follows no link. -1 with errno. */
static int open_parts(int dfd, const char *path, int flags)
{
	char *parts = xstrdup(path), *save = NULL, *part = strtok_r(parts, "/", &save);
	int at = fcntl(dfd, F_DUPFD_CLOEXEC, 0), why;

	while (at >= 0 && part) {
		char *next = strtok_r(NULL, "/", &save);
		int fd = openat(at, part, next ? FOLDER : flags);

		why = errno;
		close(at);
		errno = why;
		at = fd;
		part = next;
	}
	why = errno;
	free(parts);
	errno = why;
	return at;
}

/* The folder of the set in force; -1 with errno: ENOENT when there is none. */
static int open_current(const struct fabric_target *t)
{
	char to[64], *place = xasprintf("jobs/%s", t->place);
	int dir = open(t->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), at = -1, set = -1, why;
	ssize_t n = -1;

	if (dir >= 0)
		at = open_parts(dir, place, FOLDER);
	if (at >= 0)
		n = readlinkat(at, "current", to, sizeof(to) - 1);
	if (n >= 0) {
		to[n] = '\0';
		set = open_parts(at, to, FOLDER);
	}
	why = errno;
	if (at >= 0)
		close(at);
	if (dir >= 0)
		close(dir);
	free(place);
	errno = why;
	return set;
}

/* The definition as it is: its bytes too where it is not the one asked for. */
static int look_at(int set, const struct fabric_job *j, struct fabric_seen *out, struct ps_err *err)
{
	char *path = xasprintf("%s.json", j->key);
	int fd = open_parts(set, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), rc = 0;
	struct buf b = BUF_INIT;

	if (fd < 0 && errno != ENOENT)
		rc = ps_err_errno(err, "cannot open '%s'", path);
	if (fd < 0)
		goto out;
	rc = fs_read_fd(&b, fd, PS_JSON_MAX, err);
	if (rc < 0)
		ps_err_prefix(err, "'%s'", path);
	close(fd);
	if (rc == 0)
		digest_bytes(out->sha256, buf_str(&b), b.len);
	if (rc == 0 && strcmp(out->sha256, j->sha256) != 0)
		out->definition = buf_steal(&b);
out:
	buf_clear(&b);
	free(path);
	return rc;
}

int local_look(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
	       struct fabric_seen *out, struct ps_err *err)
{
	int set = open_current(t), rc = 0;

	if (set < 0)
		return errno == ENOENT ? 0
				       : ps_err_errno(err, "cannot open what is in force in '%s'",
						      t->dir);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = look_at(set, &jobs[i], &out[i], err);
	close(set);
	return rc;
}
