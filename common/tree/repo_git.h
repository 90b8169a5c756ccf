/*
 * repo_git – what the files of repo share; nobody else includes it (it needs libgit2).
 *
 * A repository is read in one of two ways, each a table of functions: through libgit2, or, where
 * that cannot (it knows SHA-1 alone), by git's own programs: repo_cmd.c.
 */
#ifndef PS_REPO_GIT_H
#define PS_REPO_GIT_H

#include "common/tree/late_git.h"
#include "common/tree/repo.h"

struct cat;

/* As the functions of repo.h that are named like them. Object names are checked before. */
struct repo_ops {
	int (*peel)(struct repo *r, const char *oid, struct repo_peeled *out, struct ps_err *err);
	int (*rev)(struct repo *r, const char *rev, char *oid, struct ps_err *err);
	int (*tree)(struct tree **out, struct repo *r, const char *oid, struct ps_err *err);
	int (*ref_read)(struct repo *r, const char *name, struct repo_ref *out,
			struct ps_err *err);
	int (*upstream)(struct repo *r, char **here, char **there);
	int (*refs_list)(struct repo *r, struct repo_refs *out, struct ps_err *err);
	int (*nearest_held)(struct repo *r, const char *oid, const char *except, char *held,
			    bool *found, struct ps_err *err);
	int (*is_ancestor)(struct repo *r, const char *old, const char *new, bool *yes,
			   struct ps_err *err);
	/* writes or removes one of our refs; PS_EBUSY: its lock is there */
	int (*keep)(struct repo *r, const char *ref, const char *oid, struct ps_err *err);
	int (*unkeep)(struct repo *r, const char *ref, struct ps_err *err);
	void (*close)(struct repo *r);
};

struct repo {
	const struct repo_ops *ops;
	char *own;			/* git's folder of this very work tree */
	char *dir;			/* of config, refs and logs; ends in '/' */
	size_t digits;			/* of an object name */
	git_config *config;		/* of the repository alone, once it was asked for */
	git_repository *git;		/* libgit2's, else NULL */
	git_odb *odb;
	struct cat *cat;		/* git cat-file, once it was needed */
	char *alternates;		/* GIT_ALTERNATE_OBJECT_DIRECTORIES for git, or NULL */
};

extern const struct repo_ops repo_lib_ops;
extern const struct repo_ops repo_cmd_ops;

/* The repository's own configuration, which stays its; a code of libgit2. */
int repo_config(struct repo *r, git_config **out);
/* refs/penstock/: ours, and told to nobody. */
bool repo_is_own_ref(const char *name);
/* Opens r->dir's objects through libgit2, where they are below `path`. */
int repo_lib_open(struct repo *r, const char *path, unsigned flags, const struct repo_quarantine *q,
		  struct ps_err *err) PS_MUSTCHECK;
/* A repository with SHA-256 objects; gitdir as libgit2 found it. */
int repo_cmd_open(struct repo *r, const char *gitdir, const struct repo_quarantine *q,
		  struct ps_err *err) PS_MUSTCHECK;
/* The work tree of a repository that git reads; NULL: it has none. free() it. */
char *repo_cmd_top(const char *path);
/* A row for the ref, its object name still empty. */
struct repo_ref *repo_refs_add(struct repo_refs *l, size_t *cap, const char *name);

/* The PS_E* for a libgit2 code, with "what: libgit2's reason" as message. */
int repo_git_err(struct ps_err *err, int git_rc, const char *fmt, ...) PS_PRINTF(3, 4);

#endif
