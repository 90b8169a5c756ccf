/*
 * runlog – the log file of one build or task: each line `<ISO time with ms> text`, appended as it
 * comes, so `log -f` reads on by byte offset.
 *
 * Foreign bytes are kept as they are (who prints them escapes them); a line longer than 8 KiB is
 * cut into several. Past `max` bytes nothing more is written but one line that says so; the last
 * lines are still known. Lines of our own begin with "penstock: ".
 */
#ifndef PS_RUNLOG_H
#define PS_RUNLOG_H

#include "common/base/buf.h"
#include "common/base/err.h"

struct runlog;

/* Appends to path (made when missing, its folder too). max 0: no limit. */
int runlog_open(struct runlog **out, const char *path, int64_t max,
		struct ps_err *err) PS_MUSTCHECK;
void runlog_bytes(struct runlog *l, const char *bytes, size_t n);
void runlog_say(struct runlog *l, const char *fmt, ...) PS_PRINTF(2, 3);
/* The last line of output that is not blank, without its end; "" before the first. */
const char *runlog_last(const struct runlog *l);
/* Appends the last lines of output (at most 20, 8 KiB), each with a newline. */
void runlog_tail(const struct runlog *l, struct buf *out);
/* Writes what is left of an unfinished line. NULL is fine. */
void runlog_close(struct runlog *l);

#endif
