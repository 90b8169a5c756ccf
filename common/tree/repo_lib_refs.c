/* repo_lib_refs – refs through libgit2. */
#include "config.h"

#include "common/tree/repo_lib.h"

enum { SYMBOLIC_MAX = 5 };		/* git's own limit */

int repo_lib_ref_read(struct repo *r, const char *name, struct repo_ref *out, struct ps_err *err)
{
	char *at = xstrdup(name);
	int rc = 0;

	for (int depth = 0; depth <= SYMBOLIC_MAX; depth++) {
		git_reference *ref = NULL;
		bool symbolic;

		rc = git_reference_lookup(&ref, r->git, at);
		/* an invalid name is not there either */
		if (rc == GIT_ENOTFOUND || rc == GIT_EINVALIDSPEC) {
			rc = 0;
			break;
		}
		if (rc < 0) {
			rc = repo_git_err(err, rc, "cannot read '%s'", at);
			break;
		}
		symbolic = git_reference_type(ref) == GIT_REFERENCE_SYMBOLIC;
		if (symbolic) {
			free(at);
			at = xstrdup(git_reference_symbolic_target(ref));
		} else {
			git_oid_tostr(out->oid, sizeof(out->oid), git_reference_target(ref));
		}
		git_reference_free(ref);
		if (!symbolic)
			break;
		if (depth == SYMBOLIC_MAX)
			rc = ps_err_set(err, PS_EINVAL, "'%s' goes through too many symbolic refs",
					name);
	}
	if (rc < 0)
		free(at);
	else
		out->name = at;
	return rc;
}

/* What the remote's branch is called here, by its first fetch rule. */
static int tracking_name(struct repo *r, const char *remote, const char *merge, git_buf *out)
{
	char *key = xasprintf("remote.%s.fetch", remote);
	git_config *cfg = NULL;
	git_buf rule = GIT_BUF_INIT;
	git_refspec *spec = NULL;
	int rc = git_repository_config_snapshot(&cfg, r->git);

	if (rc == 0)
		rc = git_config_get_string_buf(&rule, cfg, key);
	if (rc == 0)
		rc = git_refspec_parse(&spec, rule.ptr, 1);
	if (rc == 0)
		rc = !git_refspec_src_matches(spec, merge) ? GIT_ENOTFOUND :
			git_refspec_transform(out, spec, merge);
	git_refspec_free(spec);
	git_buf_dispose(&rule);
	git_config_free(cfg);
	free(key);
	return rc;
}

/* branch.NAME.what of the branch at HEAD. */
static int branch_key(struct repo *r, const char *what, git_buf *out)
{
	git_reference *head = NULL;
	git_config *cfg = NULL;
	int rc = git_repository_head(&head, r->git);
	char *key = NULL;

	if (rc == 0 && !git_reference_is_branch(head))
		rc = GIT_ENOTFOUND;
	if (rc == 0)
		rc = git_repository_config_snapshot(&cfg, r->git);
	if (rc == 0) {
		key = xasprintf("branch.%s.%s", git_reference_shorthand(head), what);
		rc = git_config_get_string_buf(out, cfg, key);
	}
	free(key);
	git_config_free(cfg);
	git_reference_free(head);
	return rc;
}

/* Not git_branch_upstream_name(): libgit2 1.5 matches by regular expressions there, and loses the
 * memory of each that does not match. */
int repo_lib_upstream(struct repo *r, char **here, char **there)
{
	git_buf remote = GIT_BUF_INIT, merge = GIT_BUF_INIT, name = GIT_BUF_INIT;
	git_reference *seen = NULL;
	int rc = branch_key(r, "remote", &remote);

	if (rc == 0)
		rc = branch_key(r, "merge", &merge);
	if (rc == 0 && strcmp(remote.ptr, ".") == 0)
		rc = git_reference_lookup(&seen, r->git, merge.ptr);
	else if (rc == 0 && (rc = tracking_name(r, remote.ptr, merge.ptr, &name)) == 0)
		rc = git_reference_lookup(&seen, r->git, name.ptr);
	if (rc == 0) {
		*here = xstrdup(git_reference_name(seen));
		*there = xstrdup(merge.ptr);
	}
	git_buf_dispose(&remote);
	git_buf_dispose(&merge);
	git_buf_dispose(&name);
	git_reference_free(seen);
	return rc;
}

