/* recipe – see recipe.h: what all recipes share, before and after the sandbox. */
#include "config.h"

#include "agent/build/recipe.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/build/wheeldiff.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/tree/tree_id.h"

#define PROJECT_FILE "pbt_project.yml"
enum { DEPTH_MAX = 64, PROJECT_MAX = 4 << 20 };

/* Is path one of the inputs (true, *leads false), or a folder on the way to one (*leads true)? */
static bool is_input(const struct recipe_job *job, const char *path, bool *leads)
{
	size_t n = strlen(path);

	*leads = false;
	for (size_t i = 0; i < job->ninputs; i++) {
		const char *input = job->inputs[i].path;

		if (ps_streq(input, path))
			return true;
		if (strncmp(input, path, n) == 0 && input[n] == '/')
			*leads = true;
	}
	return false;
}

/* What is in the sandbox and not in the key would make the key a lie: nothing but inputs is there.
 */
static int nothing_else(const struct recipe_job *job, const char *dir, const char *rel,
			unsigned depth, struct ps_err *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return ps_err_errno(err, "cannot list '%s'", dir);
	while (rc == 0 && (e = readdir(d))) {
		char *path, *full;
		bool leads;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		path = *rel ? fs_join(rel, e->d_name) : xstrdup(e->d_name);
		full = fs_join(dir, e->d_name);
		if (!is_input(job, path, &leads) && !ps_streq(path, PROJECT_FILE)) {
			if (leads && depth < DEPTH_MAX)
				rc = nothing_else(job, full, path, depth + 1, err);
			else
				rc = ps_err_set(err, PS_ESTALE,
						"'%s' is in the export and not in the key", path);
		}
		free(full);
		free(path);
	}
	closedir(d);
	return rc;
}

static int verify_project(const struct recipe_job *job, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	char *path = fs_join(job->export, PROJECT_FILE), hex[DIGEST_HEX];
	int rc = fs_read(&text, AT_FDCWD, path, PROJECT_MAX, err);

	digest_bytes(hex, buf_str(&text), text.len);
	if (rc == 0 && job->project_digest && strcmp(hex, job->project_digest) != 0)
		rc = ps_err_set(err, PS_ESTALE,
				"'" PROJECT_FILE "' has other bytes than the key says");
	buf_clear(&text);
	free(path);
	return rc;
}

int recipe_verify(const struct recipe_job *job, struct ps_err *err)
{
	int rc = verify_project(job, err);

	for (size_t i = 0; rc == 0 && i < job->ninputs; i++) {
		const struct recipe_input *in = &job->inputs[i];
		char *path = fs_join(job->export, in->path), oid[65];

		if (!fs_is_clean_relative(in->path))
			rc = ps_err_set(err, PS_EINVAL, "'%s' is not a path of a project",
					in->path);
		else if (in->is_dir)
			rc = tree_id_of_dir(path, strlen(in->oid), oid, err);
		else
			rc = tree_id_of_file(path, strlen(in->oid), oid, err);
		if (rc == 0 && strcmp(oid, in->oid) != 0)
			rc = ps_err_set(err, PS_ESTALE,
					"'%s' is %.12s and not %.12s as the key says", in->path,
					oid, in->oid);
		free(path);
	}
	return rc < 0 ? rc : nothing_else(job, job->export, "", 0, err);
}

/* The name of the only entry; PS_EINVAL when there are none or several. */
static int only_entry(const char *dir, char **name, struct ps_err *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	if (!d)
		return ps_err_errno(err, "cannot list the output folder");
	*name = NULL;
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		n++;
		free(*name);
		*name = xstrdup(e->d_name);
	}
	closedir(d);
	if (n == 1)
		return 0;
	PS_FREE(*name);
	return n ? ps_err_set(err, PS_EINVAL, "the build left %zu files, expected one", n)
		 : ps_err_set(err, PS_EINVAL, "the build ended well and left no file");
}

/* Letters, digits and ._+!- : what a wheel's or jar's name is made of; it becomes part of a path.
 */
static bool is_plain_name(const char *s)
{
	return *s && *s != '.' && strlen(s) <= PS_NAME_MAX &&
	       s[strspn(s,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+!-")] ==
		       '\0';
}

/* Newer setuptools write names in lower case and with '_' for '.', whatever setup.py says. */
static bool same_but_for_spelling(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		bool joint = strchr("._-", *a) && strchr("._-", *b);

		if (!joint && tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
	}
	return *a == *b;
}

#define OTHER_SPELLING                                                                             \
	": this version of setuptools spells names otherwise; the toolchain needs "                \
	"setuptools==66.1.1 and wheel==0.38.4"

/* The key has an artifact: these are its bytes, or they are kept out. */
static int compare(const struct recipe_job *job, int fd, struct recipe_end *end, struct ps_err *err)
{
	char why[512];
	int sealed, rc = digest_fd(end->digest, fd, &end->size, err);

	if (rc < 0 || strcmp(end->digest, job->sealed) == 0)
		return rc;
	sealed = cas_open(job->artifacts, job->sealed, err);
	if (sealed < 0)
		return sealed;
	wheel_diff(sealed, fd, why, sizeof(why));
	close(sealed);
	return ps_err_set(err, PS_ECONFLICT, "not reproducible: %s", why);
}

static int seal(const struct recipe_job *job, int fd, const char *name, struct recipe_end *end,
		struct ps_err *err)
{
	bool kept = job->sealed && cas_has(job->artifacts, job->sealed);

	if (job->check && !kept)
		return ps_err_set(err, PS_EINVAL,
				  "the artifact %.12s to compare with is not kept any more",
				  job->sealed ? job->sealed : "");
	if (kept)
		return compare(job, fd, end, err);
	if (FAIL_AT("build.seal"))
		return ps_err_errno(err, "cannot seal '%s'", name);
	return cas_put_fd(job->artifacts, fd, end->digest, &end->size, err);
}

int recipe_seal(const struct recipe_job *job, const char *out, const char *suffix,
		struct recipe_end *end, struct ps_err *err)
{
	struct stat st;
	char *name, *path;
	int fd, rc = only_entry(out, &name, err);

	if (rc < 0)
		return rc;
	path = fs_join(out, name);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (!is_plain_name(name) || !ps_ends(name, suffix))
		rc = ps_err_set(err, PS_EINVAL, "'%s' is not the name of a %s file", name, suffix);
	else if (job->artifact && !ps_streq(name, job->artifact))
		rc = ps_err_set(err, PS_EINVAL, "the build made '%s', expected '%s'%s", name,
				job->artifact,
				same_but_for_spelling(name, job->artifact) ? OTHER_SPELLING : "");
	else if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = ps_err_set(err, PS_EINVAL, "'%s' is not a regular file", name);
	else if (job->limits.disk && st.st_size > job->limits.disk)
		rc = ps_err_set(err, PS_EINVAL, "'%s' is larger than %lld MB", name,
				(long long)(job->limits.disk >> 20));
	else
		rc = seal(job, fd, name, end, err);
	if (fd >= 0)
		close(fd);
	free(path);
	if (rc == 0)
		end->name = name;
	else
		free(name);
	return rc;
}
