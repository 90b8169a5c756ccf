/*
 * job – a job's definition files as they are read: databricks-job.json of both generations.
 *
 * The older generation says fabricId for fabric_id and wraps the request in CreateNewJobRequest.
 * These are views: they point into the doc, which the caller keeps.
 */
#ifndef PS_JOB_H
#define PS_JOB_H

#include "common/project/doc.h"

struct job_view {
	const struct doc_node *root;
	const struct doc_node *components;	/* a list, or NULL */
	const struct doc_node *request;		/* a map (unwrapped), or NULL */
	const struct doc_node *tasks;		/* a list, or NULL */
	const struct doc_node *fabric;		/* fabric_id or fabricId, a scalar, or NULL */
};

void job_view(struct job_view *out, const struct doc_node *root);

/* What one component says. NULL where it does not. */
struct job_component {
	const char *kind;			/* PipelineComponent, ScriptComponent, ... */
	const struct doc_node *body;		/* what stands behind the one key */
	const char *node_name;			/* a task_key */
	const struct doc_node *reference;	/* pipelineId, else id; PipelineComponent only */
};
bool job_component(struct job_component *out, const struct doc_node *component);
/* A reference inside this project: "pipelines/X"; those to other projects are never resolved
 * here. */
bool job_reference_is_local(const char *reference);
/* The component whose nodeName is this task; false when there is none. */
bool job_component_of_task(struct job_component *out, const struct job_view *v,
			   const char *task_key);

/* The value behind `-i` in a task's parameters (wheel or jar task), or NULL. */
const struct doc_node *job_task_instance(const struct doc_node *task);
/* The number of a fabric, whether written as number or decimal text; 0 when it is neither. */
int64_t job_fabric_number(const struct doc_node *node);

enum job_provider { JOB_DATABRICKS, JOB_AIRFLOW };
/* By the scheduler's one key, as pbt does: Databricks, and anything else is Airflow-like. *word
 * (may be NULL) gets the key as written, or NULL. */
enum job_provider job_provider(const struct doc_node *entry, const char **word);

#endif
