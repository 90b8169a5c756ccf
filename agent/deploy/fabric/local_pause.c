/* local_pause – which jobs of a place are paused; see local_parts.h. */
#include "config.h"

#include "agent/deploy/fabric/local_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

enum { MARK_MAX = 4096 };

static const char ours[] = "orphan\n";

/* The folder of a job's mark; *name: the mark in it, points into path. */
static int open_marks(int pfd, const char *path, bool make, const char **name, struct ps_err *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xasprintf("paused/%.*s", (int)(slash - path), path)
			     : xstrdup("paused");
	int dfd = local_open(pfd, folder, make, err);

	*name = slash ? slash + 1 : path;
	free(folder);
	return dfd;
}

/* Is there a mark at all, and is it ours? */
static int read_mark(int dfd, const char *name, bool *there, bool *is_ours, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = fs_read(&b, dfd, name, MARK_MAX, err);

	*there = rc != PS_ENOENT;
	*is_ours = rc == 0 && strcmp(buf_str(&b), ours) == 0;
	buf_clear(&b);
	/* a long one is somebody's, and a pause like any other */
	return rc == PS_ENOENT || rc == PS_ELIMIT ? 0 : rc;
}

static int pause_one(int pfd, const char *path, struct ps_err *err)
{
	const char *name;
	bool there = false, is_ours;
	int dfd = open_marks(pfd, path, true, &name, err), rc;

	if (dfd < 0)
		return dfd;
	rc = local_sweep(dfd, err);
	if (rc == 0)
		rc = read_mark(dfd, name, &there, &is_ours, err);
	if (rc == 0 && !there)
		rc = fs_write_file(dfd, name, ours, strlen(ours), 0644, err);
	else if (rc == 0 && fsync(dfd) < 0)
		rc = ps_err_errno(err, "cannot sync the pause of '%s'", path);
	close(dfd);
	return rc;
}

/* Removes the pause, where it is ours or where anybody's shall go. */
static int wake_one(int pfd, const char *path, bool anybodys, struct ps_err *err)
{
	const char *name;
	bool there = false, is_ours = false;
	int dfd = open_marks(pfd, path, false, &name, NULL), rc;

	if (dfd < 0)	/* nothing was ever paused there */
		return dfd == PS_ENOENT ? 0 : ps_err_set(err, dfd, "cannot open the pauses");
	rc = local_sweep(dfd, err);
	if (rc == 0)
		rc = read_mark(dfd, name, &there, &is_ours, err);
	if (rc == 0 && there && (is_ours || anybodys) &&
	    (unlinkat(dfd, name, 0) < 0 || fsync(dfd) < 0))
		rc = ps_err_errno(err, "cannot remove the pause of '%s'", path);
	close(dfd);
	return rc;
}

int local_pause_orphans(int pfd, const struct fabric_set *s, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->norphans; i++)
		rc = pause_one(pfd, s->orphans[i].path, err);
	return rc;
}

int local_wake_wanted(int pfd, const struct fabric_set *s, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->nfiles; i++)
		rc = wake_one(pfd, s->files[i].path, false, err);
	for (size_t i = 0; rc == 0 && i < s->ngone; i++)
		rc = wake_one(pfd, s->gone[i], true, err);
	return rc;
}

int local_check_pauses(int pfd, const struct fabric_set *s, struct ps_err *err)
{
	for (size_t i = 0; i < s->norphans; i++) {
		const char *name;
		bool there = false, is_ours;
		int dfd = open_marks(pfd, s->orphans[i].path, false, &name, NULL), rc = 0;

		if (dfd >= 0) {
			rc = read_mark(dfd, name, &there, &is_ours, err);
			close(dfd);
		}
		if (rc < 0)
			return rc;
		if (!there)
			return ps_err_set(err, PS_ECONFLICT, "'%s' is not paused any more",
					  s->orphans[i].path);
	}
	return 0;
}
