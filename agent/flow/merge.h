/*
 * merge – the merge rule against the store: each function is what one thing learnt does, inside one
 * transaction on the writer's thread. No loop, no gate, no clock but the stamps it is given.
 *
 * All of them may be told the same thing twice. Refs below refs/penstock/ are ours and no events.
 */
#ifndef PS_MERGE_H
#define PS_MERGE_H

#include "agent/store/event.h"
#include "agent/store/store.h"
#include "common/wire/msg.h"

/* open intents of one ref that may explain a value; older first */
enum { MERGE_INTENTS_MAX = 1000 };

/* A stretch of time on one boot: when a value was read, or a report was made (from = to). */
struct merge_time { const char *boot; int64_t from, to; };

/* Where: uid NULL means "as the store knows this path" (PS_ENOENT when it does not). */
struct merge_repository { const char *uid, *path, *name; };

/* Who, as far as it is believed: NULL is unknown. */
struct merge_who {
	uint32_t uid;
	const char *pusher, *acting_as;
	const char *judged;		/* gate, program, skipped, none */
	bool hold_unknown;		/* repositories.default.unknown_pusher */
};

struct merge_done {
	int64_t push;			/* its row */
	bool open;			/* it is not settled: watch for its end */
	struct events events;		/* report: those of the push; events_clear() */
};

/* refs: those of the verdict (target and seen filled in), else the hook's own. */
int merge_intent(struct store_tx *tx, const struct merge_repository *where,
		 const struct merge_who *who, const struct wire_intent *in,
		 const struct wire_ref_line *refs, size_t nrefs, struct merge_time when,
		 struct merge_done *done, struct ps_err *err) PS_MUSTCHECK;
int merge_report(struct store_tx *tx, const struct merge_repository *where,
		 const struct merge_who *who, const struct wire_report *r, struct merge_time when,
		 struct merge_done *done, struct ps_err *err) PS_MUSTCHECK;
/*
 * The push is over. values: its refs as they are now. blind (NULL: none) says why nobody can read
 * them any more: then its open intents are void and the tails stay. *again: something was learnt
 * while the refs were being read, so the push is not settled yet: read them once more.
 */
int merge_end(struct store_tx *tx, int64_t push, const struct wire_ref_value *values, size_t n,
	      const char *blind, bool hold_unknown, struct merge_time when, bool *again,
	      struct ps_err *err) PS_MUSTCHECK;
/* events: how many it made or changed; lives: refs that a push under way may still move, which were
 * left alone: look again. */
struct merge_seen { size_t events, lives; };
/* All refs of a repository as they are; the first time, its baseline. */
int merge_look(struct store_tx *tx, const struct merge_repository *where,
	       const struct wire_ref_value *values, size_t n, struct merge_time when,
	       struct merge_seen *seen, struct ps_err *err) PS_MUSTCHECK;
/* The names a push is about, each once: asked of the gate when it ends. free() each and the
 * list. */
int merge_refs_of_push(struct store_tx *tx, int64_t push, char ***refs, size_t *n,
		       struct ps_err *err) PS_MUSTCHECK;

#endif
