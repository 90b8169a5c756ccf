/* precedent – see precedent.h. The place that keeps it may be damaged: nothing is believed of its
 * shape. */
#include "config.h"

#include "common/gate/precedent.h"

#include <msgpack.h>

#include "common/base/fsutil.h"
#include "common/tree/tree_diff.h"
#include "common/wire/pack.h"

/* Past so many changes the units' own keys are as quick; and all of them share one file. */
enum { CHANGES_MAX = 1000, VALUE_MAX = 16 << 20 };

/* Of an entry: what it came to, did that come to nothing, its folder and what it asked for. */
enum { ROW_BYTES, ROW_NOTHING, ROW_PATHS, ROW_PARTS };

struct precedent {
	struct memo *memo;
	struct memo_key key;
	struct repo *repo;
	/* the value as it was found: tree, projects */
	struct buf text;
	msgpack_unpacked value;
	const msgpack_object_array *projects;	/* NULL: there was none */
	char tree[TREE_OID];
	struct tree *before;		/* NULL: its objects are not there */
	/* the tree at hand */
	struct tree_changes changes;
	bool comparable;
	const msgpack_object_array *rows;	/* of the project at hand; NULL: judge each */
	size_t at, left;		/* the next entry; how many the draft waits for */
	struct buf taken;		/* the bytes given out last, a view */
	bool news;			/* the value will not be the one that was found */
	/* the value that is made of it */
	struct buf draft;
	msgpack_packer pk;
};

static const msgpack_object_array *array_of(const msgpack_object *o, size_t n)
{
	return o->type == MSGPACK_OBJECT_ARRAY && (!n || o->via.array.size == n) ? &o->via.array :
		NULL;
}

/* Texts of msgpack have no end of their own; paths are short. */
static char *text_of(const msgpack_object *o)
{
	return o->type == MSGPACK_OBJECT_STR && o->via.str.size ?
		xstrndup(o->via.str.ptr, o->via.str.size) : xstrdup("");
}

static void find(struct precedent *p)
{
	const struct buf *was = memo_get(p->memo, &p->key);
	const msgpack_object_array *top;
	char *tree;

	if (!was)
		return;
	/* the memo's own is gone with the next question */
	buf_add(&p->text, buf_str(was), was->len);
	if (!pack_open(&p->value, &p->text) || !(top = array_of(&p->value.data, 2)))
		return;
	tree = text_of(&top->ptr[0]);
	if (repo_tree(&p->before, p->repo, tree, NULL) < 0)
		p->before = NULL;	/* of a push that was refused, or long ago */
	p->projects = array_of(&top->ptr[1], 0);
	snprintf(p->tree, sizeof(p->tree), "%s", tree);
	free(tree);
}

struct precedent *precedent_open(struct memo *m, const char *config, const char *place,
				 struct repo *r)
{
	struct precedent *p = xcalloc(1, sizeof(*p));

	p->memo = m;
	p->repo = r;
	msgpack_unpacked_init(&p->value);
	memo_key(m, &p->key, "precedent", config, place, NULL);
	find(p);
	return p;
}

void precedent_free(struct precedent *p)
{
	if (!p)
		return;
	tree_close(p->before);
	tree_changes_clear(&p->changes);
	msgpack_unpacked_destroy(&p->value);
	buf_clear(&p->text);
	buf_clear(&p->draft);
	free(p);
}

void precedent_meet(struct precedent *p, struct tree *t, const char *name)
{
	tree_changes_clear(&p->changes);
	p->comparable = p->before && p->projects &&
		tree_diff(p->before, t, CHANGES_MAX, &p->changes, NULL) == 0;
	p->rows = NULL;
	p->left = 0;
	p->news = strcmp(name, p->tree) != 0;
	buf_reset(&p->draft);
	pack_into(&p->pk, &p->draft);
	msgpack_pack_array(&p->pk, 2);
	pack_text(&p->pk, name);
}

struct tree *precedent_tree(const struct precedent *p)
{
	return p && p->comparable ? p->before : NULL;
}

