/*
 * export – parts of a tree as files, for a sandbox: same tree, same bytes, same modes and times.
 *
 * The destination is fresh and ours alone while we write, so plain paths are safe in it; what comes
 * from the tree is checked: links that could leave their part, submodules and LFS pointers end it.
 */
#include "config.h"

#include "common/project/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/project/project.h"

struct export {
	struct tree *t;
	uint64_t left;			/* bytes that may still be written */
	size_t files;
};

static int set_time(const char *path, struct ps_err *err)
{
	struct timespec ts[2] = { { .tv_sec = SURVEY_MTIME }, { .tv_sec = SURVEY_MTIME } };

	if (utimensat(AT_FDCWD, path, ts, AT_SYMLINK_NOFOLLOW) < 0)
		return ps_err_errno(err, "cannot set the time of '%s'", path);
	return 0;
}

static int write_file(struct export *x, const char *from, const char *to, bool exec,
		      struct ps_err *err)
{
	struct buf b = BUF_INIT;
	size_t max = x->left < SIZE_MAX ? (size_t)x->left : SIZE_MAX - 1;
	int fd = -1, rc = tree_read(x->t, from, max, &b, err);

	if (rc == 0 && project_is_pointer(&b))
		rc = ps_err_set(err, PS_EINVAL, "'%s' is " PROJECT_POINTER "; commit the file",
				from);
	if (rc == 0) {
		fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		rc = fd < 0 ? ps_err_errno(err, "cannot create '%s'", to) :
			fs_write_all(fd, buf_str(&b), b.len, err);
	}
	if (rc == 0 && fchmod(fd, exec ? 0755 : 0644) < 0)
		rc = ps_err_errno(err, "cannot set the mode of '%s'", to);
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = ps_err_errno(err, "cannot write '%s'", to);
	if (rc == 0)
		rc = set_time(to, err);
	x->left -= rc == 0 ? b.len : 0;
	buf_clear(&b);
	return rc;
}

/*
 * Only ../../a/b: every ".." in front, so they climb through real folders, and no more of them than
 * there are folders between the link and the top of its part. A ".." behind a name could climb
 * through another link.
 */
static bool link_stays(const char *target, unsigned depth)
{
	unsigned up = 0;
	bool down = false;

	if (!*target || *target == '/')
		return false;
	for (const char *p = target; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (down || ++up > depth)
				return false;
		} else if (n && !(n == 1 && *p == '.')) {
			down = true;
		}
		p += n + (p[n] == '/');
	}
	return true;
}

static int write_link(struct export *x, const char *from, const char *to, unsigned depth,
		      struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = tree_read(x->t, from, 4095, &b, err);

	if (rc == 0 && (strlen(buf_str(&b)) != b.len || !link_stays(buf_str(&b), depth)))
		rc = ps_err_set(err, PS_EINVAL, "the symbolic link '%s' leads out of its folder",
				from);
	if (rc == 0 && symlink(buf_str(&b), to) < 0)
		rc = ps_err_errno(err, "cannot make the link '%s'", to);
	if (rc == 0)
		rc = set_time(to, err);
	buf_clear(&b);
	return rc;
}

/*
 * Whoever builds removes the export afterwards. Where that is another user, the folder of exports
 * is setgid to his group, and what is made in it is so too: then the group may write. A chmod()
 * would take the bit away again from us, who are not in that group.
 */
static int make_dir(const char *to, struct ps_err *err)
{
	const char *slash = strrchr(to, '/');
	char *above = xasprintf("%.*s.", slash ? (int)(slash - to) + 1 : 0, to);
	struct stat st = { .st_mode = 0 };
	int rc = stat(above, &st);

	if (rc == 0) {
		mode_t old = umask(0);

		rc = mkdir(to, st.st_mode & S_ISGID ? 0775 : 0755);
		umask(old);
	}
	free(above);
	return rc < 0 ? ps_err_errno(err, "cannot make the folder '%s'", to) : 0;
}

static int write_dir(struct export *x, const char *from, const char *to, unsigned depth,
		     struct ps_err *err);

