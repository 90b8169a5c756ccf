/*
 * bearings – what git would say of a work tree without asking git: where it begins, which branch is
 * at HEAD, its upstream and what that is now. All of it stands in a few files of git's folder; as
 * long as each is as it was, so are the answers.
 *
 * That holds for repositories which libgit2 reads and whose configuration, the only one that we
 * heed, includes no other file. Whatever else is unusual is not known, which costs time only.
 */
#ifndef PS_BEARINGS_H
#define PS_BEARINGS_H

#include "common/base/buf.h"

/*
 * Appends them to out. gitdir: the folder .git at the work tree's top. began: stamp_now() before
 * git was asked. upstream: the ref's name here, or NULL. False when they cannot be told; whoever
 * got true asks git once more and drops them if it answers otherwise.
 */
bool bearings_take(struct buf *out, const char *gitdir, int64_t began, const char *upstream);
/* Are these, of whatever shape, still so? */
bool bearings_hold(const char *gitdir, const char *bytes, size_t len);

#endif
