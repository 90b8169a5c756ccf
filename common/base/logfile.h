/*
 * logfile – where the log of one build, test or task is on disk, and how it is read by offset.
 *
 * An offset counts every byte that was ever written, also those that are no longer kept: it never
 * changes its meaning, so who reads on from where he stopped gets nothing twice and nothing else.
 * A log that stays within its limit is one file, PATH. A longer one keeps its beginning there and
 * its end in PATH.1 and PATH.2, written by turns; each of those begins with one line of ours that
 * says at which byte it goes on. What lies between is gone. Every part begins at a line's start.
 *
 * Who writes is agent/build/runlog.h. Reading needs no lock: a part is replaced whole, and one that
 * has just gone is seen as bytes that are not kept.
 */
#ifndef PS_LOGFILE_H
#define PS_LOGFILE_H

#include "common/base/err.h"

enum {
	LOGFILE_PARTS = 3,
	LOGFILE_HEAD_MAX = 96,
	LOGFILE_STAMP = 25, /* "2026-11-23T16:02:03.123Z ", in front of each line */
};

struct logfile_part {
	int64_t from, to; /* bytes of the log it holds */
	int64_t skip;     /* length of the line in front of them */
	unsigned nr;      /* 0: PATH, 1: PATH.1, 2: PATH.2 */
	int fd;
};

struct logfile {
	struct logfile_part part[LOGFILE_PARTS]; /* in order, none empty but perhaps the last */
	size_t n;
	int64_t length; /* of all that was ever written */
};

/* A log that is not there has length 0 and no part. Close after success. */
int logfile_open(struct logfile *f, const char *path, struct ps_err *err) PS_MUSTCHECK;
void logfile_close(struct logfile *f);
/* The first byte at or behind offset that is kept; the length when there is none. */
int64_t logfile_kept(const struct logfile *f, int64_t offset);
/* Up to n bytes from offset on, which must be kept; never across a gap. 0 at the end of a part that
 * is followed by a gap, or of the log; negative PS_E*. */
ssize_t logfile_read(const struct logfile *f, int64_t offset, void *p, size_t n,
		     struct ps_err *err);

/* PATH, PATH.1 or PATH.2. free() it. */
char *logfile_part_path(const char *path, unsigned nr);
/* The line in front of a part that goes on at byte `from`; out has LOGFILE_HEAD_MAX bytes. */
const char *logfile_head(char *out, int64_t from);
/* The log of a task in its run's folder: a key is one file name, whatever it is. free() it. */
char *logfile_of_task(const char *folder, const char *key);
/* Removes all parts; *freed (may be NULL) grows by their bytes. One that is not there is fine. */
int logfile_remove(const char *path, int64_t *freed, struct ps_err *err) PS_MUSTCHECK;

#endif
