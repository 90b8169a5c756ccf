/*
 * clock – the three times penstock knows.
 *
 * Wall time (ms since 1970, UTC) is for people only. Order comes from stamps: boot number and
 * CLOCK_BOOTTIME, which no clock jump changes. Durations use clock_boot_ns().
 * Tests may replace clock_wall_ms() and clock_boot_ns() at link time.
 */
#ifndef PS_CLOCK_H
#define PS_CLOCK_H

#include "common/base/ps.h"

enum { CLOCK_TEXT = 32 };	/* buffer size for a formatted time */

int64_t clock_wall_ms(void);
int64_t clock_boot_ns(void);
/* "2026-11-23T16:02:03Z" (seconds) and with milliseconds; out has CLOCK_TEXT bytes. */
const char *clock_text(char *out, int64_t wall_ms);
const char *clock_text_ms(char *out, int64_t wall_ms);
/* "12 s", "4 m", "3 h", "2 d": how people say an age. Returns out (CLOCK_TEXT bytes). */
const char *clock_age(char *out, int64_t ms);
/* The boot id of this machine (36 characters and NUL), "unknown" where /proc is not there. */
const char *clock_boot_id(void);

#endif
