/*
 * airflow_place – archives in the dags folder.
 *
 * A server takes any file there that is a whole zip, whatever its name, for DAGs. So what is not to
 * be loaded lies in a folder of ours that .airflowignore keeps from it, under two names that mean
 * the same in both syntaxes of that file: `making`, what is being written, and `before-<dag_id>`,
 * what the newest archive took the place of. An archive's time is when it came: the server reads
 * again what is newer than its last reading, and a rollback that kept times would never be seen.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fsutil.h"

#define OURS ".penstock"

static const char ignored[] = "making\nbefore-\nbefore-*\n";

/* ---- folders ---- */

static int open_dags(const struct fabric_target *t, struct ps_err *err)
{
	int fd = open(t->conf->dags, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? ps_err_errno(err, "cannot open the dags folder '%s'", t->conf->dags) : fd;
}

/* Our folder in it, made when it is not there. */
static int open_ours(int dags, struct ps_err *err)
{
	struct stat st;
	int fd, rc = 0;

	if (mkdirat(dags, OURS, 0755) < 0 && errno != EEXIST)
		return ps_err_errno(err, "cannot make '%s' in the dags folder", OURS);
	fd = openat(dags, OURS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s' in the dags folder", OURS);
	if (fstatat(fd, ".airflowignore", &st, AT_SYMLINK_NOFOLLOW) < 0)
		rc = fs_write_file(fd, ".airflowignore", ignored, strlen(ignored), 0644, err);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* Both folders; *dags is open when it returns 0 or more. */
static int open_both(const struct fabric_target *t, int *dags, struct ps_err *err)
{
	int fd;

	*dags = open_dags(t, err);
	if (*dags < 0)
		return *dags;
	fd = open_ours(*dags, err);
	if (fd < 0)
		close(*dags);
	return fd;
}

static char *zip_name(const char *dag_id)
{
	return xasprintf("%s.zip", dag_id);
}

static char *before_name(const char *dag_id)
{
	return xasprintf("before-%s", dag_id);
}

static char *slept_name(const char *dag_id)
{
	return xasprintf("paused-%s", dag_id);
}

static int sync_both(int dags, int ours, struct ps_err *err)
{
	if (fsync(ours) < 0 || fsync(dags) < 0)
		return ps_err_errno(err, "cannot sync the dags folder");
	return 0;
}

/* Not there is fine. */
static int drop(int dfd, const char *name, struct ps_err *err)
{
	if (unlinkat(dfd, name, 0) < 0 && errno != ENOENT)
		return ps_err_errno(err, "cannot remove '%s' from the dags folder", name);
	return 0;
}

/* ---- reading ---- */

int afl_place_read(const struct fabric_target *t, const char *dag_id, struct afl_zip *out,
		   int64_t *since_ms, struct ps_err *err)
{
	char *name = zip_name(dag_id);
	int dags = open_dags(t, err), fd, rc = dags;
	struct stat st;

	*out = (struct afl_zip) { NULL, NULL };
	*since_ms = 0;
	if (dags < 0)
		goto out;
	fd = openat(dags, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	rc = fd < 0 && errno != ENOENT ? ps_err_errno(err, "cannot open '%s'", name) : 0;
	if (fd >= 0) {
		rc = fstat(fd, &st) < 0 ? ps_err_errno(err, "cannot look at '%s'", name)
					: afl_zip_read(out, fd, err);
		if (rc == 0)
			*since_ms = (int64_t)st.st_mtim.tv_sec * 1000 +
				    st.st_mtim.tv_nsec / 1000000;
		else
			ps_err_prefix(err, "'%s'", name);
		close(fd);
	}
	close(dags);
out:
	free(name);
	return rc;
}

/* ---- writing ---- */

static int write_new(int ours, const struct fabric_target *t, const struct fabric_job *j,
		     const struct afl_def *d, struct ps_err *err)
{
	int fd, rc = drop(ours, "making", err);

	if (rc < 0)
		return rc;
	fd = openat(ours, "making", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return ps_err_errno(err, "cannot make an archive in the dags folder");
	rc = afl_zip_write(fd, t, j, d, err);
	if (rc == 0 && (futimens(fd, NULL) < 0 || fsync(fd) < 0))
		rc = ps_err_errno(err, "cannot sync the archive");
	close(fd);
	return rc;
}

/* What is there stays under another name, until it is known that the new one loads. */
static int set_aside(int dags, int ours, const char *dag_id, struct ps_err *err)
{
	char *name = zip_name(dag_id), *before = before_name(dag_id);
	int rc = drop(ours, before, err);

	if (rc == 0 && linkat(dags, name, ours, before, 0) < 0 && errno != ENOENT)
		rc = ps_err_errno(err, "cannot keep '%s' aside", name);
	free(before);
	free(name);
	return rc;
}

int afl_place_put(const struct fabric_target *t, const struct fabric_job *j,
		  const struct afl_def *d, int64_t *since_ms, enum fabric_outcome *outcome,
		  struct ps_err *err)
{
	char *name = zip_name(d->dag_id);
	int dags, ours = open_both(t, &dags, err), rc = ours;

	*outcome = FABRIC_NOT_DONE;
	if (ours >= 0)
		rc = write_new(ours, t, j, d, err);
	if (rc >= 0)
		rc = set_aside(dags, ours, d->dag_id, err);
	*since_ms = clock_wall_ms();
	if (rc == 0 && renameat(ours, "making", dags, name) < 0)
		rc = ps_err_errno(err, "cannot put '%s' into the dags folder", name);
	if (rc == 0) {
		*outcome = FABRIC_DONE;
		/* newer than any reading that may have begun before */
		if (utimensat(dags, name, NULL, AT_SYMLINK_NOFOLLOW) < 0)
			rc = ps_err_errno(err, "cannot touch '%s'", name);
	}
	if (rc == 0)
		rc = sync_both(dags, ours, err);
	if (ours >= 0) {
		close(ours);
		close(dags);
	}
	free(name);
	return rc < 0 ? rc : 0;
}

int afl_place_restore(const struct fabric_target *t, const char *dag_id, struct ps_err *err)
{
	char *name = zip_name(dag_id), *before = before_name(dag_id);
	int dags, ours = open_both(t, &dags, err), rc = ours < 0 ? ours : 0;

	if (ours < 0)
		goto out;
	if (utimensat(ours, before, NULL, AT_SYMLINK_NOFOLLOW) == 0) {
		if (renameat(ours, before, dags, name) < 0)
			rc = ps_err_errno(err, "cannot put back what was there as '%s'", name);
	} else if (errno == ENOENT) {
		rc = drop(dags, name, err);
	} else {
		rc = ps_err_errno(err, "cannot look at what was there as '%s'", name);
	}
	if (rc == 0)
		rc = sync_both(dags, ours, err);
	close(ours);
	close(dags);
out:
	free(before);
	free(name);
	return rc;
}

int afl_place_keep(const struct fabric_target *t, const char *dag_id, struct ps_err *err)
{
	char *before = before_name(dag_id);
	int dags, ours = open_both(t, &dags, err), rc = ours < 0 ? ours : 0;

	if (ours >= 0) {
		rc = drop(ours, before, err);
		close(ours);
		close(dags);
	}
	free(before);
	return rc;
}

int afl_place_remove(const struct fabric_target *t, const char *dag_id,
		     enum fabric_outcome *outcome, struct ps_err *err)
{
	char *name = zip_name(dag_id), *slept = slept_name(dag_id);
	int dags, ours = open_both(t, &dags, err), rc = ours < 0 ? ours : 0;

	*outcome = FABRIC_NOT_DONE;
	if (ours < 0)
		goto out;
	if (unlinkat(dags, name, 0) == 0)
		*outcome = FABRIC_DONE;
	else if (errno == ENOENT)
		*outcome = FABRIC_ALREADY;
	else
		rc = ps_err_errno(err, "cannot remove '%s' from the dags folder", name);
	if (rc == 0)
		rc = drop(ours, slept, err);
	if (rc == 0)
		rc = sync_both(dags, ours, err);
	close(ours);
	close(dags);
out:
	free(slept);
	free(name);
	return rc;
}

/* ---- pauses ---- */

bool afl_place_slept(const struct fabric_target *t, const char *dag_id)
{
	char *slept = slept_name(dag_id);
	char *path = xasprintf("%s/" OURS "/%s", t->conf->dags, slept);
	bool is = fs_exists(path);

	free(path);
	free(slept);
	return is;
}

int afl_place_note_sleep(const struct fabric_target *t, const char *dag_id, bool sleeps,
			 struct ps_err *err)
{
	char *slept = slept_name(dag_id);
	int dags, ours = open_both(t, &dags, err), rc = ours < 0 ? ours : 0;

	if (ours >= 0) {
		rc = sleeps ? fs_write_file(ours, slept, "orphan\n", strlen("orphan\n"), 0644, err)
			    : drop(ours, slept, err);
		if (rc == 0 && fsync(ours) < 0)
			rc = ps_err_errno(err, "cannot sync the dags folder");
		close(ours);
		close(dags);
	}
	free(slept);
	return rc;
}
