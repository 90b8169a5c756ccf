/*
 * install – one repository and the instance that its hooks ask: what is there, put it, take it out.
 *
 * Plain: hooks/pre-receive and hooks/post-receive are links to the hook program. A hook that was
 * there is kept in penstock.kept beside the folder of hooks, under its own name, with links to what
 * else that folder holds; the hook program calls it. Hosts that start every file of a folder
 * (Gitea: hooks/NAME.d, GitLab: custom_hooks/NAME.d) get one link each and nothing is moved.
 * penstock.hook in the folder of hooks holds three absolute paths, a line each: hook socket,
 * policy, gate program.
 *
 * site_open() only reads, and what it does is bounded per repository: doctor uses the same.
 */
#ifndef PS_INSTALL_H
#define PS_INSTALL_H

#include <sys/stat.h>

#include "cli/cli.h"
#include "common/config/config.h"
#include "common/tree/bind.h"

/* What hooks shall be told; the same for all repositories of an instance. */
struct bearings {
	char *program;		/* penstock-hook */
	char *text;		/* of penstock.hook */
};
int bearings_init(struct bearings *b, const struct ps_paths *paths, struct ps_err *err)
	PS_MUSTCHECK;
void bearings_clear(struct bearings *b);

enum site_host { HOST_PLAIN, HOST_GITEA, HOST_GITLAB };

enum hook_is {
	HOOK_ABSENT,
	HOOK_OURS,
	HOOK_OLD,		/* a link to a hook program elsewhere: another version's */
	HOOK_SHARED,		/* leads to one through another folder of hooks, as gitolite's */
	HOOK_FOREIGN,
};

struct site_hook {
	char *name;		/* "pre-receive", "pre-receive.d/penstock": below the folder */
	enum hook_is is;
	bool kept;		/* a foreign one is in penstock.kept */
};

enum site_bound {
	BOUND_NO,
	BOUND_HERE,
	BOUND_OLD,		/* to this instance, but not as it is now */
	BOUND_ELSEWHERE,
};

enum { SITE_HOOKS = 2 };

struct site {
	char *repo;		/* real path of the folder that holds HEAD; NULL: hooks alone */
	char *hooks;		/* real path; of a folder that may not be there yet */
	int dir;		/* of it; -1: not there */
	struct stat dir_st;
	enum site_host host;
	enum site_bound bound;
	char *other;		/* BOUND_ELSEWHERE: the folder of that instance */
	bool other_gone;	/* and it is no instance any more */
	struct site_hook hook[SITE_HOOKS];
	struct bind config;
};

/* The repository at path or path/.git. PS_ENOENT: there is none. Clear after success. */
int site_open(struct site *s, const char *path, enum site_host host, const struct bearings *b,
	      struct ps_err *err) PS_MUSTCHECK;
/* A folder of hooks for core.hooksPath, for a template or of gitolite. */
int site_open_hooks(struct site *s, const char *folder, const struct bearings *b,
		    struct ps_err *err) PS_MUSTCHECK;
void site_clear(struct site *s);
/* Its hooks are links into a folder of install-hooks: they are that folder's to put and to take. */
bool site_is_shared(const struct site *s);
bool site_is_repository(const char *path);

/* Would site_put() be refused? Negative: why, and *next (free it) the command that helps, or NULL.
 * take_over: another instance's is no reason. */
int site_check(const struct site *s, bool take_over, char **next, struct ps_err *err) PS_MUSTCHECK;
/* What site_put() would do, a line each; nothing when all of it is there. */
void site_plan(const struct site *s, bool new_id, struct buf *lines);
/* All of it or nothing: what this call made is taken back when a later step fails. */
int site_put(struct site *s, const struct bearings *b, bool new_id, bool *changed,
	     struct ps_err *err) PS_MUSTCHECK;
/* Gives back what was there before. left: a line for each thing that could not be, and why. */
int site_take(struct site *s, bool keep_id, bool *changed, struct buf *left, struct ps_err *err)
	PS_MUSTCHECK;

/* Removes refs/penstock/ and whatever is below; *n: how many. */
int site_drop_refs(const struct site *s, size_t *n, struct ps_err *err) PS_MUSTCHECK;

/* Every repository at or below folder, into paths; folders deeper than eight, or more than 200,000,
 * are told in err (PS_ELIMIT) after what was found. */
int site_find(const char *folder, struct conf_names *paths, struct ps_err *err) PS_MUSTCHECK;

#endif
