/*
 * history – the parts of test_history: a repository whose refs move by pushes and otherwise, hooks
 * that tell core of it or cannot, and core, made of the real merge functions over a real store.
 *
 * A history is a list of operations. Each is carried out as far as it makes sense at that moment,
 * so any part of a history is a history too, and one that fails can be made shorter.
 */
#ifndef TEST_HISTORY_H
#define TEST_HISTORY_H

#include "agent/flow/merge.h"
#include "agent/store/tx.h"

enum {
	REFS = 3,			/* refs that have a value */
	ALIAS = REFS,			/* one more name, of ref 0 */
	VALUES = 4,			/* 0: the ref is not there */
	PUSHES = 8,
	COMMANDS = 3,
	OPS = 200,			/* with the steps between */
	MOVES = 160,
	SPOOL = 64,
	READINGS = 600,
	PATH = (MOVES + 1) * 41 + 1,	/* what a reflog tells */
};

/* How a word of a hook comes to core. */
enum road {
	BY_DOOR, BY_SPOOL,
	BY_BOTH,			/* core stored it, its answer came too late */
	LOST,
};

struct command {
	int ref, new;			/* ref: ALIAS too */
	int claim;			/* -1: what the ref had when the client connected */
	bool refused;			/* after pre-receive, by git */
};

struct push_plan {
	struct command v[COMMANDS];
	int n;
	bool atomic;
	bool blind;			/* nobody could read the refs in time */
	enum road intent, report;
};

enum what {
	OP_PUSH,			/* connects; what follows are its steps */
	OP_STEP,			/* of push p: reads, tells its intent, moves, reports, ends */
	OP_KILL,			/* the client of push p */
	OP_SERVER,			/* update-ref on the server */
	OP_SETTLE,			/* core and push p, which ended: drains and reads, then stores */
	OP_TAKE,			/* core takes n of the spool, at the next tick */
	OP_LOOK,			/* core drains and reads all refs, then stores */
	OP_STOP, OP_START,		/* core */
	OP_REBOOT,			/* power: what was not synced is gone */
};

struct op {
	enum what what;
	int p, n, ref, new;
	bool power;
	struct push_plan plan;
};

struct history {
	struct op v[OPS];
	int n;
	int first[REFS];		/* values at the start */
	bool looked;			/* core has adopted the repository before */
	bool lossy;			/* intents may be lost: less is promised */
	bool late, server;		/* words by the spool; moves on the server */
	bool logs;			/* the repository keeps reflogs */
	bool cut;			/* now and then they do not join */
	bool twice;			/* pushes may name a ref twice: still less is */
};

/* ---- the world while a history runs ---- */

struct move { int old, new, push, line; int64_t at, told_at; bool told, promised; };

enum phase { AWAY, CONNECTED, READ, TOLD, MOVING, MOVED, REPORTED, ENDED };

struct live_push {
	struct push_plan plan;
	enum phase phase;
	bool killed, settled;
	int boot, next;			/* next command to carry out */
	int old[COMMANDS], seen[COMMANDS];
	bool ok[COMMANDS];
	int64_t from, read, to, post;
	int64_t intent_at;		/* when core had it first; 0: never */
	int64_t settled_at;		/* 0: not yet */
	bool synced;
	/* of the settlement under way */
	bool reading;
	int64_t set_from, set_read;
	int value[COMMANDS];
	uint64_t log[COMMANDS], since[COMMANDS];
	char path[COMMANDS][PATH];
};

struct spooled { int push; bool report; int boot; int64_t stamp; };

/* A value that core took for the last one: read at `read`, stored at `at`. */
struct reading { int ref; int64_t read, at; };

struct world {
	const struct history *h;
	struct store_tx *tx;
	bool no_drain;			/* the proof that the test can fail */
	int64_t now, base[OPS + 1];	/* base: when each boot began; stamps count from there */
	int boot;
	bool up;
	int value[REFS];
	struct move moves[REFS][MOVES];
	int nmoves[REFS];
	struct live_push p[PUSHES];
	struct spooled spool[SPOOL];
	int nspool;
	struct reading readings[READINGS];
	int nreadings;
	bool looking;
	int64_t look_from, look_read;
	int look_value[REFS];
	uint64_t look_log[REFS], look_since[REFS];
	char look_path[REFS][PATH];
	char why[400];			/* first thing that is wrong; empty: nothing */
	long events;
	bool lost;			/* what is wrong is that something is missing */
	long logged, exact;		/* refs with a whole reflog; with the events it tells */
	long judged, strict;		/* refs that moved; and those judged without leniency */
	long guessed, elsewhere, surplus;	/* see history_judge.c */
};

extern const char *const history_refs[REFS + 1];
const char *history_value(int v);
int history_letter(const char *oid);

/* Git and its hooks. */
void git_do(struct world *w, const struct op *op);
void git_finish(struct world *w);	/* every push comes to its end */
/* Core. */
void agent_hear(struct world *w, int push, bool report, enum road road);
void agent_do(struct world *w, const struct op *op);
void agent_finish(struct world *w);
void world_wrong(struct world *w, const char *fmt, ...) PS_PRINTF(2, 3);
/* Is the store what git did? Says so in w->why when not. */
void history_judge(struct world *w);

#endif
