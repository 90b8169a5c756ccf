/* wheeldiff – see wheeldiff.h. Layout: PKWARE APPNOTE 4.3, without zip64. */
#include "config.h"

#include "agent/build/wheeldiff.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "common/base/escape.h"

enum {
	END_SIZE = 22,
	END_COMMENT_MAX = 65535,
	CENTRAL_SIZE = 46,
	LOCAL_SIZE = 30,
	NAME_SHOWN = 200
};

struct bytes {
	const uint8_t *p;
	size_t n;
};

/* One row of a central directory. */
struct entry {
	struct bytes name, extra, comment;
	struct bytes head;   /* the row without what follows it */
	struct bytes packed; /* the data in the archive */
};

/* A directory being walked. */
struct walk {
	struct bytes file, left;
	size_t entries;
};

static unsigned u16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static uint32_t u32(const uint8_t *p)
{
	return u16(p) | (uint32_t)u16(p + 2) << 16;
}

static bool same(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* n bytes from *at on, and moves it; false when there are not so many. */
static bool take(struct bytes *from, size_t n, struct bytes *out)
{
	if (n > from->n)
		return false;
	*out = (struct bytes){ from->p, n };
	from->p += n;
	from->n -= n;
	return true;
}

/* The record that ends the file says where the directory is. */
static bool walk_begin(struct walk *w, struct bytes file)
{
	size_t back = END_SIZE;

	*w = (struct walk){ .file = file };
	while (back <= file.n && back <= END_SIZE + END_COMMENT_MAX) {
		const uint8_t *end = file.p + file.n - back;

		if (memcmp(end, "PK\5\6", 4) == 0) {
			uint32_t size = u32(end + 12), offset = u32(end + 16);

			if (offset > file.n || size > file.n - offset)
				return false;
			w->left = (struct bytes){ file.p + offset, size };
			w->entries = u16(end + 10);
			return true;
		}
		back++;
	}
	return false;
}

/* The data stand behind a header of their own, whose name and extra field may have other lengths.
 */
static bool find_packed(const struct walk *w, struct entry *e)
{
	struct bytes at = w->file, skipped, local;
	uint32_t offset = u32(e->head.p + 42);

	return take(&at, offset, &skipped) && take(&at, LOCAL_SIZE, &local) &&
	       memcmp(local.p, "PK\3\4", 4) == 0 &&
	       take(&at, (size_t)u16(local.p + 26) + u16(local.p + 28), &skipped) &&
	       take(&at, u32(e->head.p + 20), &e->packed);
}

static bool walk_next(struct walk *w, struct entry *e)
{
	if (!take(&w->left, CENTRAL_SIZE, &e->head) || memcmp(e->head.p, "PK\1\2", 4) != 0)
		return false;
	return take(&w->left, u16(e->head.p + 28), &e->name) &&
	       take(&w->left, u16(e->head.p + 30), &e->extra) &&
	       take(&w->left, u16(e->head.p + 32), &e->comment) && find_packed(w, e);
}

static void put_name(char *out, size_t size, const struct entry *e)
{
	char raw[NAME_SHOWN + 1];
	size_t n = e->name.n < NAME_SHOWN ? e->name.n : NAME_SHOWN;

	memcpy(raw, e->name.p, n);
	raw[n] = '\0';
	escape_line(out, size, raw);
}

/* False when they are the same. */
static bool differ(const struct entry *was, const struct entry *now, size_t no, char *why,
		   size_t size)
{
	unsigned mode_was = u32(was->head.p + 38) >> 16, mode_now = u32(now->head.p + 38) >> 16;
	char name[NAME_SHOWN * 4 + 1], old[NAME_SHOWN * 4 + 1];

	put_name(name, sizeof(name), now);
	put_name(old, sizeof(old), was);
	if (!same(was->name, now->name))
		snprintf(why, size, "entry %zu is '%.200s', was '%.200s'", no, name, old);
	else if (mode_was != mode_now)
		snprintf(why, size, "%.200s: mode %o was %o", name, mode_now & 07777,
			 mode_was & 07777);
	else if (u32(was->head.p + 12) != u32(now->head.p + 12))
		snprintf(why, size, "%.200s: time", name);
	else if (u32(was->head.p + 16) != u32(now->head.p + 16) ||
		 u32(was->head.p + 24) != u32(now->head.p + 24))
		snprintf(why, size, "%.200s: content", name);
	else if (!same(was->packed, now->packed))
		snprintf(why, size, "%.200s: content is packed differently", name);
	else if (memcmp(was->head.p + 4, now->head.p + 4, CENTRAL_SIZE - 8) != 0 ||
		 !same(was->extra, now->extra) || !same(was->comment, now->comment))
		snprintf(why, size, "%.200s: its header", name);
	else
		return false;
	return true;
}

static void first_byte(struct bytes was, struct bytes now, const char *what, char *why, size_t size)
{
	size_t n = was.n < now.n ? was.n : now.n, i = 0;

	while (i < n && was.p[i] == now.p[i])
		i++;
	if (i == was.n && i == now.n)
		why[0] = '\0';
	else
		snprintf(why, size, "%s at byte %zu", what, i);
}

static void diff(struct bytes was, struct bytes now, char *why, size_t size)
{
	struct walk a, b;
	struct entry old, new;

	if (!walk_begin(&a, was) || !walk_begin(&b, now)) {
		first_byte(was, now, "bytes, which are no zip file,", why, size);
		return;
	}
	for (size_t no = 1; no <= a.entries || no <= b.entries; no++) {
		if (no > a.entries || no > b.entries) {
			snprintf(why, size, "%zu entries, were %zu", b.entries, a.entries);
			return;
		}
		if (!walk_next(&a, &old) || !walk_next(&b, &new)) {
			first_byte(was, now, "bytes, in a zip file that cannot be read whole,", why,
				   size);
			return;
		}
		if (differ(&old, &new, no, why, size))
			return;
	}
	first_byte(was, now, "bytes between the entries", why, size);
}

/* An empty file maps nowhere and is fine; so is one that cannot be mapped, as one without bytes. */
static struct bytes map(int fd)
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return (struct bytes){ (const uint8_t *)"", 0 };
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? (struct bytes){ (const uint8_t *)"", 0 }
			       : (struct bytes){ p, (size_t)st.st_size };
}

void wheel_diff(int was, int now, char *why, size_t size)
{
	struct bytes a = map(was), b = map(now);

	diff(a, b, why, size);
	if (a.n)
		munmap((void *)a.p, a.n);
	if (b.n)
		munmap((void *)b.p, b.n);
}
