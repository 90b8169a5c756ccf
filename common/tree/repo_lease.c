/* repo_lease – who works with a repository: penstock.lease in its folder. See repo.h.
 *
 * Three lines: what it is, who, how often (ms) he says so again. When he said so last is the file's
 * time, so saying so again writes nothing. It is no lock: two that take it over in the same moment
 * find out when they come by next. */
#include "config.h"

#include "common/tree/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"

enum { LEASE_MAX = 8192, PERIODS = 3, LEAST_MS = 5000, EVERY_MAX_MS = 86400000 };

static const char name[] = "penstock.lease", first_line[] = "penstock-lease 1";

/*
 * Makes or replaces it at once; nothing is synced: after a power loss it is stale or made anew. The
 * name it has before is this owner's own, so what a killed one left is overwritten.
 */
static int put(int dir, const char *owner, int64_t every_ms, struct ps_err *err)
{
	char *text = xasprintf("%s\n%s\n%lld\n", first_line, owner, (long long)every_ms);
	char hex[DIGEST_HEX], tmp[64];
	int fd, rc;

	digest_bytes(hex, owner, strlen(owner));
	snprintf(tmp, sizeof(tmp), "%s.%.16s", name, hex);
	fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || FAIL_AT("repo.lease"))
		rc = ps_err_errno(err, "cannot make '%s'", name);
	else
		rc = fs_write_all(fd, text, strlen(text), err);
	if (rc == 0 && renameat(dir, tmp, dir, name) < 0)
		rc = ps_err_errno(err, "cannot make '%s'", name);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && rc < 0)
		unlinkat(dir, tmp, 0);
	free(text);
	return rc;
}

/* His word holds for three of his own periods from the file's time on. */
static bool is_fresh(const struct stat *st, const char *every)
{
	int64_t ms = strtoll(every, NULL, 10), age;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	age = (int64_t)(now.tv_sec - st->st_mtim.tv_sec) * 1000 +
		(now.tv_nsec - st->st_mtim.tv_nsec) / 1000000;
	if (ms < 0 || ms > EVERY_MAX_MS)
		ms = EVERY_MAX_MS;
	if (ms < LEAST_MS)		/* a machine may be busy for longer than a second */
		ms = LEAST_MS;
	return age < PERIODS * ms && -age < PERIODS * ms;
}

/* Splits the file's text; false: it is none of ours. */
static bool parse(char *text, char **owner, char **every)
{
	char *lines[3], *at = text;

	for (size_t i = 0; i < PS_NELEM(lines); i++) {
		char *end = strchr(at, '\n');

		if (!end)
			return false;
		*end = '\0';
		lines[i] = at;
		at = end + 1;
	}
	*owner = lines[1];
	*every = lines[2];
	return strcmp(lines[0], first_line) == 0;
}

static int take(int dir, const char *owner, int64_t every_ms, char **other, struct ps_err *err)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
	char text[LEASE_MAX + 1], *who = NULL, *every = NULL;
	ssize_t n = fd >= 0 ? read(fd, text, LEASE_MAX) : -1;
	struct stat st;
	bool known;

	text[n > 0 ? n : 0] = '\0';
	known = n > 0 && fstat(fd, &st) == 0 && parse(text, &who, &every);
	if (known && strcmp(who, owner) != 0 && is_fresh(&st, every))
		*other = xstrdup(who);
	else if (!known || strcmp(who, owner) != 0 || strtoll(every, NULL, 10) != every_ms ||
		 utimensat(dir, name, NULL, AT_SYMLINK_NOFOLLOW) < 0)
		rc = put(dir, owner, every_ms, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

int repo_lease(const char *path, const char *owner, int64_t every_ms, char **other,
	       struct ps_err *err)
{
	int fd = repo_folder(path), rc = 0;

	*other = NULL;
	if (fd < 0)
		return 0;		/* gone, which its mark says */
	if (faccessat(fd, "hooks/penstock.hook", F_OK, 0) == 0)
		rc = take(fd, owner, every_ms, other, err);
	close(fd);
	return rc;
}
