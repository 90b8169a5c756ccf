/*
 * ahead – what `penstock check` looks at before it asks git anything: most often nothing has
 * changed since the last check, and then neither git nor a rule is asked.
 */
#ifndef PS_AHEAD_H
#define PS_AHEAD_H

#include "common/gate/gate.h"
#include "common/gate/remembered.h"

struct ahead {
	int64_t began;			/* stamp_now() before anything was read */
	char *top, *gitdir;		/* NULL: the folder asked for has no .git of its own */
	struct remembered *remembered;	/* NULL: nothing is */
	struct memo *memo;		/* behind it */
	struct tree *tree;		/* of top; NULL: there was nothing to compare it with */
	bool same;			/* all of it is as it is remembered */
	int64_t look_ns;
};

/* ahead_clear() always. */
void ahead_look(struct ahead *a, const struct gate_check *c);
/* Fills out, which is empty before, when this was asked before and all is as it was then. */
bool ahead_answer(struct ahead *a, const struct gate_check *c, struct gate_checked *out);
/* Git's folder is another one, or (NULL) there is none: what was looked at counts for that one. */
void ahead_turn(struct ahead *a, const char *gitdir);
/* The tree that was compared, now the caller's: a->remembered must outlive it. NULL: none was. */
struct tree *ahead_tree(struct ahead *a, const char *top);
void ahead_clear(struct ahead *a);

/* What git said. */
struct ahead_git {
	char *here, *there;		/* the upstream's names; NULL: there is none */
	char tree[TREE_OID];		/* of the old side, "" for none */
};

/*
 * Puts `out` into the memo, where it may be found again: for all of the work tree, whose top has
 * the name top. `again` asks git what g says now.
 */
void ahead_keep(struct ahead *a, const struct gate_check *c, const struct gate_checked *out,
		const char *top, const struct ahead_git *g,
		void (*again)(void *arg, struct ahead_git *now), void *arg);
void ahead_git_clear(struct ahead_git *g);

#endif
