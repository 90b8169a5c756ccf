/*
 * wait – what commands that wait share: how long, Ctrl-C, and the rest between two looks.
 *
 * Ctrl-C ends the waiting, never the work: the command says so and exits 130.
 */
#ifndef PS_WAIT_H
#define PS_WAIT_H

#include "cli/cli.h"

struct wait {
	int64_t until_ns; /* CLOCK_BOOTTIME; -1: no limit */
};

/* "90", "90s", "30m", "2h", "90d" in ms; -1 when it is no duration. */
int64_t wait_duration_ms(const char *text);
/* The option's duration in ms, -1 when it was not given; CLI_USAGE (said) when it is none. */
int wait_timeout(struct cli *cli, const char *text, int64_t *ms) PS_MUSTCHECK;
/* From now on Ctrl-C is caught. timeout_ms -1: no limit. */
void wait_begin(struct wait *w, int64_t timeout_ms);
/* Rests between two looks. 0: look again; CLI_NO: the time is up; CLI_INTERRUPTED: Ctrl-C. */
int wait_turn(const struct wait *w) PS_MUSTCHECK;

#endif
