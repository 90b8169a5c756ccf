/*
 * ask – a question to a role and the answer that belongs to it.
 *
 * Each question ends exactly once: with its answer, with its deadline, or with the role's end. The
 * body's first member is its id, which is filled in here.
 */
#ifndef PS_ASK_H
#define PS_ASK_H

#include "agent/loop/peer.h"

struct asks;

/* m is NULL when there is no answer; problem says why then. m is cleared by the caller of this. */
typedef void ask_fn(void *arg, struct msg *m, const char *problem);

struct asks *asks_new(struct loop *l);
void asks_free(struct asks *a);
/* body: a struct wire_judge, wire_look, wire_survey, wire_export, wire_keep, wire_observe,
 * wire_parse or wire_toolchain_query. A role that is not connected (peer NULL) ends it in the next
 * turn. */
void ask_send(struct asks *a, struct peer *to, enum msg_type type, void *body, int64_t limit_ms,
	      ask_fn *fn, void *arg);
/* An answer came: true when somebody waited for it. One of another kind than was asked for ends the
 * question without an answer. */
bool ask_answer(struct asks *a, struct peer *from, struct msg *m);
/* The role is gone: everything that it was asked ends. */
void ask_peer_gone(struct asks *a, struct peer *peer, const char *why);
/* Core ends: every question that is open now ends. */
void asks_end(struct asks *a, const char *why);
/* Nobody listens any more (a hook hung up): fn is not called. */
void ask_forget(struct asks *a, void *arg);

#endif
