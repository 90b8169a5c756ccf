/*
 * toolchains – what the build role's program says of toolchains and of the sandbox. No agent has to
 * run; whoever asks must be able to read the prefixes.
 */
#ifndef PS_TOOLCHAINS_H
#define PS_TOOLCHAINS_H

#include <jansson.h>

#include "cli/cli.h"

struct toolchains {
	bool sandbox;
	char *sandbox_why;
	json_t *items;		/* id, state, prefix, digest, made, versions, reason */
};

/* how: "--anew" reads every byte, "--quick" makes no digest, NULL trusts what is remembered.
 * name NULL: all. Clear after success. */
int toolchains_look(struct toolchains *t, const struct cli *cli, const char *name, const char *how,
		    struct ps_err *err) PS_MUSTCHECK;
void toolchains_clear(struct toolchains *t);

#endif
