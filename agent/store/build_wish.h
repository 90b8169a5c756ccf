/*
 * build_wish – what people want of builds: that they come again, come first, are compared; and what that
 * touches. That they end: build_cancel().
 */
#ifndef PS_STORE_BUILD_WISH_H
#define PS_STORE_BUILD_WISH_H

#include "agent/store/build.h"

/* The live build of this one's key, or a new queued copy of it (*made): same inputs, same toolchain.
 * by: who retries. Its place in the line is the caller's to give. */
int build_renew(struct store_tx *tx, const struct build *of, const char *by, int64_t *id, bool *made,
		struct ps_err *err) PS_MUSTCHECK;
/* The demand needs `to` where it needed `from`. */
int build_relink(struct store_tx *tx, int64_t demand, int64_t from, int64_t to,
		 struct ps_err *err) PS_MUSTCHECK;
/* Who put it to the front of the line (line_bump). */
int build_bumped(struct store_tx *tx, int64_t id, const char *by, struct ps_err *err) PS_MUSTCHECK;
/* The artifact sealed first for this key, by any build but `except`: its digest, or NULL (free()
 * it). */
int build_sealed(struct store_tx *tx, const char *key, int64_t except, char **digest,
		 struct ps_err *err) PS_MUSTCHECK;
/* A queued row that builds the key of a passed one again, only to be compared with it. */
int build_compare(struct store_tx *tx, const struct build *of, const char *by, int64_t *id,
		  struct ps_err *err) PS_MUSTCHECK;
/* The queued or running one that is being compared with this build. PS_ENOENT. */
int build_comparing(struct store_tx *tx, int64_t of, struct build *out, struct ps_err *err) PS_MUSTCHECK;
/* The passed build of a key that begins like this (a whole key, or at least 8 digits): PS_ENOENT,
 * PS_EINVAL when there are several keys. */
int build_passed(struct store_tx *tx, const char *key, struct build *out,
		 struct ps_err *err) PS_MUSTCHECK;
/* Queued, claimed and running builds of this demand that no other open demand needs. */
int builds_of_demand_alone(struct store_tx *tx, int64_t demand, struct builds *out,
			   struct ps_err *err) PS_MUSTCHECK;

#endif
