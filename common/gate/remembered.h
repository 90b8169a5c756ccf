/*
 * remembered – what `penstock check` came to in this repository before: one file in git's folder
 * of the work tree, behind the memo. It is there, and not in a cache of the user's, because it ends
 * with the clone, has the clone's owner, and no other clone asks for it.
 *
 * It holds the listings of the work tree's folders (tree_scan.h) and the values of the memo. It may
 * be lost, cut off or removed at any time: that costs time only. It is believed when it is whole,
 * our own, and written by this very program; it is written beside its place and renamed, so of two
 * checks at once one leaves what it made. Values that nobody asks for any more are dropped when
 * they are four times as much as those of a whole judgement.
 */
#ifndef PS_REMEMBERED_H
#define PS_REMEMBERED_H

#include "common/base/err.h"
#include "common/gate/memo.h"
#include "common/tree/folders.h"

struct remembered;

/* gitdir: git's folder of the work tree. Always gives one: with nothing in it when there is no file
 * that can be believed. */
struct remembered *remembered_open(const char *gitdir);
/* A memo with these values behind it; the caller's, to be freed before r is closed. */
struct memo *remembered_memo(struct remembered *r);
/* Valid until r is closed. */
const struct folders *remembered_folders(const struct remembered *r);
/* The name of the work tree's top when all of it is as in these folders, "": not known. */
const char *remembered_top(const struct remembered *r);
/*
 * Keeps what the memo made, these listings (bytes of tree_dir_folders(); empty: as they were), and
 * the name that the work tree's top has with them ("": not known, or as it was with the same).
 * Writes nothing when nothing is new. An error says why it cannot be kept: PS_EPERM where the
 * folder is somebody else's.
 */
int remembered_keep(struct remembered *r, struct memo *m, const struct buf *folders,
		    const char *top, struct ps_err *err) PS_MUSTCHECK;
void remembered_close(struct remembered *r);	/* NULL is fine */

/* What stands at the beginning of the file, of all behind it: against a disk that lost some bytes,
 * not against anybody who means it. A single byte changed always changes it. */
uint64_t remembered_sum(const char *p, size_t n);

#endif
