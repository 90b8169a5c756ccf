/*
 * local_parts – what the files of the local fabric share; nobody else includes it.
 */
#ifndef PS_LOCAL_PARTS_H
#define PS_LOCAL_PARTS_H

#include "agent/deploy/fabric/fabric.h"

/* Opens path (clean, relative) below dfd part by part, making what is missing when make. An fd or
 * PS_E*. */
int local_open(int dfd, const char *path, bool make, struct ps_err *err) PS_MUSTCHECK;

/* local_look.c: the look of the driver. */
int local_look(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
	       struct fabric_seen *out, struct ps_err *err) PS_MUSTCHECK;

/* Removes what a crash left in this folder. */
int local_sweep(int dfd, struct ps_err *err) PS_MUSTCHECK;

/*
 * local_pause.c: a job is paused while the file paused/<path of its definition> is there. Whoever
 * works on the fabric may make and remove such files; the one that we make for an orphan says so,
 * and it is the only one that we remove as long as the job is there. pfd: of the place.
 */
int local_pause_orphans(int pfd, const struct fabric_set *s, struct ps_err *err) PS_MUSTCHECK;
/* Also forgets the pauses of what is gone. */
int local_wake_wanted(int pfd, const struct fabric_set *s, struct ps_err *err) PS_MUSTCHECK;
int local_check_pauses(int pfd, const struct fabric_set *s, struct ps_err *err) PS_MUSTCHECK;

#endif
