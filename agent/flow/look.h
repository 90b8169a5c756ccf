/*
 * look – one repository's refs are read and told to the merge rule.
 *
 * A few at a time, in the order they were asked for. A value that was read is used only when all
 * that hooks said before is stored: whoever is at the door has spoken, and the spool was taken
 * after the reading (EVENTS.md, the rule's last row). Which repositories are looked at, and when,
 * is reconcile's.
 */
#ifndef PS_LOOK_H
#define PS_LOOK_H

#include "agent/flow/core.h"

struct looks;

struct look_done {
	const char *path, *name;	/* name NULL: below no root */
	int rc;
	const char *problem;		/* NULL: it was looked at */
	size_t refs, events;		/* seen; made or confirmed by it */
	/* as it was just before; NULL: it proves nothing, or a push is under way that may still
	 * move a ref: look again */
	const char *mark;
};
/* Called once for each look, on the loop. */
typedef void look_fn(void *arg, const struct look_done *d);

/* end hears of every look, before its own fn does. */
struct looks *looks_new(struct core *c, look_fn *end, void *arg);
void looks_free(struct looks *l);
/* fn may be NULL. A path below no root ends at once. */
void looks_add(struct looks *l, const char *path, look_fn *fn, void *arg);
/* All that was in the spool at `started` is stored, or cannot be now. */
void looks_on_spool(struct looks *l, int64_t started);

#endif
