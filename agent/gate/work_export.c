/*
 * work_export – a build's inputs as plain files, below the one folder of exports.
 *
 * Made under a temporary name and renamed, so a half export is never seen under its own name; the
 * build role computes the object names again and need not believe us. Nothing is synced: after a
 * power loss the folder is emptied and exports are made again.
 */
#include "config.h"

#include "agent/gate/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/project/survey.h"

static const char tmp_prefix[] = ".tmp-";
static const uint64_t export_bytes_max = 2ull << 30;

static bool has_dots(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p += 2)
		if ((p == path || p[-1] == '/') && (p[2] == '\0' || p[2] == '/'))
			return true;
	return false;
}

static bool is_in(const char *path, const char *top)
{
	size_t n = strlen(top);

	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* dest with links resolved in all but its last part, when that is below the folder of exports. */
static int place_of(struct work *w, const char *dest, char **out, struct ps_err *err)
{
	const char *base = strrchr(dest, '/');
	char *dir = NULL, *top = NULL, *parent = NULL;
	int rc = PS_EPERM;

	if (*dest != '/' || has_dots(dest) || !fs_is_clean_relative(base + 1) ||
	    base[1] == '.')
		return ps_err_set(err, PS_EPERM, "'%s' is no place for an export", dest);
	dir = xstrndup(dest, base == dest ? 1 : (size_t)(base - dest));
	top = realpath(w->paths->work_export, NULL);
	parent = realpath(dir, NULL);
	if (!top || !parent)
		rc = ps_err_errno(err, "cannot find the folder of '%s'", dest);
	else if (!is_in(parent, top))
		rc = ps_err_set(err, PS_EPERM, "'%s' is not below the folder of exports", dest);
	else {
		*out = fs_join(parent, base + 1);
		rc = 0;
	}
	free(dir);
	free(top);
	free(parent);
	return rc;
}

/* The reduced project file, dated like everything else; the folder's own date changed by it. */
static int write_reduced(const char *dir, const char *text, struct ps_err *err)
{
	const struct timespec old[2] = { { SURVEY_MTIME, 0 }, { SURVEY_MTIME, 0 } };
	char *path = fs_join(dir, "pbt_project.yml");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644), rc;

	if (fd < 0)
		rc = ps_err_errno(err, "cannot write '%s'", path);
	else
		rc = fs_write_all(fd, text, strlen(text), err);
	if (rc == 0 && (fchmod(fd, 0644) < 0 || futimens(fd, old) < 0 ||
			utimensat(AT_FDCWD, dir, old, 0) < 0))
		rc = ps_err_errno(err, "cannot set mode and date of '%s'", path);
	if (fd >= 0)
		close(fd);
	free(path);
	return rc;
}

static char *temporary(struct work *w)
{
	char name[64];

	fs_tmp_name(name, sizeof(name));
	return fs_join(w->paths->work_export, name);
}

/* tmp becomes dest; what was there is moved away whole and then removed. */
static int put_in_place(struct work *w, const char *tmp, const char *dest, struct ps_err *err)
{
	char *aside = temporary(w);
	struct ps_err late;
	bool moved = rename(dest, aside) == 0;
	int rc = 0;

	if (!moved && errno != ENOENT)
		rc = ps_err_errno(err, "cannot replace '%s'", dest);
	else if (FAIL_AT("export.rename") || rename(tmp, dest) < 0)
		rc = ps_err_errno(err, "cannot put the export at '%s'", dest);
	if (moved && fs_remove_tree(AT_FDCWD, aside, &late) < 0)
		log_warn("export", NULL, "%s; it goes at the next start", late.msg);
	free(aside);
	return rc;
}

static int export_into(struct tree *t, const struct wire_export *q, const char *dir,
		       struct ps_err *err)
{
	struct survey_want *want = xcalloc(q->inputs.n, sizeof(*want));
	int rc;

	for (size_t i = 0; i < q->inputs.n; i++)
		want[i] = (struct survey_want) { q->inputs.v[i].path, q->inputs.v[i].oid };
	rc = survey_export(t, q->project, want, q->inputs.n, dir, export_bytes_max, err);
	free(want);
	return rc < 0 ? rc : write_reduced(dir, q->reduced, err);
}

int work_export(struct work *w, const struct msg *m, struct ps_err *err)
{
	const struct wire_export *q = &m->u.export;
	struct wire_done a = { .id = q->id };
	char *dest = NULL, *tmp = temporary(w);
	struct repo *r = NULL;
	struct tree *t = NULL;
	struct repo_peeled peeled;
	struct ps_err late;
	int rc = place_of(w, q->dest, &dest, err);

	if (rc == 0)
		rc = work_open(w, q->repository, &r, err);
	if (rc == 0)
		rc = work_tree(r, q->oid, &peeled, &t, err);
	if (rc == 0) {
		rc = export_into(t, q, tmp, err);
		if (rc == 0)
			rc = put_in_place(w, tmp, dest, err);
		if (rc < 0 && fs_remove_tree(AT_FDCWD, tmp, &late) < 0)
			log_warn("export", NULL, "%s; it goes at the next start", late.msg);
	}
	if (rc < 0)
		ps_err_prefix(err, "export of '%s'", q->project);
	tree_close(t);
	repo_close(r);
	free(tmp);
	free(dest);
	return rc < 0 ? rc : work_reply(w, MSG_done, &a, err);
}

int work_sweep_exports(const struct ps_paths *paths, struct ps_err *err)
{
	DIR *dir = opendir(paths->work_export);
	struct dirent *e;
	int rc = 0;

	if (!dir)
		return errno == ENOENT ? 0 :
			ps_err_errno(err, "cannot list '%s'", paths->work_export);
	while (rc == 0 && (e = readdir(dir)))
		if (ps_starts(e->d_name, tmp_prefix))
			rc = fs_remove_tree(dirfd(dir), e->d_name, err);
	closedir(dir);
	return rc;
}
