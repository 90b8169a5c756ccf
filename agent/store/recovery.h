/*
 * recovery – a store that was put back: what it does not know may have happened.
 *
 * recovery_enter() at such a start: deployments that were under way are `unknown` with reason
 * `recovery`, runs are unknown for good, pushes are over and their intents void, so that looks at
 * the refs make held events of what moved. While it lasts no deployment and no run begins.
 * recovery_leave() lets go on; a deployment that an event from before asked for then looks at the
 * fabric first, and changes it only when it is as this store remembers it.
 */
#ifndef PS_STORE_RECOVERY_H
#define PS_STORE_RECOVERY_H

#include "agent/store/store.h"

struct recovery {
	bool on;
	int64_t since_ms;
	char *why;
	/* the newest event that the store had when it was put back; 0: it never was */
	int64_t event;
};

int recovery_get(struct store_tx *tx, struct recovery *out, struct ps_err *err) PS_MUSTCHECK;
void recovery_clear(struct recovery *r);
int recovery_enter(struct store_tx *tx, const char *why, struct ps_err *err) PS_MUSTCHECK;
/* *deployments: how many are running again. PS_ENOENT: it is not on. */
int recovery_leave(struct store_tx *tx, int64_t *deployments, struct ps_err *err) PS_MUSTCHECK;
/* "since 2026-11-27T01:50:00Z: why". free() it. */
char *recovery_text(const struct recovery *r);

#endif
