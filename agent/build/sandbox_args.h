/*
 * sandbox_args – bubblewrap's arguments for one sandbox. Internal to agent/build/sandbox*.
 *
 * The options travel in a memfd, so that host paths show neither in a process list nor in
 * /proc/1/cmdline inside; the command, with inside's paths only, is on the command line.
 */
#ifndef PS_SANDBOX_ARGS_H
#define PS_SANDBOX_ARGS_H

#include "agent/build/sandbox.h"
#include "common/base/buf.h"

enum { SANDBOX_KEEP_MAX = 8 };

enum { SANDBOX_SHM = 64 << 20 }; /* bytes of /dev/shm */

struct sandbox_args {
	const struct sandbox_spec *spec;
	struct buf options;	    /* NUL between them */
	struct buf command;	    /* likewise */
	int keep[SANDBOX_KEEP_MAX]; /* descriptors bubblewrap must inherit */
	size_t nkeep;
	char args_fd[16];
	const char **argv; /* what to start */
};

/* Fills sa, whose spec is set and whose rest is zero; status_fd is where bubblewrap shall tell how
 * the command ended. Clear also after an error. */
int sandbox_args_make(struct sandbox_args *sa, int status_fd, struct ps_err *err) PS_MUSTCHECK;
void sandbox_args_clear(struct sandbox_args *sa);

#endif
