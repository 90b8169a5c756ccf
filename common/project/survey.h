/*
 * survey – everything a build and a release need to know about one tree, in one pass.
 *
 * A project is a folder with pbt_project.yml; a nested one is its own; copies vendored below
 * `.prophecy/` are not. Nothing is judged here: what is broken is in `problem` of the thing that
 * is, and the rest is still told. Paths below a project are relative to it. All strings belong to
 * the survey. Bounded: 1,000 projects; per project 4 MiB of YAML, 5,000 pipelines and jobs.
 */
#ifndef PS_SURVEY_H
#define PS_SURVEY_H

#include "common/project/doc.h"
#include "common/tree/tree.h"

enum survey_provider { SURVEY_DATABRICKS, SURVEY_AIRFLOW };	/* by the job's scheduler */
/* As messages call it. */
const char *survey_provider_word(enum survey_provider p);

struct survey_file {
	/* relative to the project: "jobs/x/code/databricks-job.json" */
	char *path;
	char oid[TREE_OID];
	bool is_dir;			/* oid names a tree */
};

struct survey_instance {
	char *name;			/* "prod": the file name without ".json" */
	char *path;			/* relative to the project */
	char oid[TREE_OID];
};

struct survey_pipeline {
	char *key;			/* "pipelines/orders": its folder below the project */
	char *name;			/* may differ from the folder */
	char *language;			/* "python", "scala", ...; the project's when it has none */
	char oid[TREE_OID];		/* tree of its folder, "" when there is none */
	/* name= of setup.py, NULL when it is not a literal or absent */
	char *package;
	char *version;			/* version= of setup.py, likewise */
	/* file name that setup.py will produce; NULL without the two */
	char *wheel;
	struct survey_instance *instances;
	size_t ninstances;
	bool tests;			/* code/test/TestSuite.py is there */
	char *problem;			/* NULL, or why it cannot be built */
};

struct survey_job {
	char *key;			/* "jobs/daily" */
	char *name;
	enum survey_provider provider;
	char *scheduler;		/* as written: "Databricks", "MWAA", ... */
	int64_t fabric;			/* fabricUID; 0 when absent or not an integer */
	bool enabled;			/* of the yml entry; absent or null counts as false */
	/* databricks: code/databricks-job.json; else every file of code/ */
	struct survey_file *templates;
	size_t ntemplates;
	char *problem;			/* NULL, or why it cannot be deployed */
};

/* A configuration file that jobs find beside the artifacts of their release. */
struct survey_configuration {
	const char *path;		/* relative to the project */
	/* "configurations/prod.json": below the release's folder on a fabric */
	const char *target;
};

struct survey_project {
	char *path;			/* "." for the top of the repository, else "a/b" */
	char oid[TREE_OID];		/* tree of its folder */
	char *name, *version, *language;	/* NULL when absent or not a scalar */
	/* shared inputs of every pipeline (BUILDS.md), sorted by path */
	struct survey_file *inputs;
	size_t ninputs;
	struct survey_pipeline *pipelines;	/* sorted by key */
	size_t npipelines;
	struct survey_job *jobs;		/* sorted by key */
	size_t njobs;
	/* those whose file is there, sorted by target */
	struct survey_configuration *configurations;
	size_t nconfigurations;
	struct doc *doc;		/* pbt_project.yml; NULL when it could not be read */
	char *problem;			/* NULL, or why there is no doc or only a part */
};

struct survey {
	struct survey_project *projects;	/* sorted by path */
	size_t nprojects;
};

/* Fills out; a project that cannot be read is in it with its problem. Negative only for our own
 * failure or a tree past every bound. survey_clear() also after an error. */
int survey_tree(struct tree *root, struct survey *out, struct ps_err *err) PS_MUSTCHECK;
void survey_clear(struct survey *s);
const struct survey_project *survey_project(const struct survey *s, const char *path);
const struct survey_pipeline *survey_pipeline(const struct survey_project *p, const char *key);
const struct survey_job *survey_job(const struct survey_project *p, const char *key);

