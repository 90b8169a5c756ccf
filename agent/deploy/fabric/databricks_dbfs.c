/*
 * databricks_dbfs – files on DBFS, which a workspace has of old.
 *
 * A file there has its name from the first byte on, so one is written under another name beside its
 * own and moved when it is whole. That name says the bytes: a try that was cut off is written over
 * by the next one, by whomever.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include <errno.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "common/base/digest.h"

enum { BLOCK = 1 << 20, READ = 512 << 10 }; /* the interface's limits are 1 MiB */

/* One step of an upload. *lost: it may have been done, and trying anew may help: what broke in each
 * of several tries will in the next one too. handle: NULL, or out. */
static int step(struct dbx *d, const char *path, json_t *body, bool repeatable, bool *lost,
		json_int_t *handle, struct ps_err *err)
{
	struct dbx_said s;
	int rc = dbx_ask(
		d,
		&(struct dbx_ask){
			.method = "POST", .path = path, .body = body, .repeatable = repeatable },
		&s, err);

	*lost = s.outcome == FABRIC_UNKNOWN && (!repeatable || !s.status);
	if (handle)
		*handle = json_integer_value(json_object_get(s.doc, "handle"));
	dbx_said_clear(&s);
	return rc;
}

static int size_of(struct dbx *d, const char *path, int64_t *size, struct ps_err *err)
{
	const struct http_field query[] = { { "path", path }, { NULL, NULL } };
	struct dbx_said s;
	int rc = dbx_ask(d,
			 &(struct dbx_ask){ .path = "/api/2.0/dbfs/get-status",
					    .query = query,
					    .repeatable = true },
			 &s, err);

	if (rc == 0 && json_is_true(json_object_get(s.doc, "is_dir")))
		rc = ps_err_set(err, PS_ECONFLICT, "'%s' is a folder there", path);
	*size = json_integer_value(json_object_get(s.doc, "file_size"));
	dbx_said_clear(&s);
	return rc;
}

static int add_data(struct digest *sum, const char *text, int64_t *got, struct ps_err *err)
{
	size_t n = text ? strlen(text) : 0;
	unsigned char *raw = xmalloc(n / 4 * 3 + 1);
	int len = EVP_DecodeBlock(raw, (const unsigned char *)text, (int)n);

	for (size_t i = n; len > 0 && i && text[i - 1] == '='; i--)
		len--; /* which it counts as bytes */
	if (len > 0)
		digest_add(sum, raw, (size_t)len);
	free(raw);
	if (len <= 0)
		return ps_err_set(err, PS_EPROTO, "dbfs/read: the answer has no data");
	*got += len;
	return 0;
}

static int digest_of(struct dbx *d, const char *path, int64_t size, char hex[65],
		     struct ps_err *err)
{
	struct digest *sum = digest_new();
	int64_t got = 0;
	int rc = 0;

	while (got < size && rc == 0) {
		char offset[24], length[24];
		const struct http_field query[] = {
			{ "path", path },
			{ "offset", offset },
			{ "length", length },
			{ NULL, NULL },
		};
		struct dbx_said s;

		snprintf(offset, sizeof(offset), "%lld", (long long)got);
		snprintf(length, sizeof(length), "%d", READ);
		rc = dbx_ask(d,
			     &(struct dbx_ask){ .path = "/api/2.0/dbfs/read",
						.query = query,
						.repeatable = true },
			     &s, err);
		if (rc == 0)
			rc = add_data(sum, json_string_value(json_object_get(s.doc, "data")), &got,
				      err);
		dbx_said_clear(&s);
	}
	digest_end(sum, hex);
	return rc;
}

/* n bytes of the file from `at` on, in base64. */
static int encoded(const struct http_file *f, int64_t at, size_t n, char **out, struct ps_err *err)
{
	unsigned char *raw = xmalloc(n + 1);
	char *text = xmalloc((n + 2) / 3 * 4 + 1);
	size_t got = 0;

	while (got < n) {
		ssize_t r = pread(f->fd, raw + got, n - got, at + (int64_t)got);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			break;
		got += (size_t)r;
	}
	EVP_EncodeBlock((unsigned char *)text, raw, (int)got);
	free(raw);
	if (got < n) {
		free(text);
		return ps_err_errno(err, "cannot read what is to be uploaded");
	}
	*out = text;
	return 0;
}