void precedent_projects(struct precedent *p, size_t n)
{
	msgpack_pack_array(&p->pk, n);
}

/* The rows of this project file, where it is the same as it was: then so are its entries. */
static const msgpack_object_array *rows_of(const struct precedent *p, const char *file, size_t n)
{
	if (!p->comparable || tree_changed(&p->changes, file))
		return NULL;
	for (size_t i = 0; i < p->projects->size; i++) {
		const msgpack_object_array *project = array_of(&p->projects->ptr[i], 2), *rows;
		const msgpack_object *name = project ? &project->ptr[0] : NULL;

		if (!project || name->type != MSGPACK_OBJECT_STR ||
		    name->via.str.size != strlen(file) ||
		    memcmp(name->via.str.ptr, file, name->via.str.size) != 0)
			continue;
		rows = array_of(&project->ptr[1], 0);
		return rows && rows->size == n ? rows : NULL;
	}
	return NULL;
}

void precedent_project(struct precedent *p, const char *file, size_t entries)
{
	p->rows = rows_of(p, file, entries);
	p->at = 0;
	p->left += entries;
	msgpack_pack_array(&p->pk, 2);
	pack_text(&p->pk, file);
	msgpack_pack_array(&p->pk, entries);
}

/* A path that is not clean may lead where a clean one leads: its text tells nothing. */
static bool untouched(const struct precedent *p, const msgpack_object *o)
{
	char *path = text_of(o);
	bool same = fs_is_clean_relative(path) && !tree_changed(&p->changes, path);

	free(path);
	return same;
}

bool precedent_says(struct precedent *p, const struct buf **bytes)
{
	const msgpack_object_array *row = p->rows && p->at < p->rows->size ?
		array_of(&p->rows->ptr[p->at], ROW_PARTS) : NULL,
		*paths = row ? array_of(&row->ptr[ROW_PATHS], 0) : NULL;
	const msgpack_object *is = row ? &row->ptr[ROW_BYTES] : NULL;

	if (!paths || is->type != MSGPACK_OBJECT_BIN ||
	    row->ptr[ROW_NOTHING].type != MSGPACK_OBJECT_BOOLEAN)
		return false;
	for (size_t k = 0; k < paths->size; k++)
		if (!untouched(p, &paths->ptr[k]))
			return false;
	p->taken = (struct buf) { (char *)(uintptr_t)is->via.bin.ptr, is->via.bin.size, 0 };
	*bytes = row->ptr[ROW_NOTHING].via.boolean ? NULL : &p->taken;
	return true;
}

void precedent_follow(struct precedent *p)
{
	msgpack_pack_object(&p->pk, p->rows->ptr[p->at++]);
	p->left--;
}

void precedent_note(struct precedent *p, const char *own, const struct deps *deps,
		    const struct buf *bytes, bool nothing)
{
	size_t n = 1;

	p->at++;
	p->left--;
	p->news = true;
	if (!bytes) {
		msgpack_pack_nil(&p->pk);
		return;
	}
	for (size_t i = 0; i < deps->n; i++)
		n += deps->v[i].what == DEP_KIND || deps->v[i].what == DEP_OBJECT;
	msgpack_pack_array(&p->pk, ROW_PARTS);
	msgpack_pack_bin_with_body(&p->pk, buf_str(bytes), bytes->len);
	if (nothing)
		msgpack_pack_true(&p->pk);
	else
		msgpack_pack_false(&p->pk);
	msgpack_pack_array(&p->pk, n);
	pack_text(&p->pk, own);
	/* the rest is about the project file, which is the same or the row is not asked */
	for (size_t i = 0; i < deps->n; i++)
		if (deps->v[i].what == DEP_KIND || deps->v[i].what == DEP_OBJECT)
			pack_text(&p->pk, deps->v[i].path);
}

void precedent_keep(struct precedent *p)
{
	if (p->left == 0 && p->news && p->draft.len <= VALUE_MAX)
		memo_put(p->memo, &p->key, &p->draft);
}
