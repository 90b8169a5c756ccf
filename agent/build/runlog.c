/* runlog – see runlog.h. */
#include "config.h"

#include "agent/build/runlog.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum { LINE_MAX_BYTES = 8192, TAIL_LINES = 20, TAIL_BYTES = 8192, LAST_MAX = 500 };

struct runlog {
	int fd;
	char *path;
	int64_t written, max;
	bool full, broken;
	struct buf line;        /* the unfinished one */
	struct buf out;         /* finished ones of this call, written at once */
	char *tail[TAIL_LINES]; /* a ring; next is the oldest */
	size_t next;
	char last[LAST_MAX + 1];
};

int runlog_open(struct runlog **out, const char *path, int64_t max, struct ps_err *err)
{
	struct runlog *l;
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');
	int fd, rc = 0;

	if (slash && slash != dir) {
		*slash = '\0';
		rc = fs_mkdirs(dir, 0755, err);
	}
	free(dir);
	if (rc < 0)
		return rc;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return ps_err_errno(err, "cannot open the log '%s'", path);
	l = xcalloc(1, sizeof(*l));
	l->fd = fd;
	l->path = xstrdup(path);
	l->max = max;
	*out = l;
	return 0;
}

static void flush(struct runlog *l)
{
	struct ps_err err;

	if (l->out.len && !l->broken && fs_write_all(l->fd, l->out.data, l->out.len, &err) < 0) {
		/* a full disk must not fail a build that would pass */
		log_warn("build", NULL, "log '%s' is not written any more: %s", l->path, err.msg);
		l->broken = true;
	}
	l->written += (int64_t)l->out.len;
	buf_reset(&l->out);
}

static void put_line(struct runlog *l, const char *text, size_t n)
{
	char now[CLOCK_TEXT];

	if (l->full)
		return;
	clock_text_ms(now, clock_wall_ms());
	if (l->max && l->written + (int64_t)(l->out.len + n) + CLOCK_TEXT > l->max) {
		l->full = true;
		buf_addf(&l->out,
			 "%s penstock: the log has reached its limit of %lld bytes; the rest is "
			 "not kept\n",
			 now, (long long)l->max);
		return;
	}
	buf_addf(&l->out, "%s ", now);
	buf_add(&l->out, text, n);
	buf_addch(&l->out, '\n');
}

/* What a person would see of the line: progress bars rewrite it after each carriage return. */
static void note_last(struct runlog *l, const char *text, size_t n)
{
	size_t from;

	while (n && (text[n - 1] == '\r' || text[n - 1] == ' '))
		n--;
	for (from = n; from && text[from - 1] != '\r'; from--)
		;
	text += from;
	n -= from;
	if (!n)
		return;
	if (n > LAST_MAX)
		n = LAST_MAX;
	memcpy(l->last, text, n);
	l->last[n] = '\0';
}

static void end_line(struct runlog *l)
{
	const char *text = buf_str(&l->line);

	put_line(l, text, l->line.len);
	note_last(l, text, l->line.len);
	free(l->tail[l->next]);
	l->tail[l->next] = xstrdup(text);
	l->next = (l->next + 1) % TAIL_LINES;
	buf_reset(&l->line);
}

void runlog_bytes(struct runlog *l, const char *bytes, size_t n)
{
	while (n) {
		const char *nl = memchr(bytes, '\n', n);
		size_t take = nl ? (size_t)(nl - bytes) : n;
		size_t room = LINE_MAX_BYTES - l->line.len;
		bool whole = nl && take <= room;

		if (take > room)
			take = room;
		buf_add(&l->line, bytes, take);
		if (whole || l->line.len == LINE_MAX_BYTES)
			end_line(l);
		bytes += take + whole;
		n -= take + whole;
	}
	flush(l);
}

void runlog_say(struct runlog *l, const char *fmt, ...)
{
	va_list ap;
	char *text, *line;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	line = xasprintf("penstock: %s", text);
	if (l->line.len)
		end_line(l);
	put_line(l, line, strlen(line));
	flush(l);
	free(line);
	free(text);
}

const char *runlog_last(const struct runlog *l)
{
	return l->last;
}

void runlog_tail(const struct runlog *l, struct buf *out)
{
	size_t first = TAIL_LINES, bytes = l->line.len;

	/* from the newest back, as many as fit */
	for (size_t back = 1; back <= TAIL_LINES; back++) {
		const char *t = l->tail[(l->next + TAIL_LINES - back) % TAIL_LINES];

		if (!t || bytes + strlen(t) > TAIL_BYTES)
			break;
		bytes += strlen(t) + 1;
		first = TAIL_LINES - back;
	}
	for (size_t i = first; i < TAIL_LINES; i++)
		buf_addf(out, "%s\n", l->tail[(l->next + i) % TAIL_LINES]);
	if (l->line.len)
		buf_addf(out, "%s\n", buf_str(&l->line));
}

void runlog_close(struct runlog *l)
{
	if (!l)
		return;
	if (l->line.len)
		end_line(l);
	flush(l);
	close(l->fd);
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(l->tail[i]);
	buf_clear(&l->line);
	buf_clear(&l->out);
	free(l->path);
	free(l);
}
