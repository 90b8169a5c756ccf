/*
 * verdicts – what judging came to, in a file of the gate role's own (LMDB): behind every memo.
 *
 * All workers share it, each opens it for itself after its fork. It may be lost or removed at any
 * time: that costs time only. It never grows past VERDICTS_MAX; full, it is emptied. A worker that
 * is killed in the middle of a write leaves the state before it.
 */
#ifndef PS_VERDICTS_H
#define PS_VERDICTS_H

#include "common/gate/memo.h"
#include "common/base/err.h"

struct verdicts;

enum { VERDICTS_MAX = 256 << 20 };

/* Makes the folder's files when there are none, and new ones in place of what is no such file. */
int verdicts_open(struct verdicts **out, const char *dir, struct ps_err *err) PS_MUSTCHECK;
/* For struct memo_behind; arg is the struct verdicts. */
bool verdicts_get(void *arg, const struct memo_key *k, struct buf *out);
/* Writes what the memo has made since the last call, in one transaction, synced. */
int verdicts_put(struct verdicts *v, struct memo *m, struct ps_err *err) PS_MUSTCHECK;
void verdicts_close(struct verdicts *v);	/* NULL is fine */

#endif
