/*
 * job_rules – what must hold of a job definition wherever it came from: the gate asks for what was
 * pushed, the plan for what derive made of it. Pure.
 */
#ifndef PS_JOB_RULES_H
#define PS_JOB_RULES_H

#include "common/project/job.h"

enum job_rule {
	JOB_RULE_SHAPE,		/* components is a list, request is a map */
	JOB_RULE_TASKS,		/* task keys are unique, depends_on names tasks, no cycle */
};

/* subject names the thing across two versions of the file: a member or a task_key. near: a known
 * name of which the unknown one is a slip, or NULL. */
typedef void (*job_rules_report)(void *arg, enum job_rule rule, struct doc_pos at,
				 const char *subject, const char *text, const char *near);

void job_rules_check(const struct job_view *v, job_rules_report report, void *arg);

#endif
