/*
 * databricks_parts – what the files of the Databricks driver share; nobody else includes it.
 *
 *	databricks.c		the table; session: host, credential, tokens
 *	databricks_ask.c	one question to the workspace, its errors in the workspace's words
 *	databricks_pages.c	an answer that comes in pages
 *	databricks_files.c	artifacts: databricks_dbfs.c, databricks_volume.c
 *	databricks_brought.c	files that a definition brings with it: scripts
 *	databricks_stamp.c	the tags by which a job is known as ours
 *	databricks_find.c	the jobs that are there; which of them is meant
 *	databricks_diff.c	is a job as its definition says, whatever the server makes of it
 *	databricks_jobs.c	put, pause, remove
 *	databricks_rights.c	who may do what with a job
 *	databricks_scopes.c	what jobs find in secret scopes
 *	databricks_look.c	look
 *	databricks_runs.c	runs
 *
 * Jobs are asked by version 2.2 of their interface, which alone takes more than 100 tasks.
 */
#ifndef PS_DATABRICKS_PARTS_H
#define PS_DATABRICKS_PARTS_H

#include <jansson.h>

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/http/http.h"

/* ---- the session ---- */

struct dbx_listed { /* a job of the workspace, as jobs/list tells it */
	json_int_t id;
	char *name;
	char *stamp; /* value of its tag DBX_TAG_JOB; NULL: not ours */
};

struct dbx {
	struct http *http;
	const struct conf_fabric *conf;
	const char *secret;
	char *token_url;     /* NULL: not asked for yet */
	int64_t renew_at_ns; /* on the boot clock; 0: the credential is no token of ours */
	struct dbx_listed *listed;
	size_t nlisted, cap;
	bool has_list;
};

static inline struct dbx *dbx_of(struct fabric_target *t)
{
	return t->session;
}

/* ---- asking ---- */

struct dbx_ask {
	const char *method; /* NULL: GET */
	const char *path;
	const struct http_field *query;
	json_t *body;                 /* taken over; NULL: none */
	const struct http_file *file; /* sent as it is, in place of a body */
	bool repeatable;              /* done twice it is as done once */
	const char *want;             /* header of the answer; NULL */
	bool plain;                   /* the answer is no JSON */
};

struct dbx_said {
	json_t *doc; /* NULL where it said nothing or is plain */
	struct buf plain;
	char *wanted;
	int status;
	char code[64];  /* error_code, "" for none */
	char text[512]; /* what it said, escaped */
	enum fabric_outcome outcome;
};
void dbx_said_clear(struct dbx_said *s);

/*
 * 0: it said yes. Negative: PS_ENOENT, it is not there (never for want of rights: PS_EPERM);
 * PS_EEXIST; PS_EBUSY, too many calls; PS_ELIMIT, a quota; PS_ENOTSUP, no such interface; else
 * PS_EINVAL, PS_EIO or of the connection. s->outcome: done, not done, or unknown. Clear s in any
 * case.
 */
int dbx_ask(struct dbx *d, const struct dbx_ask *q, struct dbx_said *s,
	    struct ps_err *err) PS_MUSTCHECK;

/* Each page of an answer goes to take(). PS_ELIMIT: more than a thousand of them. */
int dbx_pages(struct dbx *d, const char *path, const struct http_field *query,
	      void (*take)(void *arg, json_t *page), void *arg, struct ps_err *err) PS_MUSTCHECK;
/* One thing of many pages: the first one, with what the later ones have of each list of its member
 * (NULL: of itself). The caller's. */
int dbx_whole(struct dbx *d, const char *path, const struct http_field *query, const char *member,
	      json_t **whole, struct ps_err *err) PS_MUSTCHECK;

/* For the session: how answers are read, and tokens. */
enum http_means dbx_means(const struct http_answer *a);
int dbx_token(struct http *h, void *dbx, struct ps_err *err) PS_MUSTCHECK;

/* ---- artifacts ---- */

/* One kind of place for files; paths are absolute there. Times and users of files do not count. */
struct dbx_store {
	/* PS_ENOENT: nothing is there. */
	int (*size)(struct dbx *d, const char *path, int64_t *size, struct ps_err *err);
	int (*digest)(struct dbx *d, const char *path, int64_t size, char hex[65],
		      struct ps_err *err);
	/* The file gets its name when it is whole, and only where nothing has it: else PS_EEXIST.
	 */
	int (*write)(struct dbx *d, const char *path, const struct http_file *f, const char *sha256,
		     enum fabric_outcome *outcome, struct ps_err *err);
	/* Whatever is there, in one call. PS_ELIMIT: it is too long for that. */
	int (*replace)(struct dbx *d, const char *path, const struct http_file *f,
		       struct ps_err *err);
};
extern const struct dbx_store dbx_dbfs, dbx_volume;

