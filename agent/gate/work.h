/*
 * work – one worker of the gate role: a process that takes one request at a time and answers it.
 *
 * Forked from the role, joined to it by a socketpair that carries the same frames. It holds the
 * configuration that was in force when it was forked and is replaced when a newer one comes. It has
 * no network, no credential and no store; it dies with the role.
 */
#ifndef PS_WORK_H
#define PS_WORK_H

#include <sys/types.h>

#include "common/config/config.h"
#include "common/config/paths.h"
#include "common/tree/repo.h"
#include "common/wire/msg.h"

struct work {
	int sock;
	const struct config *cfg;
	const struct ps_paths *paths;
	const char *program;		/* digest of the program that judges */
	struct verdicts *verdicts;	/* opened at the first push; NULL: none to be had */
	bool tried;
};

/* The whole life of a worker, in the forked child. role: the pid it was forked from. */
void work_main(struct work *w, pid_t role) PS_NORETURN;

/* Sends an answer to the role. */
int work_reply(struct work *w, enum msg_type type, const void *body,
	       struct ps_err *err) PS_MUSTCHECK;

/*
 * The real path of a repository and its name, when it is below a root of the configuration (free
 * both); PS_EPERM when it is not. Only then libgit2 is told not to mind its owner.
 */
int work_admit(struct work *w, const char *path, char **real, char **name,
	       struct ps_err *err) PS_MUSTCHECK;
/* The same, and opens it. */
int work_open(struct work *w, const char *path, struct repo **out, struct ps_err *err) PS_MUSTCHECK;
/* The snapshot behind a commit or tag; peeled tells which it was. tree_close() comes before
 * repo_close(). */
int work_tree(struct repo *r, const char *oid, struct repo_peeled *peeled, struct tree **out,
	      struct ps_err *err) PS_MUSTCHECK;
/* repo_id() with create; tries again for a moment while another process holds the lock. */
int work_repo_id(struct repo *r, char id[REPO_ID], struct ps_err *err) PS_MUSTCHECK;
/* True while it makes sense to try again after PS_EBUSY; naps a little. *tries starts at 0. */
bool work_again(int rc, unsigned *tries);

/* One per request, see request.c. */
int work_judge(struct work *w, const struct msg *m, struct ps_err *err) PS_MUSTCHECK;
int work_look(struct work *w, const struct msg *m, struct ps_err *err) PS_MUSTCHECK;
int work_mark(struct work *w, const struct msg *m, struct ps_err *err) PS_MUSTCHECK;
int work_find(struct work *w, const struct msg *m, struct ps_err *err) PS_MUSTCHECK;
int work_survey(struct work *w, const struct msg *m, struct ps_err *err) PS_MUSTCHECK;
int work_export(struct work *w, const struct msg *m, struct ps_err *err) PS_MUSTCHECK;
int work_keep(struct work *w, const struct msg *m, struct ps_err *err) PS_MUSTCHECK;

/* Removes what exports that did not end left below the folder of exports. */
int work_sweep_exports(const struct ps_paths *paths, struct ps_err *err) PS_MUSTCHECK;

#endif
