/*
 * tasks – what a local fabric runs of a job: its Python wheel tasks in dependency order.
 *
 * Used twice on the rendered definition: by the plan, which refuses what could not run, and by
 * `penstock run`.
 */
#ifndef PS_TASKS_H
#define PS_TASKS_H

#include <jansson.h>

#include "common/base/err.h"

struct run_task {
	char *key;	   /* task_key */
	char *package;	   /* package_name */
	char *entry;	   /* entry_point */
	char **parameters; /* argv of the entry point */
	size_t nparameters;
	char *wheel;  /* path below FileStore */
	char **after; /* tasks that must have passed */
	size_t nafter;
};

struct run_tasks {
	struct run_task *v;
	size_t n;
};

/*
 * Reads the tasks of a rendered definition; each stands behind all that it depends on, otherwise in
 * the order of the definition. config (may be NULL) takes the place of the value behind `-i`, or is
 * added. params (an object of texts; NULL) are values for parameters of the job (job_params.h).
 * PS_EINVAL names the first task that is of another kind, has no wheel of a release, depends
 * on an unknown one or on itself. Free with run_tasks_clear().
 */
int run_tasks_read(struct run_tasks *out, const char *key, const json_t *doc, const char *config,
		   const json_t *params, struct ps_err *err) PS_MUSTCHECK;
/* The same from bytes. */
int run_tasks_parse(struct run_tasks *out, const char *key, const char *bytes, size_t n,
		    const char *config, const json_t *params, struct ps_err *err) PS_MUSTCHECK;
void run_tasks_clear(struct run_tasks *t);

#endif
