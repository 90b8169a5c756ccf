/*
 * wall – what a process gives up for good before anybody can tell it to do anything: system calls
 * that it never needs, core files, rights by a setuid program, being looked into by its own user.
 *
 * One table (wall.c) says for every call who needs it; the sandbox around foreign code is its last
 * column and needs none. What is denied answers with an error and ends nothing: a library that
 * tries something newer goes on with something older.
 */
#ifndef PS_WALL_H
#define PS_WALL_H

#include "common/base/err.h"

enum wall_who {
	WALL_CORE = 1,
	WALL_GATE = 2,
	WALL_BUILD = 4, /* also what bubblewrap does: a filter is inherited */
	WALL_DEPLOY = 8,
	WALL_SANDBOX = 16,
};

/* Adds what `who` is denied to a filter (a scmp_filter_ctx) that allows all else. 0 or -errno. */
int wall_rules(void *filter, enum wall_who who) PS_MUSTCHECK;

/*
 * For the process of this role (core, gate, build, deploy) and all it starts; before it has a
 * second thread. Returns what is missing, for `status` (static text), or NULL: nothing is.
 */
const char *wall_raise(const char *role);

/* The calling process, a child of a role, starts no program: it gives that up too, where the role
 * has a filter at all. False: the kernel refuses it, and the child must not go on. */
bool wall_no_programs(void) PS_MUSTCHECK;

#endif
