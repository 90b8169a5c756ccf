/* databricks_volume – files in a volume of Unity Catalog, where a file comes into being whole. */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include "common/base/digest.h"

/* What is compared byte by byte; of larger ones the size must do. */
enum { COMPARE_MAX = 48 << 20 };

static char *api_path(const char *kind, const char *path, int len)
{
	char *part = xstrndup(path, (size_t)len);
	struct buf b = BUF_INIT;

	buf_addf(&b, "/api/2.0/fs/%s", kind);
	http_escape(&b, part, true);
	free(part);
	return buf_steal(&b);
}

static int ask(struct dbx *d, const char *method, const char *path, struct dbx_said *s,
	       struct ps_err *err)
{
	char *at = api_path("files", path, (int)strlen(path));
	int rc = dbx_ask(d,
			 &(struct dbx_ask){ .method = method,
					    .path = at,
					    .repeatable = true,
					    .want = "content-length",
					    .plain = true },
			 s, err);

	free(at);
	return rc;
}

static int size_of(struct dbx *d, const char *path, int64_t *size, struct ps_err *err)
{
	struct dbx_said s;
	int rc = ask(d, "HEAD", path, &s, err);

	/* an answer to HEAD has no words: the status alone tells */
	if (s.status == 404)
		rc = PS_ENOENT;
	if (rc == 0 && !s.wanted)
		rc = ps_err_set(err, PS_EPROTO, "'%s': the workspace tells no size", path);
	*size = s.wanted ? strtoll(s.wanted, NULL, 10) : 0;
	dbx_said_clear(&s);
	return rc;
}

static int digest_of(struct dbx *d, const char *path, int64_t size, char hex[65],
		     struct ps_err *err)
{
	struct dbx_said s;
	int rc;

	if (size > COMPARE_MAX)
		return ps_err_set(
			err, PS_ELIMIT,
			"'%s' is there already, and too long to be compared: remove it by "
			"hand if it is not used, or release another version",
			path);
	rc = ask(d, "GET", path, &s, err);
	digest_bytes(hex, buf_str(&s.plain), s.plain.len);
	dbx_said_clear(&s);
	return rc;
}

static int put(struct dbx *d, const char *path, const struct http_file *f, bool over,
	       enum fabric_outcome *outcome, struct ps_err *err)
{
	const struct http_field query[] = { { "overwrite", over ? "true" : "false" },
					    { NULL, NULL } };
	char *at = api_path("files", path, (int)strlen(path));
	struct dbx_said s;
	int rc = dbx_ask(d,
			 &(struct dbx_ask){ .method = "PUT",
					    .path = at,
					    .query = query,
					    .file = f,
					    .repeatable = true,
					    .plain = true },
			 &s, err);

	*outcome = s.outcome;
	dbx_said_clear(&s);
	free(at);
	return rc;
}

static int make_folder(struct dbx *d, const char *path, struct ps_err *err)
{
	char *at = api_path("directories", path, (int)(strrchr(path, '/') - path));
	struct dbx_said s;
	int rc = dbx_ask(
		d,
		&(struct dbx_ask){ .method = "PUT", .path = at, .repeatable = true, .plain = true },
		&s, err);

	dbx_said_clear(&s);
	free(at);
	return rc;
}

static int put_in_folder(struct dbx *d, const char *path, const struct http_file *f, bool over,
			 enum fabric_outcome *outcome, struct ps_err *err)
{
	int rc = put(d, path, f, over, outcome, err);

	if (rc != PS_ENOENT)
		return rc;
	rc = make_folder(d, path, err);
	return rc < 0 ? rc : put(d, path, f, over, outcome, err);
}

static int write_file(struct dbx *d, const char *path, const struct http_file *f,
		      const char *sha256, enum fabric_outcome *outcome, struct ps_err *err)
{
	(void)sha256;
	return put_in_folder(d, path, f, false, outcome, err);
}

static int replace_file(struct dbx *d, const char *path, const struct http_file *f,
			struct ps_err *err)
{
	enum fabric_outcome outcome;

	return put_in_folder(d, path, f, true, &outcome, err);
}

const struct dbx_store dbx_volume = { size_of, digest_of, write_file, replace_file };
