/*
 * sandbox_walls – takes walls of a sandbox away, to see what each of them holds. It stands between
 * sandbox.c and the start of bubblewrap (the linker's --wrap=spawn_start) and edits the options on
 * their way, so the shipped code has no switch for it. For sandbox_try alone.
 */
#ifndef PS_SANDBOX_WALLS_H
#define PS_SANDBOX_WALLS_H

#include <stdbool.h>

/* name, or name=value: the next sandboxes are made without that wall. False: there is none of that
 * name. */
bool sandbox_without(const char *wall);
/* All names, NULL-ended. */
const char *const *sandbox_wall_names(void);

#endif
