/*
 * pass – one look over all that is open, inside one transaction: what can go on goes on.
 *
 * Runs on the store's writer thread with a view of the world that the loop made (struct pass_view);
 * writes states and reasons; and says in `acts` what the loop shall tell the roles once the commit
 * is on disk. It is run after every change and is idempotent: with nothing to do it writes nothing.
 * Order inside: events → demands → tests → builds → deployments → runs, so that one pass carries a
 * thing as far as it can come.
 *
 * What it reads and writes does not grow with what waits: it takes what happened to something
 * (demand.look, event.settling, builds to cancel) in batches, and of each line the heads (line.h).
 * What keeps the rest of a line is said once for its place. `again` asks for another pass at once:
 * a batch was full, or something ended that another could take the place of.
 */
#ifndef PS_PASS_H
#define PS_PASS_H

#include "agent/flow/disk.h"
#include "agent/flow/sched.h"
#include "agent/flow/toolchains.h"
#include "agent/store/build.h"
#include "agent/store/closure.h"
#include "agent/store/demand.h"
#include "agent/store/deployment.h"
#include "agent/store/imported.h"
#include "agent/store/line.h"
#include "agent/store/pause.h"
#include "agent/store/pin.h"
#include "agent/store/recovery.h"
#include "agent/store/release.h"
#include "agent/store/retention.h"
#include "agent/store/run.h"
#include "agent/store/test.h"

enum act_kind {
	ACT_SURVEY,		/* ask the gate what the event's tree holds */
	ACT_UNKEEP,		/* let the gate drop what it kept for an event */
	ACT_BUILD,		/* export and start a claimed build */
	ACT_CANCEL_BUILD,	/* the build role shall end this claim of it; name: why */
	ACT_TEST,		/* export and start claimed tests */
	ACT_OBSERVE,		/* look at what a deployment would change */
	ACT_DEPLOY,		/* start a deployment whose plan is stored */
	ACT_RUN,		/* start a claimed run, or go on with it */
	ACT_STOP_RUN,		/* its role shall end this claim of it; name: why */
};

struct act {
	enum act_kind kind;
	int64_t id, fence, slot;
	char *repository;	/* real path */
	char *name;		/* of the repository; why */
	char *oid, *ref;	/* what to survey, and who led there */
	struct build build;	/* ACT_BUILD; ACT_TEST: the one that is tested */
	struct test test;	/* ACT_TEST */
	struct deployment deployment;	/* ACT_DEPLOY: with its plan; ACT_OBSERVE */
	bool careful;			/* asked for before the store was restored */
	char *known;			/* then: the release that the store knows to be there */
	struct deployed_jobs there;	/* ACT_DEPLOY: as the store knows them */
	struct imported_jobs imported;	/* the same: another tool's, that are ours to take */
	struct release release;		/* ACT_DEPLOY: with manifest and signature */
	struct run run;		/* ACT_RUN, ACT_STOP_RUN */
	/* ACT_RUN, a local one: the toolchain's prefix, or why there is none */
	char *prefix, *no_prefix;
	struct texts passed;	/* ACT_RUN, a repair: tasks that stay passed */
};

struct pass_view {
	struct policy_now *policy;
	const struct ps_paths *paths;
	bool gate_up, build_up, deploy_up;
	/* demands that came after it was asked for need a newer answer; asked_ms 0: no matter */
	struct toolchain_now toolchain;	/* a copy */
	enum disk_level disk;
	char *disk_problem;		/* detail of the wait; NULL with DISK_OK */
	/* copies */
	char **drivers;			/* providers that the deploy role can reach */
	size_t ndrivers;
	int64_t now_ms;
};

/* Why a place stands: as struct wait, with texts of its own; reason NULL: it does not. */
struct standstill { const char *reason; char *detail, *blocked_by, *lift; };

struct pass {
	struct core *core;	/* for the loop's side only: the writer never touches it */
	int64_t only;		/* recover_deployments(): this one; 0: all */
	struct pass_view view;
	/* in force, read at the begin of the pass */
	struct pauses pauses;
	struct closures closures;
	struct pins pins;
	struct recovery recovery;
	struct unseen { char *fabric; struct standstill why; } *unseen;
	size_t nunseen, cap_unseen;	/* fabrics of which it is not known what is in force */
	struct act *acts;
	size_t nacts, cap_acts;
	bool again;
	bool ask_toolchain;	/* it may have changed since it was asked for */
};

enum { PASS_BATCH = 100 };	/* rows of one kind that one pass takes up */

/*
 * How long a claim lasts without a word of its role. Progress renews it: a build that starts, a
 * task of a run, a step of a deployment; LEASE_GRACE_MS goes on top of a limit that the role itself
 * keeps.
 */
enum { LEASE_EXPORT_MS = 360000, LEASE_DEPLOY_MS = 600000,
       LEASE_REMOTE_MS = 300000, LEASE_GRACE_MS = 60000 };

/* The run function for store_write(); arg is the struct pass. */
int pass_run(struct store_tx *tx, void *arg, struct ps_err *err);
struct act *pass_act(struct pass *p, enum act_kind kind, int64_t id);
void pass_free(struct pass *p);
/* The lowest slot that is free, taken from now on; -1 when all are (or there is none at all). */
int64_t pass_take_slot(bool *taken, unsigned slots);

