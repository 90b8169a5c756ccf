/* job_check – the rules that the gate has for what was pushed (common/project/job_rules.h), for a
 * definition that derive made. */
#ifndef PS_JOB_CHECK_H
#define PS_JOB_CHECK_H

#include <jansson.h>

typedef void job_check_fn(void *arg, const char *text);
void job_check(const json_t *definition, job_check_fn *tell, void *arg);

#endif
