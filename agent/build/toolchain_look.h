/*
 * toolchain_look – what the admin's commands ask of the build role's knowledge: which toolchains
 * there are and what is wrong with each, and whether a sandbox can be made. Runs as the admin, by
 * `penstock-build --look INSTANCE [--anew|--quick] [NAME]`; no agent has to run.
 *
 * Prints a line each, parts separated by a tab:
 *	sandbox    ok|error    why
 *	toolchain  NAME  PREFIX  STATE  DIGEST  MADE  VERSIONS  WHY
 * STATE is ready, broken or unfinished; DIGEST and MADE (the digest when it was made) may be empty.
 */
#ifndef PS_TOOLCHAIN_LOOK_H
#define PS_TOOLCHAIN_LOOK_H

#include <stdio.h>

#include "common/config/config.h"
#include "common/config/paths.h"

/* Which digest: none; the one that is remembered where no file has changed; of every byte. */
enum toolchain_depth { TOOLCHAIN_QUICK, TOOLCHAIN_KNOWN, TOOLCHAIN_ANEW };

/* name NULL: all of them. False: none has it. */
bool toolchain_look(const struct config *cfg, const struct ps_paths *paths, const char *name,
		    enum toolchain_depth depth, FILE *out);

/* Keeps what was made, for a later look: "toolchains/.NAME.made". */
int toolchain_note_made(const struct ps_paths *paths, const char *name, char hex[65],
			struct ps_err *err) PS_MUSTCHECK;

#endif
