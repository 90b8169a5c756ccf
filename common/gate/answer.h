/*
 * answer – all that a check of a whole work tree came to, as bytes, for when nothing has changed.
 *
 * It is kept under a key of everything that was asked and of the work tree's name, with the
 * bearings (common/tree/bearings.h) that tell whether git would still name the same old side.
 */
#ifndef PS_ANSWER_H
#define PS_ANSWER_H

#include "common/gate/gate.h"
#include "common/gate/memo.h"

/* May a check like this be answered so, and by an answer to it? */
bool answer_may_be_kept(const struct gate_check *c);
/* Everything that was asked, as bytes; top is the name of the work tree's top. */
void answer_question(struct buf *out, const struct gate_check *c, const char *top);
/* A key for it, without libcrypto: two questions may have the same. */
void answer_key(struct memo_key *out, const struct buf *question);
void answer_pack(struct buf *out, const struct gate_checked *a, const struct buf *question,
		 const struct buf *bearings);
/* Fills a, which is empty before, when bytes are the answer to this question and its bearings hold
 * in gitdir. False: clear a all the same. */
bool answer_unpack(struct gate_checked *a, const struct buf *bytes, const struct buf *question,
		   const char *gitdir);

#endif
