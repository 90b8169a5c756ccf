/*
 * quartz – is a text a Quartz cron expression, as Databricks takes them: six fields or seven with
 * the year, seconds first, exactly one of day-of-month and day-of-week left open with '?'.
 */
#ifndef PS_QUARTZ_H
#define PS_QUARTZ_H

#include "common/base/ps.h"

/* Why it is none ("hour '25' is not from 0 to 23"); NULL when it is one. free() it. */
char *quartz_fault(const char *text);
/* Is it the name of a time zone? Names of old and those of Java always are; any other one is judged
 * by this machine's database, and counts as one where there is none. */
bool quartz_zone_is_known(const char *name);
/* The same by the database in a folder. */
bool quartz_zone_in(const char *base, const char *name);

#endif
