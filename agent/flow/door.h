/*
 * door – the Unix socket that hooks talk to. Answers within the budget or says `undecided`, which
 * sends the hook to its gate program; never waits for anything with the loop held.
 *
 * The socket is open to everybody and who connects is asked of the kernel: only hook_users of the
 * root that holds the repository are listened to.
 */
#ifndef PS_DOOR_H
#define PS_DOOR_H

#include "agent/flow/core.h"

int door_open(struct door **out, struct core *c, struct ps_err *err) PS_MUSTCHECK;
void door_close(struct door *d);		/* NULL is fine */
/* Lets in who waits outside. */
void door_let_in(struct door *d);
/* Has everybody who came in before `ns` (clock_boot_ns) said what he came for, or gone? */
bool door_is_quiet(const struct door *d, int64_t ns);

#endif
