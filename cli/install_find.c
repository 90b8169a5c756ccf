/* install_find – repositories below a folder, and the refs of ours in one; see install.h. */
#include "config.h"

#include "cli/install.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/base/spawn.h"
#include "common/tree/repo_walk.h"

enum { REFS_MAX = 64 << 20 };

struct found {
	struct conf_names *paths;
	size_t cap;
};

static bool is_bare(int dirfd)
{
	return faccessat(dirfd, "HEAD", F_OK, 0) == 0 &&
		faccessat(dirfd, "objects", F_OK, 0) == 0 &&
		faccessat(dirfd, "refs", F_OK, 0) == 0;
}

/* Not into a repository. */
static bool look(void *arg, int dirfd, const char *path)
{
	struct found *f = arg;

	if (!is_bare(dirfd) && faccessat(dirfd, ".git/HEAD", F_OK, 0) < 0)
		return true;
	f->paths->v = xgrow(f->paths->v, f->paths->n, &f->cap, sizeof(*f->paths->v));
	f->paths->v[f->paths->n++] = xstrdup(path);
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int site_find(const char *folder, struct conf_names *paths, struct ps_err *err)
{
	struct found f = { .paths = paths };
	size_t left = REPO_WALK_FOLDERS;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*paths = (struct conf_names) { NULL, 0 };
	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", folder);
	repo_walk(fd, folder, &left, look, &f);
	if (paths->n)
		qsort(paths->v, paths->n, sizeof(*paths->v), by_name);
	return left ? 0 : ps_err_set(err, PS_ELIMIT, "more than %d folders below '%s': not all "
				     "were searched", REPO_WALK_FOLDERS, folder);
}

static int git(const struct site *s, const char *const *words, int in, struct buf *out,
	       struct ps_err *err)
{
	static const char *const env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C",
					   "GIT_CONFIG_NOSYSTEM=1", NULL };
	const char *argv[16] = { "/usr/bin/git", "--git-dir", s->repo, "-c",
				 "core.hooksPath=/dev/null" };
	struct spawn sp = { .argv = argv, .env = env, .cwd = "/", .in = in, .out = -1,
			    .errout = STDERR_FILENO };
	char text[64];
	int status = 0, rc;

	for (size_t i = 0; words[i]; i++)
		argv[5 + i] = words[i];
	rc = spawn_capture(&sp, out, REFS_MAX, &status, err);
	if (rc == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		rc = ps_err_set(err, PS_EIO, "git %s in '%s' ended with %s", words[0], s->repo,
				spawn_status_text(text, status));
	return rc;
}

/* Git writes it anew when a ref that is packed goes. */
static int keep_owner(const struct site *s, const char *path, const struct stat *st,
		      struct ps_err *err)
{
	if (geteuid() != 0 || !fs_exists(path) || lchown(path, st->st_uid, st->st_gid) == 0)
		return 0;
	return ps_err_errno(err, "cannot give packed-refs of '%s' back to its owner", s->repo);
}

/* Without asking git: most repositories have none, and a thousand are soon done. */
static bool may_have_refs(const struct site *s)
{
	static const char *const places[] = { "refs/penstock", "reftable" };
	char *packed = fs_join(s->repo, "packed-refs");
	struct buf text = BUF_INIT;
	bool may = false;
	int rc;

	for (size_t i = 0; i < PS_NELEM(places); i++) {
		char *path = fs_join(s->repo, places[i]);

		may |= fs_exists(path);
		free(path);
	}
	rc = may ? PS_ENOENT : fs_read(&text, AT_FDCWD, packed, REFS_MAX, NULL);
	may |= rc == 0 ? strstr(buf_str(&text), " refs/penstock/") != NULL : rc != PS_ENOENT;
	buf_clear(&text);
	free(packed);
	return may;
}

/* Git leaves the folders of the last refs. */
static void drop_folders(const struct site *s)
{
	static const char *const folders[] = { "refs/penstock/keep", "refs/penstock" };

	for (size_t i = 0; i < PS_NELEM(folders); i++) {
		char *path = fs_join(s->repo, folders[i]);

		rmdir(path);	/* not there, or somebody else's ref is in it: then it stays */
		free(path);
	}
}

int site_drop_refs(const struct site *s, size_t *n, struct ps_err *err)
{
	const char *const list[] = { "for-each-ref", "--format=delete %(refname)", "refs/penstock/",
				     NULL };
	const char *const drop[] = { "update-ref", "--no-deref", "--stdin", NULL };
	char *packed = fs_join(s->repo, "packed-refs");
	struct buf names = BUF_INIT, none = BUF_INIT;
	int fd = -1, rc = 0;
	struct stat st;
	bool had = stat(packed, &st) == 0, may = may_have_refs(s);

	*n = 0;
	if (may)
		rc = git(s, list, -1, &names, err);
	for (size_t i = 0; i < names.len; i++)
		*n += names.data[i] == '\n';
	if (rc == 0 && *n) {
		fd = memfd_create("refs", MFD_CLOEXEC);
		if (fd < 0)
			rc = ps_err_errno(err, "cannot hold the names of refs");
		if (rc == 0)
			rc = fs_write_all(fd, names.data, names.len, err);
		if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
			rc = ps_err_errno(err, "cannot hand the refs to git");
		if (rc == 0)
			rc = git(s, drop, fd, &none, err);
		if (rc == 0 && had)
			rc = keep_owner(s, packed, &st, err);
	}
	if (rc == 0 && may)
		drop_folders(s);
	if (fd >= 0)
		close(fd);
	buf_clear(&names);
	buf_clear(&none);
	free(packed);
	return rc;
}
