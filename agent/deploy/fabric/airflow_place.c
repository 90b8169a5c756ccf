/*
 * airflow_place – where archives lie: a folder of this machine, or one that is mounted here.
 *
 * A server takes any file there that is a whole zip, whatever its name, for DAGs. So what is being
 * written lies in a folder of ours that .airflowignore keeps from it, by a name that means the same
 * in both syntaxes of that file. An archive's time is when it came: the server reads again at once
 * what is newer than its last reading.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define OURS ".penstock"
#define MAKING "making"

/* ---- the folder ---- */

static int open_dags(const struct afl *a, struct ps_err *err)
{
	int fd = open(a->conf->dags, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? ps_err_errno(err, "cannot open the dags folder '%s'", a->conf->dags) : fd;
}

/* Our folder in it, made when it is not there. */
static int open_ours(int dags, struct ps_err *err)
{
	static const char ignored[] = MAKING "\n";
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

/* ---- files ---- */

static int here_read(struct afl *a, const char *name, struct buf *out, struct ps_err *err)
{
	int dags = open_dags(a, err), rc;

	if (dags < 0) /* without the folder nobody knows whether the file is there */
		return dags == PS_ENOENT ? PS_EIO : dags;
	rc = fs_read(out, dags, name, AFL_ZIP_MAX, err);
	close(dags);
	return rc;
}

/* Whole and durable under a name that nobody reads, then renamed. */
static int publish(int dags, int ours, const char *name, const struct buf *bytes,
		   struct ps_err *err)
{
	int rc = fs_write_file(ours, MAKING, buf_str(bytes), bytes->len, 0644, err);

	if (rc == 0 && (renameat(ours, MAKING, dags, name) < 0 ||
			utimensat(dags, name, NULL, AT_SYMLINK_NOFOLLOW) < 0 || fsync(dags) < 0 ||
			fsync(ours) < 0))
		rc = ps_err_errno(err, "cannot put '%s' into the dags folder", name);
	return rc;
}

static int here_write(struct afl *a, const char *name, const struct buf *bytes, struct ps_err *err)
{
	int dags = open_dags(a, err), ours, rc;

	if (dags < 0)
		return dags;
	ours = open_ours(dags, err);
	rc = ours < 0 ? ours : publish(dags, ours, name, bytes, err);
	if (ours >= 0)
		close(ours);
	close(dags);
	return rc;
}

static int here_remove(struct afl *a, const char *name, struct ps_err *err)
{
	int dags = open_dags(a, err), rc = 0;

	if (dags < 0)
		return dags;
	if ((unlinkat(dags, name, 0) < 0 && errno != ENOENT) || fsync(dags) < 0)
		rc = ps_err_errno(err, "cannot remove '%s' from the dags folder", name);
	close(dags);
	return rc;
}

const struct afl_place afl_place_here = { here_read, here_write, here_remove };

/* ---- of any kind ---- */

int afl_lies(struct afl *a, const char *dag_id, const char *supposed, char hex[DIGEST_HEX],
	     struct buf *bytes, struct ps_err *err)
{
	char *name = xasprintf("%s.zip", dag_id);
	struct buf b = BUF_INIT;
	int rc = 0;

	snprintf(hex, DIGEST_HEX, "%s", a->place->read ? "" : supposed);
	if (a->place->read) {
		rc = a->place->read(a, name, &b, err);
		if (rc == 0)
			digest_bytes(hex, buf_str(&b), b.len);
		if (rc == 0 && bytes)
			buf_add(bytes, buf_str(&b), b.len);
	}
	buf_clear(&b);
	free(name);
	return rc == PS_ENOENT ? 0 : rc;
}

int afl_lay(struct afl *a, const char *dag_id, const struct buf *bytes, struct ps_err *err)
{
	char *name = xasprintf("%s.zip", dag_id);
	int rc = a->place->write(a, name, bytes, err);

	free(name);
	return rc;
}

int afl_take_away(struct afl *a, const char *dag_id, struct ps_err *err)
{
	char *name = xasprintf("%s.zip", dag_id);
	int rc = a->place->remove(a, name, err);

	free(name);
	return rc;
}
