/* cmd_check – what the two ways of `penstock check` share: for people, and for the hook. */
#ifndef PS_CMD_CHECK_H
#define PS_CMD_CHECK_H

#include "cli/cmd.h"

/*
 * The gate program: push commands on stdin, the repository and its quarantine in GIT_DIR,
 * GIT_OBJECT_DIRECTORY and GIT_ALTERNATE_OBJECT_DIRECTORIES, the configuration in the policy file,
 * one `verdict` frame on descriptor `fd`. budget_ms: time for judging; 0: the policy's own budget.
 * Prints only what it could not tell in the frame. Returns an exit code: 0 once the frame is out.
 */
int check_push(struct cli *cli, const char *policy, int fd, int64_t budget_ms);

#endif
