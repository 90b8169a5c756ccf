/*
 * rules – what the gate checks: one table, and the functions that look, one file per subject.
 *
 * A rule is a row of common/config/rule_rows.h and the function that finds it. A finding carries a
 * key that names the thing across two versions of the tree, so that "newly broken" can be told from
 * "was so before". Nothing here looks at an old side or knows how severe a finding is: judge.c does.
 */
#ifndef PS_RULES_H
#define PS_RULES_H

#include "common/base/diag.h"
#include "common/config/config.h"
#include "common/gate/outline.h"
#include "common/gate/rules_counts.h"
#include "common/gate/trace.h"
#include "common/project/job.h"
#include "common/project/project.h"

#define RULE(id, code, level, text, why, example, fix) RULE_##id,
enum rule_id {
#include "common/config/rule_rows.h"
	RULE_COUNT
};
#undef RULE

struct rule {
	const char *code;
	enum conf_level level;		/* when the admin says nothing */
	const char *text, *why, *example, *fix;
};
extern const struct rule rule_table[RULE_COUNT];
/* By its code; NULL when there is none. */
const struct rule *rule_find(const char *code);
/* The row of a finding's static code. */
const struct rule *rule_of(const struct diag *d);
/* What the rule means on this ref (NULL: on none in particular) under this configuration (NULL:
 * none). */
enum conf_level rule_level(const struct rule *r, const struct config *c, const char *ref);

/* A job that names a pipeline of its own project that is not there: whether this push removed it is
 * known only with the old side. */
struct rule_dead {
	char *project, *pipeline;	/* "." or a path; "pipelines/X" */
	char *file, *job;		/* where it is named */
	struct doc_pos at;
	bool declared;			/* the entry is there, the folder is not */
};
void rule_dead_clear(struct rule_dead *d);

struct memo;
struct precedent;

/* A project of the tree under judgement. */
struct rules_project {
	char *path;			/* "." or "a/b" */
	char *file;			/* its pbt_project.yml from the top of the tree */
	struct outline outline;
	struct project read;		/* rules_doc() fills it; doc NULL until then */
};

enum { RULES_FOUND_MAX = 10000 };	/* a stranger's file may hold a million findings */

/* What one tree is judged with; rules add to found and dead. */
struct rules {
	struct tree *t;			/* inside a unit: one that writes down what is looked at */
	struct tree *whole;		/* the tree itself */
	const struct config *config;	/* NULL: rules that need it are left out */
	struct memo *memo;		/* NULL: nothing is remembered */
	/* the tree judged last, compared with this one; NULL: nobody asks */
	struct precedent *precedent;
	int64_t deadline_ns;		/* 0: none */
	bool late;			/* the deadline passed; what is found is not all */
	char *slow;			/* late: what was being looked at */
	struct diag_list found;
	bool told;			/* the last finding is in there, not past the bound */
	struct rule_dead *dead;
	size_t ndead, cap;
	struct rules_project *projects;	/* those looked at so far */
	size_t nprojects, cap_projects;
	struct rules_project *p;	/* the one at hand */
	struct deps *deps;		/* inside a unit; NULL outside, or without a memo */
	struct rules_counts counts;
};

/* Is the rule on anywhere? For those that cost something and are off unless the admin says so. */
bool rule_wanted(const struct rules *r, enum rule_id id);
/* Adds a finding. key names the thing below the project ("jobs/x task a"); path is from the top. */
void rule_hit(struct rules *r, enum rule_id id, const char *path, struct doc_pos at,
	      const char *key, const char *fmt, ...) PS_PRINTF(6, 7);
/* Gives the last finding the nearest of these words, when one is a slip away. */
void rule_near(struct rules *r, const char *word, const char *const *words, size_t n);
/* False when time is over; then every function returns at once. what: the file looked at next. */
bool rules_in_time(struct rules *r, const char *what);
/* All rules over all projects of the tree. Negative: our own failure. */
int rules_run(struct rules *r, const struct project_paths *projects,
	      struct ps_err *err) PS_MUSTCHECK;
void rules_clear(struct rules *r);
/* Of a project that was looked at; NULL when there is none of that path. */
const struct outline *rules_outline(const struct rules *r, const char *project);
/* For rules_project() and what asks for an entry's value: fills r->p->read, once. */
int rules_doc(struct rules *r, struct ps_err *err) PS_MUSTCHECK;
/* Line and column of the first merge conflict marker; line 0: there is none. */
struct doc_pos rules_conflict(const struct buf *b);

/*
 * ---- what rules may ask ----
 *
 * A unit's result is remembered by its entry, its folder and what it asked for. So its rules look
 * at nothing but the entry, the configuration, the language, and what these functions and r->t give.
 */

/* What the entry says in pbt_project.yml. NULL with an error when that cannot be read. */
const struct doc_node *rules_value(struct rules *r, const struct rules_entry *e,
				   struct ps_err *err) PS_MUSTCHECK;
/* Does the project declare this pipeline or job? */
bool rules_declares(struct rules *r, enum project_kind kind, const char *key);
/* The project's language, "" when it has none. */
const char *rules_language(const struct rules *r);
/* Its version as written, "" when it has none. */
const char *rules_version(struct rules *r);
/*
 * Reads a project-relative file for a rule. *is_there is false when it is not a file. Too large a
 * file, a Git LFS pointer and conflict markers become findings; *usable is true when bytes holds what may be judged.
 */
int rules_read(struct rules *r, const char *relative, size_t max, struct buf *bytes, bool *is_there,
	       bool *usable, struct ps_err *err) PS_MUSTCHECK;
/* Reads a JSON object for rule id. *out is NULL when there is none to look at further. */
int rules_json(struct rules *r, enum rule_id id, const char *relative, struct doc **out,
	       bool *is_there, struct ps_err *err) PS_MUSTCHECK;
/* The same without nodes, for files of which only the shape matters, and which are read by what
 * takes more than JSON: rule loose has what JSON does not allow, rule id a file that is cut off. */
int rules_json_shape(struct rules *r, enum rule_id id, enum rule_id loose, const char *relative,
		     struct ps_err *err) PS_MUSTCHECK;

/* ---- per subject ---- */

/* rules_project.c, rules_declared.c: the project file, one unit */
int rules_project(struct rules *r, struct ps_err *err) PS_MUSTCHECK;
void rules_declared(struct rules *r);
/* rules_layout.c: folders that nobody declared; not remembered: a listing, and a look into each of
 * them */
int rules_layout(struct rules *r, struct ps_err *err) PS_MUSTCHECK;
/* one unit each: rules_pipeline.c, rules_job.c */
int rules_pipeline(struct rules *r, const struct rules_entry *e, struct ps_err *err) PS_MUSTCHECK;
int rules_job(struct rules *r, const struct rules_entry *e, struct ps_err *err) PS_MUSTCHECK;
/* parts of a job: rules_request.c, rules_prophecy_job.c. value: its entry in the project file */
int rules_request(struct rules *r, const struct rules_entry *e, const struct doc_node *value,
		  const char *file, const struct job_view *v, struct ps_err *err) PS_MUSTCHECK;
void rules_prophecy_job(struct rules *r, const struct rules_entry *e, const struct doc_node *value,
			const char *file, const struct doc_node *root);

#endif
