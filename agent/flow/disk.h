/*
 * disk – how full the file systems are that an instance writes to, and what may still begin.
 *
 * Looked at on a timer. From `disk.wait` percent on builds wait; from `disk.intake_only` on nothing
 * begins any more, so that what hooks say can still be written, and each push is told. Percent as
 * df counts: what is used of what this user may use, of blocks or of inodes, whichever is fuller.
 */
#ifndef PS_DISK_H
#define PS_DISK_H

#include "agent/flow/core.h"

enum disk_level { DISK_OK, DISK_WAIT, DISK_INTAKE };

struct disk_place {
	const char *path;		/* of the instance, on that file system */
	unsigned percent;
	int64_t total, free;		/* bytes */
	enum disk_level level;
};

enum { DISK_PLACES = 5 };

struct disk;

int disk_open(struct disk **out, struct core *c, struct ps_err *err) PS_MUSTCHECK;
void disk_close(struct disk *d);		/* NULL is fine */
/* Each file system once, the first that the store is on. */
size_t disk_places(const struct disk *d, const struct disk_place **out);
enum disk_level disk_now(const struct disk *d);
/* What is full, as the detail of a wait; NULL when nothing is. Says the same while the level is the
 * same. free() it. */
char *disk_problem(const struct disk *d, const struct config *cfg);

/* Pure: from so much on; a level is left only two points below where it began. */
enum disk_level disk_level_of(unsigned percent, enum disk_level was, unsigned wait,
			      unsigned intake_only);

#endif
