/* memtree – see memtree.h. */
#include "config.h"

#include "tests/fuzz/memtree.h"

#include "common/base/buf.h"

struct memtree {
	struct tree base;
	const struct memfile *files;
	size_t n;
	uint64_t digests[];		/* of each file's bytes */
};

/* The part behind dir and its slash; NULL when path is not below dir. */
static const char *below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (!n)
		return path;
	return strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static const uint64_t START = 0xcbf29ce484222325u;

static uint64_t mix(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h;
}

/* Equal for what is equal; that others differ is likely enough here. */
static void name_of(const struct memtree *m, const char *path, char oid[TREE_OID])
{
	uint64_t h = START;

	for (size_t i = 0; i < m->n; i++) {
		const struct memfile *f = &m->files[i];
		const char *rest = strcmp(f->path, path) == 0 ? "" : below(f->path, path);

		if (!rest)
			continue;
		h = mix(h, rest, strlen(rest) + 1);
		h = mix(h, &f->kind, sizeof(f->kind));
		h = mix(h, &m->digests[i], sizeof(m->digests[i]));
	}
	snprintf(oid, TREE_OID, "%040llx", (unsigned long long)h);
}

static const struct memfile *find(const struct memtree *m, const char *path)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->files[i].path, path) == 0)
			return &m->files[i];
	return NULL;
}

static int mem_stat(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *err)
{
	const struct memtree *m = (const struct memtree *)t;
	const struct memfile *f = find(m, path);
	bool dir = !*path;

	(void)err;
	for (size_t i = 0; !f && !dir && i < m->n; i++)
		dir = below(m->files[i].path, path) != NULL;
	if (!f && !dir)
		return PS_ENOENT;
	out->kind = f ? f->kind : TREE_DIR;
	name_of(m, path, out->oid);
	return 0;
}

static int mem_list(struct tree *t, const char *path, struct tree_list *out, struct ps_err *err)
{
	const struct memtree *m = (const struct memtree *)t;
	size_t cap = 0;

	for (size_t i = 0; i < m->n; i++) {
		const char *rest = below(m->files[i].path, path);
		char *name, *full;
		bool known = false;

		if (!rest)
			continue;
		name = xstrndup(rest, strcspn(rest, "/"));
		for (size_t k = 0; k < out->n; k++)
			known |= strcmp(out->v[k].name, name) == 0;
		full = *path ? xasprintf("%s/%s", path, name) : xstrdup(name);
		if (!known)
			name_of(m, full, tree_list_add(out, &cap, name, rest[strlen(name)] ?
						       TREE_DIR : m->files[i].kind)->oid);
		free(full);
		free(name);
	}
	return out->n || !*path ? 0 : ps_err_set(err, PS_ENOENT, "'%s' is not a folder", path);
}

static int mem_read(struct tree *t, const char *path, size_t max, struct buf *out,
		    struct ps_err *err)
{
	const struct memfile *f = find((const struct memtree *)t, path);

	if (!f || f->kind == TREE_SUBMODULE)
		return ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	if (f->n > max)
		return ps_err_set(err, PS_ELIMIT, "'%s': larger than %zu bytes", path, max);
	buf_add(out, f->bytes, f->n);
	return 0;
}

static void mem_close(struct tree *t)
{
	free(t);
}

static const struct tree_ops mem_ops = {
	.list = mem_list, .stat = mem_stat, .read = mem_read, .close = mem_close,
};

struct tree *memtree_open(const struct memfile *files, size_t n)
{
	struct memtree *m = xcalloc(1, sizeof(*m) + n * sizeof(m->digests[0]));

	m->base.ops = &mem_ops;
	m->files = files;
	m->n = n;
	for (size_t i = 0; i < n; i++)
		m->digests[i] = mix(START, files[i].bytes, files[i].n);
	return &m->base;
}

void memtree_name(struct tree *t, char name[TREE_OID])
{
	name_of((const struct memtree *)t, "", name);
}
