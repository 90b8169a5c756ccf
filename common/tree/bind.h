/*
 * bind – what an install writes into a repository's configuration, and how it goes out again.
 *
 * Only what the file does not say yet is added, at its end, between two lines of comment; so taking
 * it out gives back the bytes that were there, and the first comment keeps the times of the file
 * and of the folder of hooks. Where somebody has changed lines between the two, only ours go.
 */
#ifndef PS_BIND_H
#define PS_BIND_H

#include <time.h>

#include "common/tree/repo.h"

struct bind {
	char id[REPO_ID];	/* penstock.id; "" when there is none */
	bool hides;		/* refs/penstock is hidden from who fetches and pushes */
	bool options;		/* receive.advertisePushOptions is true */
	bool options_said;	/* it is said, whatever it says */
	bool block;		/* an install has written here */
	char *hooks_path;	/* core.hooksPath; NULL: not set here */
};

/* gitdir: the folder that holds HEAD. Clear after success. */
int bind_read(struct bind *b, const char *gitdir, struct ps_err *err) PS_MUSTCHECK;
void bind_clear(struct bind *b);
/*
 * Adds what is missing; with new_id the repository is from now on another than the one it was
 * copied from. always: write the comments also when nothing is missing. hooks: its times are kept.
 * PS_EBUSY: git holds the file's lock. Owner and mode of the file stay. *changed: something was
 * written.
 */
int bind_put(const char *gitdir, bool new_id, bool always, const struct timespec *hooks,
	     bool *changed, struct ps_err *err) PS_MUSTCHECK;
/* Takes all of it out, but the id where it is to stay. *hooks: the time that bind_put was given, or
 * tv_sec -1. */
int bind_take(const char *gitdir, bool keep_id, struct timespec *hooks, bool *changed,
	      struct ps_err *err) PS_MUSTCHECK;

#endif
