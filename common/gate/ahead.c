/* ahead – see ahead.h. */
#include "config.h"

#include "common/gate/ahead.h"

#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/gate/answer.h"
#include "common/tree/bearings.h"
#include "common/tree/tree_scan.h"

enum { FINDINGS_MAX = 1000 };		/* in an answer; with more of them it is made each time */

void ahead_clear(struct ahead *a)
{
	tree_close(a->tree);
	memo_free(a->memo);
	remembered_close(a->remembered);
	free(a->top);
	free(a->gitdir);
	*a = (struct ahead) { .began = 0 };
}

void ahead_turn(struct ahead *a, const char *gitdir)
{
	if (a->remembered && gitdir && ps_streq(a->gitdir, gitdir))
		return;
	tree_close(a->tree);
	memo_free(a->memo);
	remembered_close(a->remembered);
	PS_FREE(a->gitdir);
	a->tree = NULL;
	a->same = false;
	a->remembered = gitdir ? remembered_open(gitdir) : NULL;
	a->memo = gitdir ? remembered_memo(a->remembered) : memo_new("", NULL);
}

void ahead_look(struct ahead *a, const struct gate_check *c)
{
	int64_t at = clock_boot_ns();
	const struct folders *before;
	struct ps_err err;
	struct stat st;

	*a = (struct ahead) { .began = stamp_now() };
	a->top = c->fresh || c->rev ? NULL : realpath(c->path ? c->path : ".", NULL);
	a->gitdir = a->top ? fs_join(a->top, ".git") : NULL;
	if (!a->gitdir || lstat(a->gitdir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		PS_FREE(a->gitdir);
		return;
	}
	a->remembered = remembered_open(a->gitdir);
	a->memo = remembered_memo(a->remembered);
	before = remembered_folders(a->remembered);
	if (before->n && tree_dir_open(&a->tree, a->top, &err) == 0)
		a->same = tree_dir_same(a->tree, "", before);
	a->look_ns = clock_boot_ns() - at;
}

bool ahead_answer(struct ahead *a, const struct gate_check *c, struct gate_checked *out)
{
	struct buf question = BUF_INIT;
	const struct buf *was;
	struct memo_key key;
	bool known;

	if (!a->same || !*remembered_top(a->remembered) || !answer_may_be_kept(c))
		return false;
	answer_question(&question, c, remembered_top(a->remembered));
	answer_key(&key, &question);
	was = memo_get(a->memo, &key);
	known = was && answer_unpack(out, was, &question, a->gitdir);
	buf_clear(&question);
	if (!known) {
		gate_checked_clear(out);
		return false;
	}
	out->asked = tree_dir_counts(a->tree);
	out->look_ns = a->look_ns;
	return true;
}

struct tree *ahead_tree(struct ahead *a, const char *top)
{
	struct tree *t = a->tree && strcmp(a->top, top) == 0 ? a->tree : NULL;

	if (t)
		a->tree = NULL;
	else
		a->same = false;
	return t;
}

void ahead_git_clear(struct ahead_git *g)
{
	free(g->here);
	free(g->there);
	*g = (struct ahead_git) { .here = NULL };
}

void ahead_keep(struct ahead *a, const struct gate_check *c, const struct gate_checked *out,
		const char *top, const struct ahead_git *g,
		void (*again)(void *arg, struct ahead_git *now), void *arg)
{
	struct buf bearings = BUF_INIT, bytes = BUF_INIT, question = BUF_INIT;
	struct ahead_git now = { .here = NULL };
	struct memo_key key;

	if (!a->gitdir || !tree_oid_tells(top) || out->found.n > FINDINGS_MAX ||
	    !answer_may_be_kept(c) || !bearings_take(&bearings, a->gitdir, a->began, g->here)) {
		buf_clear(&bearings);
		return;
	}
	/* a ref may have gone between git's answer and the bearings, which cannot tell that */
	again(arg, &now);
	if (ps_streq(now.here, g->here) && ps_streq(now.there, g->there) &&
	    strcmp(now.tree, g->tree) == 0) {
		answer_question(&question, c, top);
		answer_key(&key, &question);
		answer_pack(&bytes, out, &question, &bearings);
		memo_put(a->memo, &key, &bytes);
	}
	ahead_git_clear(&now);
	buf_clear(&bearings);
	buf_clear(&question);
}
