/*
 * failpoint – named places where a test may make the program fail, stop or die.
 *
 * `FAIL_AT("spool.rename")` is true when a test armed that point to fail; errno is then what the
 * test asked for. One stands at every durable write, and one where each message leaves or comes
 * (common/wire/route.h). Armed in a process by failpoint_arm(), or for a whole tree of processes by
 * the environment (test builds only):
 *
 *   PENSTOCK_FAILPOINTS="spool.rename=EIO,core/fs.fsync=stop@2"  [who/]name=action[@nth hit]
 *   PENSTOCK_FAILPOINT_LOG=FILE  gets "hit NAME PID WHO" at each point's first hit in a process
 *
 * Actions: an errno name (fail), `stop` (write "stopped NAME PID WHO" to the log, then SIGSTOP:
 * the test kills what it likes while this place is frozen), `once` (the same, but only the first
 * process of all with this log: who starts in its place goes on), `kill` (SIGKILL to itself).
 * `PROGRAM --failpoints` prints the points compiled into a program. Compiled out with
 * --disable-failpoints: then FAIL_AT() is false and costs nothing.
 */
#ifndef PS_FAILPOINT_H
#define PS_FAILPOINT_H

#include "common/base/ps.h"

#ifdef PENSTOCK_FAILPOINTS
struct failpoint {
	const char *name;
	bool logged;
};

#define FAIL_AT(point)                                                              \
	(__extension__({                                                            \
		static struct failpoint fp_here = { point, false };                 \
		static struct failpoint *const fp_row                               \
			__attribute__((section("ps_failpoints"), used)) = &fp_here; \
		failpoint_hit(fp_row);                                              \
	}))

bool failpoint_hit(struct failpoint *fp);
#else
#define FAIL_AT(point) false
#endif

/* Arms a point of this process: at its nth hit (1 = next) it fails with error (an errno). */
void failpoint_arm(const char *name, unsigned nth, int error);
/* Disarms everything and forgets hits; also drops what the environment armed. */
void failpoint_reset(void);
/* Prints the names compiled into this program, sorted, one a line. Returns their number. */
size_t failpoint_list(FILE *out);
/* For main(): handles argv[1] == "--failpoints" (prints, exits 0) and reads the environment. */
void failpoint_main(int argc, char **argv);
/* For a forked child that has closed all descriptors it was not given: opens the log again. */
void failpoint_reopen(void);
/* The name of this process in the log and in who/name. */
void failpoint_as(const char *who);
#ifdef PENSTOCK_FAILPOINTS
/* A point that a table made, not FAIL_AT(): for the list alone. */
void failpoint_add(const struct failpoint *fp);
/* Something passed where a table should have a point and has none: "unlisted NAME PID WHO". */
void failpoint_unlisted(const char *name);
#endif

#endif
