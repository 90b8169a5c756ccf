/*
 * release – immutable manifests by digest, and the labels that say how each was reached.
 */
#ifndef PS_STORE_RELEASE_H
#define PS_STORE_RELEASE_H

#include "agent/store/rows.h"

#define RELEASE_COLS(X) X(t, id) X(t, project) X(t, manifest) X(i, created_ms)
ROWS_STRUCT(release, RELEASE_COLS)

#define LABEL_COLS(X)                                                                        \
	X(i, id) X(t, release) X(i, repository) X(t, project) X(t, ref) X(t, commit_oid)     \
	X(t, version) X(i, event) X(t, pusher) X(i, created_ms)
ROWS_STRUCT(label, LABEL_COLS)

/* Puts the manifest unless it is there already: the id is its digest. */
int release_put(struct store_tx *tx, const char *id, const char *project, const char *manifest,
		struct ps_err *err) PS_MUSTCHECK;
int release_get(struct store_tx *tx, const char *id, struct release *out,
		struct ps_err *err) PS_MUSTCHECK;
/* One label per release and event; sets l->id also when it was there. */
int label_put(struct store_tx *tx, struct label *l, struct ps_err *err) PS_MUSTCHECK;
int label_get(struct store_tx *tx, int64_t id, struct label *out, struct ps_err *err) PS_MUSTCHECK;
void release_clear(struct release *r);
/* Was another commit than this one ever released by this ref? */
int label_of_another(struct store_tx *tx, int64_t repository, const char *ref, const char *commit, bool *is,
		     struct ps_err *err) PS_MUSTCHECK;
void label_clear(struct label *l);

#endif
