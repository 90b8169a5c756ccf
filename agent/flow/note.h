/*
 * note – what an answer of a role says about a row, on its way to the store.
 *
 * Made on the loop, written by a function of its own on the writer's thread, freed in note_done().
 * An answer for a claim that is no longer the row's comes back as PS_ESTALE and changes nothing.
 */
#ifndef PS_NOTE_H
#define PS_NOTE_H

#include "agent/flow/core.h"

struct note {
	struct core *core;		/* the writer's thread never touches it */
	int64_t id, fence;		/* of the row */
	int64_t n, at_ms, size;
	int64_t lease_ms;		/* its claim lasts until then, now that it was heard of */
	char *state, *reason, *digest, *name, *text, *task;
	bool begins;			/* a step: before it, not after */
	bool again;			/* set by the write: start it again */
};

struct note *note_new(struct core *c, uint64_t id, uint64_t fence);
void note_free(struct note *n);
/* For store_write(): logs what went wrong, frees, and lets a pass look at what is new. */
void note_done(void *arg, int rc, const struct ps_err *err);

#endif
