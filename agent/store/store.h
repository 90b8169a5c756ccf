/*
 * store – the only place that speaks SQL. One writer thread, one reader thread, no waiting loop.
 *
 * The loop hands over a function: store_write() runs it on the writer's thread inside a transaction
 * that it may share with others (group commit: whatever is queued becomes one commit), store_read()
 * on the reader's thread over a read-only connection. Afterwards `done` is called by store_poll()
 * on the loop's thread, never before the commit is on disk as asked. A run function that fails is
 * rolled back alone (a savepoint); its neighbours in the batch are not touched. When the commit
 * itself fails, every done of the batch gets that error and nothing of the batch was kept. done may
 * be NULL. Operations of one kind run in the order they were queued.
 *
 * run and done share `arg`; run must not touch what the loop owns.
 */
#ifndef PS_STORE_H
#define PS_STORE_H

#include "common/base/err.h"

struct store;
struct store_tx;		/* the connection inside a run function */

enum store_sync {
	/* a batch of intents alone: may be lost with the power, never with the process */
	STORE_NORMAL,
	STORE_FULL,		/* synced before done is called */
};

typedef int store_run_fn(struct store_tx *tx, void *arg, struct ps_err *err);
typedef void store_done_fn(void *arg, int rc, const struct ps_err *err);
typedef void store_wake_fn(void *arg);

/*
 * Opens or makes the database file, migrates it, starts the threads. wake is called from those
 * threads when store_poll() has something to do. A store of a newer schema: PS_ESTORE, says so.
 */
int store_open(struct store **out, const char *path, store_wake_fn *wake, void *wake_arg,
	       struct ps_err *err) PS_MUSTCHECK;
/*
 * The same with the seal file (seal.h) that tells whether this store is the newest. *restored (free
 * it) says why it is not: then it has entered recovery (recovery.h) before anything else. Beside it is
 * the file that knows where the audit ends (audit_head.h).
 */
int store_open_sealed(struct store **out, const char *path, const char *seal, store_wake_fn *wake,
		      void *wake_arg, char **restored, struct ps_err *err) PS_MUSTCHECK;
void store_write(struct store *st, enum store_sync sync, store_run_fn *run, store_done_fn *done,
		 void *arg);
void store_read(struct store *st, store_run_fn *run, store_done_fn *done, void *arg);
/* One look at the file `path`, by a program that is no agent: read-only, on this thread. Nothing is
 * made beside the file, unless its log is there: then as SQLite does. */
int store_look(const char *path, store_run_fn *run, void *arg, struct ps_err *err) PS_MUSTCHECK;
/* At its start, did the file beside it (audit_head.h) know entries of the audit that it does not have? */
bool store_audit_is_odd(const struct store *st);
/* Calls the done functions that are due; returns how many. On the loop's thread only. */
size_t store_poll(struct store *st);
/* Runs what is queued, joins the threads, calls the done functions that are left (what they queue
 * fails), closes. NULL is fine. */
void store_close(struct store *st);
/*
 * Makes sure of a reserve file beside the database of this many bytes (less on a small disk; 0:
 * none), on the writer's thread and when there is room. A batch that finds the disk full frees it:
 * the batch itself is not kept, what comes next may be.
 */
void store_reserve(struct store *st, int64_t bytes);

#endif
