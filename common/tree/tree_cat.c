/*
 * tree_cat – a git tree as a snapshot, read from git cat-file.
 *
 * A folder's bytes are "<mode> <name>\0<object name, raw>" again and again. The last ones read are
 * kept: whoever looks at a path comes by the same folders each time.
 */
#include "config.h"

#include "common/tree/repo_cat.h"

#include "common/base/digest.h"

enum {
	KEPT = 256,			/* folders; a power of two */
	KEPT_MAX = 1 << 20,		/* bytes of one that is kept */
	FOLDER_MAX = 64 << 20,
};

struct folder {
	char oid[TREE_OID];
	struct buf bytes;
};

struct tree_cat {
	struct tree base;
	struct repo *repo;
	char root[TREE_OID];
	struct folder kept[KEPT];
	struct folder large;		/* the last that was too large to be kept */
};

struct raw_entry {
	unsigned mode;
	const char *name;
	char oid[TREE_OID];
};

static enum tree_kind kind_of(unsigned mode)
{
	switch (mode & 0170000) {
	case 0040000:
		return TREE_DIR;
	case 0120000:
		return TREE_LINK;
	case 0160000:
		return TREE_SUBMODULE;
	default:
		return mode & 0111 ? TREE_EXEC : TREE_FILE;
	}
}

static void put_oid(char *to, const char *raw, size_t digits)
{
	for (size_t i = 0; i < digits / 2; i++)
		snprintf(to + 2 * i, 3, "%02x", (unsigned char)raw[i]);
}

/* The entry at *at, and *at behind it; false at the end, or where the bytes are no folder's. */
static bool next_entry(const struct buf *b, size_t digits, size_t *at, struct raw_entry *out)
{
	const char *from = b->data + *at, *end = b->data + b->len, *nul;
	char *name;

	if (*at >= b->len || !(nul = memchr(from, '\0', (size_t)(end - from))) ||
	    (size_t)(end - nul - 1) < digits / 2)
		return false;
	out->mode = (unsigned)strtoul(from, &name, 8);
	if (name == from || *name != ' ')
		return false;
	out->name = name + 1;
	put_oid(out->oid, nul + 1, digits);
	*at = (size_t)(nul + 1 - b->data) + digits / 2;
	return true;
}

static int read_folder(struct tree_cat *t, const char *oid, const struct folder **out,
		       struct ps_err *err)
{
	struct folder *f = &t->kept[strtoul((char[]) { oid[0], oid[1], '\0' }, NULL, 16) % KEPT];
	struct cat_info info;
	int rc = 0;

	*out = strcmp(t->large.oid, oid) == 0 ? &t->large : f;
	if (strcmp((*out)->oid, oid) == 0)
		return 0;
	rc = cat_info(t->repo, oid, &info, err);
	if (rc == PS_ENOENT || (rc == 0 && info.type != CAT_TREE))
		return ps_err_set(err, PS_EIO, "tree %.12s is not in the object store", oid);
	if (rc == 0 && info.size > FOLDER_MAX)
		rc = ps_err_set(err, PS_ELIMIT, "tree %.12s has more than %d bytes", oid,
				FOLDER_MAX);
	if (rc < 0)
		return rc;
	f = info.size > KEPT_MAX ? &t->large : f;
	*f->oid = '\0';
	buf_clear(&f->bytes);
	rc = cat_contents(t->repo, &info, &f->bytes, err);
	if (rc == 0)
		memcpy(f->oid, info.oid, sizeof(f->oid));
	*out = f;
	return rc;
}

/* One part of a path in a folder; PS_ENOENT with err untouched. */
static int find_in(struct tree_cat *t, const char *folder, const char *part, size_t n,
		   struct tree_entry *out, struct ps_err *err)
{
	const struct folder *f;
	struct raw_entry e;
	size_t at = 0;
	int rc = read_folder(t, folder, &f, err);

	if (rc < 0)
		return rc;
	while (next_entry(&f->bytes, t->repo->digits, &at, &e)) {
		if (strncmp(e.name, part, n) != 0 || e.name[n])
			continue;
		out->kind = kind_of(e.mode);
		memcpy(out->oid, e.oid, sizeof(out->oid));
		return 0;
	}
	return PS_ENOENT;
}

