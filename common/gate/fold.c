/* fold – see fold.h. */
#include "config.h"

#include "common/gate/fold.h"

#include "common/base/fsutil.h"
#include "common/gate/unit.h"

struct fold {
	struct rules *r;
	const char *within;
	size_t seen;			/* entries of folders that were not remembered */
};

static bool at_or_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !n || (strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/'));
}

static int add_project(struct project_paths *l, char *path, struct ps_err *err)
{
	if (l->n == PROJECTS_MAX) {
		free(path);
		return ps_err_set(err, PS_ELIMIT, "more than %d projects in one tree",
				  PROJECTS_MAX);
	}
	l->v = xgrow(l->v, l->n, &l->cap, sizeof(char *));
	l->v[l->n++] = path;
	return 0;
}

/* What a folder below came to, seen from its parent: names of its own get the folder's in front. */
static int take_in(struct unit_result *into, const struct unit_result *below, const char *name,
		   struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < below->projects.n && rc == 0; i++) {
		const char *p = below->projects.v[i];

		rc = add_project(&into->projects, strcmp(p, ".") == 0 ? xstrdup(name) :
				 fs_join(name, p), err);
	}
	for (size_t i = 0; i < below->found.n && rc == 0; i++) {
		const struct diag *d = &below->found.v[i];
		char *path = fs_join(name, d->path);

		diag_copy(&into->found, DIAG_ERROR, d, path, NULL);
		free(path);
	}
	return rc;
}

static int fold_folder(struct fold *f, const char *path, const char *oid, unsigned depth,
		       struct unit_result *u, struct ps_err *err);

static int fold_below(struct fold *f, const char *path, const struct tree_entry *e, unsigned depth,
		      struct unit_result *u, struct ps_err *err)
{
	struct unit_result below = { .ndead = 0 };
	int rc = fold_folder(f, path, e->oid, depth + 1, &below, err);

	if (rc == 0)
		rc = take_in(u, &below, e->name, err);
	unit_result_clear(&below);
	return rc;
}

/* What a rule found since `before` was set aside becomes the folder's, seen from it. */
static void take_found(struct fold *f, const char *dir, struct diag_list before,
		       struct unit_result *u)
{
	size_t skip = *dir ? strlen(dir) + 1 : 0;

	for (size_t i = 0; i < f->r->found.n; i++) {
		const struct diag *d = &f->r->found.v[i];

		diag_copy(&u->found, DIAG_ERROR, d, d->path + skip, NULL);
	}
	diag_clear(&f->r->found);
	f->r->found = before;
}

static int fold_file(struct fold *f, const char *dir, const char *path, const struct tree_entry *e,
		     struct unit_result *u, struct ps_err *err)
{
	struct diag_list before = f->r->found;
	int rc = 0;

	if (!at_or_below(path, f->within))
		return 0;
	if ((e->kind == TREE_FILE || e->kind == TREE_EXEC) && strcmp(e->name, PROJECT_FILE) == 0)
		rc = add_project(&u->projects, xstrdup("."), err);
	f->r->found = (struct diag_list)DIAG_LIST_INIT;
	if (rc == 0)
		rc = rules_file(f->r, dir, e, err);
	take_found(f, dir, before, u);
	return rc;
}

static void fold_listing(struct fold *f, const char *dir, const struct tree_list *l,
			 struct unit_result *u)
{
	struct diag_list before = f->r->found;

	if (!at_or_below(dir, f->within))
		return;
	f->r->found = (struct diag_list)DIAG_LIST_INIT;
	rules_folder(f->r, dir, l);
	take_found(f, dir, before, u);
}

static int fold_entries(struct fold *f, const char *path, unsigned depth, struct unit_result *u,
			struct ps_err *err)
{
	struct tree_list l;
	int rc = tree_list(f->r->t, path, &l, err);

	f->r->counts.folders++;
	if (rc < 0)
		return rc;
	fold_listing(f, path, &l, u);
	for (size_t i = 0; i < l.n && rc == 0 && rules_in_time(f->r, path); i++) {
		const struct tree_entry *e = &l.v[i];
		char *sub = *path ? fs_join(path, e->name) : xstrdup(e->name);
		bool dir = e->kind == TREE_DIR;

		if (++f->seen > TREE_ENTRIES_MAX)
			rc = ps_err_set(err, PS_ELIMIT, "more than %d files and folders",
					TREE_ENTRIES_MAX);
		else if (!dir)
			rc = fold_file(f, path, sub, e, u, err);
		/* beside the way are build folders that change while we look */
		else if (strcmp(e->name, ".prophecy") != 0 &&
			 (at_or_below(sub, f->within) || at_or_below(f->within, sub)))
			rc = fold_below(f, sub, e, depth, u, err);
		free(sub);
	}
	tree_list_clear(&l);
	return rc;
}

static int fold_folder(struct fold *f, const char *path, const char *oid, unsigned depth,
		       struct unit_result *u, struct ps_err *err)
{
	struct memo *memo = tree_oid_tells(oid) && at_or_below(path, f->within) ? f->r->memo :
		NULL;
	struct buf bytes = BUF_INIT;
	const struct buf *was;
	struct memo_key key;
	int rc;

	if (depth > TREE_DEPTH_MAX)
		return ps_err_set(err, PS_ELIMIT, "'%s' is more than %d folders deep", path,
				  TREE_DEPTH_MAX);
	if (memo) {
		memo_key(memo, &key, "folder", f->r->config ? f->r->config->digest : "", oid, NULL);
		was = memo_get(memo, &key);
		if (was && unit_unpack(u, was, "", 0, false))
			return 0;
		unit_result_clear(u);
	}
	rc = fold_entries(f, path, depth, u, err);
	if (rc == 0 && memo && !f->r->late) {
		unit_pack(&bytes, u, "", 0);
		memo_put(memo, &key, &bytes);
	}
	return rc;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A link by that name hides a project. */
static bool is_project_file(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, PROJECT_FILE) == 0;
}

static bool in_a_project(const struct project_paths *l, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], ".") == 0 || at_or_below(path, l->v[i]))
			return true;
	return false;
}

int fold_tree(struct rules *r, const char *within, struct project_paths *projects,
	      struct ps_err *err)
{
	struct fold f = { .r = r, .within = within };
	struct unit_result u = { .ndead = 0 };
	struct tree_entry top;
	int rc = tree_stat(r->t, "", &top, err);

	if (rc == 0)
		rc = fold_folder(&f, "", top.oid, 0, &u, err);
	if (rc == 0 && u.projects.n > 1)
		qsort(u.projects.v, u.projects.n, sizeof(char *), by_text);
	for (size_t i = 0; rc == 0 && i < u.found.n; i++) {
		const struct diag *d = &u.found.v[i];
		char *key = xasprintf("%s %s", d->path, d->text);

		if (in_a_project(&u.projects, d->path) || is_project_file(d->path))
			diag_copy(&r->found, DIAG_ERROR, d, NULL, key);
		free(key);
	}
	*projects = u.projects;
	u.projects = (struct project_paths) { NULL, 0, 0 };
	if (rc < 0)
		project_paths_clear(projects);
	unit_result_clear(&u);
	return rc;
}
