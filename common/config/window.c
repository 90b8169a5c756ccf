/* window – see window.h. */
#include <config.h>

#include "common/config/window.h"

#include <ctype.h>

#include "common/base/buf.h"

enum { DAY_MINUTES = 24 * 60, AHEAD_DAYS = 9, STEP = 15 };

const char *const window_days[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL };

bool window_clock(const char *text, unsigned *minute)
{
	for (size_t i = 0; i < 5; i++)
		if (i == 2 ? text[i] != ':' : !isdigit((unsigned char)text[i]))
			return false;
	*minute = (unsigned)((text[0] - '0') * 10 + text[1] - '0') * 60 +
		  (unsigned)((text[3] - '0') * 10 + text[4] - '0');
	return !text[5] && text[3] < '6' && *minute <= DAY_MINUTES;
}

static bool has_day(const struct conf_window *w, unsigned day)
{
	return !w->days.n || conf_names_has(&w->days, window_days[day % 7]);
}

static bool is_open(const struct conf_window *w, const struct zone *z, int64_t utc)
{
	struct zone_local at = zone_local(z, utc);
	unsigned from, to;

	if (!window_clock(w->from, &from) || !window_clock(w->to, &to))
		return false;
	if (from < to)
		return at.minute >= from && at.minute < to && has_day(w, at.weekday);
	return (at.minute >= from && has_day(w, at.weekday)) ||
	       (at.minute < to && has_day(w, at.weekday + 6));
}

static bool any_open(const struct conf_window *w, struct zone *const *zones, size_t n, int64_t utc)
{
	for (size_t i = 0; i < n; i++)
		if (is_open(&w[i], zones[i], utc))
			return true;
	return false;
}

/* As long as the shortest window, so that none is stepped over; zones differ by quarters of an
 * hour. */
static int64_t step_of(const struct conf_window *w, size_t n)
{
	unsigned from, to, least = STEP;

	for (size_t i = 0; i < n; i++)
		if (window_clock(w[i].from, &from) && window_clock(w[i].to, &to)) {
			unsigned lasts = (to + DAY_MINUTES - from) % DAY_MINUTES;

			least = lasts && lasts < least ? lasts : least;
		}
	return least * 60;
}

static int64_t next(const struct conf_window *w, struct zone *const *zones, size_t n, int64_t utc)
{
	int64_t step = step_of(w, n), at = utc - utc % 60 + step,
		until = utc + (int64_t)AHEAD_DAYS * DAY_MINUTES * 60;

	for (; at < until; at += step) {
		if (!any_open(w, zones, n, at))
			continue;
		while (at - 60 > utc && any_open(w, zones, n, at - 60))
			at -= 60;
		return at * 1000;
	}
	return 0;
}

int window_open(const struct conf_window *w, size_t n, int64_t now_ms, bool *open, int64_t *next_ms,
		struct ps_err *err)
{
	struct zone **zones = xcalloc(n, sizeof(struct zone *));
	int rc = 0;

	*open = !n;
	*next_ms = 0;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = zone_open(&zones[i], w[i].zone, err);
	if (rc == 0 && n)
		*open = any_open(w, zones, n, now_ms / 1000);
	if (rc == 0 && !*open)
		*next_ms = next(w, zones, n, now_ms / 1000);
	for (size_t i = 0; i < n; i++)
		zone_free(zones[i]);
	free(zones);
	return rc;
}

void window_text(struct buf *out, const struct conf_window *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_adds(out, ", ");
		for (size_t k = 0; k < w[i].days.n; k++)
			buf_addf(out, "%s ", w[i].days.v[k]);
		buf_addf(out, "%s-%s %s", w[i].from, w[i].to, w[i].zone);
	}
}
