/*
 * fabric – one place where jobs run, behind one const table per provider.
 *
 * Every ability looks first at what is there, then does what is missing, and can be called again
 * after a crash at any point: the journal says that a step was begun, never that it was not done. A
 * driver knows artifacts, definitions and whose place it writes to; it knows nothing of how they
 * were decided.
 *
 * A provider changes its jobs in one of two ways, and its table says which: all jobs of a project
 * at once (struct fabric_sets: what runs is switched from one set to another), or one after another
 * (struct fabric_jobs). agent/deploy/run_parts.h has the steps of both.
 */
#ifndef PS_FABRIC_H
#define PS_FABRIC_H

#include "agent/deploy/http/http.h"
#include "common/base/err.h"
#include "common/config/config.h"

struct buf;

/* What an ability tells besides its return code. */
enum fabric_outcome {
	FABRIC_NOT_DONE, /* nothing happened, or what happened has no effect */
	FABRIC_DONE,	 /* done now */
	FABRIC_ALREADY,	 /* it was so before */
	FABRIC_UNKNOWN,	 /* asked for, and no answer: look again before the next try */
};

struct fabric_file {
	const char *path; /* artifact: below FileStore; definition: below the set, "jobs/x.json" */
	const char *sha256; /* bytes in the content store */
};

struct fabric_target {
	const char *content; /* content store to take bytes from, absolute */
	const char *place;   /* "<repository>" or "<repository>/<project>" */
	const char *owner;   /* bytes that say whose place that is */
	const char *dir;     /* of a local fabric, absolute; NULL for any other */
	/* not for a local one */
	const struct conf_fabric *conf; /* its block of penstock.yml */
	const char *secret;		/* what the credential says; NULL: there is none */
	const char *uploader_secret;	/* airflow: the same of its uploader */
	char *const *scoped; /* values of conf->scoped, in its order; NULL there: none came */
	/* what is written beside each job, so that it is found again and nobody else's is taken */
	const char *repository, *project;
	const char *release; /* its id; NULL where nothing is deployed */
	uint64_t fence;	     /* of the claim that writes */
	void *session;	     /* the driver's own, from open() to close() */
	/* What people should know of the ability that was used last, besides its outcome; "" */
	char said[160];
};

/* ---- one job ---- */

struct fabric_job {
	const char *key;    /* "jobs/X" */
	const char *name;   /* as people see it on the fabric */
	const char *sha256; /* definition wanted, in the content store; an orphan's: as put */
	const char *id;	    /* the provider's own, as core has stored it; NULL: none is known */
	bool orphan;	    /* not wanted any more: it stays, paused */
	/* Another tool made the job of that id, and called it so: it is taken over without a stamp
	 * of ours. NULL: it is ours, or none. */
	const char *imported;
};

/* What is there of one job. All strings belong to it: fabric_seen_clear(). */
struct fabric_seen {
	/* Of the definition in force: the one asked for when all fields that we manage are as it
	 * says; else of `definition`. "": the job is not there. */
	char sha256[65];
	/* The one asked for, with what is there in place of what differs, canonical JSON; NULL when
	 * nothing does, or when it cannot be told. */
	char *definition;
	char *id;      /* the provider's; NULL: it has none */
	char *release; /* its first digits, by the stamp beside it; NULL: there is none */
	char *by;      /* who changed it last, where the provider tells; NULL */
	bool paused;
};
void fabric_seen_clear(struct fabric_seen *s, size_t n);

/*
 * One job after another. A job is found by its stored id, else by its stamp, else by its exact
 * name; two that match are PS_ECONFLICT, and so is one that carries another's stamp.
 *
 * A job that somebody paused on the fabric itself is never woken by any of this. One that was
 * paused as an orphan, and by nobody else, is woken when it is wanted again.
 */
