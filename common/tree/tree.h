/*
 * tree – one interface to the objects of one snapshot: a git tree, or a plain folder.
 *
 * A snapshot does not change while it is open (for a folder that is the caller's promise). Paths
 * are relative to the top, '/' between parts, no leading or trailing '/'; "" is the top itself.
 * Bytes are those of blobs: no attribute, filter or line-end rule applies. Nothing follows a
 * symbolic link: it is an entry of kind TREE_LINK whose bytes are its target.
 *
 * Implementations: tree_git (libgit2) and tree_cat (git cat-file), made by repo_tree() of repo.h,
 * and tree_dir (below). This header and libpstree.a need no libgit2; libpsrepo.a does.
 */
#ifndef PS_TREE_H
#define PS_TREE_H

#include "common/base/err.h"

struct buf;
struct tree;

enum tree_kind { TREE_FILE, TREE_EXEC, TREE_DIR, TREE_LINK, TREE_SUBMODULE };

enum { TREE_OID = PS_OID_HEX_MAX + 1 };	/* buffer size of an object name with NUL */
/* The name of what is there and may have changed or may not: equal to no other, not even itself. */
#define TREE_OID_UNKNOWN "?"

struct tree_entry {
	char *name;			/* one part, never with '/' */
	enum tree_kind kind;
	char oid[TREE_OID];		/* "" in a plain folder, unless tree_scan.h gave one */
};

struct tree_list {
	struct tree_entry *v;
	size_t n;
};

/* Every entry of a folder in git's order (bytewise, a folder as if its name ended in '/').
 * PS_ENOENT when there is no such folder; PS_ELIMIT past TREE_ENTRIES_MAX entries. */
int tree_list(struct tree *t, const char *path, struct tree_list *out,
	      struct ps_err *err) PS_MUSTCHECK;
void tree_list_clear(struct tree_list *l);
/* For qsort() and bsearch() of struct tree_entry: that order. */
int tree_entry_order(const void *a, const void *b);
/* Kind and oid of one path; out->name stays NULL. PS_ENOENT when it is not there (err
 * untouched). */
int tree_stat(struct tree *t, const char *path, struct tree_entry *out,
	      struct ps_err *err) PS_MUSTCHECK;
/* Appends the bytes of a file (or the target of a link). PS_ELIMIT when it has more than max bytes,
 * PS_ENOENT when it is not there or not a file. */
int tree_read(struct tree *t, const char *path, size_t max, struct buf *out,
	      struct ps_err *err) PS_MUSTCHECK;
void tree_close(struct tree *t);		/* NULL is fine */

/* May equal names be taken for equal things? Not "" and not TREE_OID_UNKNOWN. */
bool tree_oid_tells(const char *oid);

/* True when path is there and of kind TREE_FILE or TREE_EXEC (TREE_DIR for the other). An error of
 * ours counts as "no": use where a missing file is a finding anyway. */
bool tree_is_file(struct tree *t, const char *path);
bool tree_is_dir(struct tree *t, const char *path);

enum { TREE_ENTRIES_MAX = 200000, TREE_DEPTH_MAX = 100 };

/*
 * Calls fn for every entry below path, parents first, in git's order. fn returns 0 to go on,
 * TREE_SKIP not to descend into this folder, negative to stop with that code (it sets err).
 * PS_ELIMIT past TREE_ENTRIES_MAX entries or TREE_DEPTH_MAX folders.
 */
enum { TREE_SKIP = 1 };
typedef int (*tree_walk_fn)(void *arg, const char *path, const struct tree_entry *e,
			    struct ps_err *err);
int tree_walk(struct tree *t, const char *path, tree_walk_fn fn, void *arg,
	      struct ps_err *err) PS_MUSTCHECK;

/* A plain folder as a snapshot; ".git" is left out at every level. For `penstock check` and
 * tests. */
int tree_dir_open(struct tree **out, const char *dir, struct ps_err *err) PS_MUSTCHECK;

/*
 * For implementations only: one const table each. list may give entries in any order; tree_list()
 * sorts them. read gets only paths of files or links.
 */
struct tree_ops {
	int (*list)(struct tree *t, const char *path, struct tree_list *out, struct ps_err *err);
	int (*stat)(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *err);
	int (*read)(struct tree *t, const char *path, size_t max, struct buf *out,
		    struct ps_err *err);
	void (*close)(struct tree *t);
};

struct tree { const struct tree_ops *ops; };	/* first member of each implementation */

/* Adds an entry to a list under construction; n of the list counts, *cap is the caller's. */
struct tree_entry *tree_list_add(struct tree_list *l, size_t *cap, const char *name,
				 enum tree_kind kind);

#endif
