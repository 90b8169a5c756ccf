/*
 * manifest – a release: what one project's content comes to, and nothing about how it was reached.
 *
 * Its canonical JSON is stored by digest, and that digest is the release id. There is no commit,
 * ref, version, time or pusher in it: the same content is the same release, however it was reached
 * (design/RELEASES.md). What tells how is a label, and lives in the store.
 */
#ifndef PS_MANIFEST_H
#define PS_MANIFEST_H

#include "common/base/err.h"

struct buf;

enum { MANIFEST_FORMAT = 1, MANIFEST_SHORT = 12 }; /* digits of an id that people see */

struct manifest_input { /* what went in besides the project's own tree */
	char *path;
	char *oid;
};

struct manifest_artifact {
	char *pipeline; /* pipelines/X */
	char *file;	/* name of the wheel or jar: one path part */
	char sha256[65];
	int64_t size;
	char **instances; /* config instances inside it: what `-i` may choose */
	size_t ninstances;
};

/* The file of a job that a plan renders. */
#define MANIFEST_TEMPLATE "code/databricks-job.json"
/* Of a job for Databricks: configuration files, each by its place below the release's folder on
 * the fabric and not below the job's. */
#define MANIFEST_CONFIGURATIONS "configurations/"

struct manifest_file {
	char *path;	 /* relative to the job's folder: code/databricks-job.json */
	char sha256[65]; /* in the content store */
};

struct manifest_job {
	char *key; /* jobs/X */
	char *name;
	char *provider;	   /* databricks or airflow */
	int64_t fabric_id; /* fabricUID; 0: none */
	struct manifest_file *files;
	size_t nfiles;
};

struct manifest {
	char *project;	 /* path in the repository; "." for the top */
	char *tree;	 /* git object name of its folder */
	char *toolchain; /* digest; "" when nothing was built */
	struct manifest_input *inputs;
	size_t ninputs;
	struct manifest_artifact *artifacts;
	size_t nartifacts;
	struct manifest_job *jobs;
	size_t njobs;
};

/*
 * Sorts the lists of m (inputs by path, artifacts by pipeline, jobs by key, files by path,
 * instances by name), appends the canonical bytes and sets id to their SHA-256. PS_EINVAL names the
 * first member that is not what it must be (a digest, a clean path, two of one key). m may point to
 * constant texts.
 */
int manifest_write(struct manifest *m, struct buf *out, char id[65],
		   struct ps_err *err) PS_MUSTCHECK;
/* Reads what manifest_write() wrote; proves that the bytes are the canonical ones and that their
 * digest is id. m owns what it points to: manifest_clear(). PS_ECONFLICT for other bytes. */
int manifest_read(struct manifest *m, const char *bytes, size_t n, const char *id,
		  struct ps_err *err) PS_MUSTCHECK;
void manifest_clear(struct manifest *m);

/* The file of a job by path; NULL when it has none. */
const struct manifest_file *manifest_job_file(const struct manifest_job *j, const char *path);

/* The artifact with this file name; NULL when the release has none. */
const struct manifest_artifact *manifest_artifact_named(const struct manifest *m, const char *file);
bool manifest_has_instance(const struct manifest_artifact *a, const char *instance);

/*
 * The version that placeholders and artifact paths get: of a tag its own (what stands behind the
 * last
 * '/', as written: pbt's tags are <name>/<version>); of a branch `<project version>-<12 of the
 * id>`. PS_EINVAL for a ref that is neither, or a version that cannot be one part of a path. free()
 * *out.
 */
int release_version(char **out, const char *ref, const char *project_version, const char *id,
		    struct ps_err *err) PS_MUSTCHECK;
/* The full release tag: the tag's whole name, or `<branch>/<release version>` as pbt writes it. */
int release_full_tag(char **out, const char *ref, const char *version,
		     struct ps_err *err) PS_MUSTCHECK;

#endif
