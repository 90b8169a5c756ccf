/* repo_refs – refs as values, penstock's own refs, and the repository's id. See repo.h. */
#include "config.h"

#include "common/tree/repo_git.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <git2/transaction.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"

static const char ours[] = "refs/penstock/";
static const char keep[] = "refs/penstock/keep/";

enum { SYMBOLIC_MAX = 5 };		/* git's own limit */
enum { OLD_LOCK_S = 60 };

void repo_ref_clear(struct repo_ref *ref)
{
	PS_FREE(ref->name);
}

int repo_ref_read(struct repo *r, const char *name, struct repo_ref *out, struct ps_err *err)
{
	char *at = xstrdup(name);
	int rc = 0;

	*out = (struct repo_ref) { .name = NULL };
	memset(out->oid, '0', GIT_OID_HEXSZ);
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

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct repo_ref *)a)->name, ((const struct repo_ref *)b)->name);
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
int repo_upstream(struct repo *r, char **here, char **there, struct ps_err *err)
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
	return rc < 0 ? ps_err_set(err, PS_ENOENT, "there is no upstream branch") : 0;
}

int repo_refs_list(struct repo *r, struct repo_refs *out, struct ps_err *err)
{
	git_reference_iterator *it = NULL;
	git_reference *ref = NULL;
	size_t cap = 0;
	int rc = git_reference_iterator_new(&it, r->git);

	*out = (struct repo_refs) { NULL, 0 };
	while (rc == 0 && (rc = git_reference_next(&ref, it)) == 0) {
		const char *name = git_reference_name(ref);

		if (git_reference_type(ref) == GIT_REFERENCE_DIRECT && !ps_starts(name, ours)) {
			struct repo_ref *to;

			out->v = xgrow(out->v, out->n, &cap, sizeof(*out->v));
			to = &out->v[out->n++];
			to->name = xstrdup(name);
			git_oid_tostr(to->oid, sizeof(to->oid), git_reference_target(ref));
		}
		git_reference_free(ref);
	}
	git_reference_iterator_free(it);
	if (rc != GIT_ITEROVER) {
		repo_refs_clear(out);
		return repo_git_err(err, rc, "cannot list the refs");
	}
	if (out->n > 1)
		qsort(out->v, out->n, sizeof(*out->v), by_name);
	return 0;
}

void repo_refs_clear(struct repo_refs *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct repo_refs) { NULL, 0 };
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

int repo_nearest_held(struct repo *r, const char *hex, const char *except, char *held, bool *found,
		      struct ps_err *err)
{
	git_revwalk *walk = NULL;
	struct repo_peeled p;
	git_oid *tips, oid;
	size_t n;
	int rc = repo_peel(r, hex, &p, err);

