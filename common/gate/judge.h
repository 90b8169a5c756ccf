/*
 * judge – the rules against a tree and its old side: what is new breaks the push, what was there
 * before is a warning.
 *
 * A bench keeps what it judged, so equal trees of one push (or of one tree's old and new side) are
 * judged once.
 */
#ifndef PS_JUDGE_H
#define PS_JUDGE_H

#include "common/gate/rules.h"
#include "common/tree/repo.h"

struct bench {
	const struct config *config;
	struct memo *memo;		/* NULL: nothing is remembered from one tree to another */
	/* the tree judged last, by which the others are; NULL: none. The first of the bench is the
	 * next one's. It is the caller's */
	struct precedent *precedent;
	int64_t deadline_ns;
	struct judged **v;
	size_t n, cap;
};

struct judged {				/* one tree, without an old side */
	char *name;			/* its oid, or "" for a folder */
	struct tree *t;
	struct project_paths projects;
	struct rules rules;
};

/*
 * The judgement of tree `t`, which becomes the bench's. name: its oid; NULL for a folder (never
 * equal to another; remembered nevertheless, when tree_dir_scan() gave names to what is in it).
 * within (may be NULL) leaves only projects at or below that path. *out belongs to the bench. A
 * tree past the walk's bounds is PS_ELIMIT.
 */
int bench_judge(struct bench *b, struct tree *t, const char *name, const char *within,
		struct judged **out, struct ps_err *err) PS_MUSTCHECK;
/* How much work all of it was. */
struct rules_counts bench_counts(const struct bench *b);
/* The one of this oid, or NULL. */
struct judged *bench_find(const struct bench *b, const char *name);
/*
 * The findings of `now` given the old side (NULL: none, all is new) as they count on `ref` (NULL:
 * on no particular one) under the bench's configuration, appended to out.
 */
void bench_compare(const struct bench *b, const struct judged *now, const struct judged *old,
		   const char *ref, struct diag_list *out);
/* Gives max findings (0: all) of this tree, errors first, the lines of their files, for people. */
void bench_sources(const struct judged *now, struct diag_list *l, size_t max);
/* Is an old side needed at all? */
bool bench_needs_old(const struct judged *now);
void bench_clear(struct bench *b);

#endif
