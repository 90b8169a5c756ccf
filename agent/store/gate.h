/*
 * gate – where a waiting deployment stands by itself, before it is in the line of its environment.
 *
 * What keeps one deployment (after, approval, manual, pinned) is written in its own row, so that it keeps nobody
 * behind it; what keeps a whole environment is a wait of its place (line.h). The next pass looks at
 * those that are marked: new ones (gate `order`), those something happened to, and all at a gate when the
 * configuration has changed since they were judged.
 */
#ifndef PS_STORE_GATE_H
#define PS_STORE_GATE_H

#include "agent/store/deployment.h"

struct gate_stand {
	const char *gate;	/* a wait reason; "": none, it goes into the line */
	const char *detail, *blocked_by, *lift;
};

/* Marked, or judged by another configuration than this; oldest first, at most limit. */
int gates_to_look_at(struct store_tx *tx, const char *policy, int64_t limit, struct deployments *out,
		     struct ps_err *err) PS_MUSTCHECK;
/* Looked at: it stands there now, and the mark is gone. Since when is kept while the gate stays. */
int gate_stand(struct store_tx *tx, int64_t deployment, const struct gate_stand *s, const char *policy,
	       struct ps_err *err) PS_MUSTCHECK;
/* The next pass looks at it. */
int gate_look(struct store_tx *tx, int64_t deployment, struct ps_err *err) PS_MUSTCHECK;
/* d has ended on its fabric: plans made for the same place before are of the past, and who waits for its
 * release may go on. */
int gate_look_beside(struct store_tx *tx, const struct deployment *d, struct ps_err *err) PS_MUSTCHECK;
/* Those that wait for this release to be verified elsewhere. */
int gate_look_after(struct store_tx *tx, const char *release, struct ps_err *err) PS_MUSTCHECK;
/* Waiting at this gate of an environment; repository (name) and project NULL: any. */
int gates_at(struct store_tx *tx, const char *gate, const char *environment, const char *repository,
	     const char *project, struct deployments *out, struct ps_err *err) PS_MUSTCHECK;
/* Waiting ones of this one's release for its environment, itself too. */
int gates_of_release(struct store_tx *tx, const struct deployment *d, struct deployments *out,
		     struct ps_err *err) PS_MUSTCHECK;
/* Somebody lets go what is deployed by hand; it is marked. */
int gate_let(struct store_tx *tx, int64_t deployment, const char *who, const char *why,
	     struct ps_err *err) PS_MUSTCHECK;
/* The plan that an approval will speak of. changed: how it differs from the one that was approved; NULL:
 * nothing to tell. */
int gate_plan(struct store_tx *tx, int64_t deployment, const char *plan, const char *digest,
	      const char *changed, struct ps_err *err) PS_MUSTCHECK;
int gate_emergency(struct store_tx *tx, int64_t deployment, bool on, struct ps_err *err) PS_MUSTCHECK;
/* The first emergency in this environment's line: its number, else 0. */
int gate_first_emergency(struct store_tx *tx, const char *environment, int64_t *id,
			 struct ps_err *err) PS_MUSTCHECK;
/* Logins of all that may have pushed an event, by name; those spoken as count, not the callers. *unknown:
 * somebody may have whom nobody knows; then who let it go is one of them. */
struct texts;
int gate_makers(struct store_tx *tx, int64_t event, struct texts *out, bool *unknown,
		struct ps_err *err) PS_MUSTCHECK;

#endif
