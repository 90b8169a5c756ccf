/* repo_lib – a repository's objects through libgit2. Its refs are in repo_lib_refs.c. */
#include "config.h"

#include "common/tree/repo_lib.h"

#include <unistd.h>

#include "common/base/buf.h"

int repo_git_err(struct ps_err *err, int git_rc, const char *fmt, ...)
{
	const git_error *g = git_error_last();
	int code = git_rc == GIT_ENOTFOUND ? PS_ENOENT : git_rc == GIT_EOWNER ? PS_EPERM :
		git_rc == GIT_ELOCKED ? PS_EBUSY : PS_EIO;
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return ps_err_set(err, code, "%s: %s", what, g &&
			  g->message ? g->message : "no reason given");
}

static int add_quarantine(struct repo *r, const struct repo_quarantine *q, struct ps_err *err)
{
	struct buf dir = BUF_INIT;
	int rc = 0;

	if (q->object_dir)
		rc = git_odb_add_disk_alternate(r->odb, q->object_dir);
	for (const char *p = q->alternates; rc == 0 && p && *p;) {
		p = repo_next_alternate(p, &dir);
		if (dir.len && access(buf_str(&dir), F_OK) == 0)
			rc = git_odb_add_disk_alternate(r->odb, buf_str(&dir));
	}
	buf_clear(&dir);
	return rc < 0 ? repo_git_err(err, rc, "cannot add the quarantine '%s'", q->object_dir) : 0;
}

int repo_lib_open(struct repo *r, const char *path, unsigned flags, const struct repo_quarantine *q,
		  struct ps_err *err)
{
	int rc = git_repository_open_ext(&r->git, path, flags, NULL);

	r->ops = &repo_lib_ops;
	if (rc == 0)
		rc = git_repository_odb(&r->odb, r->git);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot open the repository '%s'", path);
	return q ? add_quarantine(r, q, err) : 0;
}

static int lib_peel(struct repo *r, const char *hex, struct repo_peeled *out, struct ps_err *err)
{
	git_object *obj = NULL, *next = NULL;
	git_oid oid;
	int rc;

	git_oid_fromstr(&oid, hex);
	rc = git_object_lookup(&obj, r->git, &oid, GIT_OBJECT_ANY);
	if (rc == 0 && git_object_type(obj) == GIT_OBJECT_TAG) {
		/* the first that is no tag */
		rc = git_object_peel(&next, obj, GIT_OBJECT_ANY);
		git_object_free(obj);
		obj = next;
		next = NULL;
	}
	if (rc == 0 && git_object_type(obj) == GIT_OBJECT_BLOB) {
		git_object_free(obj);
		return ps_err_set(err, PS_EINVAL, "%.12s leads to a blob, not to a tree", hex);
	}
	if (rc == 0 && git_object_type(obj) == GIT_OBJECT_COMMIT)
		git_oid_tostr(out->commit, sizeof(out->commit), git_object_id(obj));
	if (rc == 0)
		rc = git_object_peel(&next, obj, GIT_OBJECT_TREE);
	if (rc == 0)
		git_oid_tostr(out->tree, sizeof(out->tree), git_object_id(next));
	git_object_free(next);
	git_object_free(obj);
	return rc < 0 ? repo_git_err(err, rc, "cannot read object %.12s", hex) : 0;
}

static int lib_rev(struct repo *r, const char *rev, char *oid, struct ps_err *err)
{
	git_object *obj = NULL;
	int rc = git_revparse_single(&obj, r->git, rev);

	if (rc < 0)
		return repo_git_err(err, rc, "'%s' names nothing in this repository", rev);
	git_oid_tostr(oid, TREE_OID, git_object_id(obj));
	git_object_free(obj);
	return 0;
}

static int lib_is_ancestor(struct repo *r, const char *old, const char *new, bool *yes,
			   struct ps_err *err)
{
	git_oid a, b;
	int rc;

	git_oid_fromstr(&a, old);
	git_oid_fromstr(&b, new);
	rc = git_graph_descendant_of(r->git, &b, &a);
	if (rc < 0)
		return repo_git_err(err, rc, "cannot compare %.12s and %.12s", old, new);
	*yes = rc == 1;
	return 0;
}

static void lib_close(struct repo *r)
{
	git_odb_free(r->odb);
	git_repository_free(r->git);
}

const struct repo_ops repo_lib_ops = {
	.peel = lib_peel, .rev = lib_rev, .tree = tree_git_open, .ref_read = repo_lib_ref_read,
	.upstream = repo_lib_upstream, .refs_list = repo_lib_refs_list,
	.nearest_held = repo_lib_nearest_held, .is_ancestor = lib_is_ancestor,
	.keep = repo_lib_keep, .unkeep = repo_lib_unkeep, .close = lib_close,
};
