/* run_parts – what the files of one deployment share; nobody else includes it. */
#ifndef PS_RUN_PARTS_H
#define PS_RUN_PARTS_H

#include "agent/deploy/journal.h"
#include "agent/deploy/place.h"
#include "common/wire/msg.h"

struct run {
	const struct wire_deploy_start *d;
	struct place place;
	struct journal journal;
	char digest[65]; /* of the stamp: names what is deployed, as a whole */
	struct buf stamp;
	/* somebody was asked for the last step's effect and nobody can say what became of it */
	bool unknown;
};

/* What one step does. `what`: of the step's kind. id (free it) is what the provider calls the
 * job. */
typedef int step_fn(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
		    struct ps_err *err);

/* One step: begun in the journal, done, told. job: its key; NULL when it is about no single one. */
int run_step(struct run *r, const char *name, step_fn *act, const void *what, const char *job,
	     struct ps_err *err) PS_MUSTCHECK;

/*
 * The two ways of fabric.h, after the artifacts.
 *
 * careful: what was asked for before core's store was restored may have been done and followed by
 * more since. It goes on where it is there already, or where the fabric is as core remembers it;
 * else PS_ECONFLICT. The check changes nothing and tells the first thing that is not as planned.
 */
struct run_way {
	int (*careful)(struct run *r, struct ps_err *err) PS_MUSTCHECK;
	int (*steps)(struct run *r, struct ps_err *err) PS_MUSTCHECK;
	int (*check)(struct run *r, struct ps_err *err) PS_MUSTCHECK;
};
extern const struct run_way run_way_sets, run_way_jobs;

/* For a careful(): the fabric was changed since. */
int run_overtaken(struct ps_err *err);

#endif
