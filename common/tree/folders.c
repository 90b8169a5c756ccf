/* folders – see folders.h. A listing is its head, the path and its NUL, and each entry: its stamp,
 * a byte for its kind, the name and its NUL. */
#include "config.h"

#include "common/tree/folders.h"

struct head { struct stamp stamp; uint32_t n; };

/* '/' sorts before every other byte. */
int folders_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	if (!*a || !*b)
		return *a ? 1 : -1;
	return *a == '/' ? -1 : *b == '/' ? 1 : (unsigned char)*a - (unsigned char)*b;
}

static const char *text(const char **at, const char *end)
{
	const char *from = *at, *nul = memchr(from, '\0', (size_t)(end - from));

	*at = nul ? nul + 1 : end;
	return nul ? from : NULL;
}

enum { BEFORE_NAME = sizeof(struct stamp) + 1 };

const char *folders_entry(const char *at, struct folder_entry *e)
{
	e->stamp = at;
	e->kind = (enum tree_kind)at[BEFORE_NAME - 1];
	e->name = at + BEFORE_NAME;
	return e->name + strlen(e->name) + 1;
}

static bool take_entry(const char **at, const char *end)
{
	const char *kind = *at + sizeof(struct stamp), *name;

	if (end - *at <= BEFORE_NAME)
		return false;
	*at += BEFORE_NAME;
	name = text(at, end);
	return name && *name && !strchr(name, '/') && *kind >= TREE_FILE && *kind <= TREE_LINK;
}

static bool take(struct folder *f, const char **at, const char *end)
{
	struct head head;

	if ((size_t)(end - *at) < sizeof(head))
		return false;
	memcpy(&head, *at, sizeof(head));
	*at += sizeof(head);
	*f = (struct folder) { .stamp = head.stamp, .n = head.n, .path = text(at, end) };
	if (!f->path)
		return false;
	f->entries = *at;
	for (uint32_t i = 0; i < head.n; i++)
		if (!take_entry(at, end))
			return false;
	return true;
}

bool folders_open(struct folders *out, const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len;
	struct folder f;
	size_t cap = 0;

	*out = (struct folders) { NULL, 0 };
	while (at < end) {
		if (!take(&f, &at, end) ||
		    (out->n && folders_compare(out->v[out->n - 1].path, f.path) >= 0))
			return false;
		out->v = xgrow(out->v, out->n, &cap, sizeof(*out->v));
		out->v[out->n++] = f;
	}
	return true;
}

void folders_clear(struct folders *f)
{
	free(f->v);
	*f = (struct folders) { NULL, 0 };
}

static int by_path(const void *path, const void *f)
{
	return folders_compare(path, ((const struct folder *)f)->path);
}

const struct folder *folders_find(const struct folders *f, const char *path)
{
	return f->n ? bsearch(path, f->v, f->n, sizeof(*f->v), by_path) : NULL;
}

void folders_add(struct buf *out, const char *path, const struct stamp *stamp, uint32_t n)
{
	struct head head;

	memset(&head, 0, sizeof(head));		/* equal listings are equal bytes */
	head.stamp = *stamp;
	head.n = n;
	buf_add(out, &head, sizeof(head));
	buf_add(out, path, strlen(path) + 1);
}

void folders_entry_add(struct buf *out, const char *name, enum tree_kind kind,
		       const struct stamp *stamp)
{
	buf_add(out, stamp, sizeof(*stamp));
	buf_addch(out, (char)kind);
	buf_add(out, name, strlen(name) + 1);
}

void folders_copy(struct buf *out, const struct folder *f)
{
	const char *end = f->entries;
	struct folder_entry e;

	for (uint32_t i = 0; i < f->n; i++)
		end = folders_entry(end, &e);
	folders_add(out, f->path, &f->stamp, f->n);
	buf_add(out, f->entries, (size_t)(end - f->entries));
}
