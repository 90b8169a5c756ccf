/* log – see log.h. One write(2) per line, so lines of several processes do not mix. */
#include "config.h"

#include "common/base/log.h"

#include <errno.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/escape.h"

static const char *log_role = "penstock";
static enum log_level log_max = LOG_LVL_INFO;

void log_open(const char *role)
{
	log_role = role;
}

void log_set_level(enum log_level level)
{
	log_max = level;
}

bool log_wants(enum log_level level)
{
	return level <= log_max;
}

void log_line(enum log_level level, const char *subject, const char *id, const char *fmt, ...)
{
	static const char *const words[] = { "error", "warn", "info", "debug" };
	char text[2048], safe[4096], whose[512] = "", when[CLOCK_TEXT],
		line[sizeof(safe) + sizeof(whose) + 256];
	int saved = errno, n;
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	escape_line(safe, sizeof(safe), text);
	if (id)				/* may be a stranger's: the name of a file in the spool */
		escape_line(whose, sizeof(whose), id);
	clock_text_ms(when, clock_wall_ms());
	n = snprintf(line, sizeof(line), "%s %s %s %s%s%s: %s\n", when, log_role, words[level],
		     subject, *whose ? " " : "", whose, safe);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* A log that cannot be written has nowhere to say so. */
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		errno = saved;
	errno = saved;
}
