/*
 * release – a release as the agent tells it, for the commands that look at one.
 */
#ifndef PS_CLI_RELEASE_H
#define PS_CLI_RELEASE_H

#include <jansson.h>

#include "cli/cli.h"

/* By the beginning of its id or a label; repository and project may be NULL. 0 or an exit code. */
int release_fetch(struct cli *cli, const char *thing, const char *repository, const char *project,
		  json_t **out) PS_MUSTCHECK;

#endif
