/* databricks_files – an artifact gets to its place once: looked for, written, and compared where
 * somebody was there before. Where that is, the fabric says: a volume, or else DBFS. */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/fsutil.h"

enum { TRIES = 3 };

struct upload {
	struct dbx *d;
	const struct dbx_store *store;
	char *path;
	const char *sha256;
	struct http_file file;
	bool replace;
};

/* The bytes that are sent are those that were signed. */
static int open_content(struct upload *u, const char *content, struct ps_err *err)
{
	struct stat st;
	char got[DIGEST_HEX];
	int rc;

	u->file.fd = cas_open(content, u->sha256, err);
	if (u->file.fd < 0)
		return u->file.fd;
	if (fstat(u->file.fd, &st) < 0)
		return ps_err_errno(err, "cannot read the content %.12s", u->sha256);
	u->file.size = st.st_size;
	rc = digest_fd(got, u->file.fd, NULL, err);
	if (rc == 0 && strcmp(got, u->sha256) != 0)
		rc = ps_err_set(err, PS_ECONFLICT, "the content %.12s has other bytes: %.12s",
				u->sha256, got);
	return rc;
}

static int has_others(const struct upload *u, const char *what, struct ps_err *err)
{
	if (u->replace)
		return PS_EEXIST;
	return ps_err_set(
		err, PS_ECONFLICT,
		"'%s' is there with other bytes (%s): an artifact's path never gets others",
		u->path, what);
}

/* 1: it is there with our bytes. 0: nothing is. PS_ECONFLICT: others are, PS_EEXIST (without a
 * text) where they make way. */
static int look_at(const struct upload *u, struct ps_err *err)
{
	char got[DIGEST_HEX], what[96];
	struct ps_err why = { 0 };
	int64_t size = 0;
	int rc = u->store->size(u->d, u->path, &size, &why);

	if (rc == PS_ENOENT)
		return 0;
	if (rc == 0 && size != u->file.size) {
		snprintf(what, sizeof(what), "%lld of them, not %lld", (long long)size,
			 (long long)u->file.size);
		return has_others(u, what, err);
	}
	if (rc == 0)
		rc = u->store->digest(u->d, u->path, size, got, &why);
	if (rc == 0 && strcmp(got, u->sha256) != 0) {
		snprintf(what, sizeof(what), "%.12s, not %.12s", got, u->sha256);
		return has_others(u, what, err);
	}
	if (rc < 0 && err)
		*err = why;
	return rc < 0 ? rc : 1;
}

/*
 * An answer that was lost is found by looking, and so is somebody who was there first. What is
 * written and not answered for is written again only when a look finds nothing. In the end it is
 * not done where nobody can say: what comes to that path late has the bytes that belong there.
 */
static int bring(const struct upload *u, enum fabric_outcome *outcome, struct ps_err *err)
{
	bool tried = false;
	int rc = 0;

	for (int i = 0; i < TRIES; i++) {
		enum fabric_outcome o = FABRIC_NOT_DONE;

		rc = look_at(u, err);
		if (rc == 1)
			*outcome = tried ? FABRIC_DONE : FABRIC_ALREADY;
		if (rc == PS_EEXIST) {
			rc = u->store->replace(u->d, u->path, &u->file, err);
			*outcome = rc == 0 ? FABRIC_DONE : FABRIC_NOT_DONE;
			return rc;
		}
		if (rc != 0)
			return rc < 0 ? rc : 0;
		rc = u->store->write(u->d, u->path, &u->file, u->sha256, &o, err);
		if (rc == 0)
			*outcome = FABRIC_DONE;
		if (rc == 0 || (rc != PS_EEXIST && o != FABRIC_UNKNOWN))
			return rc;
		tried = true;
	}
	return rc;
}

/* Free its path. */
static struct upload upload_to(struct fabric_target *t, const char *path, const char *sha256)
{
	const char *volume = t->conf->volume;

	return (struct upload){
		.d = dbx_of(t),
		.store = volume ? &dbx_volume : &dbx_dbfs,
		.sha256 = sha256,
		.path = xasprintf("%s/%s", volume ? volume : "/FileStore", path),
	};
}

int dbx_bring(struct fabric_target *t, const char *path, const char *sha256,
	      const struct http_file *file, bool replace, enum fabric_outcome *outcome,
	      struct ps_err *err)
{
	struct upload u = upload_to(t, path, sha256);
	int rc;

	*outcome = FABRIC_NOT_DONE;
	u.file = *file;
	u.replace = replace;
	rc = bring(&u, outcome, err);
	free(u.path);
	return rc;
}

int dbx_put_artifact(struct fabric_target *t, const struct fabric_file *f,
		     enum fabric_outcome *outcome, struct ps_err *err)
{
	struct upload u = upload_to(t, f->path, f->sha256);
	int rc = open_content(&u, t->content, err);

	*outcome = FABRIC_NOT_DONE;
	if (rc == 0)
		rc = bring(&u, outcome, err);
	if (u.file.fd >= 0)
		close(u.file.fd);
	free(u.path);
	return rc;
}
