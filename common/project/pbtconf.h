/*
 * pbtconf – the folder of configuration that Prophecy's own tool deploys by (`pbt deploy-v2
 * --conf-dir`), read, and written down as penstock.yml.
 *
 *	fabrics.yml	where it deploys to, with credentials
 *	state.yml	what it has deployed: the ids of its jobs
 *	system.yml	names that stand in paths of artifacts
 *	override.yml	what it deploys of a project
 *
 * Values of credentials are never kept. What penstock does not know, or does otherwise, is listed
 * with the reason. What the files mean is that tool's own reading of them (1.4.6).
 */
#ifndef PS_PBTCONF_H
#define PS_PBTCONF_H

#include "common/base/diag.h"
#include "common/base/err.h"
#include "common/project/doc.h"

struct buf;

enum pbtconf_kind { PBTCONF_OTHER, PBTCONF_DATABRICKS, PBTCONF_AIRFLOW };

/* A credential: what it is for, and how its user gets at it. */
struct pbtconf_secret {
	const char *key; /* "token", "client_secret", "password" of penstock.yml; NULL: none */
	char *env;       /* it stands in this variable; NULL: in the file, at: */
	struct doc_pos at;
};

struct pbtconf_fabric {
	int64_t id;             /* 0: its uid is no number */
	char *uid, *called;     /* number and name, by that tool */
	char *name;             /* in penstock.yml: a name, and no other's */
	enum pbtconf_kind kind; /* OTHER: it is not carried over */
	char *host;
	char *volume, *client_id; /* Databricks; NULL: none */
	char *user, *dags, *uploader, *uploader_user; /* Airflow; NULL: none */
	struct pbtconf_secret secret, uploader_secret;
	struct doc_pos at;
};

/* A job of a workspace of Databricks that is carried over. */
struct pbtconf_job {
	const struct pbtconf_fabric *fabric;
	char *job, *name, *id;
	char *tag; /* that it was released with last; NULL: not told */
	struct doc_pos at;
};

struct pbtconf_left {
	char *where, *what, *why;
}; /* where: "fabrics.yml:3:5", or a file */

struct pbtconf {
	struct pbtconf_fabric *fabrics;
	size_t nfabrics;
	struct pbtconf_job *jobs;
	size_t njobs;
	struct pbtconf_left *left;
	size_t nleft;
	char *customer, *control_plane; /* NULL: not told */
	int64_t project_id;             /* 0: not told */
};

/* The value of a variable of the environment; NULL: it is not set. */
typedef const char *pbtconf_env_fn(const char *name);

/*
 * Reads the folder. What is wrong in its files becomes findings, with their names as paths; then
 * *out stays NULL, unless all of them are warnings. Negative only where the folder cannot be read.
 */
int pbtconf_read(struct pbtconf **out, const char *dir, pbtconf_env_fn *env,
		 struct diag_list *findings, struct ps_err *err) PS_MUSTCHECK;
void pbtconf_free(struct pbtconf *c); /* NULL is fine */

struct pbtconf_to {
	const char *dir;     /* that was read, as typed */
	const char *team;    /* owner of what is written */
	const char *member;  /* its only one: a login */
	const char *secrets; /* absolute folder where credentials shall lie */
};
/* How many fabrics are carried over. */
size_t pbtconf_carried(const struct pbtconf *c);
/* Appends the text of a penstock.yml: without errors, if any fabric is carried over. What
 * cannot be said is comment. */
void pbtconf_write(struct buf *out, const struct pbtconf *c, const struct pbtconf_to *to);
#endif