/* Blocks behind each other; one that may have arrived is not sent twice, the whole begins anew. */
static int write_blocks(struct dbx *d, json_int_t handle, const struct http_file *f, bool *lost,
			struct ps_err *err)
{
	int rc = 0;

	for (int64_t at = 0; at < f->size && rc == 0; at += BLOCK) {
		size_t n = f->size - at < BLOCK ? (size_t)(f->size - at) : BLOCK;
		char *data;

		rc = encoded(f, at, n, &data, err);
		if (rc < 0)
			break;
		rc = step(d, "/api/2.0/dbfs/add-block",
			  json_pack("{sI ss}", "handle", handle, "data", data), false, lost, NULL,
			  err);
		free(data);
	}
	return rc;
}

static int write_long(struct dbx *d, const char *path, const struct http_file *f, bool *lost,
		      struct ps_err *err)
{
	json_int_t handle;
	int64_t size = 0;
	int rc = step(d, "/api/2.0/dbfs/create", json_pack("{ss sb}", "path", path, "overwrite", 1),
		      true, lost, &handle, err);

	if (rc == 0)
		rc = write_blocks(d, handle, f, lost, err);
	if (rc == 0) {
		rc = step(d, "/api/2.0/dbfs/close", json_pack("{sI}", "handle", handle), true, lost,
			  NULL, err);
		/* closed by the try whose answer was lost: the size tells */
		if (rc == PS_ENOENT)
			rc = 0;
	}
	if (rc == 0)
		rc = size_of(d, path, &size, err);
	if (rc == 0 && size != f->size)
		rc = ps_err_set(err, PS_EIO, "of '%s' %lld bytes arrived, not %lld", path,
				(long long)size, (long long)f->size);
	return rc;
}

static int write_short(struct dbx *d, const char *path, const struct http_file *f, bool *lost,
		       struct ps_err *err)
{
	char *data = NULL;
	int rc = encoded(f, 0, (size_t)f->size, &data, err);

	if (rc < 0)
		return rc;
	rc = step(d, "/api/2.0/dbfs/put",
		  json_pack("{ss ss sb}", "path", path, "contents", data, "overwrite", 1), true,
		  lost, NULL, err);
	free(data);
	return rc;
}

static int write_file(struct dbx *d, const char *path, const struct http_file *f,
		      const char *sha256, enum fabric_outcome *outcome, struct ps_err *err)
{
	const char *name = strrchr(path, '/') + 1;
	char *tmp = xasprintf("%.*s.penstock-%.16s", (int)(name - path), path, sha256);
	bool lost = false;
	int rc = f->size <= BLOCK ? write_short(d, tmp, f, &lost, err)
				  : write_long(d, tmp, f, &lost, err);

	if (rc == 0)
		rc = step(d, "/api/2.0/dbfs/move",
			  json_pack("{ss ss}", "source_path", tmp, "destination_path", path), false,
			  &lost, NULL, err);
	*outcome = rc == 0 ? FABRIC_DONE : lost ? FABRIC_UNKNOWN : FABRIC_NOT_DONE;
	free(tmp);
	return rc;
}

static int replace_file(struct dbx *d, const char *path, const struct http_file *f,
			struct ps_err *err)
{
	bool lost;

	if (f->size > BLOCK)
		return ps_err_set(err, PS_ELIMIT,
				  "'%s' has %lld bytes: what is written again at the same path may "
				  "have %d on DBFS; set 'volume' of the fabric in penstock.yml",
				  path, (long long)f->size, BLOCK);
	return write_short(d, path, f, &lost, err);
}

const struct dbx_store dbx_dbfs = { size_of, digest_of, write_file, replace_file };
