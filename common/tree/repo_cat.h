/*
 * repo_cat – git's own programs on one repository: an object after the other from one `git
 * cat-file`, anything else from a process each.
 *
 * They run with an environment of their own: no configuration but the repository's, no hook, no
 * transport, no replaced object; `cat-file --batch-command` is there since git 2.36.
 */
#ifndef PS_REPO_CAT_H
#define PS_REPO_CAT_H

#include "common/base/buf.h"
#include "common/tree/repo_git.h"

enum cat_type { CAT_COMMIT, CAT_TREE, CAT_BLOB, CAT_TAG };

struct cat_info {
	char oid[TREE_OID];
	enum cat_type type;
	size_t size;
};

/* What `name` leads to: an object name, perhaps with ^{commit} or the like behind. PS_ENOENT (err
 * untouched): to nothing. */
int cat_info(struct repo *r, const char *name, struct cat_info *out,
	     struct ps_err *err) PS_MUSTCHECK;
/* Appends the bytes of an object whose size is known not to be too much. */
int cat_contents(struct repo *r, const struct cat_info *of, struct buf *out,
		 struct ps_err *err) PS_MUSTCHECK;
void cat_close(struct cat *c);		/* NULL is fine */

/*
 * Runs git with these words (NULL-ended, at most GIT_WORDS_MAX) and gives what it printed, line by
 * line, to fn; fn returns false when it has enough. *status: git's exit status, 0 as well when fn
 * had enough.
 */
enum { GIT_WORDS_MAX = 12 };
typedef bool (*git_line_fn)(void *arg, char *line);
int git_run(struct repo *r, const char *const *words, git_line_fn fn, void *arg, int *status,
	    struct ps_err *err) PS_MUSTCHECK;
/* The first line, "" when there was none; free() it. */
int git_line(struct repo *r, const char *const *words, char **line, int *status,
	     struct ps_err *err) PS_MUSTCHECK;

int tree_cat_open(struct tree **out, struct repo *r, const char *oid,
		  struct ps_err *err) PS_MUSTCHECK;

#endif
