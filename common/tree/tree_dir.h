/*
 * tree_dir – what tree_dir.c and tree_scan.c share: a folder on disk as nodes in memory.
 *
 * A folder is listed once, when somebody asks for the first time (tree_dir.c), or with all others
 * beforehand by tree_dir_scan(). Both start at the top's own descriptor and follow no link on the
 * way.
 */
#ifndef PS_TREE_DIR_H
#define PS_TREE_DIR_H

#include "common/base/buf.h"
#include "common/tree/stamp.h"
#include "common/tree/tree_scan.h"

struct dir_node {
	const char *name;
	enum tree_kind kind;
	bool listed;			/* a folder: what is below is known */
	bool settled;			/* with this stamp it will always be as it is now */
	bool sure;			/* it has an object name that tells it from any other */
	struct stamp stamp;
	unsigned char digest[32];	/* of a folder that is sure: all that it holds */
	struct dir_node *below;		/* sorted by name */
	size_t n;
	char *names;			/* where the names below stand; NULL: somewhere else */
	char *bytes;			/* of a file that was read ahead, stamp.size of them */
};

struct tree_dir {
	struct tree base;
	int fd;
	struct dir_node top;
	bool named;			/* by tree_dir_scan(): nodes have names, or are unknown */
	const struct dir_node *first;	/* where that began; NULL: nothing is named */
	struct tree_dir_look look;	/* how */
	bool *same;			/* of tree_dir_same(), for each folder of its `before` */
	struct tree_dir_counts counts;
};

/* One folder's names as the disk gives them, without ".", ".." and ".git": a byte of readdir's type
 * (DT_REG), the name, NUL. */
struct dir_names { struct buf b; size_t n; };

enum { DIR_THREADS_MAX = 4 };		/* more wait for each other inside the system */

/* How many threads may look at once, this one among them. */
size_t dir_threads(void);
bool dir_at_or_below(const char *path, const char *top);
/* resolve: more bits of openat2(), besides those that keep it below and off links. */
int dir_open_below(int topfd, const char *path, int flags, uint64_t resolve);
/* False with errno when the disk cannot tell. */
bool dir_names_read(struct dir_names *out, int fd);
/* False for what git would not hold: sockets, devices, fifos. */
bool dir_node_kind(struct dir_node *n, const struct stat *st);
void dir_node_sort(struct dir_node *folder);
/* *out is NULL when nothing is there; an error when that cannot be told. */
int dir_node_find(struct tree_dir *d, const char *path, struct dir_node **out,
		  struct ps_err *err) PS_MUSTCHECK;
/* What is below and read, not the node itself. */
void dir_node_clear(struct dir_node *n);
/* The folder is as if nobody had asked for it. */
void dir_node_forget(struct dir_node *folder);

#endif
