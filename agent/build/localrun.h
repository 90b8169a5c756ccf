/*
 * localrun – one run of a deployed job on a local fabric: its tasks in dependency order, each in a
 * sandbox of its own.
 *
 * Inside, the fabric's FileStore is read-only at its Databricks path, its data folder writable at
 * /dbfs/data, everything else scratch that is gone with the task. A task's wheel must have the
 * digest that was deployed, or the task fails before anything of it runs. A task whose dependency
 * did not pass is "upstream failed"; the others still run. Straight-line code for a process of its
 * own.
 */
#ifndef PS_LOCALRUN_H
#define PS_LOCALRUN_H

#include "agent/build/sandbox.h"
#include "common/wire/msg.h"

struct localrun {
	const struct wire_run_start *run;
	const char *java; /* NULL: none */
	const char *mark; /* sandbox.h */
	struct sandbox_limits limits;
	int64_t log_max;
	/* Told as it happens; state as in the wire table. last and reason may be NULL. */
	void (*on_state)(void *arg, const struct wire_task *t, const char *state, const char *last,
			 const char *reason);
	void *arg;
};

/* Returns true when every task passed; else reason (512 bytes) has the first cause. */
bool localrun_do(const struct localrun *r, char reason[512]);

#endif
