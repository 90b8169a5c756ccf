/* trace – see trace.h. */
#include "config.h"

#include "common/gate/trace.h"

struct trace_tree {
	struct tree base;
	struct tree *under;
	char *own;
	struct deps *deps;
};

enum { NEAR = 32 };

void deps_add(struct deps *d, enum dep_what what, const char *path, const char *value)
{
	/* what is asked twice is asked soon again */
	for (size_t i = d->n, least = i > NEAR ? i - NEAR : 0; i-- > least;)
		if (d->v[i].what == what && strcmp(d->v[i].path, path) == 0)
			return;
	if (d->n > DEPS_MAX)
		return;
	d->v = xgrow(d->v, d->n, &d->cap, sizeof(*d->v));
	d->v[d->n++] = (struct dep) { what, xstrdup(path), xstrdup(value) };
}

void deps_clear(struct deps *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].path);
		free(d->v[i].value);
	}
	free(d->v);
	*d = (struct deps) { NULL, 0, 0 };
}

static const char *kind_word(enum tree_kind kind)
{
	static const char *const words[] = {
		[TREE_FILE] = "file", [TREE_EXEC] = "file", [TREE_DIR] = "folder",
		[TREE_LINK] = "link", [TREE_SUBMODULE] = "submodule",
	};

	return words[kind];
}

char *trace_value(struct tree *t, enum dep_what what, const char *path)
{
	struct tree_entry e;
	bool there = tree_stat(t, path, &e, NULL) == 0;

	return xstrdup(!there ? "" : what == DEP_KIND ? kind_word(e.kind) : e.oid);
}

static bool is_own(const struct trace_tree *tt, const char *path)
{
	size_t n = tt->own ? strlen(tt->own) : 0;

	return n && strncmp(path, tt->own, n) == 0 && (!path[n] || path[n] == '/');
}

static void note(const struct trace_tree *tt, enum dep_what what, const char *path)
{
	char *value;

	if (is_own(tt, path))
		return;
	value = trace_value(tt->under, what, path);
	deps_add(tt->deps, what, path, value);
	free(value);
}

static int traced_list(struct tree *t, const char *path, struct tree_list *out, struct ps_err *err)
{
	const struct trace_tree *tt = (const struct trace_tree *)t;

	note(tt, DEP_OBJECT, path);
	return tree_list(tt->under, path, out, err);
}

static int traced_stat(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *err)
{
	const struct trace_tree *tt = (const struct trace_tree *)t;

	int rc;

	note(tt, DEP_KIND, path);
	rc = tree_stat(tt->under, path, out, err);
	out->oid[0] = '\0';
	return rc;
}

static int traced_read(struct tree *t, const char *path, size_t max, struct buf *out,
		       struct ps_err *err)
{
	const struct trace_tree *tt = (const struct trace_tree *)t;

	note(tt, DEP_OBJECT, path);
	return tree_read(tt->under, path, max, out, err);
}

static void traced_close(struct tree *t)
{
	struct trace_tree *tt = (struct trace_tree *)t;

	free(tt->own);
	free(tt);
}

static const struct tree_ops traced_ops = {
	.list = traced_list, .stat = traced_stat, .read = traced_read, .close = traced_close,
};

struct tree *trace_tree(struct tree *under, const char *own, struct deps *deps)
{
	struct trace_tree *tt = xcalloc(1, sizeof(*tt));

	*tt = (struct trace_tree) { .base.ops = &traced_ops, .under = under,
				    .own = xstrdup_null(own), .deps = deps };
	return &tt->base;
}
