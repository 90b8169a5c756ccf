/*
 * zone – local time by the system's time zone database, for any zone and any thread: libc's own
 * functions know one zone per process. Files as of RFC 8536, with the rule at their end for times
 * behind the last change they list.
 */
#ifndef PS_ZONE_H
#define PS_ZONE_H

#include "common/base/err.h"

struct zone;

/* name: Europe/Berlin; UTC needs no database. PS_ENOENT: there is no such zone here. */
int zone_open(struct zone **out, const char *name, struct ps_err *err) PS_MUSTCHECK;
void zone_free(struct zone *z); /* NULL is fine */
/* Seconds east of UTC at this time (seconds since 1970, UTC). */
int64_t zone_offset(const struct zone *z, int64_t utc);

/* What a clock on the wall shows then. day: since 1970-01-01, 0; weekday: Monday is 0. */
struct zone_local {
	int64_t day;
	unsigned weekday, minute;
};
struct zone_local zone_local(const struct zone *z, int64_t utc);

/* ---- for tests: the same of bytes instead of a file, and of a rule alone ---- */
int zone_read(struct zone **out, const unsigned char *bytes, size_t n,
	      struct ps_err *err) PS_MUSTCHECK;
int zone_rule(struct zone **out, const char *rule, struct ps_err *err) PS_MUSTCHECK;

#endif
