/* tree_diff – see tree_diff.h. */
#include "config.h"

#include "common/tree/tree_diff.h"

struct diff {
	struct tree *a, *b;
	size_t max, seen;		/* seen: entries of both */
	struct tree_changes *out;
};

void tree_changes_clear(struct tree_changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].path);
	free(c->v);
	*c = (struct tree_changes) { NULL, 0, 0 };
}

/* Takes path over. */
static int add(struct diff *d, char *path, bool whole, struct ps_err *err)
{
	struct tree_changes *c = d->out;

	if (c->n == d->max) {
		free(path);
		return ps_err_set(err, PS_ELIMIT, "more than %zu paths differ", d->max);
	}
	c->v = xgrow(c->v, c->n, &c->cap, sizeof(*c->v));
	c->v[c->n++] = (struct tree_change) { path, whole };
	return 0;
}

static bool is_same(const struct tree_entry *a, const struct tree_entry *b)
{
	return a->kind == b->kind && tree_oid_tells(a->oid) && strcmp(a->oid, b->oid) == 0;
}

static int diff_folder(struct diff *d, const char *path, unsigned depth, struct ps_err *err);

/* One name, in one of the two (the other is NULL) or in both. */
static int diff_entry(struct diff *d, const char *dir, const struct tree_entry *a,
		      const struct tree_entry *b, unsigned depth, struct ps_err *err)
{
	const char *name = a ? a->name : b->name;
	char *path;
	int rc;

	if (a && b && is_same(a, b))
		return 0;
	path = *dir ? xasprintf("%s/%s", dir, name) : xstrdup(name);
	if (a && b && a->kind == TREE_DIR) {
		rc = diff_folder(d, path, depth + 1, err);
		free(path);
		return rc;
	}
	return add(d, path, !a || !b, err);
}

/* Git makes no such folder, and nobody can say which of the two a path leads to. */
static bool has_twins(const struct tree_list *l)
{
	for (size_t i = 1; i < l->n; i++)
		if (tree_entry_order(&l->v[i - 1], &l->v[i]) == 0)
			return true;
	return false;
}

/* Both lists are in git's order, where a folder and a file of one name are two. */
static int diff_lists(struct diff *d, const char *path, const struct tree_list *a,
		      const struct tree_list *b, unsigned depth, struct ps_err *err)
{
	size_t i = 0, k = 0;
	int rc = 0;

	d->seen += a->n + b->n;
	if (d->seen > TREE_ENTRIES_MAX)
		return ps_err_set(err, PS_ELIMIT, "more than %d files and folders",
				  TREE_ENTRIES_MAX);
	if (has_twins(a) || has_twins(b))
		return ps_err_set(err, PS_EINVAL, "'%s' has one name twice", path);
	while (rc == 0 && (i < a->n || k < b->n)) {
		int c = i == a->n ? 1 : k == b->n ? -1 : tree_entry_order(&a->v[i], &b->v[k]);
		const struct tree_entry *left = c <= 0 ? &a->v[i] : NULL,
			*right = c >= 0 ? &b->v[k] : NULL;

		rc = diff_entry(d, path, left, right, depth, err);
		i += left != NULL;
		k += right != NULL;
	}
	return rc;
}

static int diff_folder(struct diff *d, const char *path, unsigned depth, struct ps_err *err)
{
	struct tree_list a, b = { NULL, 0 };
	int rc;

	if (depth > TREE_DEPTH_MAX)
		return ps_err_set(err, PS_ELIMIT, "'%s' is more than %d folders deep", path,
				  TREE_DEPTH_MAX);
	rc = add(d, xstrdup(path), false, err);
	if (rc == 0)
		rc = tree_list(d->a, path, &a, err);
	if (rc < 0)
		return rc;
	rc = tree_list(d->b, path, &b, err);
	if (rc == 0)
		rc = diff_lists(d, path, &a, &b, depth, err);
	tree_list_clear(&a);
	tree_list_clear(&b);
	return rc;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct tree_change *)a)->path, ((const struct tree_change *)b)->path);
}

int tree_diff(struct tree *a, struct tree *b, size_t max, struct tree_changes *out,
	      struct ps_err *err)
{
	struct diff d = { a, b, max, 0, out };
	struct tree_entry top_a, top_b;
	int rc;

	*out = (struct tree_changes) { NULL, 0, 0 };
	rc = tree_stat(a, "", &top_a, err);
	if (rc == 0)
		rc = tree_stat(b, "", &top_b, err);
	if (rc == 0 && !is_same(&top_a, &top_b))
		rc = diff_folder(&d, "", 0, err);
	if (rc < 0)
		tree_changes_clear(out);
	else if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_path);
	return rc;
}

/* The first n bytes of path against a change's path, as strcmp() would. */
static int order(const char *path, size_t n, const char *change)
{
	int c = strncmp(path, change, n);

	return c ? c : change[n] ? -1 : 0;
}

/* whole: only a change that says so of all below it. */
static bool is_there(const struct tree_changes *c, const char *path, size_t n, bool whole)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (order(path, n, c->v[mid].path) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < c->n && order(path, n, c->v[low].path) == 0; low++)
		if (!whole || c->v[low].whole)
			return true;
	return false;
}

bool tree_changed(const struct tree_changes *c, const char *path)
{
	for (size_t n = 0; path[n]; n++)
		if (path[n] == '/' && is_there(c, path, n, true))
			return true;
	return is_there(c, path, strlen(path), false);
}
