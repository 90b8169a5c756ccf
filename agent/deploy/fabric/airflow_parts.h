/*
 * airflow_parts – what the files of the Airflow driver share; nobody else includes it.
 *
 *	airflow.c		the table; session: version, signing in
 *	airflow_ask.c		one question to the server, its errors in the server's words
 *	airflow_def.c		a definition: which files make which DAG
 *	airflow_zip.c		the archive of a DAG
 *	airflow_place.c		where archives lie: a folder of this machine
 *	airflow_sftp.c		the same of another machine; airflow_uploader.c: behind a service
 *	airflow_seen.c		a DAG as the server has it: paused, loaded, its text, import errors
 *	airflow_mark.c		what we wrote down there, of a set and of a DAG
 *	airflow_load.c		waiting until archives are loaded
 *	airflow_sets.c		what is there of a set; put, observe, check
 *	airflow_switch.c	from one set to the next, all or nothing
 *	airflow_look.c		look
 *	airflow_runs.c		runs
 *
 * A job is a DAG. Its definition (common/plan/plan_dag.c) names rendered files in the content
 * store, of which the driver makes one archive "<dag_id>.zip", the one unit that a dags folder
 * takes whole. A server looks for new ones every five minutes unless told otherwise: so the DAGs of
 * a project are laid there together and waited for together, and together they are put back.
 *
 * Versions 2 and 3 of the interface are spoken; which one is there is asked once per session. What
 * is said here of their ways was seen on 2.11.2 and 3.3.2 (tests/e2e/airflow2.py, airflow3.py).
 */
#ifndef PS_AIRFLOW_PARTS_H
#define PS_AIRFLOW_PARTS_H

#include <jansson.h>

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/http/http.h"
#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"

/* ---- the session ---- */

struct afl_place;

struct afl {
	struct http *http;
	struct http *uploader; /* NULL: archives go another way */
	const struct conf_fabric *conf;
	const char *secret; /* token, or password of conf->user; NULL: none */
	const struct afl_place *place;
	int major;	   /* 2 or 3; 0: not asked yet */
	int64_t server_ms; /* its clock at its last answer, in whole seconds; 0: it tells none */
};

static inline struct afl *afl_of(const struct fabric_target *t)
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
/* The same for who only wants the document; NULL after an error. */
int afl_get(struct afl *a, const char *path, const struct http_field *query, json_t **doc,
	    struct ps_err *err) PS_MUSTCHECK;
/* "/dags/<id, encoded>" and what is behind it. free() it. */
char *afl_dag_path(const char *dag_id, const char *tail);
/* "2026-11-23T17:00:00.5+00:00" as ms since 1970; 0: not such a text. */
int64_t afl_time_ms(const char *text);

/* The DAG as the server knows it. 0 and *dag NULL: it does not. */
int afl_dag(struct afl *a, const char *dag_id, json_t **dag, struct ps_err *err) PS_MUSTCHECK;
int afl_set_paused(struct afl *a, const char *dag_id, bool paused, struct ps_err *err) PS_MUSTCHECK;

/* ---- a definition ---- */

struct afl_def {
	json_t *doc;
	const char *dag_id; /* of doc */
	bool enabled;
	const json_t *files; /* of doc */
};
/* From the content store. job: its key, for messages. afl_def_clear(), also after an error. */
int afl_def_read(struct afl_def *out, const struct fabric_target *t, const char *job,
		 const char *sha256, struct ps_err *err) PS_MUSTCHECK;
void afl_def_clear(struct afl_def *d);
/* Is it an id that Airflow takes? Then it is a name of a file too. */
bool afl_is_dag_id(const char *s);
/* The bytes of one file of it, from the content store. PS_ENOENT: it has no such file. */
int afl_def_file(const struct afl_def *d, const struct fabric_target *t, const char *path,
		 struct buf *out, struct ps_err *err) PS_MUSTCHECK;

/* ---- an archive, and where it lies ---- */

enum { AFL_ZIP_MAX = 64 << 20 };

/* Appends the archive of d, the same bytes for the same definition; hex: their digest. */
int afl_zip(const struct fabric_target *t, const struct afl_def *d, struct buf *out,
	    char hex[DIGEST_HEX], struct ps_err *err) PS_MUSTCHECK;

struct afl_place {
	/* Appends the bytes of a file. PS_ENOENT: there is none; NULL: nobody can read there. */
	int (*read)(struct afl *a, const char *name, struct buf *out, struct ps_err *err);
	/* The file gets these bytes, whole and at once, whether it was there or not. */
	int (*write)(struct afl *a, const char *name, const struct buf *bytes, struct ps_err *err);
	int (*remove)(struct afl *a, const char *name, struct ps_err *err); /* none is fine */
};
extern const struct afl_place afl_place_here, afl_place_sftp, afl_place_uploader;
enum http_means afl_uploader_means(const struct http_answer *a);

/* The archive of a DAG that lies there: its digest, "" for none; bytes (may be NULL) get it. Where
 * nobody can read, supposed is taken for it, and bytes get nothing. */
int afl_lies(struct afl *a, const char *dag_id, const char *supposed, char hex[DIGEST_HEX],
	     struct buf *bytes, struct ps_err *err) PS_MUSTCHECK;
int afl_lay(struct afl *a, const char *dag_id, const struct buf *bytes,
	    struct ps_err *err) PS_MUSTCHECK;
int afl_take_away(struct afl *a, const char *dag_id, struct ps_err *err) PS_MUSTCHECK;

/* ---- a DAG as the server has it ---- */

