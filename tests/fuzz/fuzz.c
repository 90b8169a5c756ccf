/* fuzz – see fuzz.h. */
#include "config.h"

#include "tests/fuzz/fuzz.h"

#include "common/base/escape.h"

void fuzz_broken(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: does not hold: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

void fuzz_check_text(const char *text, size_t n)
{
	struct buf safe = BUF_INIT;

	FUZZ_CHECK(!n || text[n - 1] == '\n', "text without an end of line");
	for (const char *at = text, *end; at < text + n; at = end + 1) {
		end = memchr(at, '\n', (size_t)(text + n - at));
		buf_reset(&safe);
		escape_buf(&safe, at, (size_t)(end - at), false);
		FUZZ_CHECK(safe.len == (size_t)(end - at), "raw bytes in a text: %s",
			   buf_str(&safe));
	}
	buf_clear(&safe);
}

/* Where the text ends, as an editor counts; the column just behind a line's end is one of it. */
static bool is_inside(const struct diag *d, const char *p, const char *end)
{
	unsigned line = 1, cols = 1;

	for (; p < end && line < d->line; p++)
		line += *p == '\n';
	for (; p < end && *p != '\n'; p++)
		cols += ((unsigned char)*p & 0xc0) != 0x80;
	return line == d->line && d->col >= 1 && d->col <= cols + 1;
}

void fuzz_check_findings(const struct diag_list *l, const char *path, const void *bytes, size_t n)
{
	size_t errors = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->v[i], *was = i ? d - 1 : NULL;

		errors += d->severity == DIAG_ERROR;
		FUZZ_CHECK(strcmp(d->path, path) != 0 ||
			   is_inside(d, bytes, (const char *)bytes + n),
			   "%s:%u:%u is not in the file", d->path, d->line, d->col);
		if (!was || strcmp(was->path, d->path) != 0)
			FUZZ_CHECK(!was || strcmp(was->path, d->path) < 0, "paths out of order");
		else
			FUZZ_CHECK(was->line < d->line ||
				   (was->line == d->line && was->col <= d->col),
				   "%u:%u comes before %u:%u", was->line, was->col, d->line,
				   d->col);
	}
	FUZZ_CHECK(errors == l->errors, "%zu errors counted as %zu", errors, l->errors);
}
