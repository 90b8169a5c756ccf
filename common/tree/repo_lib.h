/* repo_lib – what the files that read a repository through libgit2 share: rows of repo_lib_ops. */
#ifndef PS_REPO_LIB_H
#define PS_REPO_LIB_H

#include "common/tree/repo_git.h"

int tree_git_open(struct tree **out, struct repo *r, const char *oid, struct ps_err *err);
int repo_lib_ref_read(struct repo *r, const char *name, struct repo_ref *out, struct ps_err *err);
int repo_lib_upstream(struct repo *r, char **here, char **there);
int repo_lib_refs_list(struct repo *r, struct repo_refs *out, struct ps_err *err);
int repo_lib_nearest_held(struct repo *r, const char *oid, const char *except, char *held,
			  bool *found, struct ps_err *err);
int repo_lib_keep(struct repo *r, const char *ref, const char *oid, struct ps_err *err);
int repo_lib_unkeep(struct repo *r, const char *ref, struct ps_err *err);

#endif
