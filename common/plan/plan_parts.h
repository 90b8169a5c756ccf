/* plan_parts – what the files that make a plan share; nobody else includes it. */
#ifndef PS_PLAN_PARTS_H
#define PS_PLAN_PARTS_H

#include <jansson.h>

#include "common/plan/plan.h"

void plan_problem(struct plan *p, const char *fmt, ...) PS_PRINTF(2, 3);
void plan_job_clear(struct plan_job *j);

/* ---- plan_artifacts.c ---- */

/* Can artifacts have a path? What is missing is a problem of the plan. */
bool plan_has_paths(struct plan *p, const struct plan_input *in);
/* The path of an artifact with this version. free() it. */
char *plan_path_of(const struct plan_input *in, const struct manifest_artifact *a,
		   const char *version);
/* The artifacts of the release that the libraries of a definition name, which was rendered with
 * this version: their paths into j->uses. False when one of the paths is none of the release; p,
 * if given, gets a problem for each. */
bool plan_uses(const struct plan_input *in, struct plan *p, const char *key, const json_t *doc,
	       const char *version, struct plan_job *j);
/* Do the files that the definition brings lie below the project's own folder? Else p gets a problem
 * for each. */
void plan_brought(struct plan *p, const struct plan_input *in, const char *key, const json_t *doc);
/* Does each of them lie there with the bytes that this release has? */
bool plan_uses_there(const struct plan_input *in, const struct plan_job *j);
const struct manifest_artifact *plan_artifact_of(const struct plan_input *in, const char *path);
/* What was put at this path; NULL: nothing that is known. */
const char *plan_digest_there(const struct plan_input *in, const char *path);
/* When the jobs are there: what they name, then what no job names. */
void plan_artifacts(struct plan *p, const struct plan_input *in);
/* Leaves out what no job of the plan names. */
void plan_artifacts_cut(struct plan *p);

/* ---- plan_configurations.c ---- */

/* Are there configuration files for jobs that go there? */
bool plan_has_configurations(const struct plan_input *in);
/* Are the bytes of those of the job given? Else err says which are not. */
bool plan_configurations_at_hand(const struct plan_input *in, const struct manifest_job *mj,
				 struct ps_err *err);
/* They go into doc, rendered, with the paths of this version. PS_EINVAL for one that is no text. */
int plan_configurations(const struct plan_input *in, const struct manifest_job *mj,
			const char *version, json_t *doc, struct ps_err *err) PS_MUSTCHECK;
/* A problem of p for each text of the job that names a configuration file of this release which
 * is none, also where it has none at all. */
void plan_configurations_check(struct plan *p, const struct plan_input *in, const char *key,
			       const char *version, const json_t *doc);

/* ---- plan_dag.c ---- */

/* The template of an Airflow job, whose files are texts in it. *out stays NULL when there is none,
 * which is a problem of the plan (0), or for our own failure: a file was not given (negative). */
int plan_dag_template(struct plan *p, const struct plan_input *in, const struct manifest_job *mj,
		      const char *subject, json_t **out, struct ps_err *err) PS_MUSTCHECK;
/* Each text of doc becomes its digest; the bytes go to j. */
void plan_dag_fold(json_t *doc, struct plan_job *j);

/* ---- plan_jobs.c ---- */

const struct plan_template *plan_template_of(const struct plan_input *in, const char *sha256);

/* *rendered: lines for plan->rendered, one for each job. */
int plan_jobs(struct plan *p, const struct plan_input *in, struct buf *rendered,
	      struct ps_err *err) PS_MUSTCHECK;

#endif
