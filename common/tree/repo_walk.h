/*
 * repo_walk – the folders below one, from the top down, for who looks for repositories: what one is
 * the caller says. Never over links; not deeper than groups within groups; a budget of folders ends
 * what is too large.
 */
#ifndef PS_REPO_WALK_H
#define PS_REPO_WALK_H

#include <stdbool.h>
#include <stddef.h>

enum { REPO_WALK_FOLDERS = 200000 };

/* Shown each folder, open; false: it is not gone into. */
typedef bool repo_walk_fn(void *arg, int dirfd, const char *path);

/* Shows dirfd, which it closes, and what is below. *left: folders that may be opened yet; with 0
 * the walk ends, and look() may set it. */
void repo_walk(int dirfd, const char *path, size_t *left, repo_walk_fn *look, void *arg);

#endif
