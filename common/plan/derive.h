/*
 * derive – one job made from another by a rule of penstock.yml, "duplicate the job on the
 * production fabric", before anything is rendered. Pure; the plan and `penstock job derive` ask.
 *
 * In this order: the fabric's id wherever the definition names it, the name, `-i CONFIG` of each
 * task that runs a pipeline of the project, enabled, `schedule`, and `patch` (RFC 7386) on the
 * request. depends_on, libraries and the artifacts' paths stay. Both generations of the format.
 */
#ifndef PS_DERIVE_H
#define PS_DERIVE_H

#include <jansson.h>

#include "common/config/config.h"
#include "common/plan/manifest.h"

/* What is deployed already under the new key: its state is an operator's to change. */
enum derive_there { DERIVE_NOT_THERE, DERIVE_THERE, DERIVE_THERE_UNREAD };

struct derive_to {
	const struct conf_derive *rule;
	const struct manifest *release; /* artifacts: pipelines and their instances */
	int64_t fabric_id;
	enum derive_there there;
	const json_t *deployed; /* DERIVE_THERE: its definition */
};

typedef void derive_problem_fn(void *arg, const char *text);

/* Changes doc, the definition of the rule's `from`, which has a request. Every problem is told,
 * beginning with the rule and its line; how many there were is returned. */
size_t derive_job(json_t *doc, const struct derive_to *to, derive_problem_fn *tell, void *arg);
/* "derive 'jobs/x' (penstock.yml:12)": how messages name a rule. free() it. */
char *derive_rule_text(const struct conf_derive *rule);
/* The name that a job gets by its key: jobs/x is x. Points into key. */
const char *derive_name(const char *key);
/* The project file as a merge patch is applied: RFC 7386. target is changed; a new reference to the
 * result, which may be target itself. */
json_t *derive_merge(json_t *target, const json_t *patch);

#endif
