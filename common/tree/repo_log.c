/* repo_log – what a ref's reflog tells of its movements. See repo.h.
 *
 * A file per ref below logs/, a line per movement: "OLD NEW WHO WHEN<tab>WHY". Git appends to it
 * before the ref moves, so a log that is read after the ref is not behind it. */
#include "config.h"

#include "common/tree/repo_git.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"

enum {
	TAIL_MAX = 16384,		/* the last line is in there, or it tells nothing */
	READ_MAX = 4 << 20,
};

/* Reads n bytes at `at`; false when they are not there. */
static bool read_at(int fd, char *to, size_t n, off_t at)
{
	while (n) {
		ssize_t got = pread(fd, to, n, at);

		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
		at += got;
	}
	return true;
}

/* digits: of an object name, here and below */
static bool is_oid(const char *s, size_t digits)
{
	for (size_t i = 0; i < digits; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return true;
}

static const char *new_of(const char *line, size_t digits)
{
	return line + digits + 1;
}

/* Old, blank, new, blank. */
static bool is_entry(const char *line, size_t n, size_t digits)
{
	return n >= 2 * (digits + 1) && is_oid(line, digits) && line[digits] == ' ' &&
	       is_oid(new_of(line, digits), digits) && line[2 * digits + 1] == ' ';
}

static bool same(const char *a, const char *b, size_t digits)
{
	return strncmp(a, b, digits) == 0;
}

/* Does the log end, at `size`, with a movement to value? */
static bool ends_with(int fd, off_t size, const char *value)
{
	size_t digits = strlen(value);
	char last[TAIL_MAX];
	size_t n = size < TAIL_MAX ? (size_t)size : TAIL_MAX, from;

	if (!n || !read_at(fd, last, n, size - (off_t)n) || last[n - 1] != '\n')
		return false;
	for (from = n - 1; from > 0 && last[from - 1] != '\n'; from--)
		;
	/* cut off in front: not a whole line */
	return (from > 0 || (off_t)n == size) && is_entry(last + from, n - from, digits) &&
	       same(new_of(last + from, digits), value, digits);
}

/* The lines in text[n]: path up to the last that led to value, and where that ends; 0: none did,
 * or they do not join. */
static size_t tell(const char *text, size_t n, const char *value, struct buf *path)
{
	size_t end = 0, kept = 0, entries = 0, digits = strlen(value);
	const char *tail = NULL;

	for (const char *at = text, *next; at < text + n; at = next) {
		const char *stop = memchr(at, '\n', (size_t)(text + n - at));

		if (!stop)
			break;		/* being written just now */
		next = stop + 1;
		if (!is_entry(at, (size_t)(next - at), digits) ||
		    (tail && !same(tail, at, digits)) ||
		    entries == REPO_LOG_MAX) {
			end = kept = 0;
			break;
		}
		if (!tail)
			buf_addf(path, "%.*s", (int)digits, at);
		tail = new_of(at, digits);
		if (!same(tail, at, digits)) {	/* git notes what moved nothing, too */
			buf_addf(path, " %.*s", (int)digits, tail);
			entries++;
		}
		if (same(tail, value, digits)) {
			end = (size_t)(next - text);
			kept = path->len;
		}
	}
	path->len = kept;
	if (path->data)
		path->data[kept] = '\0';
	return end;
}

static int64_t read_log(int fd, int64_t from, int64_t size, const char *value, struct buf *path)
{
	size_t n = (size_t)(size - from), end = 0;
	char before = '\n', *text;

	if (size == from)
		return size;
	if (from > size || n > READ_MAX || (from && !read_at(fd, &before, 1, from - 1)) ||
	    before != '\n')
		return REPO_LOG_NONE;
	text = xmalloc(n);
	if (read_at(fd, text, n, from))
		end = tell(text, n, value, path);
	free(text);
	return end ? from + (int64_t)end : REPO_LOG_NONE;
}

bool repo_has_logs(struct repo *r)
{
	char *dir = xasprintf("%slogs/refs", r->dir);
	bool has = access(dir, F_OK) == 0;

	free(dir);
	return has;
}

int64_t repo_log(struct repo *r, const char *ref, int64_t from, const char *value,
		 struct buf *path)
{
	char *file = xasprintf("%slogs/%s", r->dir, ref);
	int64_t size = REPO_LOG_NONE;
	struct stat st;
	int fd = -1;

	buf_reset(path);
	if (repo_oid_is_zero(value)) {
		free(file);
		return 0;		/* its log went with it */
	}
	if (lstat(file, &st) == 0 && S_ISREG(st.st_mode)) {
		if (from >= 0 && st.st_size == from)
			size = from;
		else
			fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (from >= 0)
			size = read_log(fd, from, st.st_size, value, path);
		if (size < 0 && ends_with(fd, st.st_size, value))
			size = st.st_size;
	}
	if (fd >= 0)
		close(fd);
	free(file);
	return size;
}