struct fabric_jobs {
	/* What else these need before they run, as the admin gives it: values in secret scopes.
	 * Asked for before any of them is put. NULL: nothing. */
	int (*prepare)(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
		       enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* It is there as its definition says. *id (free it) is set whenever the job's is known,
	 * whatever is returned. */
	int (*put)(struct fabric_target *t, const struct fabric_job *j, char **id,
		   enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* An orphan: it is paused. Nothing when it is gone. */
	int (*pause)(struct fabric_target *t, const struct fabric_job *j,
		     enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* Nothing of it is there, if it was ours. */
	int (*remove)(struct fabric_target *t, const struct fabric_job *j,
		      enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
};

/* ---- all jobs of one project at once ---- */

/*
 * The set's name is the digest of its stamp, which lists everything. An orphan is a job that is
 * there and that nothing wants any more: it stays, paused, until it is among `gone`. The same holds
 * for pauses as for single jobs.
 */
struct fabric_set {
	const char *digest;
	const char *stamp; /* bytes of release.json */
	const struct fabric_file *files;
	size_t nfiles;
	const struct fabric_file *orphans;
	size_t norphans;
	const char *const *gone; /* paths: nothing of them is there afterwards */
	size_t ngone;
};

struct fabric_sets {
	/* Makes the set ready without any effect on what runs. PS_ECONFLICT: the place is
	 * another's. */
	int (*put)(struct fabric_target *t, const struct fabric_set *s,
		   enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* From now on the set is what runs; orphans are paused before, others woken after. */
	int (*switch_to)(struct fabric_target *t, const struct fabric_set *s,
			 enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* Appends the stamp of the set that is in force. PS_ENOENT: none is. */
	int (*observe)(const struct fabric_target *t, struct buf *stamp,
		       struct ps_err *err) PS_MUSTCHECK;
	/* Is the set in force as it was meant: each definition byte for byte, orphans paused?
	 * Changes nothing. PS_ECONFLICT names the first thing that is not so. */
	int (*check)(const struct fabric_target *t, const struct fabric_set *s,
		     struct ps_err *err) PS_MUSTCHECK;
};

/* ---- runs ---- */

struct fabric_run {
	const struct fabric_job *job;
	const char *token;  /* of this run alone: asked twice with it, the job runs once */
	const char *id;	    /* the provider's; NULL before start() */
	const char *config; /* instance of all its tasks; NULL: as the job says */
	const char *const *names, *const *values; /* further parameters */
	size_t nparams;
	bool repaired; /* it was started again from what had failed */
};

struct fabric_task {
	char *key;
	const char *state;  /* a word of DESIGN section 2, static */
	char *reason, *url; /* NULL: nothing */
	int64_t started_ms, ended_ms; /* wall clock; 0: not yet */
};

struct fabric_run_now {
	const char *state; /* the same, static */
	char *reason, *url;
	struct fabric_task *tasks;
	size_t ntasks;
};
void fabric_run_now_clear(struct fabric_run_now *n);

/*
 * Besides an outcome each returns PS_EIO, PS_ETIME, PS_EAGENT or PS_EBUSY when the provider could
 * not be asked or did not answer: it is asked again. Any other error of start() and repair() that
 * left nothing done is an answer, and ends the run.
 */
struct fabric_runs {
	/* *id (free it) as for put. */
	int (*start)(struct fabric_target *t, const struct fabric_run *r, char **id,
		     enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* PS_ENOENT: the provider has no such run (any more), and says so. */
	int (*now)(struct fabric_target *t, const struct fabric_run *r, struct fabric_run_now *out,
		   struct ps_err *err) PS_MUSTCHECK;
	/* Asks for its end; now() tells when it has come. */
	int (*cancel)(struct fabric_target *t, const struct fabric_run *r,
		      enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* Again, from the tasks that failed; those that passed stay. NULL: the provider cannot. */
	int (*repair)(struct fabric_target *t, const struct fabric_run *r,
		      enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* Appends what the provider keeps of a task's output, from its beginning; nothing is no
	 * error. */
	int (*output)(struct fabric_target *t, const struct fabric_run *r, const char *task,
		      struct buf *out, struct ps_err *err) PS_MUSTCHECK;
	/* The provider knows no cancelled run: one whose end was asked for is failed there. */
	bool cancelled_is_failed;
};

/* ---- a driver ---- */

struct fabric_driver {
	const char *name; /* the provider's word in penstock.yml */
	/* Makes t->session, without a word to the fabric; NULL both: no session. */
	int (*open)(struct fabric_target *t, struct ps_err *err) PS_MUSTCHECK;
	void (*close)(struct fabric_target *t);
	/* Is it reached, and is the credential good for all that we do there? Changes nothing.
	 * NULL: there is nothing to ask. */
	int (*probe)(struct fabric_target *t, struct ps_err *err) PS_MUSTCHECK;
	/* PS_ECONFLICT: the path has other bytes. It never gets them. */
	int (*put_artifact)(struct fabric_target *t, const struct fabric_file *f,
			    enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* Each job as it is in force; out has n elements, all zero. Waits for nobody who is
	 * changing something meanwhile. */
	int (*look)(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
		    struct fabric_seen *out, struct ps_err *err) PS_MUSTCHECK;
	const struct fabric_sets *sets; /* one of the two */
	const struct fabric_jobs *jobs;
	const struct fabric_runs *runs; /* NULL: the build role runs its jobs */
};

extern const struct fabric_driver fabric_local, fabric_databricks, fabric_airflow;

/* The driver of a provider; NULL: this version has none. */
const struct fabric_driver *fabric_driver_find(const char *provider);
/* Fills out with "driver NAME" of every one, "runs NAME" and "repairs NAME" of those that can;
 * static texts; returns how many. */
size_t fabric_driver_list(const char **out, size_t max);
/* How a remote provider is asked, by its block of penstock.yml (host, http); strings are f's. */
struct http_settings fabric_http(const struct conf_fabric *f);
/* Must its driver start programs (OpenSSH's sftp)? Else a worker gives that up first. */
bool fabric_needs_programs(const struct conf_fabric *f);
/* PS_ECONFIG: the configuration names a credential, and none came. */
int fabric_no_credential(const struct conf_fabric *f, struct ps_err *err);
const char *fabric_outcome_word(enum fabric_outcome o); /* not done, done, already there, unknown */

#endif