static int write_entry(struct export *x, const char *from, const char *to, enum tree_kind kind,
		       unsigned depth, struct ps_err *err)
{
	if (++x->files > TREE_ENTRIES_MAX)
		return ps_err_set(err, PS_ELIMIT, "more than %d files to export", TREE_ENTRIES_MAX);
	switch (kind) {
	case TREE_DIR:
		return write_dir(x, from, to, depth, err);
	case TREE_LINK:
		return depth ? write_link(x, from, to, depth - 1, err) :
			ps_err_set(err, PS_EINVAL, "'%s' is a symbolic link", from);
	case TREE_SUBMODULE:
		return ps_err_set(err, PS_EINVAL,
				  "'%s' is a submodule; its files are not in this repository",
				  from);
	default:
		return write_file(x, from, to, kind == TREE_EXEC, err);
	}
}

/* depth: folders from the top of the wanted part, itself 0. */
static int write_dir(struct export *x, const char *from, const char *to, unsigned depth,
		     struct ps_err *err)
{
	struct tree_list l = { NULL, 0 };
	int rc = depth > TREE_DEPTH_MAX ? ps_err_set(err, PS_ELIMIT, "'%s' is too deep", from) :
		make_dir(to, err);

	if (rc == 0)
		rc = tree_list(x->t, from, &l, err);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		char *sub = fs_join(from, l.v[i].name), *dst = fs_join(to, l.v[i].name);

		if (!fs_is_clean_relative(l.v[i].name))
			rc = ps_err_set(err, PS_EINVAL, "'%s' has a name that cannot be exported",
					sub);
		else
			rc = write_entry(x, sub, dst, l.v[i].kind, depth + 1, err);
		free(dst);
		free(sub);
	}
	tree_list_clear(&l);
	return rc < 0 ? rc : set_time(to, err);
}

/* Folders between dest and a wanted path; those that are there already were made for another
 * one. */
static int make_parents(const char *dest, const char *path, struct ps_err *err)
{
	int rc = 0;

	for (const char *slash = strchr(path, '/'); slash && rc == 0;
	     slash = strchr(slash + 1, '/')) {
		char *dir = xasprintf("%s/%.*s", dest, (int)(slash - path), path);

		if (!fs_exists(dir))
			rc = make_dir(dir, err);
		free(dir);
	}
	return rc;
}

static int time_parents(const char *dest, const char *path, struct ps_err *err)
{
	int rc = 0;

	for (const char *slash = strchr(path, '/'); slash && rc == 0;
	     slash = strchr(slash + 1, '/')) {
		char *dir = xasprintf("%s/%.*s", dest, (int)(slash - path), path);

		rc = set_time(dir, err);
		free(dir);
	}
	return rc;
}

static int export_one(struct export *x, const char *project, const struct survey_want *want,
		      const char *dest, struct ps_err *err)
{
	char *from = project_at(project, want->path), *to = fs_join(dest, want->path);
	struct tree_entry e;
	int rc = fs_is_clean_relative(want->path) ? tree_stat(x->t, from, &e, err) :
		ps_err_set(err, PS_EINVAL, "'%s' is not a clean relative path", want->path);

	if (rc == PS_ENOENT)
		rc = ps_err_set(err, PS_ENOENT, "'%s' is not in the tree", from);
	else if (rc == 0 && want->oid && strcmp(want->oid, e.oid) != 0)
		rc = ps_err_set(err, PS_ESTALE, "'%s' is %.12s in the tree, not %.12s", from, e.oid,
				want->oid);
	if (rc == 0)
		rc = make_parents(dest, want->path, err);
	if (rc == 0)
		rc = write_entry(x, from, to, e.kind, 0, err);
	free(from);
	free(to);
	return rc;
}

int survey_export(struct tree *root, const char *project, const struct survey_want *want, size_t n,
		  const char *dest, uint64_t max_bytes, struct ps_err *err)
{
	struct export x = { .t = root, .left = max_bytes };
	int rc = make_dir(dest, err);

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = export_one(&x, project, &want[i], dest, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = time_parents(dest, want[i].path, err);
	return rc < 0 ? rc : set_time(dest, err);
}
