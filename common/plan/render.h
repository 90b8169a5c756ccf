/*
 * render – a job's template (databricks-job.json of a release) and parameters become the definition
 * that a fabric gets: canonical JSON in which no placeholder is left.
 *
 * Replacing is done on JSON texts, so a quote in a value stays a quote. Both generations of the
 * format are known: the request itself, and the one wrapped in CreateNewJobRequest.
 */
#ifndef PS_RENDER_H
#define PS_RENDER_H

#include <jansson.h>

#include "common/base/err.h"

struct buf;

struct render_params {		      /* NULL: no value known */
	const char *project_id;	      /* projects: id */
	const char *release_version;  /* release_version() */
	const char *full_release_tag; /* release_full_tag() */
	const char *prophecy_url;     /* projects: url */
};

/*
 * Appends the rendered definition. key ("jobs/X") names the job in messages. PS_EINVAL when the
 * template is not a JSON object with a `request`, holds a placeholder that has no value (the
 * message names the key of penstock.yml that gives it one), or one that nobody knows.
 */
int render_job(const char *key, const char *bytes, size_t n, const struct render_params *p,
	       struct buf *out, struct ps_err *err) PS_MUSTCHECK;

/* The same in two steps, for who changes the template in between; *doc and *out are his. */
int render_read(json_t **doc, const char *key, const char *bytes, size_t n,
		struct ps_err *err) PS_MUSTCHECK;
int render_doc(const char *key, const json_t *doc, const struct render_params *p, json_t **out,
	       struct ps_err *err) PS_MUSTCHECK;

/*
 * What a definition has of us beside its request: a member that no template can have. Enforced:
 * whether its schedule is paused is as the definition says, whatever somebody has made of it on the
 * fabric.
 */
#define RENDER_OWN "penstock"
/* Path on the fabric, as libraries are named, to text: the project's configuration files. */
#define RENDER_CONFIGURATIONS "configurations"
#define RENDER_ENFORCE "enforce_schedule"
bool render_enforces(const json_t *doc);

/* The request of either generation; NULL when doc has none. Borrowed from doc. */
const json_t *render_request(const json_t *doc);
/* fabric_id or fabricId as a number; 0 when there is none or it is not a number. */
int64_t render_fabric_id(const json_t *doc);
/*
 * The part of a library's path below FileStore (or a volume), "prophecy/artifacts/...", when it
 * names an artifact of a release; NULL for any other library. Points into path.
 */
const char *render_artifact_path(const char *path);
/* Every path in a text of doc that names an artifact gets this folder in front of that part: base
 * "/Volumes/c/s/v" makes "/Volumes/c/s/v/prophecy/artifacts/a.whl" of any other. */
void render_base(json_t *doc, const char *base);

#endif