int dbx_put_artifact(struct fabric_target *t, const struct fabric_file *f,
		     enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;

/* Bytes of fd, whose digest is known, to the artifact's path. replace: others there make way. */
int dbx_bring(struct fabric_target *t, const char *path, const char *sha256,
	      const struct http_file *file, bool replace, enum fabric_outcome *outcome,
	      struct ps_err *err) PS_MUSTCHECK;
/* Every file that the components of this definition bring lies where they say. */
int dbx_brought_put(struct fabric_target *t, const char *key, const json_t *doc,
		    struct ps_err *err) PS_MUSTCHECK;

/* ---- the stamp: tags of a job ---- */

#define DBX_TAG_JOB "penstock-job"               /* whose it is: repository, project, key */
#define DBX_TAG_DEFINITION "penstock-definition" /* the one that was written last */
#define DBX_TAG_RELEASE "penstock-release"
#define DBX_TAG_PAUSED "penstock-paused" /* as an orphan: "us", or "before" when it was already */

enum { DBX_STAMP = 33 };
/* The value of DBX_TAG_JOB for a job of this place. */
const char *dbx_stamp(char out[DBX_STAMP], const struct fabric_target *t, const char *key);
/* Adds the stamp to settings. PS_ELIMIT: there is no room for its tags. */
int dbx_stamp_put(json_t *settings, const struct fabric_target *t, const struct fabric_job *j,
		  struct ps_err *err) PS_MUSTCHECK;
/* A tag of settings; NULL: it has none. */
const char *dbx_tag(const json_t *settings, const char *name);
/* Was this definition written last? */
bool dbx_is_last(const json_t *settings, const char *sha256);

/* ---- finding ---- */

/* One job with all its pages: {job_id, settings, ...}. PS_ENOENT: there is none. */
int dbx_get(struct dbx *d, json_int_t id, json_t **job, struct ps_err *err) PS_MUSTCHECK;
/* Every job with its settings, expanded; each is handed to take() as jobs/list gives it. */
int dbx_list(struct dbx *d, bool expand, void (*take)(void *arg, json_t *job), void *arg,
	     struct ps_err *err) PS_MUSTCHECK;
/*
 * The job that is meant: by its stored id, its stamp, its exact name. 0 and *job NULL: there is
 * none. PS_ECONFLICT: two match, or it is another's. fresh: what was listed before does not count.
 */
int dbx_find(struct fabric_target *t, const struct fabric_job *j, bool fresh, json_t **job,
	     struct ps_err *err) PS_MUSTCHECK;
/* PS_ECONFLICT: somebody else looks after this job. */
int dbx_check_owner(const struct fabric_target *t, const struct fabric_job *j,
		    const json_t *settings, struct ps_err *err) PS_MUSTCHECK;
/* One was made: it is among those that are listed. */
void dbx_note(struct dbx *d, json_int_t id, const json_t *settings);
void dbx_forget_list(struct dbx *d);

json_int_t dbx_id(const json_t *job);
const json_t *dbx_settings(const json_t *job);

/* ---- comparing ---- */

/* Is what is there as wanted, in all fields that wanted names? Pause status and our tags apart. */
bool dbx_is_as(const json_t *wanted, const json_t *there);
/* The pause status apart from the rest: of each trigger that wanted names. */
bool dbx_pauses_as(const json_t *wanted, const json_t *there);
/* Sets the triggers of settings to the pause status that they have there. */
void dbx_set_pauses(json_t *settings, const json_t *there);
/* Wanted, with what is there in place of each field that differs. */
json_t *dbx_as_is(const json_t *wanted, const json_t *there);

/* ---- jobs and runs ---- */

/* The definition, read from the content store; the caller's. It has a request. */
int dbx_definition(const struct fabric_target *t, const struct fabric_job *j, json_t **doc,
		   struct ps_err *err) PS_MUSTCHECK;
/* The settings that are sent for it, without stamp; the caller's. */
json_t *dbx_sent(const json_t *doc);
/* Does nothing start it by itself? One that nothing ever would is not paused. */
bool dbx_is_paused(const json_t *settings);

/*
 * Before a job that is there is written: grants what its new definition does, and takes away what
 * only the one before granted, unless somebody changed that by hand; t->said names it. Nothing is
 * done to the owner.
 */
int dbx_rights_put(struct fabric_target *t, const char *key, const json_t *job, const json_t *acl,
		   struct ps_err *err) PS_MUSTCHECK;

/* prepare() of fabric_jobs. */
int dbx_scopes_put(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
		   enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;

extern const struct fabric_jobs dbx_jobs;
extern const struct fabric_runs dbx_runs;
int dbx_look(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
	     struct fabric_seen *out, struct ps_err *err) PS_MUSTCHECK;

#endif