void standstill_clear(struct standstill *s);
/* Stores it for the place (clears the place when it does not stand) and frees the texts. */
int pass_stand(struct store_tx *tx, enum line line, const char *place, struct standstill *s,
	       struct ps_err *err) PS_MUSTCHECK;

/*
 * pass_observe.c: before a deployment is planned for the last time, somebody looks at what it would
 * change. True in *now: it was just done (or nothing of ours is there), so deployed_jobs() with
 * observed_jobs() is what is in force. Else a look is under way, or could not be made: s says so,
 * and a pass runs when there is an answer.
 */
int pass_observe(struct store_tx *tx, struct pass *p, const struct deployment *d, bool *now,
		 struct standstill *s, struct ps_err *err) PS_MUSTCHECK;

/* Fills release, careful, known and there of an act for this deployment. */
int pass_be_careful(struct store_tx *tx, const struct recovery *r, struct act *a,
		    struct ps_err *err) PS_MUSTCHECK;
/* pass_stop.c: what stops work of this kind whatever its own gates say. */
struct standstill pass_stopped(const struct pass *p, enum pause_work work, const char *environment,
			       const char *fabric);
int pass_read_stops(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;

/* ---- pass_line.c: the lines and their order ---- */

/* Puts something new where it belongs. group: its fabric; "" for builds and runs. */
int pass_enter(struct store_tx *tx, enum line line, const char *group, int64_t id, int64_t priority,
	       int64_t repository, struct ps_err *err) PS_MUSTCHECK;
/* r leaves the line: its turn is used. */
int pass_served(struct store_tx *tx, enum line line, const char *group, const struct line_row *r,
		int64_t now_ms, struct ps_err *err) PS_MUSTCHECK;

/* Heads of places, each with the limit it falls under. */
struct pass_candidates { struct line_rows rows; size_t *limit_of, cap; };
int pass_candidates_add(struct store_tx *tx, struct pass *p, enum line line, const char *place,
			size_t k, size_t limit, struct pass_candidates *c,
			struct ps_err *err) PS_MUSTCHECK;
/* Those that start now, in order, into out (room for all candidates); rows stay c's. */
size_t pass_pick(const struct pass *p, const struct pass_candidates *c, size_t slots,
		 struct sched_limit *limits, const struct line_row **out);
void pass_candidates_clear(struct pass_candidates *c);

/* The places of a line in which something waits. */
struct pass_places { char **v; size_t n, cap; };
int pass_places(struct store_tx *tx, enum line line, struct pass_places *out,
		struct ps_err *err) PS_MUSTCHECK;
void pass_places_clear(struct pass_places *p);

/* Starts what is running again, under a new fence: its role came anew, or told nothing for too
 * long. */
int pass_deploy_again(struct store_tx *tx, struct pass *p, const struct deployment *d,
		      struct ps_err *err) PS_MUSTCHECK;

/* Its parts, one file each. */
int pass_demands(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;
int pass_release(struct store_tx *tx, struct pass *p, struct demand *d, const struct builds *builds,
		 struct ps_err *err) PS_MUSTCHECK;
/* What people asked for has its release from the beginning: it gets its deployment, unless one is
 * open. */
int pass_asked(struct store_tx *tx, struct demand *d, struct ps_err *err) PS_MUSTCHECK;
/* Asks for the tests of a demand's builds that have passed, and weighs them. *go_on: nothing of
 * them keeps the release; else, when builds_done or when one failed, the demand says what does. */
int pass_tests_of(struct store_tx *tx, struct pass *p, struct demand *d,
		  const struct builds *builds, bool builds_done, bool *go_on,
		  struct ps_err *err) PS_MUSTCHECK;
/* Tests share the builders' slots and come first: they end what a build began. */
int pass_tests(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;

/* pass_build.c: the slots that builds and tests share. */
struct slots { bool *taken; unsigned n, used; char *holder, *holder_id; };
/* Those of what is under way; holder names one of it, NULL when there is none. */
int pass_slots_read(struct store_tx *tx, const struct pass *p, struct slots *s,
		    struct ps_err *err) PS_MUSTCHECK;
void pass_slots_clear(struct slots *s);
/* Gives those of a line that come first what is free. */
typedef int (*pass_claim_fn)(struct store_tx *tx, struct pass *p, const struct line_row *row,
			     int64_t slot, struct ps_err *err);
int pass_slots_share(struct store_tx *tx, struct pass *p, enum line line, pass_claim_fn claim,
		     struct ps_err *err) PS_MUSTCHECK;
/* Why none of the builders may begin; reason NULL: they may. */
struct standstill pass_builders_blocked(const struct pass *p);
/* What is left in a line of theirs says why it is. */
int pass_builders_say(struct store_tx *tx, struct pass *p, enum line line,
		      struct ps_err *err) PS_MUSTCHECK;
int pass_builds(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;
int pass_deployments(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;
/* What was deployed and has not been said to be verified or not. */
int pass_verify(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;
int pass_runs(struct store_tx *tx, struct pass *p, struct ps_err *err) PS_MUSTCHECK;

#endif
