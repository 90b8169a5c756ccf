/*
 * acts_parts – one act under way, shared by the files acts_*.c and for nobody else.
 *
 * The functions here run inside the transaction of the act, on the writer's thread; what they leave
 * in `stops` and `keeps` is sent by acts.c after the commit.
 */
#ifndef PS_ACTS_PARTS_H
#define PS_ACTS_PARTS_H

#include "agent/flow/acts.h"
#include "agent/store/build_wish.h"
#include "agent/store/event.h"
#include "agent/store/need.h"
#include "agent/store/run.h"
#include "agent/store/test.h"

struct acts_stop { /* work under way that shall end */
	char kind; /* t, x: builds are told by the next pass */
	int64_t id, fence;
	bool remote; /* a run at a provider */
};

struct acts_keep { /* a commit that is needed again */
	char *repository, *oid;
};

struct acting {
	const struct config *cfg;
	const struct ps_paths *paths;
	struct acts_ask ask; /* the strings are whoever's made it */
	char *why;           /* "cancelled by kim: TEXT", "retried by kim" */
	char *plan;	     /* what was approved or rejected: its digest, for the audit; NULL */
	json_t *items;
	char *next; /* after a refusal: the command to type; NULL */
	struct acts_stop *stops;
	size_t nstops, cap_stops;
	struct acts_keep *keeps;
	size_t nkeeps, cap_keeps;
	/* providers that can go on from a failed task; unknown: nobody has told */
	char **repairs;
	size_t nrepairs;
	bool repairs_unknown;
};

/* Everything in it but cfg, paths and ask. */
void acting_init(struct acting *a);
void acting_clear(struct acting *a);
/* As the audit names it: the command's own word. */
const char *acts_word(enum acts_verb verb);

int acts_cancel(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_retry(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_bump(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_redeploy(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_approve(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_reject(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_deploy(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_close(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_promote(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
/* acts_repair.c */
int acts_repair(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
/* acts_back.c */
int acts_rollback(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_pin(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_unpin(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_prune(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;
int acts_check_build(struct store_tx *tx, struct acting *a, struct ps_err *err) PS_MUSTCHECK;

/* What was changed, for the answer; a thing that is in it already is not repeated. */
void acts_item(struct acting *a, char kind, int64_t id, const char *state, const char *reason,
	       const char *what);
/* The same for a thing that has a name instead of a number. */
void acts_item_named(struct acting *a, const char *id, const char *state, const char *reason,
		     const char *what);
void acts_stop(struct acting *a, char kind, int64_t id, int64_t fence, bool remote);
/* May he do this to every one of these (open_only: of the open ones)? PS_EPERM for the first he may
 * not. None at all: only an admin may. */
int acts_check_needs(struct acting *a, const char *verb, const char *what, const struct needs *l,
		     bool open_only, struct ps_err *err) PS_MUSTCHECK;
/* The same, but one of them is enough. */
int acts_check_any(struct acting *a, const char *verb, const char *what, const struct needs *l,
		   struct ps_err *err) PS_MUSTCHECK;
/* The number behind a typed id of this kind is there; else "no such build: b31". */
int acts_unknown(struct acting *a, const char *noun, int rc, struct ps_err *err) PS_MUSTCHECK;

#endif
