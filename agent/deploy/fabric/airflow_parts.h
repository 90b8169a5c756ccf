/*
 * airflow_parts – what the files of the Airflow driver share; nobody else includes it.
 *
 *	airflow.c		the table; session: version, signing in
 *	airflow_ask.c		one question to the server, its errors in the server's words
 *	airflow_def.c		a definition: which files make which DAG
 *	airflow_zip.c		the archive of a DAG, written and read
 *	airflow_place.c		the dags folder
 *	airflow_load.c		waiting until the server has read an archive
 *	airflow_jobs.c		put, pause, remove
 *	airflow_look.c		look
 *	airflow_runs.c		runs
 *
 * A job is a DAG, its id there the DAG's id. Its definition (common/plan/plan_dag.c) names rendered
 * files in the content store, of which the driver makes one archive "<dag_id>.zip", the one unit
 * that a dags folder takes whole. Versions 2 and 3 of the interface are spoken; which one is there
 * is asked once per session.
 */
#ifndef PS_AIRFLOW_PARTS_H
#define PS_AIRFLOW_PARTS_H

#include <jansson.h>

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/http/http.h"

/* ---- the session ---- */

struct afl {
	struct http *http;
	const struct conf_fabric *conf;
	const char *secret; /* token, or password of conf->user; NULL: none */
	int major;	    /* 2 or 3; 0: not asked yet */
};

static inline struct afl *afl_of(struct fabric_target *t)
{
	return t->session;
}

/* Asks for the version, and signs in. */
int afl_begin(struct afl *a, struct ps_err *err) PS_MUSTCHECK;
/* For the session: another token, where version 3 gave one. */
int afl_token(struct http *h, void *afl, struct ps_err *err) PS_MUSTCHECK;
enum http_means afl_means(const struct http_answer *a);

/* ---- asking ---- */

struct afl_ask {
	const char *method; /* NULL: GET */
	const char *path;   /* behind /api/v1 or /api/v2 */
	const struct http_field *query;
	json_t *body;	 /* taken over; NULL: none */
	bool repeatable; /* done twice it is as done once */
	bool plain;	 /* text is wanted, not JSON */
};

struct afl_said {
	json_t *doc; /* NULL where it said nothing or is plain */
	struct buf plain;
	int status;
	char text[512]; /* what it said when it said no, escaped */
	enum fabric_outcome outcome;
};
void afl_said_clear(struct afl_said *s);

/* 0: it said yes. Negative: PS_ENOENT, PS_EEXIST (409), PS_EPERM, else PS_EINVAL, PS_EIO or of the
 * connection. s->outcome: done, not done, or unknown. Clear s in any case. */
int afl_ask(struct afl *a, const struct afl_ask *q, struct afl_said *s,
	    struct ps_err *err) PS_MUSTCHECK;
/* "/dags/<id, encoded>" and what is behind it. free() it. */
char *afl_dag_path(const char *dag_id, const char *tail);
/* "2026-11-23T17:00:00.5+00:00" as ms since 1970; 0: not such a text. */
int64_t afl_time_ms(const char *text);

/* The DAG as the server knows it. 0 and *dag NULL: it does not. */
int afl_dag(struct afl *a, const char *dag_id, json_t **dag, struct ps_err *err) PS_MUSTCHECK;
int afl_set_paused(struct afl *a, const char *dag_id, bool paused, enum fabric_outcome *outcome,
		   struct ps_err *err) PS_MUSTCHECK;

/* ---- a definition ---- */

struct afl_def {
	json_t *doc;
	const char *dag_id; /* of doc */
	bool enabled;
	const json_t *files; /* of doc */
};
int afl_def_read(struct afl_def *out, const struct fabric_target *t, const struct fabric_job *j,
		 struct ps_err *err) PS_MUSTCHECK;
void afl_def_clear(struct afl_def *d);
/* The bytes of one file of it, from the content store. PS_ENOENT: it has no such file. */
int afl_def_file(const struct afl_def *d, const struct fabric_target *t, const char *path,
		 struct buf *out, struct ps_err *err) PS_MUSTCHECK;

/* ---- an archive ---- */

#define AFL_STAMP "penstock.json" /* a member that the server does not load */

/* Writes the archive of d into fd, the same bytes for the same definition and stamp. */
int afl_zip_write(int fd, const struct fabric_target *t, const struct fabric_job *j,
		  const struct afl_def *d, struct ps_err *err) PS_MUSTCHECK;

struct afl_zip { /* what an archive holds */
	json_t *files; /* path: SHA-256, without the stamp */
	json_t *stamp; /* NULL: it has none */
};
/* PS_EINVAL: it is no archive. */
int afl_zip_read(struct afl_zip *out, int fd, struct ps_err *err) PS_MUSTCHECK;
void afl_zip_clear(struct afl_zip *z);
const char *afl_zip_says(const struct afl_zip *z, const char *key); /* of its stamp; NULL */
/* PS_ECONFLICT: by its stamp it is another's. One without a stamp is nobody's. */
int afl_zip_owner(const struct afl_zip *z, const struct fabric_target *t,
		  const struct fabric_job *j, struct ps_err *err) PS_MUSTCHECK;

/* ---- the dags folder ---- */

/* The archive of a DAG that is there, read; *since_ms: when it came. 0 and out->files NULL: there
 * is none. */
int afl_place_read(const struct fabric_target *t, const char *dag_id, struct afl_zip *out,
		   int64_t *since_ms, struct ps_err *err) PS_MUSTCHECK;
/* The archive takes the place of what is there, whole, which is kept aside. *since_ms: the server
 * must have read it later than that. */
int afl_place_put(const struct fabric_target *t, const struct fabric_job *j,
		  const struct afl_def *d, int64_t *since_ms, enum fabric_outcome *outcome,
		  struct ps_err *err) PS_MUSTCHECK;
/* What was there before is there again; nothing, where nothing was. */
int afl_place_restore(const struct fabric_target *t, const char *dag_id,
		      struct ps_err *err) PS_MUSTCHECK;
/* What was kept aside is not needed any more. */
int afl_place_keep(const struct fabric_target *t, const char *dag_id,
		   struct ps_err *err) PS_MUSTCHECK;
int afl_place_remove(const struct fabric_target *t, const char *dag_id,
		     enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
/* Was this DAG paused by us, as an orphan? */
bool afl_place_slept(const struct fabric_target *t, const char *dag_id);
int afl_place_note_sleep(const struct fabric_target *t, const char *dag_id, bool sleeps,
			 struct ps_err *err) PS_MUSTCHECK;

/* ---- loading ---- */

/* Waits until the server has read this archive later than since_ms and has a DAG of it.
 * PS_ECONFLICT: it cannot load it, and says why; PS_EBUSY: it did not look in time. */
int afl_load_wait(struct fabric_target *t, const struct afl_def *d, int64_t since_ms,
		  struct ps_err *err) PS_MUSTCHECK;
/* Does the server show this text for the DAG? PS_ENOENT: it shows none. */
int afl_load_shows(struct afl *a, const json_t *dag, const char *dag_id, struct buf *source,
		   struct ps_err *err) PS_MUSTCHECK;

extern const struct fabric_jobs afl_jobs;
extern const struct fabric_runs afl_runs;
int afl_look(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
	     struct fabric_seen *out, struct ps_err *err) PS_MUSTCHECK;

#endif
