/* repo_cmd – a repository through git's own programs: those with SHA-256 objects, which libgit2
 * cannot read. See repo_git.h and repo_cat.h. */
#include "config.h"

#include "common/tree/repo_cat.h"

#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/spawn.h"

enum { SYMBOLIC_MAX = 5 };		/* git's own limit */

static bool passed(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- opening ---- */

/* In C quotes, so that a ':' in a name does not end it. */
static void add_alternate(struct buf *b, const char *dir)
{
	buf_adds(b, b->len ? ":\"" : "\"");
	for (; *dir; dir++) {
		if (*dir == '"' || *dir == '\\')
			buf_addch(b, '\\');
		buf_addch(b, *dir);
	}
	buf_addch(b, '"');
}

int repo_cmd_open(struct repo *r, const char *gitdir, const struct repo_quarantine *q,
		  struct ps_err *err)
{
	struct buf all = BUF_INIT, dir = BUF_INIT;
	char *objects = xasprintf("%sobjects", r->dir);
	int rc = access(objects, X_OK) < 0 ?
		ps_err_errno(err, "cannot open the repository '%s'", gitdir) : 0;

	if (q && q->object_dir)
		add_alternate(&all, q->object_dir);
	for (const char *p = q ? q->alternates : NULL; p && *p;) {
		p = repo_next_alternate(p, &dir);
		if (dir.len)
			add_alternate(&all, buf_str(&dir));
	}
	r->ops = &repo_cmd_ops;
	r->alternates = all.len ? buf_steal(&all) : NULL;
	buf_clear(&all);
	buf_clear(&dir);
	free(objects);
	return rc;
}

char *repo_cmd_top(const char *path)
{
	const char *const argv[] = { "/usr/bin/git", "rev-parse", "--show-toplevel", NULL };
	const struct spawn s = { .argv = argv, .cwd = path, .in = -1, .out = -1, .errout = -1 };
	struct buf out = BUF_INIT;
	int status = -1, rc = spawn_capture(&s, &out, PATH_MAX, &status, NULL);
	char *top = NULL;

	if (rc == 0 && passed(status) && out.len > 1) {
		top = buf_steal(&out);
		top[strcspn(top, "\n")] = '\0';
	}
	buf_clear(&out);
	return top;
}

static void cmd_close(struct repo *r)
{
	cat_close(r->cat);
	free(r->alternates);
}

/* ---- objects ---- */

static int unreadable(int rc, const char *oid, struct ps_err *err)
{
	return rc != PS_ENOENT ? rc :
		ps_err_set(err, rc, "cannot read object %.12s: it is not there", oid);
}

static int cmd_peel(struct repo *r, const char *oid, struct repo_peeled *out, struct ps_err *err)
{
	char name[TREE_OID + 8];
	struct cat_info info;
	int rc;

	snprintf(name, sizeof(name), "%s^{}", oid);
	rc = cat_info(r, name, &info, err);
	if (rc == 0 && info.type == CAT_BLOB)
		return ps_err_set(err, PS_EINVAL, "%.12s leads to a blob, not to a tree", oid);
	if (rc == 0 && info.type == CAT_COMMIT) {
		memcpy(out->commit, info.oid, sizeof(out->commit));
		snprintf(name, sizeof(name), "%s^{tree}", oid);
		rc = cat_info(r, name, &info, err);
	}
	if (rc == 0)
		memcpy(out->tree, info.oid, sizeof(out->tree));
	return unreadable(rc, oid, err);
}

static int cmd_rev(struct repo *r, const char *rev, char *oid, struct ps_err *err)
{
	const char *const words[] = {
		"rev-parse", "-q", "--verify", "--end-of-options", rev, NULL,
	};
	char *line;
	int status, rc = git_line(r, words, &line, &status, err);

	if (rc < 0)
		return rc;
	if (!passed(status) || strlen(line) != r->digits)
		rc = ps_err_set(err, PS_ENOENT, "'%s' names nothing in this repository", rev);
	else
		memcpy(oid, line, r->digits + 1);
	free(line);
	return rc;
}

static int cmd_tree(struct tree **out, struct repo *r, const char *oid, struct ps_err *err)
{
	return tree_cat_open(out, r, oid, err);
}

static int cmd_is_ancestor(struct repo *r, const char *old, const char *new, bool *yes,
			   struct ps_err *err)
{
	const char *const words[] = { "merge-base", "--is-ancestor", old, new, NULL };
	char *line;
	int status, rc = git_line(r, words, &line, &status, err);

	free(line);
	if (rc < 0)
		return rc;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return ps_err_set(err, PS_EIO, "cannot compare %.12s and %.12s: git merge-base "
				  "fails", old, new);
	*yes = passed(status);
	return 0;
}

/* ---- refs ---- */

static const char ref_format[] = "--format=%(objectname) %(symref) %(refname)";

/* A line of ref_format: "oid symref name", the one in the middle may be empty. */
static bool split_ref(const struct repo *r, char *line, char **symref, char **name)
{
	if (strlen(line) < r->digits + 3 || line[r->digits] != ' ')
		return false;
	line[r->digits] = '\0';
	*symref = line + r->digits + 1;
	*name = strchr(*symref, ' ');
	if (!*name)
		return false;
	*(*name)++ = '\0';
	return true;
}

struct ref_asked {
	const struct repo *r;
	const char *want;
	struct repo_ref *out;
};

static bool take_ref(void *arg, char *line)
{
	struct ref_asked *a = arg;
	char *symref, *name;

	if (!split_ref(a->r, line, &symref, &name) || strcmp(name, a->want) != 0)
		return true;		/* one below a folder of that name */
	memcpy(a->out->oid, line, a->r->digits + 1);
	a->out->name = xstrdup(*symref ? symref : name);
	return false;
}

/* What a symbolic ref names whose own ref is not there; NULL: it is none. */
static int dangling(struct repo *r, const char *name, char **target, struct ps_err *err)
{
	const char *const words[] = { "symbolic-ref", "-q", name, NULL };
	int status, rc = git_line(r, words, target, &status, err);

	if (rc == 0 && (!passed(status) || !**target))
		PS_FREE(*target);
	return rc;
}

static int cmd_ref_read(struct repo *r, const char *name, struct repo_ref *out, struct ps_err *err)
{
	char *at = xstrdup(name);
	int rc = 0;

	for (int depth = 0; rc == 0 && at && depth <= SYMBOLIC_MAX; depth++) {
		const char *const words[] = { "for-each-ref", ref_format, "--", at, NULL };
		struct ref_asked asked = { r, at, out };
		char *target = NULL;
		int status;

		rc = git_run(r, words, take_ref, &asked, &status, err);
		if (rc == 0 && !out->name)
			rc = dangling(r, at, &target, err);
		if (rc == 0 && !out->name && !target)
			out->name = xstrdup(at);
		free(at);
		at = out->name ? NULL : target;
	}
	if (rc == 0 && !out->name)
		rc = ps_err_set(err, PS_EINVAL, "'%s' goes through too many symbolic refs", name);
	free(at);
	return rc;
}

struct listing {
	const struct repo *r;
	struct repo_refs *out;
	size_t cap;
};

static bool add_ref(void *arg, char *line)
{
	struct listing *l = arg;
	char *symref, *name;

	if (split_ref(l->r, line, &symref, &name) && !*symref && !repo_is_own_ref(name))
		memcpy(repo_refs_add(l->out, &l->cap, name)->oid, line, l->r->digits + 1);
	return true;
}

static int cmd_refs_list(struct repo *r, struct repo_refs *out, struct ps_err *err)
{
	const char *const words[] = { "for-each-ref", ref_format, NULL };
	struct listing l = { r, out, 0 };
	int status, rc = git_run(r, words, add_ref, &l, &status, err);

	if (rc == 0 && !passed(status))
		rc = ps_err_set(err, PS_EIO, "cannot list the refs: git for-each-ref fails in '%s'",
				r->dir);
	return rc;
}

static int cmd_upstream(struct repo *r, char **here, char **there)
{
	char *head = NULL, *line = NULL, *blank;
	struct repo_ref seen = { .name = NULL };
	int status, rc = dangling(r, "HEAD", &head, NULL);

	if (rc == 0 && head) {
		const char *const words[] = {
			"for-each-ref", "--format=%(upstream) %(upstream:remoteref)", "--", head,
			NULL,
		};

		rc = git_line(r, words, &line, &status, NULL);
	}
	blank = line ? strchr(line, ' ') : NULL;
	if (rc == 0 && blank && blank != line && blank[1]) {
		*blank = '\0';
		rc = repo_ref_read(r, line, &seen, NULL);
		if (rc == 0 && repo_oid_is_zero(seen.oid))
			rc = PS_ENOENT;	/* never fetched */
	} else if (rc == 0) {
		rc = PS_ENOENT;
	}
	if (rc == 0) {
		*here = xstrdup(line);
		*there = xstrdup(blank + 1);
	}
	repo_ref_clear(&seen);
	free(line);
	free(head);
	return rc;
}

/* ---- the nearest ancestor that a ref holds ---- */

struct tips {
	const struct repo *r;
	const char *except;
	char (*v)[TREE_OID];		/* sorted when all are there */
	size_t n, cap;
	char *held;
	bool found;
};

static int by_oid(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "name oid peeled": the last is there for an annotated tag. */
static bool add_tip(void *arg, char *line)
{
	struct tips *t = arg;
	char *oid = strchr(line, ' '), *peeled = oid ? strchr(oid + 1, ' ') : NULL;

	if (!peeled)
		return true;
	*oid++ = *peeled++ = '\0';
	if (repo_is_own_ref(line) || (t->except && strcmp(line, t->except) == 0))
		return true;
	t->v = xgrow(t->v, t->n, &t->cap, sizeof(*t->v));
	snprintf(t->v[t->n++], TREE_OID, "%s", *peeled ? peeled : oid);
	return true;
}

static bool is_tip(void *arg, char *line)
{
	struct tips *t = arg;

	t->found = bsearch(line, t->v, t->n, sizeof(*t->v), by_oid) != NULL;
	if (t->found)
		memcpy(t->held, line, t->r->digits + 1);
	return !t->found;
}

static int cmd_nearest_held(struct repo *r, const char *oid, const char *except, char *held,
			    bool *found, struct ps_err *err)
{
	const char *const tips[] = {
		"for-each-ref", "--format=%(refname) %(objectname) %(*objectname)", NULL,
	};
	char most[32];
	const char *const walk[] = { "rev-list", most, oid, "--", NULL };
	struct tips t = { .r = r, .except = except, .held = held };
	int status = 0, rc = git_run(r, tips, add_tip, &t, &status, err);

	snprintf(most, sizeof(most), "--max-count=%d", REPO_WALK_MAX);
	if (t.n)
		qsort(t.v, t.n, sizeof(*t.v), by_oid);
	if (rc == 0 && t.n)
		rc = git_run(r, walk, is_tip, &t, &status, err);
	if (rc == 0 && !passed(status))
		rc = ps_err_set(err, PS_EIO, "cannot walk from %.12s: git fails", oid);
	*found = rc == 0 && t.found;
	free(t.v);
	return rc;
}

/* ---- our own refs ---- */

static int update_ref(struct repo *r, const char *const *words, const char *ref, struct ps_err *err)
{
	char *lock = xasprintf("%s%s.lock", r->dir, ref), *line = NULL;
	int status, rc = git_line(r, words, &line, &status, err);

	if (rc == 0 && !passed(status))
		rc = ps_err_set(err, access(lock, F_OK) == 0 ? PS_EBUSY : PS_EIO,
				"cannot write '%s': git update-ref fails", ref);
	free(line);
	free(lock);
	return rc;
}

static int cmd_keep(struct repo *r, const char *ref, const char *oid, struct ps_err *err)
{
	const char *const words[] = { "update-ref", ref, oid, NULL };

	return update_ref(r, words, ref, err);
}

static int cmd_unkeep(struct repo *r, const char *ref, struct ps_err *err)
{
	const char *const words[] = { "update-ref", "-d", ref, NULL };

	return update_ref(r, words, ref, err);
}

const struct repo_ops repo_cmd_ops = {
	.peel = cmd_peel, .rev = cmd_rev, .tree = cmd_tree, .ref_read = cmd_ref_read,
	.upstream = cmd_upstream, .refs_list = cmd_refs_list, .nearest_held = cmd_nearest_held,
	.is_ancestor = cmd_is_ancestor, .keep = cmd_keep, .unkeep = cmd_unkeep, .close = cmd_close,
};
