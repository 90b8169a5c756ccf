/*
 * plan – what a release changes on one fabric: artifacts to put, jobs as they shall be, and how
 * that differs from what is known to be there. Pure: data in, data out.
 *
 * What cannot be carried out is not an error of ours but a finding of the plan: `problems` lists
 * all of them, and a plan with problems is never deployed.
 */
#ifndef PS_PLAN_H
#define PS_PLAN_H

#include "common/base/err.h"
#include "common/config/config.h"
#include "common/plan/manifest.h"
#include "common/plan/render.h"

struct buf;

enum plan_provider { PLAN_LOCAL, PLAN_DATABRICKS, PLAN_AIRFLOW };

struct plan_template { /* a file of a job of the release, by digest */
	const char *sha256;
	const char *bytes;
	size_t n;
};

struct plan_known { /* a job as last deployed there for this project */
	const char *key, *name;
	const char *digest;
	const char *bytes; /* rendered; NULL: not at hand, then no fields are shown */
	size_t n;
	bool orphan; /* an earlier release left it behind */
	/* digest of what a look found in force; "": nothing; NULL: nobody has looked since */
	const char *observed;
	const char *seen; /* the definition in force, where that is another; NULL: not at hand */
	size_t nseen;
	/* those that its definition was rendered with; NULL: not known */
	const char *version, *ref;
};

/* In place of an artifact's digest, where a release is looked ahead to: its build is to come. */
#define PLAN_UNBUILT "0000000000000000000000000000000000000000000000000000000000000000"

struct plan_there { /* an artifact that earlier deployments have put there */
	const char *path;
	const char *sha256;
};

struct plan_input {
	const struct manifest *release;
	const char *release_id;
	const char *environment;
	const char *repository;
	enum plan_provider provider;
	int64_t fabric_id;
	const char *fabric_address;	      /* host, or the folder of a local fabric */
	/* Where its artifacts lie, "/Volumes/c/s/v": the jobs' libraries are made to. NULL: where
	 * the jobs say. */
	const char *artifact_base;
	const char *customer, *control_plane; /* NULL: the project has none */
	const char *ref; /* of the label; its version and full tag are in params */
	struct render_params params;
	const struct plan_template *templates;
	size_t ntemplates;
	const struct plan_known *known;
	size_t nknown;
	const struct plan_there *there; /* by path */
	size_t nthere;
	bool jobs_own;
	const struct conf_derive *derive;
	size_t nderive;
};

struct plan_artifact {
	char *pipeline;
	char *path; /* below FileStore */
	char sha256[65];
	int64_t size;
	bool there; /* it lies there, and no job that is written needs it: nothing to do */
};

/* Kept and gone: of a plan that is about a part (select.h). */
enum plan_change { PLAN_NEW, PLAN_CHANGED, PLAN_SAME, PLAN_ORPHAN, PLAN_KEPT, PLAN_GONE };

/*
 * was and is: canonical JSON, cut to a line; "" when not there. Three are not members of a
 * definition: `version`, which stands for all that differs by the release's version alone (paths of
 * artifacts, placeholders); artifacts[FILE], digests of one that gets other bytes ("" while it is
 * not built); `orphan`, of a
 * job that an earlier release left behind and this one wants.
 */
struct plan_field {
	char *path, *was, *is;
};

struct plan_file { /* rendered, of a definition that names it by its digest alone */
	char sha256[65];
	char *bytes;
	size_t n;
};

struct plan_job {
	enum plan_change change;
	char *key, *name;
	char *bytes; /* rendered; NULL for an orphan */
	size_t n;
	char digest[65];	   /* of bytes; of an orphan: as last deployed */
	bool drifted;		   /* a look found other than what was deployed */
	char *version, *ref;	   /* that its definition has; "" for an orphan */
	char **uses;		   /* paths of the artifacts that its libraries name */
	size_t nuses;
	struct plan_file *files; /* of a DAG; not in plans that were read */
	size_t nfiles;
	struct plan_field *fields; /* of a changed one, in order of path */
	size_t nfields;
};

