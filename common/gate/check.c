/* check – the gate's rules over a folder or a revision, for people: no push, no deadline. */
#include "config.h"

#include "common/gate/gate.h"

#include "common/gate/judge.h"

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

static int judge_both(const struct gate_check *c, struct ground *g, struct bench *b, struct tree *t,
		      const char *name, const char *within, struct diag_list *out,
		      size_t *nprojects, struct ps_err *err)
{
	struct judged *now, *old = NULL;
	char oid[TREE_OID];
	int rc = bench_judge(b, t, name, within, &now, err);

	if (rc < 0)
		return rc;
	if (nprojects)
		*nprojects = now->projects.n;
	if (c->against) {
		rc = open_rev(g, c->against, &t, oid, err);
		if (rc == 0)
			old = name ? bench_find(b, oid) : NULL;
		if (rc == 0 && old)
			tree_close(t);
		else if (rc == 0)
			rc = bench_judge(b, t, oid, within, &old, err);
	}
	if (rc == 0)
		bench_compare(b, now, old, c->ref, out);
	diag_sort(out);
	return rc;
}

int gate_check_path(const struct gate_check *c, struct diag_list *out, size_t *nprojects,
		    struct ps_err *err)
{
	struct bench b = { .config = c->config };
	struct ground g;
	struct tree *t;
	int rc = find_ground(&g, c->path, err);

	if (rc < 0)
		return rc;
	rc = tree_dir_open(&t, g.top, err);
	if (rc == 0)
		rc = judge_both(c, &g, &b, t, NULL, g.within, out, nprojects, err);
	bench_clear(&b);
	ground_clear(&g);
	return rc;
}

int gate_check_rev(const struct gate_check *c, struct diag_list *out, size_t *nprojects,
		   struct ps_err *err)
{
	struct bench b = { .config = c->config };
	char oid[TREE_OID];
	struct ground g;
	struct tree *t;
	int rc = find_ground(&g, c->path ? c->path : ".", err);

	if (rc < 0)
		return rc;
	rc = open_rev(&g, c->rev, &t, oid, err);
	if (rc == 0)
		rc = judge_both(c, &g, &b, t, oid, "", out, nprojects, err);
	bench_clear(&b);
	ground_clear(&g);
	return rc;
}
