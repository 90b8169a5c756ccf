/*
 * hook – the program git runs as hooks/pre-receive and hooks/post-receive. libc and msgpack alone.
 *
 * hook_main.c reads the order; hook_push.c finds out who asks for what (bearings, push id,
 * commands), hook_options.c what he wants beside that (`git push -o`); hook_ask.c puts the
 * question: to core, else to the gate program, and leaves word in the spool; hook_print.c says the
 * answer. One budget for all of it: a failure of ours never hangs the push. hook_chain.c calls the
 * hook that was there before ours; its time is its own.
 */
#ifndef PS_HOOK_H
#define PS_HOOK_H

#include "common/base/buf.h"
#include "common/config/policy.h"
#include "common/wire/msg.h"

enum {
	HOOK_BUDGET_MS = 4000,		/* where no policy says otherwise */
	HOOK_CONNECT_MS = 200,
	HOOK_REPORT_MS = 1000,		/* post-receive waits this long for core */
	HOOK_SPOOL_MS = 500,
	HOOK_PARENTS_MAX = 8,
	HOOK_STDIN_MAX = 3 << 20,	/* commands of one push: a frame must hold them */
};

struct hook {
	bool post;
	int64_t start_ns, end_ns;	/* of the budget, on clock_boot_ns() */
	char *socket, *policy_path, *gate;	/* penstock.hook; NULL: not readable */
	struct policy_head policy;
	bool has_policy;
	char *repository;		/* real path */
	struct buf input;		/* stdin as it came */
	struct buf text;		/* the lines that refs point into */
	struct wire_ref_line *refs;
	size_t nrefs;
	char push[WIRE_ID];
	uint64_t pid, pid_start;	/* receive-pack; 0: not found */
	int pidfd;			/* -1: none */
	const char *pusher, *as;	/* NULL: unknown, nobody else */
	char *object_dir;		/* quarantine; NULL outside one */
	const char *alternates;
	const char *refusal_prefix;	/* the host's, on every line of a refusal; NULL: none */
	bool over_limit;		/* more commands than a frame holds */
	bool dry_run, skip;		/* push options */
};

/* hook_push.c. Each tells in err what stays unknown; the push goes on without it. */
int hook_bearings(struct hook *h, const char *argv0, struct ps_err *err) PS_MUSTCHECK;
int hook_read_input(struct hook *h, struct ps_err *err) PS_MUSTCHECK;
int hook_repository(struct hook *h, struct ps_err *err) PS_MUSTCHECK;
void hook_find_push(struct hook *h);
void hook_find_pusher(struct hook *h);

/* hook_options.c: penstock.dry-run and penstock.skip of the push; a warning for each other
 * penstock.* option. */
void hook_find_options(struct hook *h);

/* hook_ask.c. Both return the exit code. */
int hook_pre_receive(struct hook *h);
int hook_post_receive(struct hook *h);

/*
 * hook_chain.c: the hook of the same event that `penstock install` found and keeps in penstock.kept
 * beside the folder of hooks. It gets what git would give it: input, arguments, environment,
 * descriptors, working folder; one that may not be executed does not count, as with git.
 */
struct chain {
	char *path;			/* NULL: there is none */
	char **argv;			/* ours; as it gets it, but for the path */
	void (*sigpipe)(int);		/* what git left it */
};
void chain_find(struct chain *c, char **argv);
/* Keeps all of standard input, so that both can read it from its start. Negative: said. */
int chain_take_input(const struct chain *c) PS_MUSTCHECK;
/* Runs it to its end and returns its exit code, 128 and the signal's number when it was killed. */
int chain_run(const struct chain *c) PS_MUSTCHECK;
/* Becomes it. Returns only with an exit code, when it cannot be started. Safe in a signal
 * handler. */
int chain_exec(const struct chain *c);

/* hook_print.c: whole lines to the pusher. Write errors are nobody's concern here. */
void hook_say(const char *fmt, ...) PS_PRINTF(1, 2);
void hook_relay(const char *text);	/* escaped already by who wrote it */
void hook_lines_begin(const char *prefix);	/* from here on; NULL: as they are */

#endif
