/*
 * rules – what the gate checks: one table, and the functions that look, one file per subject.
 *
 * A rule is a row (code, severity, what it says, why) and the function that finds it. Codes are
 * stable: the number is that of the rule in the reference of the project format, from 101 on ours.
 * A finding carries a key that names the thing across two versions of the tree, so that "newly
 * broken" can be told from "was so before". Nothing here looks at an old side: judge.c does.
 */
#ifndef PS_RULES_H
#define PS_RULES_H

#include "common/base/diag.h"
#include "common/config/config.h"
#include "common/project/job.h"
#include "common/project/project.h"

/* id, code, severity, what it says, why */
#define RULES(X)                                                                                           \
	X(YAML, "PS-PROJ-001", DIAG_ERROR, "pbt_project.yml is well-formed YAML",                          \
	  "Prophecy's tool cannot read the project otherwise")                                             \
	X(CONFLICT, "PS-PROJ-002", DIAG_ERROR, "no merge conflict markers in project files",               \
	  "an unfinished merge breaks every build")                                                        \
	X(TOP, "PS-PROJ-003", DIAG_ERROR, "the top of pbt_project.yml is a map",                           \
	  "nothing in it can be found otherwise")                                                          \
	X(DUPLICATE, "PS-PROJ-004", DIAG_ERROR, "no key is there twice in pbt_project.yml",                \
	  "the last one wins silently and the entries of the others are lost")                             \
	X(MISSING, "PS-PROJ-005", DIAG_ERROR, "name, version, language, pipelines and jobs are there",     \
	  "Prophecy's tool stops without them")                                                            \
	X(SHAPE, "PS-PROJ-006", DIAG_ERROR, "name is text; pipelines and jobs are maps",                   \
	  "Prophecy's tool stops otherwise")                                                               \
	X(ENTRY, "PS-PROJ-008", DIAG_ERROR, "each pipeline has name and language, each job a name",        \
	  "Prophecy's tool stops otherwise")                                                               \
	X(KEY, "PS-PROJ-009", DIAG_ERROR, "keys are paths that stay in the project",                       \
	  "a key is used as a folder name; '..' would lead out")                                           \
	X(UNCHECKED, "PS-PROJ-072", DIAG_WARNING, "files are within the sizes that are checked",           \
	  "larger or deeper files are let in unchecked")                                                   \
	X(FOLDER, "PS-PIPE-013", DIAG_ERROR, "a declared pipeline has its folder",                         \
	  "it cannot be built")                                                                            \
	X(SETUP_PY, "PS-PIPE-014", DIAG_ERROR, "a Python pipeline has code/setup.py",                      \
	  "it cannot be built")                                                                            \
	X(POM_XML, "PS-PIPE-015", DIAG_ERROR, "a Scala pipeline has code/pom.xml",                         \
	  "it cannot be built")                                                                            \
	X(WORKFLOW, "PS-PIPE-018", DIAG_ERROR, "workflow.latest.json is a JSON object",                    \
	  "Prophecy cannot open the pipeline otherwise")                                                   \
	X(INSTANCE, "PS-PIPE-047", DIAG_ERROR, "each config instance is a JSON object",                    \
	  "a run with it fails")                                                                           \
	X(JOB_FILE, "PS-JOB-021", DIAG_WARNING, "a Databricks job has code/databricks-job.json",           \
	  "it cannot be deployed")                                                                         \
	X(JOB_JSON, "PS-JOB-022", DIAG_ERROR, "databricks-job.json is a JSON object",                      \
	  "it cannot be deployed")                                                                         \
	X(JOB_SHAPE, "PS-JOB-023", DIAG_ERROR, "databricks-job.json has components and request",           \
	  "it cannot be deployed")                                                                         \
	X(REFERENCE, "PS-JOB-028", DIAG_WARNING, "a pipeline that a job names is declared",                \
	  "the task has nothing to run")                                                                   \
	X(TASKS, "PS-JOB-033", DIAG_ERROR, "task keys are unique, dependencies exist and end",             \
	  "the job can never finish")                                                                      \
	X(PROPHECY_JOB, "PS-JOB-038", DIAG_ERROR, "prophecy-job.json is a JSON object",                    \
	  "Prophecy cannot open the job otherwise")                                                        \
	X(PROPHECY_JOB_LACKS, "PS-JOB-102", DIAG_WARNING, "prophecy-job.json is there and has its parts",  \
	  "Prophecy cannot open the job otherwise")                                                        \
	X(USES_INSTANCE, "PS-JOB-048", DIAG_WARNING, "the config instance that a task picks exists",       \
	  "the run fails at its start")                                                                    \
	X(REMOVED, "PS-JOB-075", DIAG_ERROR, "no pipeline is removed that a job still names",              \
	  "the next run of that job would find nothing")                                                   \
	X(FABRIC, "PS-JOB-101", DIAG_ERROR, "the fabric that a job names is one of penstock.yml",          \
	  "nobody would deploy it anywhere")                                                               \
	X(RESERVED, "PS-PUSH-001", DIAG_ERROR, "refs below refs/penstock/ belong to penstock",             \
	  "they keep what is queued, released and deployed")                                               \
	X(TWICE, "PS-PUSH-002", DIAG_ERROR, "a push names each ref once",                                  \
	  "nobody could say which movement was meant")

