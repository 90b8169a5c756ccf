/*
 * airflow_zip – the archive of a DAG, written and read by libarchive.
 *
 * The same files make the same bytes: members in the order of their paths, one time, one mode, not
 * packed. Beside them lies a stamp, which no server loads since it is no Python.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/plan/canon.h"

enum { EPOCH_1980 = 315532800, BLOCK = 65536 };

/* ---- writing ---- */

static int failed(struct archive *a, struct ps_err *err)
{
	const char *why = archive_error_string(a);

	return ps_err_set(err, PS_EIO, "cannot write the archive: %s", why ? why : "no reason");
}

static int add_member(struct archive *a, const char *path, const struct buf *bytes,
		      struct ps_err *err)
{
	struct archive_entry *e = archive_entry_new();
	int rc = 0;

	PS_BUG_IF(!e, "no memory for a member");
	archive_entry_set_pathname_utf8(e, path);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)bytes->len);
	archive_entry_set_mtime(e, EPOCH_1980, 0);
	if (archive_write_header(a, e) != ARCHIVE_OK ||
	    (bytes->len &&
	     archive_write_data(a, buf_str(bytes), bytes->len) != (la_ssize_t)bytes->len))
		rc = failed(a, err);
	archive_entry_free(e);
	return rc;
}

static int add_stamp(struct archive *a, const struct fabric_target *t, const struct fabric_job *j,
		     struct ps_err *err)
{
	json_t *stamp = json_pack("{ss ss ss ss ss sI}", "repository", t->repository, "project",
				  t->project, "job", j->key, "definition", j->sha256, "release",
				  t->release ? t->release : "", "fence", (json_int_t)t->fence);
	struct buf b = BUF_INIT;
	int rc = stamp ? canon_write(stamp, &b, err)
		       : ps_err_set(err, PS_EPROTO, "'%s' is not UTF-8", j->key);

	if (rc == 0)
		rc = add_member(a, AFL_STAMP, &b, err);
	buf_clear(&b);
	json_decref(stamp);
	return rc;
}

int afl_zip_write(int fd, const struct fabric_target *t, const struct fabric_job *j,
		  const struct afl_def *d, struct ps_err *err)
{
	struct archive *a = archive_write_new();
	const char **paths;
	size_t n;
	int rc = 0;

	PS_BUG_IF(!a, "no memory for an archive");
	paths = canon_keys(d->files, &n);
	if (archive_write_set_format_zip(a) != ARCHIVE_OK ||
	    archive_write_set_options(a, "zip:compression=store") != ARCHIVE_OK ||
	    archive_write_open_fd(a, fd) != ARCHIVE_OK)
		rc = failed(a, err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct buf b = BUF_INIT;

		rc = afl_def_file(d, t, paths[i], &b, err);
		if (rc == 0)
			rc = add_member(a, paths[i], &b, err);
		buf_clear(&b);
	}
	if (rc == 0)
		rc = add_stamp(a, t, j, err);
	if (rc == 0 && archive_write_close(a) != ARCHIVE_OK)
		rc = failed(a, err);
	archive_write_free(a);
	free(paths);
	return rc;
}

/* ---- reading ---- */

static int read_member(struct archive *a, struct buf *out, struct ps_err *err)
{
	char block[BLOCK];
	la_ssize_t n;

	while ((n = archive_read_data(a, block, sizeof(block))) > 0) {
		if (out->len + (size_t)n > PS_JSON_MAX)
			return ps_err_set(err, PS_ELIMIT, "a member of the archive is too large");
		buf_add(out, block, (size_t)n);
	}
	return n == 0 ? 0
		      : ps_err_set(err, PS_EINVAL, "the archive is damaged: %s",
				   archive_error_string(a));
}

static int take_member(struct afl_zip *out, const char *path, const struct buf *bytes,
		       struct ps_err *err)
{
	char hex[DIGEST_HEX];

	if (strcmp(path, AFL_STAMP) == 0 && !out->stamp) {
		/* one that cannot be read is none */
		out->stamp = json_loadb(buf_str(bytes), bytes->len, 0, NULL);
		return 0;
	}
	digest_bytes(hex, buf_str(bytes), bytes->len);
	return json_object_set_new(out->files, path, json_string(hex)) == 0
		       ? 0
		       : ps_err_set(err, PS_EINVAL, "a path in the archive is not UTF-8");
}

int afl_zip_read(struct afl_zip *out, int fd, struct ps_err *err)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	int rc = 0, at;

	PS_BUG_IF(!a, "no memory for an archive");
	*out = (struct afl_zip) { .files = json_object() };
	archive_read_support_format_zip(a);
	at = archive_read_open_fd(a, fd, BLOCK);
	while (rc == 0 && at == ARCHIVE_OK) {
		struct buf b = BUF_INIT;
		const char *path;

		at = archive_read_next_header(a, &e);
		if (at != ARCHIVE_OK)
			break;
		path = archive_entry_pathname_utf8(e);
		if (archive_entry_filetype(e) == AE_IFREG && path) {
			rc = read_member(a, &b, err);
			if (rc == 0)
				rc = take_member(out, path, &b, err);
		}
		buf_clear(&b);
	}
	if (rc == 0 && at != ARCHIVE_EOF)
		rc = ps_err_set(err, PS_EINVAL, "it is no zip archive: %s",
				archive_error_string(a));
	archive_read_free(a);
	return rc;
}

void afl_zip_clear(struct afl_zip *z)
{
	json_decref(z->files);
	json_decref(z->stamp);
	*z = (struct afl_zip) { NULL, NULL };
}

const char *afl_zip_says(const struct afl_zip *z, const char *key)
{
	return json_string_value(json_object_get(z->stamp, key));
}

int afl_zip_owner(const struct afl_zip *z, const struct fabric_target *t,
		  const struct fabric_job *j, struct ps_err *err)
{
	const char *repository = afl_zip_says(z, "repository");
	const char *project = afl_zip_says(z, "project"), *job = afl_zip_says(z, "job");

	if (!z->stamp || (ps_streq(repository, t->repository) && ps_streq(project, t->project) &&
			  ps_streq(job, j->key)))
		return 0;
	return ps_err_set(err, PS_ECONFLICT,
			  "the DAG of '%s' is there already as '%s' of %s:%s; give one of them "
			  "another dagName",
			  j->key, job ? job : "?", repository ? repository : "?",
			  project ? project : "?");
}
