/*
 * folders – listings of folders as they were at an earlier look, each with its stamp, as bytes.
 *
 * The bytes come from a file of this machine and this program that may be damaged: nothing is
 * believed of their shape, and what does not fit ends the reading of them.
 */
#ifndef PS_FOLDERS_H
#define PS_FOLDERS_H

#include "common/base/buf.h"
#include "common/tree/stamp.h"
#include "common/tree/tree.h"

struct folder {
	const char *path;		/* from the top, "" for the top itself */
	struct stamp stamp;
	const char *entries;		/* n of them, sorted by name; inside the bytes */
	uint32_t n;
};

/* What lay in a folder. stamp: the bytes of a struct stamp, not aligned; all of them 0 when what
 * was there might still change, so that it equals no other. */
struct folder_entry { const char *name, *stamp; enum tree_kind kind; };

struct folders { struct folder *v; size_t n; };		/* sorted by path */

/* bytes must outlive it. False when some of them are no listings; out then has those before. */
bool folders_open(struct folders *out, const char *bytes, size_t len);
void folders_clear(struct folders *f);
const struct folder *folders_find(const struct folders *f, const char *path);
/* at: a folder's `entries`, or what the last call gave; not more than n times. */
const char *folders_entry(const char *at, struct folder_entry *e);

/* The order of paths: a folder stands right before all that is below it, its folders by name. */
int folders_compare(const char *a, const char *b);

/* Appends one; folders_entry_add() then n times. They go in the order of their paths. */
void folders_add(struct buf *out, const char *path, const struct stamp *stamp, uint32_t n);
void folders_entry_add(struct buf *out, const char *name, enum tree_kind kind,
		       const struct stamp *stamp);
void folders_copy(struct buf *out, const struct folder *f);

#endif
