/*
 * log – one line per thing that happened, to stderr, with the identity of what it happened to.
 *
 * Form: `2026-11-23T16:02:03.123Z role level subject id: text`. Text from outside must have gone
 * through ps_escape() (the %s arguments are escaped here as a whole line: control bytes never
 * leave). The level is tested before anything is formatted.
 */
#ifndef PS_LOG_H
#define PS_LOG_H

#include "common/base/ps.h"

enum log_level { LOG_LVL_ERROR, LOG_LVL_WARN, LOG_LVL_INFO, LOG_LVL_DEBUG };

/* Names this process in each line ("core"); keeps the pointer. Call once at start. */
void log_open(const char *role);
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);
void log_line(enum log_level level, const char *subject, const char *id, const char *fmt, ...)
	PS_PRINTF(4, 5);

#define log_error(subject, id, ...) log_line(LOG_LVL_ERROR, subject, id, __VA_ARGS__)
#define log_warn(subject, id, ...) log_line(LOG_LVL_WARN, subject, id, __VA_ARGS__)
#define log_info(subject, id, ...) log_line(LOG_LVL_INFO, subject, id, __VA_ARGS__)
#define log_debug(subject, id, ...)                                       \
	do {                                                              \
		if (log_wants(LOG_LVL_DEBUG))                             \
			log_line(LOG_LVL_DEBUG, subject, id, __VA_ARGS__); \
	} while (0)

#endif
