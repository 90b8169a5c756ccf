/*
 * view – what people may see of the store, as JSON, read-only. One function per question.
 *
 * A view runs on the store's reader inside store_read(), over one snapshot, with a bounded number
 * of statements whatever the store holds. Ids are as typed (e88, b31, d12, x7; a release is the
 * first 12 digits of its id), oids and digests in full, times "2026-11-23T16:02:03.123Z", absent is
 * null. A list is {"items": [...], "more": bool}; each item has id and state.
 *
 * PS_ENOENT: no such thing; PS_EINVAL: the question is not well-formed. Both say what to ask
 * instead.
 */
#ifndef PS_VIEW_H
#define PS_VIEW_H

#include <jansson.h>

#include "agent/store/store.h"
#include "common/config/config.h"

enum { VIEW_LIMIT = 50, VIEW_LIMIT_MAX = 1000 };

struct view_ask {
	const struct config *cfg;	/* in force; must live as long as the read */
	const char *id;			/* of the one thing asked for: "b31", a fabric's name */
	const char *thing;		/* why: as typed */
	const char *state, *repository, *ref, *project;	/* filters; NULL: all */
	size_t limit;			/* of items; 0: VIEW_LIMIT */
	const char *owner;		/* tokens: only his; NULL: all */
	const char *who, *what;		/* audit: filters; NULL: all */
	bool from;			/* audit: those behind `after`, oldest first */
	int64_t after;
	const char *audit_head;		/* path of the file (audit_head.h) */
};

typedef int view_fn(struct store_tx *tx, const struct view_ask *a, json_t **out,
		    struct ps_err *err);

view_fn view_events, view_event;
view_fn view_builds, view_build;
view_fn view_tests;		/* of t31, of build b31, of event e88: each with its cases */
view_fn view_test, view_tests_list;	/* without them */
view_fn view_releases, view_release;
view_fn view_outbox;		/* letters, newest first */
view_fn view_fabrics;		/* those of cfg with what is live on each */
/* what waits for people: at the gate approval; of deployment a->id alone, or all. Each with who could
 * and who has, and with id the plan */
view_fn view_approvals;
view_fn view_history;		/* deployments of fabric a->id */
view_fn view_jobs;		/* what it has of us, orphans too */
/* jobs that are other than they were deployed: of fabric a->id, or job a->thing; NULL both: all. Each
 * with the digests deployed and observed (null: gone) and the deployment it is of */
view_fn view_drift;
view_fn view_runs, view_run;
/* array of what waits or is under way, each with its first reason */
view_fn view_queue;
view_fn view_line;		/* the same as {"items"}, with totals: running, waiting, oldest, busy, slots */
view_fn view_failing;		/* array of what failed and was not made good since */
view_fn view_pauses;		/* array of what people have stopped */
view_fn view_recovery;		/* since, why, lift; null when the store was not restored */
view_fn view_audit;		/* id is its number; state done or refused */
/* one object: state whole or broken, entries, hash of the last; bad: number of the first bad one */
view_fn view_audit_check;
view_fn view_tokens;		/* state active, expired or revoked */
/* what is under way; state draining when somebody drains */
view_fn view_drain;
/* a tree: what, state, reason, lines, children; and the next command */
view_fn view_why;

#endif
