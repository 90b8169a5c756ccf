/*
 * forecast – what a push will come to, told while it waits: which builds, and what its release will
 * change on the fabric as that is known. No network, no repository: the gate's outlook, the store,
 * the content store. It asks content.h and planning.h as the pass does after the push.
 *
 * What is not built yet has no digest, so its release has no id yet: a plan is made with stand-ins,
 * and says the same jobs and the same fields (the version in a library's path differs either way).
 */
#ifndef PS_FORECAST_H
#define PS_FORECAST_H

#include "agent/flow/toolchains.h"
#include "agent/store/store.h"
#include "common/config/config.h"
#include "common/config/paths.h"
#include "common/plan/plan.h"
#include "common/wire/msg.h"

struct forecast_row {
	size_t line;			/* of the gate's text: what it takes the place of */
	char *builds;			/* "main: 1 of 3 pipelines ..."; NULL: nothing is known */
	char *fabric;			/* what the items are about */
	char **items;			/* "+ job_x new" */
	size_t nitems, cap;
};

struct forecast_rows { struct forecast_row *v; size_t n; };

struct forecast_in {
	const struct config *cfg;
	const struct ps_paths *paths;
	const struct toolchain_now *toolchain;	/* without one no build can be named */
	const char *path, *name;	/* of the repository */
	bool held;			/* the event will wait until somebody lets it go */
	const struct wire_verdict *gate;	/* its projects and outlook */
};

/* One statement for the repository, per row one for each BUILD_KEYS pipelines and three for what
 * its fabric has. forecast_clear() also after an error. */
int forecast_make(struct store_tx *tx, const struct forecast_in *in, struct forecast_rows *out,
		  struct ps_err *err) PS_MUSTCHECK;
void forecast_clear(struct forecast_rows *l);

/* The gate's text with the forecast in it, at most `max` lines unless text has more. free() it. */
char *forecast_weave(const char *text, const struct forecast_rows *l, size_t max);

/* ---- forecast_text.c: pure ---- */

struct forecast_counts { size_t pipelines, to_build, under_way; };
void forecast_say_builds(struct forecast_row *row, const struct forecast_in *in, const char *ref,
			 const char *project, const struct conf_environment *env,
			 const struct forecast_counts *n);
void forecast_say_hopeless(struct forecast_row *row, const char *ref, const char *project,
			   const char *why);
void forecast_say_plan(struct forecast_row *row, const struct conf_fabric *f,
		       const struct plan *plan);

/* ---- forecast_ask.c: beside a push ---- */

struct core;
struct word;
struct forecast;

/* rows NULL: there is none, or not in time; else they may be taken over. Called once, never from
 * forecast_start(). */
typedef void forecast_fn(void *arg, struct forecast_rows *rows);

/* Takes what it needs out of the word's verdict. NULL when there is nothing to foresee. */
struct forecast *forecast_start(struct core *c, struct word *w, int64_t limit_ms, forecast_fn *fn,
				void *arg);
/* Nobody listens any more: fn is not called. */
void forecast_forget(struct forecast *f);

#endif
