/*
 * proc – what /proc says of a process. A pid with its start time names one process of this boot.
 */
#ifndef PS_PROC_H
#define PS_PROC_H

#include <sys/types.h>

#include "common/base/ps.h"

enum { PROC_NAME = 32 };

struct proc_stat {
	char name[PROC_NAME];		/* the kernel's 15 characters of it */
	pid_t parent;
	uint64_t start;			/* clock ticks since boot */
};

/* False when there is no such process. */
bool proc_stat(struct proc_stat *out, pid_t pid);
/* Is the process with this start time still there? */
bool proc_lives(pid_t pid, uint64_t start);

#endif
