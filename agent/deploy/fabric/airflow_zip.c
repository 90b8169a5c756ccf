/*
 * airflow_zip – the archive of a DAG.
 *
 * The same bytes for the same definition: members in the order of their paths, not packed, with one
 * mode and without times or owners. (A time stands in an archive as local time: none is the same
 * everywhere. Python keeps no compiled form of what comes from an archive, so times mean nothing
 * there.)
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <archive.h>
#include <archive_entry.h>

#include "common/plan/canon.h"

static la_ssize_t take(struct archive *a, void *out, const void *bytes, size_t n)
{
	(void)a;
	buf_add(out, bytes, n);
	return (la_ssize_t)n;
}

static int failed(struct archive *a, const struct afl_def *d, struct ps_err *err)
{
	const char *why = archive_error_string(a);

	return ps_err_set(err, PS_EIO, "cannot make the archive of the DAG '%s': %s", d->dag_id,
			  why ? why : "libarchive does not say why");
}

static int add_member(struct archive *a, const struct fabric_target *t, const struct afl_def *d,
		      const char *path, struct ps_err *err)
{
	struct archive_entry *e = archive_entry_new();
	struct buf b = BUF_INIT;
	int rc = afl_def_file(d, t, path, &b, err);

	archive_entry_set_pathname(e, path);
	archive_entry_set_filetype(e, AE_IFREG);
	archive_entry_set_perm(e, 0644);
	archive_entry_set_size(e, (la_int64_t)b.len);
	if (rc == 0 && (archive_write_header(a, e) != ARCHIVE_OK ||
			archive_write_data(a, buf_str(&b), b.len) != (la_ssize_t)b.len))
		rc = failed(a, d, err);
	archive_entry_free(e);
	buf_clear(&b);
	return rc;
}

int afl_zip(const struct fabric_target *t, const struct afl_def *d, struct buf *out,
	    char hex[DIGEST_HEX], struct ps_err *err)
{
	struct archive *a = archive_write_new();
	size_t from = out->len, n;
	const char **paths = canon_keys(d->files, &n);
	int rc = 0;

	if (archive_write_set_format_zip(a) != ARCHIVE_OK ||
	    archive_write_zip_set_compression_store(a) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
	    archive_write_open(a, out, NULL, take, NULL) != ARCHIVE_OK)
		rc = failed(a, d, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_member(a, t, d, paths[i], err);
	if (rc == 0 && archive_write_close(a) != ARCHIVE_OK)
		rc = failed(a, d, err);
	archive_write_free(a);
	free(paths);
	if (rc == 0 && out->len - from > AFL_ZIP_MAX)
		rc = ps_err_set(err, PS_ELIMIT,
				"the archive of the DAG '%s' is larger than %d bytes", d->dag_id,
				AFL_ZIP_MAX);
	if (rc == 0)
		digest_bytes(hex, buf_str(out) + from, out->len - from);
	return rc;
}
