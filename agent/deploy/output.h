/*
 * output – what a provider keeps of a task's output, copied into a file of the deploy role's own
 * (common/base/logfile.h: one part, without times of ours), from which core reads by offset.
 *
 * The provider's text only grows: what the file has of it already is its length. Past the limit the
 * rest is left at the provider, and the file says so.
 */
#ifndef PS_DEPLOY_OUTPUT_H
#define PS_DEPLOY_OUTPUT_H

#include "common/base/buf.h"
#include "common/base/err.h"

/* Appends what is new in `text`, all that there is so far. Makes the folder when missing. */
int output_put(const char *folder, const char *task, const struct buf *text, int64_t max,
	       struct ps_err *err) PS_MUSTCHECK;
/* Its last line that is not blank, at most size - 1 bytes; "" when there is none. */
void output_last(const struct buf *text, char *out, size_t size);

#endif
