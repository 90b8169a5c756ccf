/* fold – see fold.h. */
#include "config.h"

#include "common/gate/fold.h"

#include "common/base/fsutil.h"
#include "common/gate/precedent.h"
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

/* What a folder held in the tree judged last, and what that came to. */
struct earlier {
	struct tree_list list;
	struct unit_result u;
};

static void earlier_clear(struct earlier *e)
{
	tree_list_clear(&e->list);
	unit_result_clear(&e->u);
}

static const struct buf *recall(const struct fold *f, const char *oid, struct memo_key *key)
{
	memo_key(f->r->memo, key, "folder", f->r->config ? f->r->config->digest : "", oid, NULL);
	return memo_get(f->r->memo, key);
}

/* False when it was not there, or what it came to is not known; *out is to be cleared after
 * true. */
static bool earlier_find(const struct fold *f, const char *path, struct earlier *out)
{
	struct tree *before = precedent_tree(f->r->precedent);
	struct tree_entry was;
	struct memo_key key;
	const struct buf *bytes;

	*out = (struct earlier) { .list = { NULL, 0 } };
	if (!before || tree_stat(before, path, &was, NULL) < 0 || was.kind != TREE_DIR)
		return false;
	bytes = recall(f, was.oid, &key);
	if (bytes && unit_unpack(&out->u, bytes, "", 0, false) &&
	    tree_list(before, path, &out->list, NULL) == 0)
		return true;
	earlier_clear(out);
	return false;
}

static bool is_below(const char *path, const char *name)
{
	size_t n = strlen(name);

	return strncmp(path, name, n) == 0 && path[n] == '/';
}

static bool is_same(const struct earlier *was, const struct tree_entry *e)
{
	const struct tree_entry *old = bsearch(e, was->list.v, was->list.n, sizeof(*e),
					       tree_entry_order);

	return old && old->kind == e->kind && strcmp(old->oid, e->oid) == 0;
}

/* A folder below that is the same as it was brings what it brought. */
static int take_again(struct unit_result *into, const struct earlier *was, const char *name,
		      struct ps_err *err)
{
	const struct unit_result *u = &was->u;
	int rc = 0;

	for (size_t i = 0; i < u->projects.n && rc == 0; i++)
		if (strcmp(u->projects.v[i], name) == 0 || is_below(u->projects.v[i], name))
			rc = add_project(&into->projects, xstrdup(u->projects.v[i]), err);
	for (size_t i = 0; i < u->found.n; i++)
		if (is_below(u->found.v[i].path, name))
			diag_copy(&into->found, DIAG_ERROR, &u->found.v[i], NULL, NULL);
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

static int fold_entry(struct fold *f, const char *dir, const struct tree_entry *e, unsigned depth,
		      const struct earlier *was, struct unit_result *u, struct ps_err *err)
{
	char *path;
	int rc = 0;

	if (++f->seen > TREE_ENTRIES_MAX)
		return ps_err_set(err, PS_ELIMIT, "more than %d files and folders",
				  TREE_ENTRIES_MAX);
	if (was && e->kind == TREE_DIR && is_same(was, e))
		return take_again(u, was, e->name, err);
	path = *dir ? fs_join(dir, e->name) : xstrdup(e->name);
	if (e->kind != TREE_DIR)
		rc = fold_file(f, dir, path, e, u, err);
	/* beside the way are build folders that change while we look */
	else if (strcmp(e->name, ".prophecy") != 0 &&
		 (at_or_below(path, f->within) || at_or_below(f->within, path)))
		rc = fold_below(f, path, e, depth, u, err);
	free(path);
	return rc;
}

/* was: the folder in the tree judged last; NULL when nothing is known of that. */
static int fold_entries(struct fold *f, const char *path, unsigned depth, const struct earlier *was,
			struct unit_result *u, struct ps_err *err)
{
	struct tree_list l;
	int rc = tree_list(f->r->t, path, &l, err);

	f->r->counts.folders++;
	if (rc < 0)
		return rc;
	fold_listing(f, path, &l, u);
	for (size_t i = 0; i < l.n && rc == 0 && rules_in_time(f->r, path); i++)
		rc = fold_entry(f, path, &l.v[i], depth, was, u, err);
	tree_list_clear(&l);
	return rc;
}

static int fold_folder(struct fold *f, const char *path, const char *oid, unsigned depth,
		       struct unit_result *u, struct ps_err *err)
{
	struct memo *memo = tree_oid_tells(oid) && at_or_below(path, f->within) ? f->r->memo :
		NULL;
	struct buf bytes = BUF_INIT;
	const struct buf *known;
	struct earlier was;
	struct memo_key key;
	bool before;
	int rc;

	if (depth > TREE_DEPTH_MAX)
		return ps_err_set(err, PS_ELIMIT, "'%s' is more than %d folders deep", path,
				  TREE_DEPTH_MAX);
	if (memo) {
		known = recall(f, oid, &key);
		if (known && unit_unpack(u, known, "", 0, false))
			return 0;
		unit_result_clear(u);
	}
	before = memo && earlier_find(f, path, &was);
	rc = fold_entries(f, path, depth, before ? &was : NULL, u, err);
	if (before)
		earlier_clear(&was);
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
