/*
 * retention – what must be kept, as the store sees it, and what it forgets when something goes.
 *
 * An artifact stays while a fabric runs it, waits for it, or could roll back to it: the releases of
 * deployments that have not ended, of the last `rollbacks` different ones that were deployed for each
 * project on each fabric, of the last one that was verified before the current, of runs and demands under way; and builds of demands that are open.
 */
#ifndef PS_STORE_RETENTION_H
#define PS_STORE_RETENTION_H

#include "agent/store/store.h"

struct texts { char **v; size_t n, cap; };
void texts_clear(struct texts *t);
void texts_add(struct texts *t, const char *text);
void texts_sort(struct texts *t);
bool texts_has(const struct texts *sorted, const char *text);

/* Ids of releases. */
int retention_releases(struct store_tx *tx, int64_t rollbacks, struct texts *out,
		       struct ps_err *err) PS_MUSTCHECK;
/* Of each project on each fabric, the release that a rollback would put back (pin.h: place_before). */
int retention_back(struct store_tx *tx, struct texts *out, struct ps_err *err) PS_MUSTCHECK;
/* The versions that these releases and what is deployed were rendered with; added to out. */
int retention_versions(struct store_tx *tx, const struct texts *releases, struct texts *out,
		       struct ps_err *err) PS_MUSTCHECK;
/* Digests that are named without a release: builds of open demands, jobs as they are deployed. */
int retention_digests(struct store_tx *tx, struct texts *out, struct ps_err *err) PS_MUSTCHECK;
/* Plans (canonical JSON) of deployments that have not ended. */
int retention_plans(struct store_tx *tx, struct texts *out, struct ps_err *err) PS_MUSTCHECK;
/* What is under way, as its log and export are called without ".log": b31, x7. */
int retention_busy(struct store_tx *tx, struct texts *out, struct ps_err *err) PS_MUSTCHECK;
/* The artifact goes: no build stands for it any more. */
int retention_forget(struct store_tx *tx, const char *digest, struct ps_err *err) PS_MUSTCHECK;
/* Intents of pushes that ended before: nothing asks for them again. *n: how many rows. */
/* Was an artifact of this digest built, and not forgotten since? */
int retention_has(struct store_tx *tx, const char *digest, bool *has,
		  struct ps_err *err) PS_MUSTCHECK;
int retention_rows(struct store_tx *tx, int64_t before_ms, int64_t *n, struct ps_err *err) PS_MUSTCHECK;

#endif
