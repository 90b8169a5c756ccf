/*
 * seal – is this file the newest store of its instance? For store.c alone.
 *
 * A number that only rises is kept twice: in the store, and in a small file beside it that is
 * replaced each time. It rises at most once a second while something is written, at the start and at
 * the end; in the store first and durably, so the file is never ahead of a store that is the newest.
 * A store that somebody put back is behind the file. The file also names its own inode and birth:
 * when the whole folder was copied, file and store agree, and the file is not in its place.
 */
#ifndef PS_STORE_SEAL_H
#define PS_STORE_SEAL_H

#include "agent/store/store.h"

enum { SEAL_EVERY_MS = 1000 };

struct seal {
	char *file;		/* NULL: this store has none */
	char uid[33];		/* of the store, random */
	int64_t sequence;
	int64_t raised_ns;	/* by clock_boot_ns() */
	bool dirty;		/* something was written since */
};

/* Reads both. *why (free it) is set when the store is a copy: an older one, another one's, or one of
 * a folder that was copied. A store that never had a seal gets one. Then it is to be raised. */
int seal_open(struct seal *s, struct store_tx *tx, const char *file, char **why,
	      struct ps_err *err) PS_MUSTCHECK;
void seal_close(struct seal *s);
/* Is it time? In ms from now; 0: now, -1: nothing was written. */
int64_t seal_due(const struct seal *s);
/* Inside a transaction that will be synced. */
int seal_raise(struct seal *s, struct store_tx *tx, struct ps_err *err) PS_MUSTCHECK;
/* The transaction was not kept: it is due again, but not at once. */
void seal_failed(struct seal *s);
/* After its commit. A failure is logged: then the file stays behind, which harms nobody. */
void seal_write(struct seal *s);

#endif