	*found = false;
	if (rc < 0 || !*p.commit)
		return rc;
	rc = held_commits(r, except, &tips, &n, err);
	if (rc < 0)
		return rc;
	git_oid_fromstr(&oid, p.commit);
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

/*
 * A process of ours that was killed in the middle leaves its lock, and nobody else ever locks these
 * refs. What was made by a holder lasts milliseconds, so an old one is nobody's.
 */
static bool dropped_old_lock(struct repo *r, const char *name)
{
	char *lock = xasprintf("%s%s.lock", git_repository_commondir(r->git), name);
	struct stat st;
	bool old = lstat(lock, &st) == 0 && st.st_mtime + OLD_LOCK_S < clock_wall_ms() / 1000;
	bool dropped = old && unlink(lock) == 0;

	free(lock);
	return dropped;
}

int repo_keep(struct repo *r, const char *hex, struct ps_err *err)
{
	char *name = xasprintf("%s%s", keep, hex);
	git_reference *ref = NULL;
	git_oid oid;
	int rc;

	if (!digest_is_hex(hex, GIT_OID_HEXSZ) || git_oid_fromstr(&oid, hex) < 0) {
		rc = ps_err_set(err, PS_EINVAL, "'%.70s' is not an object name", hex);
	} else if (FAIL_AT("repo.keep")) {
		rc = ps_err_errno(err, "cannot keep %.12s", hex);
	} else {
		rc = git_reference_create(&ref, r->git, name, &oid, 1, NULL);
		if (rc == GIT_ELOCKED && dropped_old_lock(r, name))
			rc = git_reference_create(&ref, r->git, name, &oid, 1, NULL);
		rc = rc < 0 ? repo_git_err(err, rc, "cannot keep %.12s", hex) : 0;
	}
	git_reference_free(ref);
	free(name);
	return rc;
}

int repo_unkeep(struct repo *r, const char *hex, struct ps_err *err)
{
	char *name = xasprintf("%s%s", keep, hex);
	int rc;

	if (!digest_is_hex(hex, GIT_OID_HEXSZ)) {
		rc = ps_err_set(err, PS_EINVAL, "'%.70s' is not an object name", hex);
	} else if (FAIL_AT("repo.unkeep")) {
		rc = ps_err_errno(err, "cannot let go of %.12s", hex);
	} else {
		rc = git_reference_remove(r->git, name);
		if (rc == GIT_ELOCKED && dropped_old_lock(r, name))
			rc = git_reference_remove(r->git, name);
		rc = rc < 0 &&
			rc != GIT_ENOTFOUND ? repo_git_err(err, rc, "cannot let go of %.12s", hex) :
			0;
	}
	free(name);
	return rc;
}

static int read_id(git_config *cfg, char id[REPO_ID])
{
	git_config *now = NULL;
	git_buf b = { 0 };
	int rc = git_config_snapshot(&now, cfg);	/* reads the file again */

	if (rc == 0)
		rc = git_config_get_string_buf(&b, now, "penstock.id");
	if (rc == 0 && !digest_is_hex(b.ptr, REPO_ID - 1))
		rc = GIT_EINVALID;
	if (rc == 0)
		memcpy(id, b.ptr, REPO_ID);
	git_buf_dispose(&b);
	git_config_free(now);
	return rc;
}

/* The config file is locked while we look again and write, so two that try get the same id. */
static int make_id(git_config *cfg, char id[REPO_ID])
{
	git_transaction *tx = NULL;
	char fresh[REPO_ID];
	int rc = git_config_lock(&tx, cfg);

	if (rc == 0 && (rc = read_id(cfg, id)) == GIT_ENOTFOUND) {
		random_hex(fresh, (REPO_ID - 1) / 2);
		rc = git_config_set_string(cfg, "penstock.id", fresh);
		if (rc == 0)
			rc = git_transaction_commit(tx);
		if (rc == 0)
			memcpy(id, fresh, REPO_ID);
	}
	git_transaction_free(tx);
	return rc;
}

int repo_id(struct repo *r, bool create, char id[REPO_ID], struct ps_err *err)
{
	char *path = xasprintf("%sconfig", git_repository_commondir(r->git));
	git_config *cfg = NULL;
	int rc = git_config_open_ondisk(&cfg, path);

	if (rc == 0)
		rc = read_id(cfg, id);
	if (rc == GIT_ENOTFOUND && !create) {
		rc = ps_err_set(err, PS_ENOENT, "the repository has no penstock.id yet");
	} else if (rc == GIT_ENOTFOUND && FAIL_AT("repo.id")) {
		rc = ps_err_errno(err, "cannot write penstock.id");
	} else {
		if (rc == GIT_ENOTFOUND)
			rc = make_id(cfg, id);
		if (rc == GIT_ELOCKED)		/* somebody else is making it now */
			rc = ps_err_set(err, PS_EBUSY,
					"'%s' is locked by another process; when none is at "
					"work there, remove '%s.lock'", path, path);
		else if (rc == GIT_EINVALID)
			rc = ps_err_set(err, PS_EINVAL,
					"penstock.id in '%s' is not 32 hex digits; remove the "
					"line and penstock makes a new one", path);
		else if (rc < 0)
			rc = repo_git_err(err, rc, "cannot read or write penstock.id in '%s'",
					  path);
	}
	git_config_free(cfg);
	free(path);
	return rc;
}
