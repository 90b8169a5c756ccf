/*
 * databricks_brought – files that a definition brings with it: Prophecy's editor writes the script
 * of a task, and dbt's script and profile, into components of the job, each with the path that the
 * task names. The plan adds the project's configuration files.
 *
 * They are put where artifacts are, before the job, and by the same rule: a path with a version in
 * it never gets other bytes. What stands below `latest`, where the editor has dbt's files for every
 * version, is written again when it differs; the job before reads it too from then on.
 */
#include "config.h"

#include "agent/deploy/fabric/databricks_parts.h"

#include <sys/mman.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/plan/brought.h"

static int content_fd(const char *bytes, size_t n, struct ps_err *err)
{
	int fd = memfd_create("brought", MFD_CLOEXEC), rc;

	if (fd < 0)
		return ps_err_errno(err, "cannot keep what is to be uploaded");
	rc = fs_write_all(fd, bytes, n, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int put_one(struct fabric_target *t, const char *key, const struct brought *b,
		   struct ps_err *err)
{
	struct http_file file = { -1, (int64_t)strlen(b->content) };
	enum fabric_outcome outcome = FABRIC_NOT_DONE;
	char hex[DIGEST_HEX];
	int rc = 0;

	if (!b->path)
		return ps_err_set(err, PS_EINVAL,
				  "'%s': %s '%s' goes to '%s', which is no artifact's path",
				  key, b->what, b->node, b->given);
	file.fd = content_fd(b->content, (size_t)file.size, err);
	if (file.fd < 0)
		return file.fd;
	digest_bytes(hex, b->content, (size_t)file.size);
	rc = dbx_bring(t, b->path, hex, &file, b->replace, &outcome, err);
	close(file.fd);
	return rc < 0 ? ps_err_prefix(err, "%s '%s'", b->what, b->node) : 0;
}

int dbx_brought_put(struct fabric_target *t, const char *key, const json_t *doc,
		    struct ps_err *err)
{
	struct brought b;
	int rc = 0;

	for (size_t i = 0; rc == 0 && brought_nth(doc, i, &b); i++)
		rc = put_one(t, key, &b, err);
	return rc;
}
