/*
 * release – immutable manifests by digest, and the labels that say how each was reached.
 */
#ifndef PS_STORE_RELEASE_H
#define PS_STORE_RELEASE_H

#include "agent/store/rows.h"

#define RELEASE_COLS(X)                                                                      \
	X(t, id) X(t, project) X(t, manifest) X(i, created_ms) X(t, signature) X(t, signed_by)
ROWS_STRUCT(release, RELEASE_COLS)

#define LABEL_COLS(X)                                                                        \
	X(i, id) X(t, release) X(i, repository) X(t, project) X(t, ref) X(t, commit_oid)     \
	X(t, version) X(i, event) X(t, pusher) X(i, created_ms)
ROWS_STRUCT(label, LABEL_COLS)

/* Puts r (id, project, manifest; signature and signed_by or NULL) unless it is there already: the id is
 * the manifest's digest. One that is there unsigned, or by another key, gets this signature. */
int release_put(struct store_tx *tx, const struct release *r, struct ps_err *err) PS_MUSTCHECK;
/* Releases without signature, at most n. Clear after success. */
int releases_unsigned(struct store_tx *tx, size_t n, struct releases *out,
		      struct ps_err *err) PS_MUSTCHECK;
int release_sign(struct store_tx *tx, const char *id, const char *signature, const char *signed_by,
		 struct ps_err *err) PS_MUSTCHECK;
void releases_clear(struct releases *l);
int release_get(struct store_tx *tx, const char *id, struct release *out,
		struct ps_err *err) PS_MUSTCHECK;
/* One label per release and event; sets l->id also when it was there. */
int label_put(struct store_tx *tx, struct label *l, struct ps_err *err) PS_MUSTCHECK;
int label_of(struct store_tx *tx, const char *release, int64_t event, struct label *out,
	     struct ps_err *err) PS_MUSTCHECK;
int label_get(struct store_tx *tx, int64_t id, struct label *out, struct ps_err *err) PS_MUSTCHECK;
void release_clear(struct release *r);
/* Was another commit than this one ever released by this ref? */
int label_of_another(struct store_tx *tx, int64_t repository, const char *ref, const char *commit, bool *is,
		     struct ps_err *err) PS_MUSTCHECK;
/* The newest labels first, at most limit. */
int labels_newest(struct store_tx *tx, int64_t limit, struct labels *out,
		  struct ps_err *err) PS_MUSTCHECK;
void labels_clear(struct labels *l);
void label_clear(struct label *l);

/* What people type for a release: the beginning of its id (four digits or more), the version of a
 * label, or a ref (v1.0.0, main, refs/tags/v1.0.0), of which the newest label counts. */
struct release_ask {
	const char *thing;
	const char *repository, *project;	/* only labels of these; NULL: any */
	bool place;	/* the place counts: the same content in two repositories is ambiguous */
};

struct release_found {
	char id[65];
	int64_t label;		/* the newest that fits */
	int64_t repository;
	char *project;
};

/* PS_ENOENT: nothing is called so; PS_EINVAL: more than one, and which. Clear after success. */
int release_find(struct store_tx *tx, const struct release_ask *ask, struct release_found *out,
		 struct ps_err *err) PS_MUSTCHECK;
void release_found_clear(struct release_found *f);

#endif