struct afl_row {
	bool there;
	bool paused;
	bool active; /* its file was there and loaded when somebody looked last */
	bool broken; /* it has import errors, as far as the row tells */
	char *file;  /* "…/x.zip/dag.py" */
	char *token; /* of its file, for version 2 */
	int64_t parsed_ms; /* when its file was loaded last */
	int64_t began_ms;  /* when that loading began; 0: this server does not tell */
};
int afl_row(struct afl *a, const char *dag_id, struct afl_row *out,
	    struct ps_err *err) PS_MUSTCHECK;
void afl_row_clear(struct afl_row *r);
/* Does it come from our archive? */
bool afl_is_ours(const struct afl_row *r, const char *dag_id);
/* Appends the text of the file that the DAG is in. */
int afl_source(struct afl *a, const char *dag_id, const struct afl_row *r, struct buf *out,
	       struct ps_err *err) PS_MUSTCHECK;
/* All import errors there are now. */
int afl_errors(struct afl *a, json_t **list, struct ps_err *err) PS_MUSTCHECK;
/* The trace of one in our archive that is not older than that, on one line; NULL: there is none.
 * free() it. *at_ms: when that loading was. */
char *afl_error_of(const json_t *list, const char *dag_id, int64_t since_ms, int64_t *at_ms);
/* How many of its runs are queued or running. */
int afl_active_runs(struct afl *a, const char *dag_id, size_t *n,
		    struct ps_err *err) PS_MUSTCHECK;

/* ---- what we wrote down there ---- */

/* The set of a place that is in force, and which DAG each of its jobs is. */
struct afl_set {
	char *stamp; /* NULL: none is */
	json_t *dags; /* {"jobs/x": "dag_id"}; never NULL */
};
int afl_set_read(const struct fabric_target *t, struct afl_set *out,
		 struct ps_err *err) PS_MUSTCHECK;
int afl_set_write(const struct fabric_target *t, const char *stamp, const json_t *dags,
		  struct ps_err *err) PS_MUSTCHECK;
void afl_set_clear(struct afl_set *s);

struct afl_version { /* of a DAG; definition "": none */
	char definition[DIGEST_HEX], archive[DIGEST_HEX];
};
struct afl_mark {
	bool there;
	char *repository, *project, *job, *release;
	struct afl_version in_force, coming;
	bool wake;   /* it is new, or was an orphan: ours to wake */
	bool orphan; /* paused by us, as an orphan */
};
int afl_mark_read(struct afl *a, const char *dag_id, struct afl_mark *out,
		  struct ps_err *err) PS_MUSTCHECK;
int afl_mark_write(const struct fabric_target *t, const char *dag_id, const struct afl_mark *m,
		   struct ps_err *err) PS_MUSTCHECK;
int afl_mark_remove(struct afl *a, const char *dag_id, struct ps_err *err) PS_MUSTCHECK;
void afl_mark_clear(struct afl_mark *m);
/* PS_ECONFLICT: somebody else looks after this DAG. */
int afl_check_owner(const struct fabric_target *t, const char *dag_id, const struct afl_mark *m,
		    const struct afl_row *r, struct ps_err *err) PS_MUSTCHECK;

/* ---- waiting ---- */

struct afl_load { /* one DAG that shall show */
	const char *dag_id;
	const char *source; /* text of its dag.py as it shall be; NULL: whatever */
	bool differs;	    /* it was another before: the text alone proves the new one */
	/* while waiting */
	unsigned loads;	    /* how often it was loaded since then */
	unsigned good;	    /* looks in a row that found it in force */
	int64_t parsed_ms, error_ms, error_boot_ns;
};
/*
 * Until all are loaded, none with an import error. since_ms: nothing older counts, by the server's
 * clock. PS_EINVAL: the first that does not load, with its trace; PS_ETIME.
 */
int afl_wait(struct afl *a, struct afl_load *v, size_t n, int64_t since_ms, int64_t limit_ms,
	     struct ps_err *err) PS_MUSTCHECK;
/* The server's clock, past all that was done before. */
int afl_clock(struct afl *a, int64_t *ms, struct ps_err *err) PS_MUSTCHECK;
bool afl_same_text(const char *a, const char *b); /* but for the ends of lines */
void afl_sleep(int64_t ms);

/* ---- a set ---- */

struct afl_one {
	const char *path, *sha256; /* of its definition: "jobs/x.json", digest */
	char *job;		   /* "jobs/x" */
	struct afl_def def;
	struct afl_mark mark;
	struct afl_row row;
	char lies[DIGEST_HEX]; /* the archive that is there; "": none */
	/* of one that is wanted: its archive, and the text of its dag.py */
	char archive[DIGEST_HEX];
	struct buf bytes, source;
	bool changed; /* it is not there as it shall be */
	/* while switching */
	struct buf before; /* what lay there */
	bool differs;	   /* its dag.py was another */
	bool wake;
	bool laid;
	bool paused; /* by us, now */
};

/* All that is there of a set; live ones first. */
struct afl_work {
	struct afl_set set; /* in force */
	struct afl_one *v;
	size_t nlive, n;
};
/* afl_work_clear(), also after an error. */
int afl_gather(const struct fabric_target *t, const struct fabric_set *s, struct afl_work *out,
	       struct ps_err *err) PS_MUSTCHECK;
void afl_work_clear(struct afl_work *w);
/* The live one that is this DAG; NULL: none is. */
const struct afl_one *afl_live(const struct afl_work *w, const char *dag_id);
int afl_switch(struct fabric_target *t, const struct fabric_set *s, enum fabric_outcome *outcome,
	       struct ps_err *err) PS_MUSTCHECK;

/* ---- the table's ---- */

extern const struct fabric_sets afl_sets;
extern const struct fabric_runs afl_runs;
int afl_look(struct fabric_target *t, const struct fabric_job *jobs, size_t n,
	     struct fabric_seen *out, struct ps_err *err) PS_MUSTCHECK;

#endif
