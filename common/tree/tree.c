/* tree – see tree.h: what every implementation shares. */
#include "config.h"

#include "common/tree/tree.h"

#include "common/base/buf.h"

int tree_entry_order(const void *pa, const void *pb)
{
	const struct tree_entry *a = pa, *b = pb;
	size_t la = strlen(a->name), lb = strlen(b->name);
	int c = memcmp(a->name, b->name, la < lb ? la : lb);
	unsigned char ca, cb;

	if (c)
		return c;
	ca = la > lb ? (unsigned char)a->name[lb] : a->kind == TREE_DIR ? '/' : 0;
	cb = lb > la ? (unsigned char)b->name[la] : b->kind == TREE_DIR ? '/' : 0;
	return (ca > cb) - (ca < cb);
}

struct tree_entry *tree_list_add(struct tree_list *l, size_t *cap, const char *name,
				 enum tree_kind kind)
{
	struct tree_entry *e;

	l->v = xgrow(l->v, l->n, cap, sizeof(*l->v));
	e = &l->v[l->n++];
	*e = (struct tree_entry) { .name = xstrdup(name), .kind = kind };
	return e;
}

void tree_list_clear(struct tree_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct tree_list) { NULL, 0 };
}

/* Git's own trees always are. */
static bool in_order(const struct tree_list *l)
{
	for (size_t i = 1; i < l->n; i++)
		if (tree_entry_order(&l->v[i - 1], &l->v[i]) > 0)
			return false;
	return true;
}

int tree_list(struct tree *t, const char *path, struct tree_list *out, struct ps_err *err)
{
	int rc;

	*out = (struct tree_list) { NULL, 0 };
	rc = t->ops->list(t, path, out, err);
	if (rc < 0) {
		tree_list_clear(out);
		return rc;
	}
	if (!in_order(out))
		qsort(out->v, out->n, sizeof(*out->v), tree_entry_order);
	return 0;
}

int tree_stat(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *err)
{
	*out = (struct tree_entry) { .name = NULL };
	return t->ops->stat(t, path, out, err);
}

int tree_read(struct tree *t, const char *path, size_t max, struct buf *out, struct ps_err *err)
{
	return t->ops->read(t, path, max, out, err);
}

void tree_close(struct tree *t)
{
	if (t)
		t->ops->close(t);
}

bool tree_oid_tells(const char *oid)
{
	return *oid && strcmp(oid, TREE_OID_UNKNOWN) != 0;
}

bool tree_is_file(struct tree *t, const char *path)
{
	struct tree_entry e;

	return tree_stat(t, path, &e, NULL) == 0 && (e.kind == TREE_FILE || e.kind == TREE_EXEC);
}

bool tree_is_dir(struct tree *t, const char *path)
{
	struct tree_entry e;

	return tree_stat(t, path, &e, NULL) == 0 && e.kind == TREE_DIR;
}

struct walk {
	struct tree *t;
	tree_walk_fn fn;
	void *arg;
	size_t seen;
};

static int walk_dir(struct walk *w, const char *path, unsigned depth, struct ps_err *err)
{
	struct tree_list l;
	int rc;

	if (depth > TREE_DEPTH_MAX)
		return ps_err_set(err, PS_ELIMIT, "'%s' is more than %d folders deep", path,
				  TREE_DEPTH_MAX);
	rc = tree_list(w->t, path, &l, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < l.n && rc >= 0; i++) {
		char *sub = *path ? xasprintf("%s/%s", path, l.v[i].name) : xstrdup(l.v[i].name);

		if (++w->seen > TREE_ENTRIES_MAX)
			rc = ps_err_set(err, PS_ELIMIT, "more than %d files and folders",
					TREE_ENTRIES_MAX);
		else
			rc = w->fn(w->arg, sub, &l.v[i], err);
		if (rc == 0 && l.v[i].kind == TREE_DIR)
			rc = walk_dir(w, sub, depth + 1, err);
		free(sub);
	}
	tree_list_clear(&l);
	return rc < 0 ? rc : 0;
}

int tree_walk(struct tree *t, const char *path, tree_walk_fn fn, void *arg, struct ps_err *err)
{
	struct walk w = { t, fn, arg, 0 };

	return walk_dir(&w, path, 0, err);
}
