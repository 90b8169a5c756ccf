/* runlog – see runlog.h. */
#include "config.h"

#include "agent/build/runlog.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/base/logfile.h"

enum { LINE_MAX_BYTES = 8192, TAIL_LINES = 20, TAIL_BYTES = 8192, LAST_MAX = 500 };

struct runlog {
	int lock;           /* PATH, locked as long as we write */
	int fd;             /* the part that is written */
	unsigned nr;        /* which one; logfile.h */
	char *path;
	int64_t max;
	int64_t at, from;   /* bytes of the log on disk; where the part begins */
	int64_t lost;       /* could not be written, not yet told */
	bool open;          /* a line is begun and not ended */
	bool torn;          /* what is on disk does not end with a newline */
	struct buf line;    /* the text of the open line */
	struct buf out;     /* bytes of this call, written at once */
	char *tail[TAIL_LINES]; /* a ring; next is the oldest */
	size_t next;
	char last[LAST_MAX + 1];
};

/* ---- parts on disk ---- */

static int make_folder(const char *path, struct ps_err *err)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');
	int rc = 0;

	if (slash && slash != dir) {
		*slash = '\0';
		rc = fs_mkdirs(dir, 0755, err);
	}
	free(dir);
	return rc;
}

static int open_part(const char *path, unsigned nr, int flags)
{
	char *name = logfile_part_path(path, nr);
	int fd = open(name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0644);

	free(name);
	return fd;
}

/* Where an earlier attempt stopped. */
static int go_on(struct runlog *l, struct ps_err *err)
{
	struct logfile f;
	char last = '\n';
	int rc = logfile_open(&f, l->path, err);

	if (rc < 0)
		return rc;
	if (f.n) {
		const struct logfile_part *p = &f.part[f.n - 1];

		l->nr = p->nr;
		l->from = p->from;
		l->at = f.length;
		rc = f.length ? (int)logfile_read(&f, f.length - 1, &last, 1, err) : 0;
		l->torn = last != '\n';
	}
	logfile_close(&f);
	if (rc >= 0 && l->nr && (l->fd = open_part(l->path, l->nr, 0)) < 0)
		rc = ps_err_errno(err, "cannot open the log '%s'", l->path);
	return rc < 0 ? rc : 0;
}

int runlog_open(struct runlog **out, const char *path, int64_t max, struct ps_err *err)
{
	struct runlog *l = xcalloc(1, sizeof(*l));
	int rc = make_folder(path, err);

	l->path = xstrdup(path);
	l->max = max;
	l->fd = l->lock = -1;
	if (rc == 0 && (l->fd = l->lock = open_part(path, 0, O_CREAT)) < 0)
		rc = ps_err_errno(err, "cannot open the log '%s'", path);
	if (rc == 0 && flock(l->lock, LOCK_EX | LOCK_NB) < 0)
		rc = ps_err_set(err, PS_EBUSY, "somebody still writes the log '%s'", path);
	if (rc == 0)
		rc = go_on(l, err);
	if (rc == 0)
		*out = l;
	else
		runlog_close(l);
	return rc;
}

/* The other end part takes over: what was in it is given up. False: nothing can be written now. */
static bool next_part(struct runlog *l)
{
	unsigned nr = l->nr == 1 ? 2 : 1;
	char *name = logfile_part_path(l->path, nr), head[LOGFILE_HEAD_MAX];
	int fd = -1;

	logfile_head(head, l->at);
	if (unlink(name) == 0 || errno == ENOENT)
		fd = open_part(l->path, nr, O_CREAT | O_EXCL);
	free(name);
	if (fd < 0 || fs_write_all(fd, head, strlen(head), NULL) < 0) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	if (l->fd != l->lock)
		close(l->fd);
	l->fd = fd;
	l->nr = nr;
	l->from = l->at;
	return true;
}

/* ---- bytes ---- */

static void give_up(struct runlog *l, size_t n, const char *why)
{
	if (!l->lost)
		log_warn("build", NULL, "log '%s' is not written at the moment: %s", l->path, why);
	l->lost += (int64_t)n;
}

static void flush(struct runlog *l)
{
	struct ps_err err = { 0 };
	struct stat st;

	if (!l->out.len)
		return;
	if (fs_write_all(l->fd, l->out.data, l->out.len, &err) == 0) {
		l->at += (int64_t)l->out.len;
		l->torn = l->out.data[l->out.len - 1] != '\n';
	} else {
		/* what got through stays: somebody may have read it already */
		int64_t skip = l->nr ? (int64_t)strlen(logfile_head((char[LOGFILE_HEAD_MAX]){ 0 },
								    l->from)) : 0;
		int64_t now = fstat(l->fd, &st) == 0 ? l->from + st.st_size - skip : l->at;

		l->torn = l->torn || now > l->at;
		give_up(l, l->out.len - (size_t)(now - l->at), err.msg);
		l->at = now;
	}
	buf_reset(&l->out);
}

/* A disk that was full may have room again: then the log first says what it lacks. */
static bool tell_lost(struct runlog *l)
{
	char now[CLOCK_TEXT];
	int64_t lost = l->lost;

	clock_text_ms(now, clock_wall_ms());
	buf_addf(&l->out, "%s%s penstock: %lld bytes are missing here, they could not be written\n",
		 l->torn ? "\n" : "", now, (long long)lost);
	flush(l);
	l->lost = l->lost == lost ? 0 : lost;
	return !l->lost;
}

/* At a line's start: the part that is full is left. */
static bool has_room(struct runlog *l)
{
	int64_t share = l->nr ? l->max / 4 : l->max / 2;

	if (!l->max || l->at + (int64_t)l->out.len - l->from < share)
		return true;
	flush(l);
	return next_part(l);
}

static void begin_line(struct runlog *l)
{
	char now[CLOCK_TEXT];

	l->open = true;
	if (!has_room(l) || (l->lost && !tell_lost(l))) {
		give_up(l, LOGFILE_STAMP, "no room");
		return;
	}
	if (l->torn && !l->out.len)
		buf_addch(&l->out, '\n');
	buf_addf(&l->out, "%s ", clock_text_ms(now, clock_wall_ms()));
}

/* Bytes of the open line; while something is missing its rest is missing too. */
static void put(struct runlog *l, const char *bytes, size_t n)
{
	if (l->lost)
		l->lost += (int64_t)n;
	else
		buf_add(&l->out, bytes, n);
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

	put(l, "\n", 1);
	l->open = false;
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
		if (!l->open)
			begin_line(l);
		put(l, bytes, take);
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
	line = xasprintf("penstock: %s\n", text);
	if (l->open)
		end_line(l);
	begin_line(l);
	put(l, line, strlen(line));
	l->open = false;
	flush(l);
	free(line);
	free(text);
}

void runlog_attempt(struct runlog *l)
{
	if (l->at)
		runlog_say(l, "once more; what is above is of an earlier attempt");
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
	if (l->open)
		end_line(l);
	if (l->fd >= 0)
		flush(l);
	if (l->fd >= 0 && l->fd != l->lock)
		close(l->fd);
	if (l->lock >= 0)
		close(l->lock);
	for (size_t i = 0; i < TAIL_LINES; i++)
		free(l->tail[i]);
	buf_clear(&l->line);
	buf_clear(&l->out);
	free(l->path);
	free(l);
}
