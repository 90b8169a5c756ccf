/*
 * fabric – one place where jobs run, behind one const table per provider.
 *
 * Every ability looks first at what is there, then does what is missing, and can be called again
 * after a crash at any point: the journal says that a step was begun, never that it was not done. A
 * driver knows artifacts, definitions and whose place it writes to; it knows nothing of how they
 * were decided.
 */
#ifndef PS_FABRIC_H
#define PS_FABRIC_H

#include "common/base/err.h"

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

/*
 * All jobs of one project at once. The set's name is the digest of its stamp, which lists
 * everything. An orphan is a job that is there and that nothing wants any more: it stays, paused,
 * until it is among `gone`.
 *
 * A job that somebody paused on the fabric itself is never woken by any of this. One that was
 * paused as an orphan, and by nobody else, is woken when it is wanted again.
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

struct fabric_target {
	const char *dir;     /* of a local fabric, absolute */
	const char *content; /* content store to take bytes from, absolute */
	const char *place;   /* "<repository>" or "<repository>/<project>" */
	const char *owner;   /* bytes that say whose place that is */
};

struct fabric_driver {
	const char *name; /* the provider's word in penstock.yml */
	/* PS_ECONFLICT: the path has other bytes. It never gets them. */
	int (*put_artifact)(const struct fabric_target *t, const struct fabric_file *f,
			    enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* Makes the set ready without any effect on what runs. PS_ECONFLICT: the place is
	 * another's. */
	int (*put_jobs)(const struct fabric_target *t, const struct fabric_set *s,
			enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* From now on the set is what runs; orphans are paused before, others woken after. */
	int (*switch_jobs)(const struct fabric_target *t, const struct fabric_set *s,
			   enum fabric_outcome *outcome, struct ps_err *err) PS_MUSTCHECK;
	/* Appends the stamp of the set that is in force. PS_ENOENT: none is. */
	int (*observe)(const struct fabric_target *t, struct buf *stamp,
		       struct ps_err *err) PS_MUSTCHECK;
	/* Is the set in force as it was meant: each definition byte for byte, orphans paused?
	 * Changes nothing. PS_ECONFLICT names the first thing that is not so. */
	int (*check)(const struct fabric_target *t, const struct fabric_set *s,
		     struct ps_err *err) PS_MUSTCHECK;
	/* Digests of these definitions as they are in force, "" for one that is not there. Waits
	 * for nobody who is changing something meanwhile. */
	int (*look)(const struct fabric_target *t, const char *const *paths, size_t n,
		    char (*sha256)[65], struct ps_err *err) PS_MUSTCHECK;
};

extern const struct fabric_driver fabric_local;
/* local_look.c */
int fabric_local_look(const struct fabric_target *t, const char *const *paths, size_t n,
		      char (*sha256)[65], struct ps_err *err) PS_MUSTCHECK;

/* The driver of a provider; NULL: this version has none. */
const struct fabric_driver *fabric_driver_find(const char *provider);
/* Fills out with "driver <name>" of every one, static texts; returns how many. */
size_t fabric_driver_list(const char **out, size_t max);
const char *fabric_outcome_word(enum fabric_outcome o); /* not done, done, already there, unknown */

#endif