/*
 * The same in parts, for who remembers some of them (common/gate/outlook.h). survey_declared():
 * what the project file names, in order of key, nothing of it looked at yet; the inputs are those
 * that may be there. The others fill in one entry, which has its key, language or provider. Clear
 * also after an error.
 */
int survey_declared(struct tree *t, const char *path, struct survey_project *out,
		    struct ps_err *err) PS_MUSTCHECK;
int survey_look_pipeline(struct tree *t, struct survey_project *p, struct survey_pipeline *pl,
			 struct ps_err *err) PS_MUSTCHECK;
int survey_look_job(struct tree *t, struct survey_project *p, struct survey_job *j,
		    struct ps_err *err) PS_MUSTCHECK;
/*
 * Fills in the configurations, from p->doc and the tree, as Prophecy's tool finds and names them:
 * every projectConfigurations/config/code/configs/NAME.json is `configurations/NAME.json`, and so
 * is KEY.json of `projectConfigurations` in the project file by its `name`; KEY.json of
 * `pipelineConfigurations` is `configurations/<basePipeline>/<name>.json`. One without a file is
 * left out (rule PS-PROJ-105 warns of it), and so is one whose path would not be a clean one.
 * More than SURVEY_CONFIGURATIONS_MAX of them are the project's problem.
 */
int survey_look_configurations(struct tree *t, struct survey_project *p,
			       struct ps_err *err) PS_MUSTCHECK;
#define SURVEY_CONFIGURATIONS "projectConfigurations", "pipelineConfigurations" /* their folders */
enum { SURVEY_CONFIGURATIONS_MAX = 200 };
void survey_configurations_clear(struct survey_project *p);
/* Is this input there? Then its oid is filled in. One inside another is none: a file of that
 * path is part of it. */
bool survey_input(struct tree *t, const char *project, struct survey_file *f);
bool survey_inside(const char *path, const char *of);
void survey_project_clear(struct survey_project *p);
void survey_pipeline_clear(struct survey_pipeline *pl);
void survey_job_clear(struct survey_job *j);

/* Why a project that was declared cannot be built at all; NULL when it can. */
const char *survey_lack(const struct survey_project *p);
/* A template's path below its job's folder. */
const char *survey_below(const char *folder, const char *path);

/*
 * The project file reduced to one pipeline's entry, as YAML written by us: part of the build key
 * and what the sandbox sees as pbt_project.yml. Same meaning, same bytes: key order and style of
 * the original do not matter. Holds name, language, pipelines (that entry alone), and gemContainer,
 * functions and subgraphs where present. Not the project's version: a release that only raises it
 * builds nothing (a wheel has the version of its setup.py). PS_ENOENT: no such pipeline.
 */
int survey_reduced_yaml(const struct survey_project *p, const char *key, struct buf *out,
			struct ps_err *err) PS_MUSTCHECK;
/* The same, as builds take it: at most SURVEY_REDUCED_MAX bytes, else "" and *problem says why
 * (free() both). */
char *survey_reduced(const struct survey_project *p, const char *key, char **problem);
enum { SURVEY_REDUCED_MAX = 512 * 1024 };

/* One thing to export: a folder's tree or a file's blob at its project-relative path. */
struct survey_want {
	/* clean and relative; no path inside another one of the list */
	const char *path;
	/* must be what the tree has there, else PS_ESTALE; NULL: whatever */
	const char *oid;
};

/*
 * Writes the wanted parts of the project at `project` ("." or "a/b") below the folder `dest`, which
 * must not exist yet and is made (also its parent's absence is an error). Modes 0644 and 0755
 * whatever the umask; time stamps of files, links and folders 315532800. Bytes are blobs.
 * Relative symbolic links that stay inside the same wanted part are kept; others, submodules and
 * Git LFS pointers are PS_EINVAL naming the path. Bounded by max_bytes in all (PS_ELIMIT). After an
 * error the caller removes dest. Nothing is synced: an export can be made again.
 */
int survey_export(struct tree *root, const char *project, const struct survey_want *want, size_t n,
		  const char *dest, uint64_t max_bytes, struct ps_err *err) PS_MUSTCHECK;

enum { SURVEY_MTIME = 315532800 };	/* 1980-01-01: what zip can say, constant (BUILDS.md) */

#endif
