/*
 * job_params – parameters of a whole job: what "parameters" of its definition declares, with
 * defaults, and what "{{job.parameters.NAME}}" in a task's parameters stands for (Databricks, "job
 * parameters"). For local runs: a provider puts them in by itself.
 */
#ifndef PS_JOB_PARAMS_H
#define PS_JOB_PARAMS_H

#include <jansson.h>

#include "common/base/err.h"

/* Each of given (an object of texts; NULL: none) is declared by the request? PS_EINVAL names the
 * first that is not, and those that are. */
int job_params_check(const json_t *request, const json_t *given, struct ps_err *err) PS_MUSTCHECK;
/* text with every reference to a declared parameter replaced by what was given, else by its
 * default. free() it. */
char *job_params_fill(const json_t *request, const json_t *given, const char *text);

#endif
