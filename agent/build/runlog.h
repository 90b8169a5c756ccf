/*
 * runlog – writes the log of one build, test or task: each line `<UTC time with ms> text`, as it
 * comes, an unfinished line too. `log -f` reads on by byte offset (common/base/logfile.h).
 *
 * The time of a line is that of its first byte. Foreign bytes are kept as they are (who prints them
 * escapes them); a line longer than 8 KiB is cut into several. Past `max` bytes the beginning (half
 * of it) and the end (a quarter at least) are kept and the middle is given up: on disk there are
 * never more than `max` bytes and one block of output. Lines of our own begin with "penstock: ".
 *
 * A second attempt appends to the log of the first, so offsets go on. A log that cannot be written
 * (a full disk) fails no build: how much is missing is said in it once it can be written again.
 */
#ifndef PS_RUNLOG_H
#define PS_RUNLOG_H

#include "common/base/buf.h"
#include "common/base/err.h"

struct runlog;

/* Goes on with path (made when missing, its folder too). max 0: no limit. PS_EBUSY: somebody writes
 * it. */
int runlog_open(struct runlog **out, const char *path, int64_t max,
		struct ps_err *err) PS_MUSTCHECK;
/* An attempt begins: a line of ours parts it from what an earlier one wrote, if there was one. */
void runlog_attempt(struct runlog *l);
void runlog_bytes(struct runlog *l, const char *bytes, size_t n);
void runlog_say(struct runlog *l, const char *fmt, ...) PS_PRINTF(2, 3);
/* The last line of output that is not blank, without its end; "" before the first. */
const char *runlog_last(const struct runlog *l);
/* Appends the last lines of output (at most 20, 8 KiB), each with a newline. */
void runlog_tail(const struct runlog *l, struct buf *out);
/* Ends an unfinished line. NULL is fine. */
void runlog_close(struct runlog *l);

#endif
