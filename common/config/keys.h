/*
 * keys – the folder of the keys that sign releases.
 *
 *	release.key	the key in force: 0600, opened by the parent and read by core alone
 *	release.pub	its public half, for everybody
 *	ID.pub		every public half there ever was, with its time: what they signed stays good
 *
 * A public file begins with lines for people ("made 2026-11-27T23:00:00Z", "retired ..."), then
 *PEM.
 */
#ifndef PS_KEYS_H
#define PS_KEYS_H

#include "common/base/sign.h"

struct key_known {
	struct sign_public pub;
	bool in_force;               /* as release.pub says */
	int64_t made_ms, retired_ms; /* retired: 0 while in force */
};

struct keys_known {
	struct key_known *v;
	size_t n, cap;
};

/* Makes the pair unless there is one; makes good what a rotation that was cut short has left. */
int keys_make(const char *dir, struct ps_err *err) PS_MUSTCHECK;
/* From now on a new key signs; the earlier one stays known. id (may be NULL): of the new one. */
int keys_rotate(const char *dir, char id[SIGN_ID], struct ps_err *err) PS_MUSTCHECK;
/* A descriptor of the key in force. PS_ENOENT says how one is made. */
int keys_open(const char *dir, struct ps_err *err) PS_MUSTCHECK;
/* The key behind that descriptor, which stays the caller's. */
int keys_read(struct sign_key *k, int fd, struct ps_err *err) PS_MUSTCHECK;
/* All public halves, newest first. Clear after success. */
int keys_list(struct keys_known *out, const char *dir, struct ps_err *err) PS_MUSTCHECK;
/* One public half from a file anywhere. */
int keys_read_public(struct key_known *k, int dirfd, const char *path,
		     struct ps_err *err) PS_MUSTCHECK;
const struct key_known *keys_find(const struct keys_known *l, const char *id);
void keys_clear(struct keys_known *l);

#endif
