/*
 * pin – fabrics that keep what they have, and what going back needs to know of one.
 *
 * A pinned fabric gets nothing but what goes back; who pinned it and why is what all who wait read.
 */
#ifndef PS_STORE_PIN_H
#define PS_STORE_PIN_H

#include "agent/store/deployment.h"

#define PIN_COLS(X) X(t, fabric) X(t, who) X(t, why) X(i, since_ms)
ROWS_STRUCT(pin, PIN_COLS)

/* One that is there takes who and why, and keeps since when. */
int pin_put(struct store_tx *tx, const struct pin *p, struct ps_err *err) PS_MUSTCHECK;
/* *was: it was pinned. */
int pin_lift(struct store_tx *tx, const char *fabric, bool *was, struct ps_err *err) PS_MUSTCHECK;
int pins_all(struct store_tx *tx, struct pins *out, struct ps_err *err) PS_MUSTCHECK;
void pin_clear(struct pin *p);
void pins_clear(struct pins *l);
/* The one of this fabric; NULL: it is not pinned. */
const struct pin *pin_of(const struct pins *l, const char *fabric);
/* "pinned by kim since ...: why". free() it. */
char *pin_text(const struct pin *p);

/* One project's place on a fabric. */
struct place {
	const char *fabric, *project;
	int64_t repository;
};

/* The projects that a fabric has jobs or deployments of, as the newest deployment of each that came
 * to its end there; repository (name) and project NULL: any. */
int places_on(struct store_tx *tx, const char *fabric, const char *repository, const char *project,
	      struct deployments *out, struct ps_err *err) PS_MUSTCHECK;
int places_all(struct store_tx *tx, struct deployments *out, struct ps_err *err) PS_MUSTCHECK;
/*
 * The newest deployment that was verified there, whole, of another release, before the release that
 * `now` put there came by its own (and not by going back). PS_ENOENT: there is none.
 */
int place_before(struct store_tx *tx, const struct deployment *now, struct deployment *out,
		 struct ps_err *err) PS_MUSTCHECK;
/* The newest of this release that was verified there, whole. PS_ENOENT: none. */
int place_verified(struct store_tx *tx, const struct place *p, const char *release,
		   struct deployment *out, struct ps_err *err) PS_MUSTCHECK;
/* Versions verified there, newest first: "1.0.1, 1.0.0"; "" for none. free() it. */
int place_versions(struct store_tx *tx, const struct place *p, char **out,
		   struct ps_err *err) PS_MUSTCHECK;
/* Waiting deployments there but the one of the newest event of each project, which is their
 * superseded_by: what an unpin leaves behind. */
int place_outdated(struct store_tx *tx, const char *fabric, struct deployments *out,
		   struct ps_err *err) PS_MUSTCHECK;

#endif
