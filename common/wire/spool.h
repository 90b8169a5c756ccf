/*
 * spool – what hooks said while core could not listen: intents and reports, one frame per file.
 *
 * Life of an entry: spool_put() by the hook → spool_take() by core → spool_retire() once the store
 * has it. A crash before retire means it is taken again, so intake must know which (push, ref,
 * ordinal) it has seen. The folder belongs to the agent, mode 3773: hooks of any user put files in
 * under names nobody can guess, and cannot list, read or replace each other's. The owner of the
 * file is who spoke. What is torn, foreign or not a plain file is set aside in `aside/` with its
 * reason and never blocks the rest.
 */
#ifndef PS_SPOOL_H
#define PS_SPOOL_H

#include "common/wire/msg.h"

enum {
	SPOOL_DIR_MODE = 03773,
	SPOOL_TAKE_MAX = 1000,		/* entries of one take */
	SPOOL_TAKE_BYTES = 64 << 20,	/* bytes of one take */
	/* what one owner may have waiting; what he put in after that is set aside */
	SPOOL_OWNER_MAX = 10000,
	SPOOL_OWNER_BYTES = 256 << 20,
	/* an unfinished file of a hook that was killed: no budget is longer */
	SPOOL_TMP_AGE_S = 90,
};

enum spool_kept {
	SPOOL_NOT_KEPT,			/* it may still get there; nobody waits for it any more */
	SPOOL_KEPT,			/* in its place, not yet synced */
	SPOOL_SYNCED,
};

/*
 * Write, fsync, rename, then syncfs on the file's own descriptor (a folder that others may not read
 * cannot be opened for fsync). The disk may hang, so a child of ours does it and is left alone when
 * deadline_ns (by clock_boot_ns()) has passed. Returns an enum spool_kept, or why it was not kept.
 * Failpoints spool.write, spool.fsync, spool.rename, spool.syncfs.
 */
int spool_put(const char *dir, enum msg_type type, const void *body, int64_t deadline_ns,
	      struct ps_err *err) PS_MUSTCHECK;

struct spool_entry {
	char name[64];
	uint32_t uid;			/* owner of the file */
	int64_t mtime_ms;
	struct msg msg;			/* an intent or a report */
};

struct spool_batch {
	struct spool_entry *v;		/* older boots first, then by stamp */
	size_t n;
	bool more;			/* take again after these */
	size_t waiting;			/* all that was there, of everybody */
	size_t aside;			/* set aside by this take */
};

/* A reason to set this entry aside, or NULL to take it. */
typedef const char *spool_check_fn(const struct msg *m, uint32_t uid, void *arg);

/* Reads what is there, the oldest files first, and puts them in the order of their stamps. A stamp
 * is the writer's claim: it orders his reports and dates nobody's. Entries that another take has
 * returned come again until retired. */
int spool_take(struct spool_batch *out, const char *dir, spool_check_fn *check, void *arg,
	       struct ps_err *err) PS_MUSTCHECK;
void spool_batch_clear(struct spool_batch *b);

/* What lies in aside/ and why; at most max are told, n counts all. */
struct spool_aside { char **names, **why; size_t told, n; };
void spool_aside_list(struct spool_aside *out, const char *dir, size_t max);
void spool_aside_clear(struct spool_aside *a);
/* The store has it. Failpoint spool.retire. One that is gone already is fine. */
int spool_retire(const char *dir, const char *name, struct ps_err *err) PS_MUSTCHECK;

#endif
