/*
 * reconcile – which repositories are looked at, and when.
 *
 * A pass has two stages. The gate answers by stat alone which repositories have changed since they
 * were listed, a thousand per frame, spread over the period (repositories.default.look_every); only
 * those, and those listed too long ago (list_every), are looked at. The first pass, each after a
 * reload and those that people ask for also search the roots for repositories with our hook that
 * nobody knows yet, and do not spread. A repository whose folder is not there is noted as gone in
 * the store: no event of it is taken into work until it is back, or found by its id at another
 * path.
 */
#ifndef PS_RECONCILE_H
#define PS_RECONCILE_H

#include "agent/flow/core.h"

struct reconcile;

struct reconcile *reconcile_new(struct core *c);
void reconcile_free(struct reconcile *r);
/* A pass at once, with a search of the roots: gate, spool and configuration are as needed. */
void reconcile_start(struct reconcile *r);
/* All that was in the spool at `started` is stored, or cannot be now. */
void reconcile_on_spool(struct reconcile *r, int64_t started);
/* The store does not know this path any more: nor do we, until a search finds it again. */
void reconcile_forget(struct reconcile *r, const char *path);
/* One look at this real path, for whoever asked; see core_reply_fn. */
void reconcile_one(struct reconcile *r, const char *path, core_reply_fn *reply, void *arg);

#endif
