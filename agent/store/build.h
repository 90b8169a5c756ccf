/*
 * build – the work of turning one key into a sealed artifact; shared by all who need it.
 */
#ifndef PS_STORE_BUILD_H
#define PS_STORE_BUILD_H

#include "agent/store/rows.h"

#define BUILD_COLS(X)                                                                        \
	X(i, id) X(t, key) X(i, repository) X(t, project) X(t, commit_oid) X(t, pipeline)    \
	X(t, spec) X(t, state) X(t, reason) X(t, detail) X(i, since_ms) X(i, slot) X(i, fence) \
	X(i, lease_ms) X(t, digest) X(t, name) X(i, size) X(t, toolchain) X(t, prefix)       \
	X(t, last_lines) X(i, created_ms) X(i, started_ms) X(i, ended_ms) X(i, priority)       \
	X(i, turn) X(i, bumped_ms) X(t, cancel) X(i, told) X(i, retry_of) X(t, asked_by)           \
	X(t, bumped_by) X(i, check_of)
ROWS_STRUCT(build, BUILD_COLS)

/* What a finished build came to; texts may be NULL. */
struct build_result {
	const char *state;		/* passed, failed, cancelled */
	const char *reason, *digest, *name, *last_lines;
	int64_t size;
};

#define BUILD_UNWANTED "no demand is left"	/* why it was cancelled: who needs it again builds it again */

/* The build of this key that has not failed or been cancelled: queued, under way or passed with its
 * artifact still there; never one that only compares. PS_ENOENT. */
int build_by_key(struct store_tx *tx, const char *key, struct build *out,
		 struct ps_err *err) PS_MUSTCHECK;
/*
 * The same for n keys: out[i] (n of them, all zeros before) gets id, key, state, digest, name and size
 * of that of keys[i]; its key stays NULL when there is none. A statement for each BUILD_KEYS of them.
 * build_clear() each, also after an error.
 */
int builds_by_keys(struct store_tx *tx, const char *const *keys, size_t n, struct build *out,
		   struct ps_err *err) PS_MUSTCHECK;
enum { BUILD_KEYS = 100 };
/* The newest one that made this artifact. PS_ENOENT. */
int build_of_artifact(struct store_tx *tx, const char *sha256, struct build *out,
		      struct ps_err *err) PS_MUSTCHECK;
int build_get(struct store_tx *tx, int64_t id, struct build *out, struct ps_err *err) PS_MUSTCHECK;
/* Inserts a queued build; sets b->id. Failpoint-free: the caller's transaction is the point. */
int build_insert(struct store_tx *tx, struct build *b, struct ps_err *err) PS_MUSTCHECK;
int build_link(struct store_tx *tx, int64_t demand, int64_t build, const char *pipeline,
	       struct ps_err *err) PS_MUSTCHECK;
int builds_of_demand(struct store_tx *tx, int64_t demand, struct builds *out,
		     struct ps_err *err) PS_MUSTCHECK;
/* Claimed or running ones. */
int builds_under_way(struct store_tx *tx, struct builds *out, struct ps_err *err) PS_MUSTCHECK;
/* Under way, and shall end: those that build_set_told() has not been called for. */
int builds_to_cancel(struct store_tx *tx, struct builds *out, struct ps_err *err) PS_MUSTCHECK;
int build_set_told(struct store_tx *tx, int64_t id, struct ps_err *err) PS_MUSTCHECK;
/* A demand has ended: those of its builds that no open demand needs any more are cancelled (queued) or
 * shall end (under way); the others have the priority of the demands that are left. */
int builds_let_go(struct store_tx *tx, int64_t demand, struct ps_err *err) PS_MUSTCHECK;
/* queued → claimed with a raised fence, which is returned in *fence. */
int build_claim(struct store_tx *tx, int64_t id, int64_t slot, int64_t lease_ms, int64_t *fence,
		struct ps_err *err) PS_MUSTCHECK;
/*
 * What a claim came to: claimed → running; claimed or running → queued, or an end. Only under the
 * claim's own fence and while it lasts, else PS_ESTALE: late answers change nothing. One that shall
 * end does not go back into the line.
 */
int build_started(struct store_tx *tx, int64_t id, int64_t fence, struct ps_err *err) PS_MUSTCHECK;
int build_requeue(struct store_tx *tx, int64_t id, int64_t fence, const char *why,
		  struct ps_err *err) PS_MUSTCHECK;
/* The reason of a cancelled one is what build_cancel() was told. */
int build_finish(struct store_tx *tx, int64_t id, int64_t fence, const struct build_result *r,
		 struct ps_err *err) PS_MUSTCHECK;
/* Its role is still at it: the claim lasts until then. PS_ESTALE as above. */
int build_lease(struct store_tx *tx, int64_t id, int64_t fence, int64_t lease_ms,
		struct ps_err *err) PS_MUSTCHECK;
/*
 * Somebody wants it ended; why is "cancelled by kim: ...". A queued one is cancelled at once. One under
 * way only remembers (*under_way): its processes must end first; the next pass tells the build role,
 * whose answer, or whose end, finishes it. Twice is fine: the first one's word stays.
 */
int build_cancel(struct store_tx *tx, const struct build *b, const char *why, bool *under_way,
		 struct ps_err *err) PS_MUSTCHECK;
void build_clear(struct build *b);
void builds_clear(struct builds *l);

#endif