static int cat_stat(struct tree *base, const char *path, struct tree_entry *out, struct ps_err *err)
{
	struct tree_cat *t = (struct tree_cat *)base;
	int rc = 0;

	out->kind = TREE_DIR;
	memcpy(out->oid, t->root, sizeof(out->oid));
	while (rc == 0 && *path) {
		size_t n = strcspn(path, "/");
		char folder[TREE_OID];

		if (out->kind != TREE_DIR)
			return PS_ENOENT;
		memcpy(folder, out->oid, sizeof(folder));
		rc = find_in(t, folder, path, n, out, err);
		path += path[n] ? n + 1 : n;
	}
	return rc;
}

static int cat_list(struct tree *base, const char *path, struct tree_list *out, struct ps_err *err)
{
	struct tree_cat *t = (struct tree_cat *)base;
	const struct folder *f;
	struct tree_entry where;
	struct raw_entry e;
	size_t cap = 0, at = 0;
	int rc = tree_stat(base, path, &where, err);

	if (rc < 0 || where.kind != TREE_DIR)
		return ps_err_set(err, rc < 0 ? rc : PS_ENOENT, "'%s' is not a folder", path);
	rc = read_folder(t, where.oid, &f, err);
	while (rc == 0 && next_entry(&f->bytes, t->repo->digits, &at, &e)) {
		if (out->n == TREE_ENTRIES_MAX)
			rc = ps_err_set(err, PS_ELIMIT, "'%s' has more than %d entries", path,
					TREE_ENTRIES_MAX);
		else
			memcpy(tree_list_add(out, &cap, e.name, kind_of(e.mode))->oid, e.oid,
			       sizeof(e.oid));
	}
	if (rc == 0 && at != f->bytes.len)
		rc = ps_err_set(err, PS_EIO, "tree %.12s is not as git writes it", where.oid);
	return rc;
}

static int cat_read(struct tree *base, const char *path, size_t max, struct buf *out,
		    struct ps_err *err)
{
	struct tree_cat *t = (struct tree_cat *)base;
	struct tree_entry at;
	struct cat_info info;
	int rc = tree_stat(base, path, &at, err);

	if (rc < 0 || at.kind == TREE_DIR || at.kind == TREE_SUBMODULE)
		return ps_err_set(err, rc < 0 ? rc : PS_ENOENT, "'%s' is not a file", path);
	rc = cat_info(t->repo, at.oid, &info, err);
	if (rc == PS_ENOENT || (rc == 0 && info.type != CAT_BLOB))
		return ps_err_set(err, PS_EIO, "'%s' is not a blob in the object store", path);
	if (rc == 0 && info.size > max)
		return ps_err_set(err, PS_ELIMIT, "'%s': larger than %zu bytes", path, max);
	return rc < 0 ? rc : cat_contents(t->repo, &info, out, err);
}

static void cat_tree_close(struct tree *base)
{
	struct tree_cat *t = (struct tree_cat *)base;

	for (size_t i = 0; i < KEPT; i++)
		buf_clear(&t->kept[i].bytes);
	buf_clear(&t->large.bytes);
	free(t);
}

static const struct tree_ops cat_ops = {
	.list = cat_list, .stat = cat_stat, .read = cat_read, .close = cat_tree_close,
};

int tree_cat_open(struct tree **out, struct repo *r, const char *oid, struct ps_err *err)
{
	struct tree_cat *t;
	struct cat_info info;
	int rc = cat_info(r, oid, &info, err);

	if (rc == PS_ENOENT || (rc == 0 && info.type != CAT_TREE))
		return ps_err_set(err, PS_ENOENT, "cannot read tree %.12s", oid);
	if (rc < 0)
		return rc;
	t = xcalloc(1, sizeof(*t));
	t->base.ops = &cat_ops;
	t->repo = r;
	memcpy(t->root, info.oid, sizeof(t->root));
	*out = &t->base;
	return 0;
}
