/* cmd_check – what the two ways of `penstock check` share: for people, and for the hook. */
#ifndef PS_CMD_CHECK_H
#define PS_CMD_CHECK_H

#include "cli/cmd.h"

/* How the hook asks. */
struct check_push {
	const char *policy;		/* the file */
	int fd;				/* where the verdict goes */
	int64_t budget_ms;		/* time for judging; 0: the policy's own budget */
	/* the names that the hook found; NULL: none. With `identity: uid` the account tells */
	const char *pusher, *as;
	bool dry_run, skip;		/* push options */
};

/*
 * The gate program: push commands on stdin, the repository and its quarantine in GIT_DIR,
 * GIT_OBJECT_DIRECTORY and GIT_ALTERNATE_OBJECT_DIRECTORIES, the configuration in the policy file,
 * one `verdict` frame on descriptor `fd`. Prints only what it could not tell in the frame. Returns
 * an exit code: 0 once the frame is out.
 */
int check_push(struct cli *cli, const struct check_push *how);

#endif
