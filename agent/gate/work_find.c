/* work_find – which repositories below the roots are bound to an agent, and which of those that are
 * known have changed. See EVENTS.md: reconcile at scale. */
#include "config.h"

#include "agent/gate/work.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/tree/repo_walk.h"

enum { FOUND_MAX = WIRE_LIST_MAX };

struct finding {
	char **v;
	size_t n, cap, left;
};

static void found(struct finding *f, const char *path)
{
	char *real = realpath(path, NULL);

	if (!real)
		return;			/* gone this moment */
	f->v = xgrow(f->v, f->n, &f->cap, sizeof(*f->v));
	f->v[f->n++] = real;
}

/* Not into repositories that have our hook, nor folders named .git or X.git. */
static bool look(void *arg, int dirfd, const char *path)
{
	struct finding *f = arg;
	bool ours = faccessat(dirfd, "hooks/penstock.hook", F_OK, 0) == 0;

	if (ours)
		found(f, path);
	if (f->n == FOUND_MAX)
		f->left = 0;
	return !ours && !ps_ends(path, ".git");
}

static void walk_root(struct work *w, struct finding *all, const struct conf_root *root,
		      struct buf *problem)
{
	char *path = config_root_path(root, w->paths->base);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		repo_walk(fd, path, &all->left, look, all);
	else
		buf_addf(problem, "%sthe root '%s' cannot be read", problem->len ? "; " : "", path);
	free(path);
}

int work_find(struct work *w, const struct msg *m, struct ps_err *err)
{
	struct finding all = { .left = REPO_WALK_FOLDERS };
	struct buf problem = BUF_INIT;
	struct wire_found a = { .id = m->u.find.id };
	int rc;

	for (size_t i = 0; i < w->cfg->nroots; i++)
		walk_root(w, &all, &w->cfg->roots[i], &problem);
	if (!all.left)
		buf_addf(&problem, "%smore than %d folders below the roots: not all were searched",
			 problem.len ? "; " : "", REPO_WALK_FOLDERS);
	a.problem = problem.len ? buf_str(&problem) : NULL;
	a.repositories.v = (const char *const *)all.v;
	a.repositories.n = all.n;
	rc = work_reply(w, MSG_found, &a, err);
	for (size_t i = 0; i < all.n; i++)
		free(all.v[i]);
	free(all.v);
	buf_clear(&problem);
	return rc;
}

/* How others read who we are: the machine and the instance's folder. */
static char *owner_name(const struct work *w)
{
	struct buf b = BUF_INIT;
	char *name;

	if (fs_read(&b, AT_FDCWD, "/etc/machine-id", 256, NULL) < 0 || b.len < 32)
		buf_reset(&b);
	name = xasprintf("%.*s %s", 32, b.len ? buf_str(&b) : "-", w->paths->base);
	for (char *c = name; (c = strchr(c, '\n'));)
		*c = '?';
	buf_clear(&b);
	return name;
}

/* For people; who it is on this machine or another. */
static char *holder_name(const char *other, const char *owner)
{
	size_t machine = strcspn(owner, " ");
	const char *base = strchr(other, ' ');

	return xasprintf("the agent of '%s'%s", base ? base + 1 : other,
			 strncmp(other, owner, machine + 1) == 0 ? "" : " on another machine");
}

static char *lease(const struct work *w, const char *path, const char *owner)
{
	struct ps_err err = { 0 };
	char *other, *text;

	if (repo_lease(path, owner, w->cfg->repo.look_every_ms, &other, &err) < 0)
		log_warn("lease", path, "%s", err.msg);
	text = other ? holder_name(other, owner) : xstrdup("");
	free(other);
	return text;
}

int work_mark(struct work *w, const struct msg *m, struct ps_err *err)
{
	const struct wire_strs *paths = &m->u.mark.repositories;
	struct wire_marked a = { .id = m->u.mark.id };
	char (*marks)[REPO_MARK] = xcalloc(paths->n + 1, sizeof(*marks));
	const char **v = xcalloc(paths->n + 1, sizeof(*v));
	char **holders = xcalloc(paths->n + 1, sizeof(*holders)), *owner = owner_name(w);
	int rc;

	for (size_t i = 0; i < paths->n; i++) {
		char *name = NULL;

		/* outside the roots nothing is touched, not even by stat: the look says why */
		if (config_root_of(w->cfg, w->paths->base, paths->v[i], &name)) {
			holders[i] = lease(w, paths->v[i], owner);
			repo_mark(paths->v[i], marks[i]);
		} else {
			snprintf(marks[i], sizeof(marks[i]), "%s", REPO_MARK_NONE);
			holders[i] = xstrdup("");
		}
		v[i] = marks[i];
		free(name);
	}
	a.marks.v = v;
	a.marks.n = paths->n;
	a.holders.v = (const char *const *)holders;
	a.holders.n = paths->n;
	rc = work_reply(w, MSG_marked, &a, err);
	for (size_t i = 0; i < paths->n; i++)
		free(holders[i]);
	free(holders);
	free(owner);
	free(v);
	free(marks);
	return rc;
}
