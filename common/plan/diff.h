/*
 * diff – in which fields two definitions of a job differ: part of plan, split for its length.
 */
#ifndef PS_DIFF_H
#define PS_DIFF_H

#include <jansson.h>

#include "common/plan/plan.h"

/* Adds to j the fields in which the two rendered documents differ, at most DIFF_MAX. */
void diff_documents(struct plan_job *j, const char *was, size_t nwas, const char *is, size_t nis);
/* A twin of v; what looks like a secret is "(not shown)" in it. A new reference. */
json_t *diff_without_secrets(const json_t *v);

#endif
