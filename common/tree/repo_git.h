/* repo_git – what repo.c and tree_git.c share; nobody else includes it (it needs libgit2). */
#ifndef PS_REPO_GIT_H
#define PS_REPO_GIT_H

#include <git2.h>

#include "common/tree/repo.h"

struct repo {
	git_repository *git;
	git_odb *odb;
};

/* The PS_E* for a libgit2 code, with "what: libgit2's reason" as message. */
int repo_git_err(struct ps_err *err, int git_rc, const char *fmt, ...) PS_PRINTF(3, 4);

#endif
