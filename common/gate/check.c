/* check – the gate's rules over a folder or a revision, for people: no push, no deadline. */
#include "config.h"

#include "common/gate/gate.h"

#include "common/base/clock.h"
#include "common/gate/judge.h"
#include "common/gate/fold.h"
#include "common/gate/remembered.h"
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

/* The old side, and the ref that the levels are asked for: as given, else the upstream's. Nothing
 * is wrong without one. */
struct sides { char *against, *ref; };

static void find_sides(struct sides *s, const struct gate_check *c, const struct ground *g)
{
	char *here = NULL, *there = NULL;
	struct ps_err err;

	if (g->repo && repo_upstream(g->repo, &here, &there, &err) < 0)
		here = there = NULL;
	s->against = c->all_new ? NULL : c->against ? xstrdup(c->against) : xstrdup_null(here);
	s->ref = c->ref ? xstrdup(c->ref) : xstrdup_null(there);
	free(here);
	free(there);
}

/* Always looked for, as it may be misspelt; *old stays NULL when nothing depends on it. */
static int judge_old(const struct ground *g, struct bench *b, const struct sides *s,
		     const struct judged *now, const char *within, struct judged **old,
		     struct ps_err *err)
{
	char oid[TREE_OID];
	struct tree *t;
	int rc = open_rev(g, s->against, &t, oid, err);

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
		      struct gate_checked *out, struct ps_err *err)
{
	struct sides s;
	struct judged *now, *old = NULL;
	int64_t at = clock_boot_ns();
	int rc = bench_judge(b, t, name, within, &now, err);

	if (rc < 0)
		return rc;
	out->now_ns = clock_boot_ns() - at;
	out->nprojects = now->projects.n;
	find_sides(&s, c, g);
	at = clock_boot_ns();
	if (s.against)
		rc = judge_old(g, b, &s, now, within, &old, err);
	out->old_ns = clock_boot_ns() - at;
	if (rc == 0) {
		bench_compare(b, now, old, s.ref, &out->found);
		as_pushed(c, now, s.ref, &out->found);
		diag_sort(&out->found);
		bench_sources(now, &out->found, 0);
		out->counts = bench_counts(b);
		out->against = s.against;
		s.against = NULL;
	}
	free(s.against);
	free(s.ref);
	return rc;
}

static int open_now(const struct gate_check *c, const struct ground *g, const struct remembered *r,
		    struct tree **t, char oid[TREE_OID], struct ps_err *err)
{
	int rc = c->rev ? open_rev(g, c->rev, t, oid, err) : tree_dir_open(t, g->top, err);

	if (rc == 0 && !c->rev)
		tree_dir_scan(*t, &(struct tree_dir_look) {
			.within = g->within, .named = r != NULL, .wanted = rules_file_is_read,
			.before = r ? remembered_folders(r) : NULL,
		});
	return rc;
}

/* That it cannot be kept is told to those who ask where the time goes. */
static void keep(const struct gate_check *c, struct remembered *r, struct memo *m,
		 const struct tree *t, struct gate_checked *out)
{
	struct buf folders = BUF_INIT;
	struct ps_err err;

	if (!c->rev)
		out->asked = tree_dir_counts(t);
	if (out->asked.listed)		/* else they are as they were */
		tree_dir_folders(t, &folders);
	if (r && remembered_keep(r, m, &folders, &err) < 0)
		out->not_kept = xstrdup(err.msg);
	buf_clear(&folders);
}

static int check_on(const struct gate_check *c, const struct ground *g, struct gate_checked *out,
		    struct ps_err *err)
{
	struct remembered *r = g->repo && !c->fresh ? remembered_open(repo_gitdir(g->repo)) : NULL;
	struct memo *memo = r ? remembered_memo(r) : memo_new("", NULL);
	struct bench b = { .config = c->config, .memo = memo };
	int64_t at = clock_boot_ns();
	char oid[TREE_OID];
	struct tree *t;
	int rc = open_now(c, g, r, &t, oid, err);

	out->look_ns = clock_boot_ns() - at;
	if (rc == 0)
		rc = judge_both(c, g, &b, t, c->rev ? oid : NULL, c->rev ? "" : g->within, out,
				err);
	if (rc == 0)
		keep(c, r, memo, t, out);
	bench_clear(&b);
	memo_free(memo);
	remembered_close(r);
	return rc;
}

int gate_check(const struct gate_check *c, struct gate_checked *out, struct ps_err *err)
{
	struct ground g;
	int rc = find_ground(&g, c->path ? c->path : ".", err);

	*out = (struct gate_checked) { .nprojects = 0 };
	if (rc == 0)
		rc = check_on(c, &g, out, err);
	ground_clear(&g);
	return rc;
}

void gate_checked_clear(struct gate_checked *c)
{
	diag_clear(&c->found);
	free(c->against);
	free(c->not_kept);
	*c = (struct gate_checked) { .nprojects = 0 };
}
