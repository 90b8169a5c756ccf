/*
 * entry_copy – an entry of the project file once more, under another key, written as the file is:
 * its lines are copied, indent, order, quotes and comments with them, and only what must differ
 * does. Pure.
 */
#ifndef PS_ENTRY_COPY_H
#define PS_ENTRY_COPY_H

#include "common/project/project.h"

/* A scalar of the entry, and its new text. */
struct entry_change { const char *member, *value; };

/*
 * Appends the whole file to out, with the copy behind the entry `from` of `jobs`. PS_ENOENT: there
 * is no such entry, or it lacks a member; PS_ECONFLICT: `as` is there; PS_EINVAL: the file has a
 * form that cannot be copied line by line. The result was read again and is what it must be.
 */
int entry_copy(const struct project *p, const char *from, const char *as,
	       const struct entry_change *changes, size_t n, struct buf *out,
	       struct ps_err *err) PS_MUSTCHECK;

#endif
