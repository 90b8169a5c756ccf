/*
 * tree_diff – which paths of two snapshots are not the same, found without looking below folders
 * that are.
 */
#ifndef PS_TREE_DIFF_H
#define PS_TREE_DIFF_H

#include "common/tree/tree.h"

struct tree_change {
	char *path;			/* "" is the top */
	bool whole;			/* so is all below: the path is new, or gone */
};

struct tree_changes {
	struct tree_change *v;		/* by path; a folder that became a file is there twice */
	size_t n, cap;
};

/*
 * Every path that is not the same kind of thing with the same object name in both, the folders on
 * the way included. What has no name that tells (tree_oid_tells()) is a change. PS_ELIMIT past max
 * of them, TREE_ENTRIES_MAX entries listed or TREE_DEPTH_MAX folders; PS_EINVAL where a folder has
 * one name twice. out is empty after an error. tree_changes_clear().
 */
int tree_diff(struct tree *a, struct tree *b, size_t max, struct tree_changes *out,
	      struct ps_err *err) PS_MUSTCHECK;
/* May what stands at path, or whether anything does, be another in the two? */
bool tree_changed(const struct tree_changes *c, const char *path);
void tree_changes_clear(struct tree_changes *c);

#endif
