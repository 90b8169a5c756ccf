/*
 * import – which jobs of a fabric another tool has made that are ours to take over.
 *
 * All rows of one request are stored, or none: the first that cannot be says why. Asking again with
 * the same rows changes nothing.
 */
#ifndef PS_FLOW_IMPORT_H
#define PS_FLOW_IMPORT_H

#include <jansson.h>

#include "agent/flow/core.h"

struct import_ask {
	const char *who;        /* as shown */
	const char *repository; /* name */
	const char *project;    /* path; "." for the top */
	const char *policy;     /* digest of the configuration that fabrics were looked up in */
	json_t *jobs;           /* list of {fabric (name), job, name, id}: texts, all there */
	bool dry;               /* says what would be stored */
};

/* reply's text: JSON, a list of {id (job), fabric, remote, state: new | changed | same | deployed}.
 * Of what is refused (PS_ENOENT, PS_ECONFLICT, PS_EBUSY) problem names the job. */
void flow_import(struct core *c, const struct import_ask *ask, core_reply_fn *reply, void *arg);

#endif
