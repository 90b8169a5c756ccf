/* check – the gate's rules over a folder or a revision, for people: no push, no deadline. */
#include "config.h"

#include "common/gate/gate.h"

#include "common/base/clock.h"
#include "common/gate/ahead.h"
#include "common/gate/judge.h"
#include "common/gate/fold.h"
#include "common/gate/rules_push.h"
#include "common/tree/tree_scan.h"

/* What a check stands on: perhaps a repository, and the folder that paths are relative to. */
struct ground {
	struct repo *repo;		/* NULL outside of one */
	char *top;			/* work tree's top, or the folder itself */
	char *within;			/* the asked folder below top, "" for all of it */
};

static void ground_clear(struct ground *g)
{
	repo_close(g->repo);
	free(g->top);
	free(g->within);
	*g = (struct ground) { NULL, NULL, NULL };
}

static int find_ground(struct ground *g, const char *path, struct ps_err *err)
{
	char *real = realpath(path, NULL), *top = NULL;
	int rc;

	*g = (struct ground) { NULL, NULL, NULL };
	if (!real)
		return ps_err_errno(err, "cannot find '%s'", path);
	rc = repo_discover(&g->repo, real, &top, err);
	if (rc == PS_ENOENT)
		rc = 0;			/* a plain folder is fine */
	if (rc == 0 && top && ps_starts(real, top) &&
	    (!real[strlen(top)] || real[strlen(top)] == '/')) {
		g->within = xstrdup(real[strlen(top)] ? real + strlen(top) + 1 : "");
		g->top = xstrdup(top);
	} else if (rc == 0) {
		g->within = xstrdup("");
		g->top = xstrdup(real);
	}
	free(top);
	free(real);
	if (rc < 0)
		ground_clear(g);
	return rc;
}

/* Opens a revision's tree. */
static int open_rev(const struct ground *g, const char *rev, struct tree **t, char oid[TREE_OID],
		    struct ps_err *err)
{
	struct repo_peeled p;
	int rc = g->repo ? repo_rev(g->repo, rev, oid, err) :
		ps_err_set(err, PS_ENOENT, "'%s' needs a repository, and this is none", rev);

	if (rc == 0)
		rc = repo_peel(g->repo, oid, &p, err);
	if (rc == 0)
		rc = repo_tree(t, g->repo, p.tree, err);
	if (rc == 0)
		memcpy(oid, p.tree, TREE_OID);
	return rc;
}

/* The upstream of the branch at HEAD. Nothing is wrong without one. */
static void find_upstream(const struct ground *g, struct ahead_git *git)
{
	struct ps_err err;

	*git = (struct ahead_git) { .here = NULL };
	if (g->repo && repo_upstream(g->repo, &git->here, &git->there, &err) < 0)
		git->here = git->there = NULL;
}

/* The old side, as given or the upstream. */
static const char *old_side(const struct gate_check *c, const struct ahead_git *git)
{
	return c->all_new ? NULL : c->against ? c->against : git->here;
}

/* Always looked for, as it may be misspelt; *old stays NULL when nothing depends on it. */
static int judge_old(const struct ground *g, struct bench *b, const char *against,
		     const struct judged *now, const char *within, struct judged **old,
		     char oid[TREE_OID], struct ps_err *err)
{
	struct tree *t;
	int rc = open_rev(g, against, &t, oid, err);

	if (rc < 0)
		return rc;
	*old = bench_needs_old(now) ? bench_find(b, oid) : NULL;
	if (!bench_needs_old(now)) {
		tree_close(t);
		return 0;
	}
	if (!*old)
		return bench_judge(b, t, oid, within, old, err);
	tree_close(t);
	return 0;
}

/* What a push to the ref would meet beside its content. What the other repository holds is not
 * known here. */
static void as_pushed(const struct gate_check *c, const struct judged *now, const char *ref,
		      struct diag_list *out)
{
	struct push_subject s = {
		.config = c->config, .repo = c->repo_name, .ref = ref, .who = c->who,
		.way = PUSH_SOMEHOW, .now = &now->projects, .judged = now,
	};

	if (c->config && ref)
		rules_push(&s, out);
}

static int judge_both(const struct gate_check *c, const struct ground *g, struct bench *b,
		      struct tree *t, const char *name, const char *within,
		      struct ahead_git *git, struct gate_checked *out, struct ps_err *err)
{
	const char *against, *ref;
	struct judged *now, *old = NULL;
	int64_t at = clock_boot_ns();
	int rc = bench_judge(b, t, name, within, &now, err);