struct plan_seen { /* a job that we manage there, and what is in force: "" for nothing */
	char *key;
	char digest[65];
};

struct plan {
	char *release, *environment, *address; /* of the fabric; "" in plans of older versions */
	int64_t fabric_id;
	struct plan_seen *seen; /* by key; not what an earlier release left behind */
	size_t nseen;
	struct plan_artifact *artifacts; /* by path */
	size_t nartifacts;
	struct plan_job *jobs; /* by key; orphans too */
	size_t njobs;
	char **problems;
	size_t nproblems;
	bool part; /* not of all jobs of the release: proves nothing of it */
	/*
	 * What the release comes to with the version of this label alone, whatever was there
	 * before: SHA-256 over each artifact's path and bytes and each definition that is wanted.
	 * Of this it is said that it was verified. "" in plans of older versions.
	 */
	char rendered[65];
	/*
	 * What an approval is bound to: the release, environment, fabric's id and address, every
	 * rendered definition, artifact paths, and what is in force there of the jobs that we
	 * manage (as observed, else as deployed). Nothing else: times, runs and foreign jobs are
	 * out, or no approval would last.
	 */
	char digest[65];
};

/*
 * Plans: (jobs_own) each job whose fabric is this one, and each that a rule derives (derive.h),
 * rendered, with the artifacts of the release.
 *
 * A job that this release has not changed keeps the version that it is deployed with: rendered with
 * that version it is what was deployed (or what is in force), and the artifacts that its libraries
 * name lie at the paths of that version with the bytes that this release has. So nothing of it is
 * written or put again. Any other job gets the version of the label. An artifact that no job names
 * stays where it lies with the same bytes, and is put else.
 *
 * A job is a problem when its definition names another fabric than the project file, when a
 * library below prophecy/artifacts is not of this release, when two have one key or one name, when
 * it names a configuration file that its release has not, or, on a local fabric, when a task is no
 * Python wheel; a rule, when the project lacks its `from`, or what it makes breaks the rules for
 * jobs. Negative only for our own failure: a template whose bytes were not given. Free with
 * plan_clear().
 */
int plan_make(struct plan *out, const struct plan_input *in, struct ps_err *err) PS_MUSTCHECK;
void plan_clear(struct plan *p);

/*
 * The plan as canonical JSON, for the store, and back. Rendered bytes are not in it (their digests
 * are; the caller keeps them in the content store), so j->bytes is NULL after reading.
 */
int plan_write(const struct plan *p, struct buf *out, struct ps_err *err) PS_MUSTCHECK;
int plan_read(struct plan *out, const char *bytes, size_t n, struct ps_err *err) PS_MUSTCHECK;

/* Lines for people, escaped: `+ jobs/x`, `~ jobs/x` and its fields, `= jobs/x`, `- jobs/x`. */
void plan_print(const struct plan *p, struct buf *out);
const char *plan_change_word(enum plan_change c); /* new, unchanged, orphan, kept, ... */
/* "1 new, 2 changed, 1 unchanged, 0 orphans, 2 artifacts": those that are put. */
void plan_summary(const struct plan *p, struct buf *out);
bool plan_changes(const struct plan *p);
bool plan_job_uses(const struct plan_job *j, const char *path);
/* What of all that the digest stands for differs, a line each, escaped: "the fabric's address: a →
 * b", "jobs/x was changed on the fabric". Nothing when the digests are equal. */
void plan_differs(const struct plan *was, const struct plan *is, struct buf *out);

/* Does this file of an Airflow job ("code/dag.py") go with its DAG? */
bool plan_dag_takes(const char *path);

/* Where an artifact lies below FileStore. free() the result. */
char *plan_artifact_path(const char *customer, const char *control_plane, const char *project_id,
			 const char *version, const char *file);

#endif
