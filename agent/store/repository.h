/*
 * repository – the repositories core knows, and for each ref the value that its events end at.
 *
 * A repository is its penstock.id, not its path: it may be renamed. A ref's row is its baseline
 * (seq 0) or what its last event led to.
 */
#ifndef PS_STORE_REPOSITORY_H
#define PS_STORE_REPOSITORY_H

#include "agent/store/rows.h"

/* adopted_ms: when all its refs got a baseline; 0: known from a push alone, not looked at yet.
 * gone_ms: since when its folder is not there; 0: it is. taken_ms: since when the lease of another
 * agent (taken_by) lies in it; 0: it is ours. */
#define REPOSITORY_COLS(X) X(i, id) X(t, uid) X(t, path) X(t, name) X(i, adopted_ms) X(i, gone_ms) \
	X(i, taken_ms) X(t, taken_by)
/* Of a row of this table: nothing of it is taken into work. */
#define REPOSITORY_STANDS "(gone_ms > 0 OR taken_ms > 0)"
struct repository { REPOSITORY_COLS(ROWS_DECL) };
struct repositories { struct repository *v; size_t n; };

#define REF_COLS(X) X(i, repository) X(t, name) X(t, tail) X(i, seq) X(t, boot) X(i, stamp) \
	X(t, born_boot) X(i, born) X(t, read_boot) X(i, read_stamp) X(i, log_size) X(i, log_seq)
ROWS_STRUCT(ref, REF_COLS)

/* PS_ENOENT when it is not known (also of repository_by_path). */
int repository_get(struct store_tx *tx, int64_t id, struct repository *out,
		   struct ps_err *err) PS_MUSTCHECK;
/* path: real path. */
int repository_by_path(struct store_tx *tx, const char *path, struct repository *out,
		       struct ps_err *err) PS_MUSTCHECK;
/* By name (below its root); a name that two roots share gives the one that came first. */
int repository_by_name(struct store_tx *tx, const char *name, struct repository *out,
		       struct ps_err *err) PS_MUSTCHECK;
/*
 * Makes it known or follows its move: the row of this uid gets path and name. Another row with this
 * path loses it (path becomes ''): that repository is not there any more. PS_ECONFLICT when the uid
 * is in use by another folder that is still there: a copy with the original's id.
 */
int repository_put(struct store_tx *tx, const char *uid, const char *path, const char *name,
		   struct repository *out, struct ps_err *err) PS_MUSTCHECK;
/* It has no path any more and is not looked at; a later install makes another of it, or this one
 * again where it has kept its uid. */
int repository_forget(struct store_tx *tx, const char *path, struct ps_err *err) PS_MUSTCHECK;
/* Those that have a path, in the order they came. */
int repositories_all(struct store_tx *tx, struct repositories *out,
		     struct ps_err *err) PS_MUSTCHECK;
/* Its baseline is complete. Once only; later calls change nothing. */
int repository_adopted(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* Its folder is not there since ms; 0: it is there again. */
int repository_gone(struct store_tx *tx, const char *path, int64_t ms,
		    struct ps_err *err) PS_MUSTCHECK;
/* Another agent's lease lies in it since ms; by NULL: ours does. */
int repository_taken(struct store_tx *tx, const char *path, const char *by, int64_t ms,
		     struct ps_err *err) PS_MUSTCHECK;
/* Why nothing of it is taken into work, for people; NULL when it is. free() it. */
char *repository_stands(const struct repository *r);
void repository_clear(struct repository *r);
void repositories_clear(struct repositories *l);

int ref_get(struct store_tx *tx, int64_t repository, const char *name, struct ref *out,
	    struct ps_err *err) PS_MUSTCHECK;
/* In the order of their names, by bytes. */
int refs_of(struct store_tx *tx, int64_t repository, struct refs *out,
	    struct ps_err *err) PS_MUSTCHECK;
/* A ref's first row (born when that was read): what is there before its first event. */
int ref_baseline(struct store_tx *tx, int64_t repository, const char *name, const char *value,
		 const char *boot, int64_t stamp, struct ps_err *err) PS_MUSTCHECK;
int ref_set_read(struct store_tx *tx, int64_t repository, const char *name, const char *boot,
		 int64_t stamp, struct ps_err *err) PS_MUSTCHECK;
/* Its reflog is known up to this byte (-1: not) and all of it is in its events. */
int ref_set_log(struct store_tx *tx, int64_t repository, const char *name, int64_t size,
		struct ps_err *err) PS_MUSTCHECK;
/* A symbolic ref as it was seen last. */
int alias_put(struct store_tx *tx, int64_t repository, const char *name, const char *target,
	      struct ps_err *err) PS_MUSTCHECK;
/* What is behind it; NULL: nobody saw that it is symbolic. free() it. */
int alias_target(struct store_tx *tx, int64_t repository, const char *name, char **target,
		 struct ps_err *err) PS_MUSTCHECK;
void ref_clear(struct ref *r);
void refs_clear(struct refs *l);

#endif
