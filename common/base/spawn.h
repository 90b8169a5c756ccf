/*
 * spawn – start a program with exactly the descriptors and the environment we say.
 *
 * The child gets the three standard descriptors given (or /dev/null), the descriptors of `keep` at
 * their own numbers, and nothing else; the environment is `env` and nothing else (TRUST.md). It
 * dies with us (PR_SET_PDEATHSIG) unless `detached`. Ownership of descriptors stays the caller's.
 */
#ifndef PS_SPAWN_H
#define PS_SPAWN_H

#include <sys/types.h>

#include "common/base/err.h"

struct buf;

struct spawn {
	const char *const *argv;	/* argv[0] is the absolute path of the program */
	const char *const *env;		/* "NAME=value", NULL-ended; NULL: empty environment */
	const char *cwd;		/* NULL: stay */
	int in, out, errout;		/* -1: /dev/null */
	const int *keep;		/* further descriptors */
	size_t nkeep;
	bool new_group;			/* own process group, for killing the whole */
	bool detached;			/* survives us */
};

/* Returns the pid (> 0) or PS_E*; an exec that fails is told here, not by exit 127. */
pid_t spawn_start(const struct spawn *s, struct ps_err *err) PS_MUSTCHECK;
/* Waits. *status as from waitpid(). */
int spawn_wait(pid_t pid, int *status, struct ps_err *err) PS_MUSTCHECK;
/* Starts, feeds nothing, collects stdout (at most max bytes, PS_ELIMIT past it), waits. */
int spawn_capture(const struct spawn *s, struct buf *out, size_t max, int *status,
		  struct ps_err *err) PS_MUSTCHECK;
/* "exit status 3", "killed by signal 9". out has 64 bytes. */
const char *spawn_status_text(char *out, int status);

#endif