int repo_lib_refs_list(struct repo *r, struct repo_refs *out, struct ps_err *err)
{
	git_reference_iterator *it = NULL;
	git_reference *ref = NULL;
	size_t cap = 0;
	int rc = git_reference_iterator_new(&it, r->git);

	while (rc == 0 && (rc = git_reference_next(&ref, it)) == 0) {
		const char *name = git_reference_name(ref);

		if (git_reference_type(ref) == GIT_REFERENCE_DIRECT &&
		    !repo_is_own_ref(name))
			git_oid_tostr(repo_refs_add(out, &cap, name)->oid, TREE_OID,
				      git_reference_target(ref));
		git_reference_free(ref);
	}
	git_reference_iterator_free(it);
	return rc == GIT_ITEROVER ? 0 : repo_git_err(err, rc, "cannot list the refs");
}

static int oid_order(const void *a, const void *b)
{
	return git_oid_cmp(a, b);
}

/* The commits that refs hold now, sorted. */
static int held_commits(struct repo *r, const char *except, git_oid **out, size_t *n,
			struct ps_err *err)
{
	struct repo_refs refs;
	int rc = repo_refs_list(r, &refs, err);

	*n = 0;
	*out = NULL;
	if (rc < 0)
		return rc;
	*out = xcalloc(refs.n + 1, sizeof(**out));
	for (size_t i = 0; i < refs.n; i++) {
		struct repo_peeled p;

		if ((except && strcmp(refs.v[i].name, except) == 0) ||
		    repo_peel(r, refs.v[i].oid, &p, NULL) < 0 || !*p.commit)
			continue;	/* a ref to a blob or to nothing holds no ancestor */
		git_oid_fromstr(&(*out)[(*n)++], p.commit);
	}
	qsort(*out, *n, sizeof(**out), oid_order);
	repo_refs_clear(&refs);
	return 0;
}

int repo_lib_nearest_held(struct repo *r, const char *hex, const char *except, char *held,
			  bool *found, struct ps_err *err)
{
	git_revwalk *walk = NULL;
	git_oid *tips, oid;
	size_t n;
	int rc = held_commits(r, except, &tips, &n, err);

	if (rc < 0)
		return rc;
	git_oid_fromstr(&oid, hex);
	if (n && (rc = git_revwalk_new(&walk, r->git)) == 0 &&
	    (rc = git_revwalk_push(walk, &oid)) == 0) {
		/* unsorted is git's own order, made while walking: any sorting reads the whole
		 * history first */
		git_revwalk_sorting(walk, GIT_SORT_NONE);
		for (int i = 0; i < REPO_WALK_MAX && !*found && git_revwalk_next(&oid, walk) == 0;
		     i++) {
			if (!bsearch(&oid, tips, n, sizeof(*tips), oid_order))
				continue;
			git_oid_tostr(held, TREE_OID, &oid);
			*found = true;
		}
	}
	git_revwalk_free(walk);
	free(tips);
	return rc < 0 ? repo_git_err(err, rc, "cannot walk from %.12s", hex) : 0;
}

int repo_lib_keep(struct repo *r, const char *name, const char *oid, struct ps_err *err)
{
	git_reference *ref = NULL;
	git_oid id;
	int rc;

	git_oid_fromstr(&id, oid);
	rc = git_reference_create(&ref, r->git, name, &id, 1, NULL);
	git_reference_free(ref);
	return rc < 0 ? repo_git_err(err, rc, "cannot keep %.12s", oid) : 0;
}

int repo_lib_unkeep(struct repo *r, const char *name, struct ps_err *err)
{
	int rc = git_reference_remove(r->git, name);

	return rc < 0 && rc != GIT_ENOTFOUND ?
		repo_git_err(err, rc, "cannot remove '%s'", name) : 0;
}
