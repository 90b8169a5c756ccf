/*
 * intake – what hooks say and what refs show becomes events: the station before the queue.
 *
 * Its parts: door (hooks' socket), word (what one hook said), the spool, ending (the end of a
 * push), look (one repository's refs), reconcile (which ones, and when), merge (the rule against
 * the store).
 */
#ifndef PS_INTAKE_H
#define PS_INTAKE_H

#include "agent/flow/core.h"
#include "agent/store/event.h"
#include "agent/store/pause.h"

struct endings;
struct reconcile;

struct intake {
	struct core *core;
	struct endings *endings;
	struct reconcile *reconcile;
	struct spooling *spool;
	struct loop_watch *tick;
	bool looks_due;			/* after the spool */
};

int intake_open(struct intake **out, struct core *c, struct ps_err *err) PS_MUSTCHECK;
void intake_close(struct intake *in);		/* NULL is fine */
/* The gate has connected: spool first, then ended pushes, then looks at all repositories. */
void intake_on_gate(struct core *c);
/* Roots may be others now. */
void intake_on_config(struct core *c);
/* All that was in the spool at `started` (clock_boot_ns) is stored, or cannot be now. */
void intake_on_spool(struct core *c, int64_t started);
/* What post-receive prints for these events: at most four lines, with what will stop them. free()
 * it. */
char *intake_report_text(const struct core *c, const struct events *events,
			 const struct pauses *pauses);

/* First look with a baseline, on demand: `penstock install`. path need not be real. */
void flow_adopt(struct core *c, const char *path, core_reply_fn *reply, void *arg);

#endif
