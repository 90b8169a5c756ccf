/*
 * repo – a Git repository as penstock needs it: peel objects to trees, read refs, keep objects.
 *
 * Wraps libgit2, and git's own programs for repositories with SHA-256 objects, which that cannot
 * read; hook programs never link it (loading it costs more than the whole hook).
 * A `struct repo` belongs to one thread. Object names are lower-case hex; all zeros means absent,
 * as in git's own push commands. refs/penstock/ is penstock's and is never listed.
 */
#ifndef PS_REPO_H
#define PS_REPO_H

#include "common/tree/tree.h"

struct repo;

/* Objects of a push that is not accepted yet: GIT_OBJECT_DIRECTORY and
 * GIT_ALTERNATE_OBJECT_DIRECTORIES of the hook (either may be NULL; both: there is none). */
struct repo_quarantine {
	const char *object_dir;
	const char *alternates;		/* separated by ':', C-quoted entries allowed */
};

/*
 * Opens the repository at exactly this path (a bare one, a .git folder, or a work tree's top).
 * q may be NULL. PS_ENOENT: no repository; PS_EPERM: it is somebody else's, see
 * repo_trust_owners().
 */
int repo_open(struct repo **out, const char *path, const struct repo_quarantine *q,
	      struct ps_err *err) PS_MUSTCHECK;
/* The same, looking upward from path as git does. *top (free it; NULL for a bare one) gets the
 * absolute path of the work tree. */
int repo_discover(struct repo **out, const char *path, char **top, struct ps_err *err) PS_MUSTCHECK;
void repo_close(struct repo *r);		/* NULL is fine */
/* Git's folder of the work tree that was opened; of a linked one its own, not the common one. */
const char *repo_gitdir(const struct repo *r);

/* Switches the check of owners off for this process. Only for the gate role, after it has found
 * the repository's real path below a configured root (TRUST.md). */
void repo_trust_owners(void);

struct repo_peeled {
	char tree[TREE_OID];
	char commit[TREE_OID];		/* "" when the object is a tree, or a tag of one */
};

/* Peels a commit, tag or tree. PS_ENOENT: no such object; PS_EINVAL: it leads to a blob. */
int repo_peel(struct repo *r, const char *oid, struct repo_peeled *out,
	      struct ps_err *err) PS_MUSTCHECK;
/* What a person typed: a ref, an oid or its beginning, HEAD~2. oid gets TREE_OID bytes. */
int repo_rev(struct repo *r, const char *rev, char *oid, struct ps_err *err) PS_MUSTCHECK;
/* The snapshot of a tree; the repository must outlive it. Close with tree_close(). */
int repo_tree(struct tree **out, struct repo *r, const char *tree_oid,
	      struct ps_err *err) PS_MUSTCHECK;

struct repo_ref {
	char *name;			/* symbolic refs resolved: the ref that would move */
	char oid[TREE_OID];		/* all zeros: absent (also an unborn HEAD) */
};

/* Reads one ref now. Absent is a value, not an error: name is then as given (or the target). */
int repo_ref_read(struct repo *r, const char *name, struct repo_ref *out,
		  struct ps_err *err) PS_MUSTCHECK;
void repo_ref_clear(struct repo_ref *ref);

/* Where the branch that HEAD is on is pushed to by its configuration: *here is the ref that holds
 * what was seen of it ("refs/remotes/origin/main"), *there its name in the other repository. free()
 * both. PS_ENOENT: no branch, or none configured, or never fetched. */
int repo_upstream(struct repo *r, char **here, char **there, struct ps_err *err) PS_MUSTCHECK;

struct repo_refs { struct repo_ref *v; size_t n; };

/* All direct refs sorted by name, without HEAD, symbolic refs and refs/penstock/. */
int repo_refs_list(struct repo *r, struct repo_refs *out, struct ps_err *err) PS_MUSTCHECK;
void repo_refs_clear(struct repo_refs *l);

/*
 * The nearest ancestor of `oid` (or itself) that any ref holds now; for the old side of a new ref.
 * found is false when there is none within REPO_WALK_MAX commits. A ref named in `except` (may be
 * NULL) does not count.
 */
enum { REPO_WALK_MAX = 20000 };
int repo_nearest_held(struct repo *r, const char *oid, const char *except, char *held, bool *found,
		      struct ps_err *err) PS_MUSTCHECK;
/* Is `old` an ancestor of `new` (or the same)? */
int repo_is_ancestor(struct repo *r, const char *old, const char *new, bool *yes,
		     struct ps_err *err) PS_MUSTCHECK;

/*
 * The repository's id (`penstock.id` in its own config): 32 hex digits. create makes one, once,
 * also when two processes try. Without create: PS_ENOENT when there is none. Failpoint repo.id.
 */
enum { REPO_ID = 33 };
int repo_id(struct repo *r, bool create, char id[REPO_ID], struct ps_err *err) PS_MUSTCHECK;

/* refs/penstock/keep/<oid>: force-push and gc cannot take what is queued, released or deployed.
 * Both are idempotent. Failpoints repo.keep, repo.unkeep. */
int repo_keep(struct repo *r, const char *oid, struct ps_err *err) PS_MUSTCHECK;
int repo_unkeep(struct repo *r, const char *oid, struct ps_err *err) PS_MUSTCHECK;

/*
 * What stat tells of the refs of the repository at `path`, without opening one of them: packed-refs
 * and every folder below refs/ but ours. Two marks that are equal mean that no ref has moved from
 * the earlier to the later. REPO_MARK_GONE: no repository is there. REPO_MARK_NONE: something
 * changed so lately (a file system's clock ticks in milliseconds) or so much is there that an equal
 * mark would prove nothing; list the refs.
 */
#define REPO_MARK_GONE "-"
#define REPO_MARK_NONE "?"
enum { REPO_MARK = 33 };
void repo_mark(const char *path, char mark[REPO_MARK]);

/* Opens the folder that holds HEAD: the path itself, or .git in it; -1 with errno. */
int repo_folder(const char *path);

/*
 * Says in the repository's folder (penstock.lease) that `owner` works with it and says so again
 * every every_ms. *other (free it): somebody else has said so, less than three of his periods ago;
 * else NULL, and it is ours. A repository without our hook gets none. Failpoint repo.lease.
 */
int repo_lease(const char *path, const char *owner, int64_t every_ms, char **other,
	       struct ps_err *err) PS_MUSTCHECK;

/* Does the repository keep reflogs at all? */
bool repo_has_logs(struct repo *r);
/*
 * The reflog of a ref. value: what the ref had, read before. path gets the values from byte `from`
 * on, separated by blanks, up to the last entry that led to value: where the ref was, then each
 * movement; empty when there was none. Returns the log's length up to there, or REPO_LOG_NONE:
 * there is none, or it does not lead to value. With from REPO_LOG_END, or one that is not there any
 * more, or entries that do not join, or more than REPO_LOG_MAX: only how long it is.
 */
enum { REPO_LOG_NONE = -1, REPO_LOG_END = -1, REPO_LOG_MAX = 1000 };
int64_t repo_log(struct repo *r, const char *ref, int64_t from, const char *value,
		 struct buf *path);

/* One entry of GIT_ALTERNATE_OBJECT_DIRECTORIES into out (reset first; git C-quotes entries that
 * hold ':' or '"'). Returns where the next one begins. */
const char *repo_next_alternate(const char *p, struct buf *out);
bool repo_oid_is_zero(const char *oid);		/* "" counts as zero */

#endif
