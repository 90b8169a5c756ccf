/*
 * failpoint – named places where a test may make the program fail, stop or die.
 *
 * `FAIL_AT("spool.rename")` is true when a test armed that point to fail; errno is then what the
 * test asked for. One stands at every durable write. Armed in a process by failpoint_arm(), or for
 * a whole tree of processes by the environment (test builds only):
 *
 *   PENSTOCK_FAILPOINTS="spool.rename=EIO,store.commit=stop@2"   action[@nth hit, default 1]
 *   PENSTOCK_FAILPOINT_LOG=FILE    each point's name is appended at its first hit in a process
 *
 * Actions: an errno name (fail), `stop` (write "stopped NAME PID" to the log, then SIGSTOP: the
 * test kills everything while this place is frozen), `kill` (SIGKILL to itself).
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

#endif
