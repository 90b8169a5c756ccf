/*
 * memo – what judging came to, kept under a name that says all it depends on.
 *
 * A key is a digest of everything that decides the value (object names, the rules' own revision,
 * the configuration), or the value itself says what it is about (precedent.h); so a value is never
 * wrong, only absent: losing all of it costs time. Values
 * made by this process stay in memory; behind it may stand a place that outlives it (the gate
 * role's file), asked once per key. One memo belongs to one thread.
 */
#ifndef PS_MEMO_H
#define PS_MEMO_H

#include "common/base/buf.h"

struct memo;
struct memo_key { unsigned char b[32]; };

/* The place behind: get appends the value and returns true, or returns false. */
struct memo_behind {
	bool (*get)(void *arg, const struct memo_key *k, struct buf *out);
	void *arg;
};

/* salt: what every key depends on, above all the program that judges. behind may be NULL; it is
 * copied. */
struct memo *memo_new(const char *salt, const struct memo_behind *behind);
void memo_free(struct memo *m);			/* NULL is fine */
/* The key of these texts, in order; the last is NULL. */
void memo_key(const struct memo *m, struct memo_key *out, ...) __attribute__((sentinel));
/* The value, valid until the next call with m; NULL when there is none. */
const struct buf *memo_get(struct memo *m, const struct memo_key *k);
/* Takes the bytes over and leaves value empty. A second value for a key replaces the first. */
void memo_put(struct memo *m, const struct memo_key *k, struct buf *value);
/* Every value that was put since the last call, in no order: for the place behind. */
void memo_take_new(struct memo *m,
		   void (*fn)(void *arg, const struct memo_key *k, const struct buf *value),
		   void *arg);

#endif