	if (rc < 0)
		return rc;
	out->now_ns = clock_boot_ns() - at;
	out->nprojects = now->projects.n;
	find_upstream(g, git);
	against = old_side(c, git);
	ref = c->ref ? c->ref : git->there;	/* that the levels are asked for */
	at = clock_boot_ns();
	if (against)
		rc = judge_old(g, b, against, now, within, &old, git->tree, err);
	out->old_ns = clock_boot_ns() - at;
	if (rc == 0) {
		bench_compare(b, now, old, ref, &out->found);
		as_pushed(c, now, ref, &out->found);
		diag_sort(&out->found);
		bench_sources(now, &out->found, 0);
		out->counts = bench_counts(b);
		out->against = xstrdup_null(against);
	}
	return rc;
}

static int open_now(const struct gate_check *c, const struct ground *g, struct ahead *a,
		    struct tree **t, char oid[TREE_OID], struct ps_err *err)
{
	int rc = 0;

	if (c->rev)
		return open_rev(g, c->rev, t, oid, err);
	*t = ahead_tree(a, g->top);
	if (!*t)
		rc = tree_dir_open(t, g->top, err);
	if (rc == 0)
		tree_dir_scan(*t, &(struct tree_dir_look) {
			.within = g->within, .named = a->remembered != NULL,
			.wanted = rules_file_is_read,
			.before = a->remembered ? remembered_folders(a->remembered) : NULL,
		});
	return rc;
}

/* ---- for the next time ---- */

struct again { const struct gate_check *c; const struct ground *g; };

static void ask_again(void *arg, struct ahead_git *now)
{
	const struct again *again = arg;
	const char *against;
	struct ps_err err;
	struct tree *t;

	find_upstream(again->g, now);
	against = old_side(again->c, now);
	if (against && open_rev(again->g, against, &t, now->tree, &err) == 0)
		tree_close(t);
}

/* That it cannot be kept is told to those who ask where the time goes. */
static void keep(const struct gate_check *c, const struct ground *g, struct ahead *a,
		 struct tree *t, const struct ahead_git *git, struct gate_checked *out)
{
	bool all = !c->rev && !*g->within;
	struct tree_entry top = { .oid = "" };
	struct buf folders = BUF_INIT;
	struct ps_err err;

	if (!c->rev)
		out->asked = tree_dir_counts(t);
	if (!a->remembered)
		return;
	if (all && tree_stat(t, "", &top, &err) == 0 && !tree_oid_tells(top.oid))
		top.oid[0] = '\0';
	if (all)
		ahead_keep(a, c, out, top.oid, git, ask_again, &(struct again) { c, g });
	if (!c->rev && !a->same)	/* else they are as they were */
		tree_dir_folders(t, &folders);
	if (remembered_keep(a->remembered, a->memo, &folders, top.oid, &err) < 0)
		out->not_kept = xstrdup(err.msg);
	buf_clear(&folders);
}

static int check_on(const struct gate_check *c, const struct ground *g, struct ahead *a,
		    struct gate_checked *out, struct ps_err *err)
{
	struct bench b = { .config = c->config };
	struct ahead_git git = { .here = NULL };
	int64_t at = clock_boot_ns();
	char oid[TREE_OID];
	struct tree *t;
	int rc;

	ahead_turn(a, g->repo && !c->fresh ? repo_gitdir(g->repo) : NULL);
	b.memo = a->memo;
	rc = open_now(c, g, a, &t, oid, err);
	out->look_ns = a->look_ns + clock_boot_ns() - at;
	if (rc == 0)
		rc = judge_both(c, g, &b, t, c->rev ? oid : NULL, c->rev ? "" : g->within, &git,
				out, err);
	if (rc == 0)
		keep(c, g, a, t, &git, out);
	ahead_git_clear(&git);
	bench_clear(&b);
	return rc;
}

int gate_check(const struct gate_check *c, struct gate_checked *out, struct ps_err *err)
{
	struct ahead a;
	struct ground g;
	int rc = 0;

	*out = (struct gate_checked) { .nprojects = 0 };
	ahead_look(&a, c);
	if (!ahead_answer(&a, c, out)) {
		rc = find_ground(&g, c->path ? c->path : ".", err);
		if (rc == 0)
			rc = check_on(c, &g, &a, out, err);
		ground_clear(&g);
	}
	ahead_clear(&a);
	return rc;
}

void gate_checked_clear(struct gate_checked *c)
{
	diag_clear(&c->found);
	free(c->against);
	free(c->not_kept);
	*c = (struct gate_checked) { .nprojects = 0 };
}
