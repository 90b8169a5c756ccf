/* hook_print – what the pusher reads. Whole lines in one write each: git holds back a line until
 * its newline, and a client that has hung up must not stop us. */
#include "config.h"

#include <unistd.h>

#include "common/base/escape.h"
#include "hooks/hook.h"

static void put(const char *p, size_t n)
{
	while (n) {
		ssize_t w = write(STDERR_FILENO, p, n);

		if (w <= 0)
			return;		/* nobody reads any more */
		p += w;
		n -= (size_t)w;
	}
}

void hook_say(const char *fmt, ...)
{
	char line[2048], safe[4096];
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	escape_line(safe, sizeof(safe) - 1, line);
	n = strlen(safe);
	safe[n++] = '\n';
	put(safe, n);
}

void hook_relay(const char *text)
{
	size_t n = strlen(text);

	put(text, n);
	if (n && text[n - 1] != '\n')
		put("\n", 1);
}
