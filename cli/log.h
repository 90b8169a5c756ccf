/* log – following the output of something that runs, for commands beside `log`. */
#ifndef PS_CLI_LOG_H
#define PS_CLI_LOG_H

#include "cli/cli.h"

/*
 * Prints the log of thing (b31, x7, x7/TASK) to stdout as it grows, until it has ended; over a
 * restart of the agent too. turn is called between two reads: what it returns, other than CLI_OK,
 * ends the following and is returned. CLI_INTERRUPTED: Ctrl-C.
 */
int log_follow(struct cli *cli, const char *thing, int (*turn)(void *arg), void *arg) PS_MUSTCHECK;
/* The last n lines of what there is, to stdout, each behind two spaces. Returns an exit code. */
int log_tail(struct cli *cli, const char *thing, unsigned n) PS_MUSTCHECK;

#endif
