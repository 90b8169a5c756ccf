/*
 * line – what waits in line: queued builds and tests, waiting deployments, queued runs; and why a line
 * stands.
 *
 * A line has places: the one of all builds or tests (""), one for each environment (deployments), one for each
 * fabric (runs). What keeps everything of a place back is one row of the table `wait`, not a text in
 * each row that waits: a line of ten thousand costs as much as one of ten. The order is sched.h's; its
 * parts are columns with an index each, so the first k are read without looking at the others.
 */
#ifndef PS_STORE_LINE_H
#define PS_STORE_LINE_H

#include "agent/store/rows.h"

enum { LINE_OVERDUE_MS = 10 * 60 * 1000 };	/* SCHED_OVERDUE_MS, which we may not include */

/* The order of sched.h for those who read a whole line: bind "iii", three times the time until which
 * what was created is overdue. Columns without a table's name. */
#define LINE_ORDER                                                                               \
	"CASE WHEN bumped_ms > 0 THEN 0 WHEN created_ms <= ? THEN 1 ELSE 2 END, bumped_ms DESC," \
	" CASE WHEN bumped_ms > 0 OR created_ms <= ? THEN 0 ELSE -priority END,"                 \
	" CASE WHEN bumped_ms > 0 OR created_ms <= ? THEN 0 ELSE turn END, created_ms, id"

enum line { LINE_BUILD, LINE_DEPLOYMENT, LINE_RUN, LINE_TEST, LINE_COUNT };

struct line_row {
	int64_t id, repository, bumped_ms, priority, turn, created_ms;
	char *group;		/* fabric; "" for builds */
};
struct line_rows { struct line_row *v; size_t n; };
void line_rows_clear(struct line_rows *l);

/* Deployments that stand at a gate of their own (gate.h) are in no line; those of a repository that is gone
 * or taken by another agent are passed over.
 * The first k by each rule of the order, so the first k of the whole order are among them. Appends.
 * before: what was created until then is overdue. */
int line_heads(struct store_tx *tx, enum line line, const char *place, int64_t before, size_t k,
	       struct line_rows *out, struct ps_err *err) PS_MUSTCHECK;
/* The first place behind `after` ("" to begin with) where something waits: 1 and *place (free it), or
 * 0. Builds have one place, "": asked with after NULL. */
int line_next_place(struct store_tx *tx, enum line line, const char *after, char **place,
		    struct ps_err *err) PS_MUSTCHECK;

/* What a repository has used of the turns of a line at this priority, for sched_turn(). group: the
 * fabric, "" for builds and runs. */
struct line_turns { int64_t at, served, waiting; };
int line_turns(struct store_tx *tx, enum line line, const char *group, int64_t priority,
	       int64_t repository, struct line_turns *out, struct ps_err *err) PS_MUSTCHECK;
/* Puts a waiting thing at its place in the order. */
int line_enter(struct store_tx *tx, enum line line, int64_t id, int64_t priority, int64_t turn,
	       struct ps_err *err) PS_MUSTCHECK;
/* r was taken from the line, which is at turn `at` now. */
int line_served(struct store_tx *tx, enum line line, const char *group, const struct line_row *r,
		int64_t at, struct ps_err *err) PS_MUSTCHECK;
/* A person wants it first. PS_ENOENT when no such thing waits. */
int line_bump(struct store_tx *tx, enum line line, int64_t id, struct ps_err *err) PS_MUSTCHECK;

/* ---- why a place stands ---- */

struct wait {
	const char *reason;		/* one of the wait reasons */
	const char *detail;		/* for people; NULL: none */
	const char *blocked_by;		/* an id (b31), a role, a fabric, a team */
	const char *lift;		/* the command; NULL: the reason's own */
	int64_t next_try_ms;		/* 0: when something changes */
};

#define WAIT_SURVEY "survey"		/* where events stand whose tree nobody has read */
#define WAIT_TOOLCHAIN "toolchain"	/* where demands stand that have no key yet; with a blank and a
					 * name: those whose toolchain is missing */

/* The place's row: "build", or kind and name ("deployment production", "run dev").
 * free() it. */
char *wait_place(enum line line, const char *place);
/* Since when is kept while the reason stays; with all the same nothing is written. */
int wait_set(struct store_tx *tx, const char *place, const struct wait *w,
	     struct ps_err *err) PS_MUSTCHECK;
/* Nothing stands there. Writes nothing when nothing did. */
int wait_clear(struct store_tx *tx, const char *place, struct ps_err *err) PS_MUSTCHECK;
/* Forgets why places stood where nothing waits any more: what comes next is not told an old reason. */
int waits_prune(struct store_tx *tx, struct ps_err *err) PS_MUSTCHECK;

#endif
