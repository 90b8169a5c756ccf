/*
 * progress – how far something long is, on standard error.
 *
 * A terminal gets one line, drawn again at most five times a second and taken away at the end;
 * anything else gets a line after each half minute, so that a log is not flooded.
 */
#ifndef PS_PROGRESS_H
#define PS_PROGRESS_H

#include "cli/cli.h"

struct progress {
	struct cli *cli;
	const char *what;	/* "installing": stays the caller's */
	size_t total;		/* 0: not known */
	int64_t begun_ns, next_ns;
	bool drawn;
};

void progress_begin(struct progress *p, struct cli *cli, const char *what, size_t total);
/* done of total; on: what is under way, or NULL. */
void progress_at(struct progress *p, size_t done, const char *on);
/* Takes the line away, so that others can be printed; progress may go on. */
void progress_clear(struct progress *p);

#endif
