/*
 * window – when deployments of an environment may begin: by the clock on the wall of a zone. Pure,
 * but for the zone database.
 *
 * A window is open while that clock shows a time from `from` on and before `to`, on one of its days
 * (all without `days`); one that ends before it begins goes over midnight and is of the day it
 * begins on. So where clocks are put forward a window inside the hour that is left out does not
 * open, and where they are put back one in the hour that comes twice is open twice. Without windows
 * it is always open.
 */
#ifndef PS_WINDOW_H
#define PS_WINDOW_H

#include "common/base/zone.h"
#include "common/config/config.h"

struct buf;

extern const char *const window_days[]; /* mon to sun, NULL-ended */

/* "09:30" to minutes of the day; "24:00" is one too. */
bool window_clock(const char *text, unsigned *minute);
/* *next_ms: when one opens next, to the minute, within nine days; 0: it is open, or none does. */
int window_open(const struct conf_window *w, size_t n, int64_t now_ms, bool *open, int64_t *next_ms,
		struct ps_err *err) PS_MUSTCHECK;
/* "mon tue 09:00-16:00 Europe/Berlin, 22:00-02:00 UTC" */
void window_text(struct buf *out, const struct conf_window *w, size_t n);

#endif
