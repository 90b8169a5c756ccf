/* hook_print – what the pusher reads. Whole lines in one write each: git holds back a line until
 * its newline, and a client that has hung up must not stop us. */
#include "config.h"

#include <unistd.h>

#include "common/base/escape.h"
#include "hooks/hook.h"

static const char *prefix = "";

void hook_lines_begin(const char *with)
{
	prefix = with ? with : "";
}

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
	size_t n = strlen(prefix);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	memcpy(safe, prefix, n);
	escape_line(safe + n, sizeof(safe) - n - 1, line);
	n = strlen(safe);
	safe[n++] = '\n';
	put(safe, n);
}

void hook_relay(const char *text)
{
	struct buf out = BUF_INIT;

	for (const char *at = text, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, '\n');
		buf_addf(&out, "%s%.*s\n", end > at ? prefix : "", (int)(end - at), at);
	}
	put(buf_str(&out), out.len);
	buf_clear(&out);
}
