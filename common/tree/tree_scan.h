/*
 * tree_scan – a whole folder on disk looked at beforehand, by as many threads as pay: for
 * `penstock check`, to which the system's answers cost more than everything that it does itself.
 *
 * With object names, for a judgement that remembers: a file's is its stamp (stamp.h), a folder's
 * the digest of all that is below. Nothing is read for them. They are no names of git's, so two
 * trees of different kinds are never compared by them. Where a stamp proves nothing, a folder
 * cannot be read or another file system begins, the name is TREE_OID_UNKNOWN, and so it is above.
 */
#ifndef PS_TREE_SCAN_H
#define PS_TREE_SCAN_H

#include "common/tree/folders.h"
#include "common/tree/tree.h"

struct tree_dir_look {
	const char *within;		/* only what is at or below; "": all of it */
	bool named;			/* with object names, where the file system allows it */
	/* listings of an earlier look, NULL: none. A folder with the same stamp is not listed
	 * again; its names are used as they stand there, until the tree is closed. */
	const struct folders *before;
	/* Will a file of this name be read? In a folder that is not among `before` it then is at
	 * once, if it is small. NULL: nothing is. */
	bool (*wanted)(const char *name);
};

/*
 * For a tree of tree_dir_open() that was not asked anything yet. What is wrong (a folder that
 * cannot be read, more than the bounds of tree.h) is not told here but when it is asked for; past
 * the bounds nothing has a name.
 */
void tree_dir_scan(struct tree *t, const struct tree_dir_look *look);
/*
 * Is all that is at or below `within` as `before` has it? False as well where nobody can tell. What
 * was found to be the same is not asked for again by a tree_dir_scan() with the same two.
 */
bool tree_dir_same(struct tree *t, const char *within, const struct folders *before);
/* Appends the listings of every folder that may count again, for folders_open(). */
void tree_dir_folders(const struct tree *t, struct buf *out);

/* What was asked of the system, for tests and benches. */
struct tree_dir_counts { size_t listed, stats, opened; };
struct tree_dir_counts tree_dir_counts(const struct tree *t);

#endif