#define RULE_ENUM(id, code, severity, text, why) RULE_##id,
enum rule_id { RULES(RULE_ENUM) RULE_COUNT };
#undef RULE_ENUM

struct rule { const char *code; enum diag_severity severity; const char *text, *why; };
extern const struct rule rule_table[RULE_COUNT];

/* A job that names a pipeline of its own project that is not there: whether this push removed it is
 * known only with the old side. */
struct rule_dead {
	char *project, *pipeline;	/* "." or a path; "pipelines/X" */
	char *file, *job;		/* where it is named */
	struct doc_pos at;
	bool declared;			/* the entry is there, the folder is not */
};

/* What one tree is judged with; rules add to found and dead. */
struct rules {
	struct tree *t;
	const struct config *config;	/* NULL: rules that need it are left out */
	int64_t deadline_ns;		/* 0: none */
	bool late;			/* the deadline passed; what is found is not all */
	char *slow;			/* late: what was being looked at */
	struct diag_list found;
	struct rule_dead *dead;
	size_t ndead, cap;
	const struct project *p;	/* the project at hand */
	const char *language;		/* its language, "" when it has none */
};

/* Adds a finding. key names the thing below the project ("jobs/x task a"); path is from the top. */
void rule_hit(struct rules *r, enum rule_id id, const char *path, struct doc_pos at, const char *key,
	      const char *fmt, ...) PS_PRINTF(6, 7);
/* False when time is over; then every function returns at once. what: the file looked at next. */
bool rules_in_time(struct rules *r, const char *what);
/* All rules over all projects of the tree. Negative: our own failure. */
int rules_run(struct rules *r, const struct project_paths *projects, struct ps_err *err) PS_MUSTCHECK;
void rules_clear(struct rules *r);

/* ---- per subject ---- */

void rules_project(struct rules *r);				/* rules_project.c */
int rules_pipeline(struct rules *r, const struct doc_pair *e, struct ps_err *err) PS_MUSTCHECK;
int rules_job(struct rules *r, const struct doc_pair *e, struct ps_err *err) PS_MUSTCHECK;

/*
 * Reads a project-relative file for a rule. *is_there is false when it is not a file. Too large a
 * file and conflict markers become findings; *usable is true when bytes holds what may be judged.
 */
int rules_read(struct rules *r, const char *relative, size_t max, struct buf *bytes, bool *is_there,
	       bool *usable, struct ps_err *err) PS_MUSTCHECK;
/* Reads a JSON object for rule id. *out is NULL when there is none to look at further. */
int rules_json(struct rules *r, enum rule_id id, const char *relative, struct doc **out, bool *is_there,
	       struct ps_err *err) PS_MUSTCHECK;
/* The same without nodes, for files of which only the shape matters. */
int rules_json_shape(struct rules *r, enum rule_id id, const char *relative, struct ps_err *err) PS_MUSTCHECK;

#endif
