/* memtree – files in memory as a snapshot with object names, so that judging needs no disk and
 * remembers as it does in a repository. */
#ifndef FUZZ_MEMTREE_H
#define FUZZ_MEMTREE_H

#include "common/tree/tree.h"

struct memfile {
	const char *path;		/* sorted as in git's trees is not needed */
	const void *bytes;
	size_t n;
	enum tree_kind kind;		/* TREE_FILE where nothing is said; never TREE_DIR */
};

/* The files are the caller's until tree_close(). */
struct tree *memtree_open(const struct memfile *files, size_t n);
/* The object name of the top. */
void memtree_name(struct tree *t, char name[TREE_OID]);

#endif
