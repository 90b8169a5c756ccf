/*
 * word – what one hook said, on its way into the store: who said it, about which repository, when.
 *
 * A word comes by the door or from the spool and is treated alike. It ends exactly once, in the
 * function given to word_record(), which may read its members; it is freed afterwards. The first
 * word about a repository needs the gate, which knows the repository's id.
 */
#ifndef PS_WORD_H
#define PS_WORD_H

#include "agent/flow/core.h"
#include "agent/flow/merge.h"
#include "agent/store/pause.h"

struct word;
typedef void word_fn(struct word *w, int rc, const struct ps_err *err);

struct word {
	struct core *core;
	struct msg m;			/* the intent or report */
	struct msg verdict;		/* the gate role's; type MSG_NONE: it was not asked */
	uint32_t uid;			/* of the process, or the owner of the file */
	int pidfd;			/* of receive-pack; -1 */
	const char *judged;		/* gate, program, skipped, none */
	char *name;			/* of the repository, below its root */
	char *pusher, *acting_as;	/* as far as believed; NULL: unknown */
	char *note;			/* a line for the pusher; NULL */
	bool hold_unknown;
	int64_t from, to;		/* on the boot of the message */
	enum store_sync sync;
	struct merge_done done;
	struct pauses pauses;		/* a report: in force when it was stored */
	bool found;			/* the gate was asked for the repository's id */
	/* a report by the door whose intent is not known: it may lie in the spool, which is taken
	 * first (asked at that time, clock_boot_ns) */
	bool overtakes;
	int64_t asked;
	word_fn *fn;
	void *arg;			/* of the caller: the client, the spool's entry */
	char *spool_name;
	struct word *prev, *next;	/* of all that are under way */
};

/*
 * Takes *m over (its type becomes MSG_NONE). PS_EPERM when this uid may not speak for the
 * repository, with a text for the log. The stamp inside is the writer's claim: it is never later
 * than now.
 */
int word_new(struct word **out, struct core *c, struct msg *m, uint32_t uid,
	     struct ps_err *err) PS_MUSTCHECK;
/* Puts it into the store, then calls w->fn. Its push is watched from then on. */
void word_record(struct word *w);
/* The spool was taken: everything in it at the time `started` is stored; who waited goes on. */
void words_on_spool(int64_t started);
/* Ends it without storing anything. */
void word_free(struct word *w);
/* Ends all that are under way, unstored, for the end of core. */
void words_forget(struct core *c);

const char *word_repository(const struct word *w);
const char *word_push(const struct word *w);
/* May this uid speak for hooks of the repository? NULL: yes; else why not (static). */
const char *word_refused(struct core *c, const char *repository, uint32_t uid);

#endif
