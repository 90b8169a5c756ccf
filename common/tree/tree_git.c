/*
 * tree_git – a git tree as a snapshot, through libgit2.
 *
 * Blobs are measured by their header before they are read: a stranger's 2 GB blob costs nothing.
 */
#include "config.h"

#include "common/tree/repo_lib.h"

#include "common/base/buf.h"

struct tree_git {
	struct tree base;
	struct repo *repo;
	git_tree *root;
	/* the folder looked into last: whoever asks for a file asks for its neighbours too */
	git_tree *near;
	char *near_path;
};

/* The folder at path, from the one looked into last or from the top. It stays the tree's. */
static int folder(struct tree_git *g, const char *path, git_tree **out)
{
	git_tree_entry *e = NULL;
	git_tree *found = NULL;
	int rc;

	*out = *path ? g->near : g->root;
	if (!*path || (g->near && strcmp(path, g->near_path) == 0))
		return 0;
	rc = git_tree_entry_bypath(&e, g->root, path);
	if (rc == 0)
		rc = git_tree_entry_type(e) == GIT_OBJECT_TREE ?
			git_tree_lookup(&found, g->repo->git, git_tree_entry_id(e)) :
			GIT_ENOTFOUND;
	git_tree_entry_free(e);
	if (rc < 0)
		return rc;
	git_tree_free(g->near);
	free(g->near_path);
	g->near = *out = found;
	g->near_path = xstrdup(path);
	return 0;
}

/* Valid until the next call. */
static int entry(struct tree_git *g, const char *path, const git_tree_entry **out)
{
	const char *slash = strrchr(path, '/');
	char *parent = slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
	git_tree *tree;
	int rc = folder(g, parent, &tree);

	*out = rc == 0 ? git_tree_entry_byname(tree, slash ? slash + 1 : path) : NULL;
	free(parent);
	return rc == 0 && !*out ? GIT_ENOTFOUND : rc;
}

static enum tree_kind kind_of(const git_tree_entry *e)
{
	switch (git_tree_entry_filemode(e)) {
	case GIT_FILEMODE_TREE:
		return TREE_DIR;
	case GIT_FILEMODE_LINK:
		return TREE_LINK;
	case GIT_FILEMODE_COMMIT:
		return TREE_SUBMODULE;
	case GIT_FILEMODE_BLOB_EXECUTABLE:
		return TREE_EXEC;
	default:
		return TREE_FILE;
	}
}

static int git_stat(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *err)
{
	struct tree_git *g = (struct tree_git *)t;
	const git_tree_entry *e;
	int rc;

	if (!*path) {
		out->kind = TREE_DIR;
		git_oid_tostr(out->oid, sizeof(out->oid), git_tree_id(g->root));
		return 0;
	}
	rc = entry(g, path, &e);
	if (rc == GIT_ENOTFOUND)
		return PS_ENOENT;
	if (rc < 0)
		return repo_git_err(err, rc, "cannot look at '%s'", path);
	out->kind = kind_of(e);
	git_oid_tostr(out->oid, sizeof(out->oid), git_tree_entry_id(e));
	return 0;
}

static int git_list(struct tree *t, const char *path, struct tree_list *out, struct ps_err *err)
{
	git_tree *tree;
	size_t cap = 0, n;
	int rc = folder((struct tree_git *)t, path, &tree);

	if (rc == GIT_ENOTFOUND)
		return ps_err_set(err, PS_ENOENT, "'%s' is not a folder", path);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot read the folder '%s'", path);
	n = git_tree_entrycount(tree);
	if (n > TREE_ENTRIES_MAX)
		return ps_err_set(err, PS_ELIMIT, "'%s' has more than %d entries", path,
				  TREE_ENTRIES_MAX);
	for (size_t i = 0; i < n; i++) {
		const git_tree_entry *e = git_tree_entry_byindex(tree, i);
		struct tree_entry *to = tree_list_add(out, &cap, git_tree_entry_name(e),
						      kind_of(e));

		git_oid_tostr(to->oid, sizeof(to->oid), git_tree_entry_id(e));
	}
	return 0;
}

static int git_read(struct tree *t, const char *path, size_t max, struct buf *out,
		    struct ps_err *err)
{
	const struct tree_git *g = (const struct tree_git *)t;
	struct tree_entry at;
	git_odb_object *obj = NULL;
	git_object_t type;
	git_oid oid;
	size_t size;
	int rc = tree_stat(t, path, &at, err);

	if (rc < 0 || at.kind == TREE_DIR || at.kind == TREE_SUBMODULE)
		return ps_err_set(err, rc < 0 ? rc : PS_ENOENT, "'%s' is not a file", path);
	git_oid_fromstr(&oid, at.oid);
	rc = git_odb_read_header(&size, &type, g->repo->odb, &oid);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot read '%s'", path);
	if (type != GIT_OBJECT_BLOB)
		return ps_err_set(err, PS_EIO, "'%s' is not a blob in the object store", path);
	if (size > max)
		return ps_err_set(err, PS_ELIMIT, "'%s': larger than %zu bytes", path, max);
	rc = git_odb_read(&obj, g->repo->odb, &oid);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot read '%s'", path);
	buf_add(out, git_odb_object_data(obj), git_odb_object_size(obj));
	git_odb_object_free(obj);
	return 0;
}

static void git_close(struct tree *t)
{
	struct tree_git *g = (struct tree_git *)t;

	git_tree_free(g->near);
	free(g->near_path);
	git_tree_free(g->root);
	free(g);
}

static const struct tree_ops git_ops = {
	.list = git_list, .stat = git_stat, .read = git_read, .close = git_close,
};

int tree_git_open(struct tree **out, struct repo *r, const char *oid, struct ps_err *err)
{
	struct tree_git *g;
	git_tree *root = NULL;
	git_oid id;
	int rc;

	git_oid_fromstr(&id, oid);
	rc = git_tree_lookup(&root, r->git, &id);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot read tree %.12s", oid);
	g = xcalloc(1, sizeof(*g));
	g->base.ops = &git_ops;
	g->repo = r;
	g->root = root;
	*out = &g->base;
	return 0;
}
