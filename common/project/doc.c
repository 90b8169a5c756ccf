/* doc – see doc.h: nodes, their memory, and looking things up. */
#include "config.h"

#include "common/project/doc_build.h"

enum { CHUNK = 64 * 1024 };

struct chunk {
	struct chunk *next;
	size_t used, size;
	char bytes[] __attribute__((aligned(16)));
};

struct doc *doc_new(void)
{
	return xcalloc(1, sizeof(struct doc));
}

void *doc_alloc(struct doc *d, size_t size)
{
	struct chunk *c = d->arena;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!c || c->size - c->used < size) {
		size_t room = size > CHUNK ? size : CHUNK;

		c = xmalloc(sizeof(*c) + room);
		*c = (struct chunk) { .size = room, .next = d->arena };
		d->arena = c;
	}
	p = c->bytes + c->used;
	c->used += size;
	return memset(p, 0, size);
}

void doc_free(struct doc *d)
{
	if (!d)
		return;
	for (struct chunk *c = d->arena, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(d);
}

struct doc_node *doc_scalar(struct doc *d, enum doc_kind kind, const char *text, size_t len,
			    struct doc_pos at)
{
	struct doc_node *node = doc_alloc(d, sizeof(*node));
	char *copy = doc_alloc(d, len + 1);

	if (len)
		memcpy(copy, text, len);
	*node = (struct doc_node) { .kind = kind, .at = at, .text = copy, .len = len };
	return node;
}

bool doc_count(size_t *count, size_t more)
{
	*count += more;
	return *count <= DOC_NODES_MAX;
}

void doc_open_add(struct doc_open *o, struct doc_node *child)
{
	if (o->node->kind == DOC_LIST) {
		o->items = xgrow(o->items, o->n, &o->cap, sizeof(struct doc_node *));
		o->items[o->n++] = child;
	} else if (!o->key) {
		o->key = child;
	} else {
		o->pairs = xgrow(o->pairs, o->n, &o->cap, sizeof(struct doc_pair));
		o->pairs[o->n++] = (struct doc_pair) { .key = o->key, .value = child };
		o->key = NULL;
	}
}

static int key_order(const struct doc_node *a, const struct doc_node *b)
{
	size_t least = a->len < b->len ? a->len : b->len;
	int c = (int)a->kind - (int)b->kind;

	if (!c && least)
		c = memcmp(a->text, b->text, least);
	return c ? c : (a->len > b->len) - (a->len < b->len);
}

/* Equal keys come in the order of the file, so all but the first of them repeat. */
static int pair_order(const void *pa, const void *pb)
{
	const struct doc_pair *a = *(struct doc_pair *const *)pa,
		*b = *(struct doc_pair *const *)pb;
	int c = key_order(a->key, b->key);

	return c ? c : (a > b) - (a < b);
}

enum { SMALL_MAP = 16 };		/* looked through one by one */

void doc_index(struct doc *d, struct doc_node *map)
{
	struct doc_pair **sorted;

	map->sorted = NULL;
	if (map->n < 2)
		return;
	sorted = xcalloc(map->n, sizeof(struct doc_pair *));
	for (size_t i = 0; i < map->n; i++)
		sorted[i] = &map->pairs[i];
	qsort(sorted, map->n, sizeof(struct doc_pair *), pair_order);
	for (size_t i = 1; i < map->n; i++) {
		bool same = key_order(sorted[i - 1]->key, sorted[i]->key) == 0;

		sorted[i]->repeats = same;
		sorted[i - 1]->hidden = same;
	}
	if (map->n > SMALL_MAP) {
		map->sorted = doc_alloc(d, map->n * sizeof(struct doc_pair *));
		memcpy(map->sorted, sorted, map->n * sizeof(struct doc_pair *));
	}
	free(sorted);
}

struct doc_node *doc_close(struct doc *d, struct doc_open *o)
{
	struct doc_node *node = o->node;

	node->n = o->n;
	if (o->n && node->kind == DOC_LIST) {
		node->items = doc_alloc(d, o->n * sizeof(struct doc_node *));
		memcpy(node->items, o->items, o->n * sizeof(struct doc_node *));
	} else if (o->n) {
		node->pairs = doc_alloc(d, o->n * sizeof(struct doc_pair));
		memcpy(node->pairs, o->pairs, o->n * sizeof(struct doc_pair));
		doc_index(d, node);
	}
	doc_open_drop(o);
	return node;
}

void doc_open_drop(struct doc_open *o)
{
	free(o->pairs);
	free(o->items);
	*o = (struct doc_open) { .node = NULL };
}

void doc_fault_set(struct doc_fault *f, struct doc_pos at, const char *fmt, ...)
{
	va_list ap;

	f->at = at;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

struct doc_pos doc_pos_of(struct place at)
{
	return (struct doc_pos) { at.line, at.col };
}

/* The last of several. */
static const struct doc_pair *search(const struct doc_node *map, const struct doc_node *key)
{
	size_t low = 0, high = map->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (key_order(map->sorted[mid]->key, key) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low && key_order(map->sorted[low - 1]->key, key) == 0 ? map->sorted[low - 1] : NULL;
}

const struct doc_pair *doc_pair(const struct doc_node *node, const char *key)
{
	struct doc_node wanted = { .kind = DOC_STRING, .text = key, .len = strlen(key) };

	if (!doc_is(node, DOC_MAP))
		return NULL;
	if (node->sorted)
		return search(node, &wanted);
	for (size_t i = node->n; i-- > 0;)
		if (key_order(node->pairs[i].key, &wanted) == 0)
			return &node->pairs[i];
	return NULL;
}

const struct doc_node *doc_get(const struct doc_node *node, const char *key)
{
	const struct doc_pair *p = doc_pair(node, key);

	return p ? p->value : NULL;
}

const struct doc_node *doc_path(const struct doc_node *node, ...)
{
	const char *key;
	va_list ap;

	va_start(ap, node);
	while (node && (key = va_arg(ap, const char *)))
		node = doc_get(node, key);
	va_end(ap);
	return node;
}

const char *doc_text(const struct doc_node *node)
{
	if (!node || node->kind == DOC_NULL || node->kind == DOC_LIST || node->kind == DOC_MAP)
		return NULL;
	return strlen(node->text) == node->len ? node->text : NULL;
}

const char *doc_string(const struct doc_node *node)
{
	return doc_is(node, DOC_STRING) ? doc_text(node) : NULL;
}

bool doc_is(const struct doc_node *node, enum doc_kind kind)
{
	return node && node->kind == kind;
}

const char *doc_kind_word(enum doc_kind kind)
{
	static const char *const words[] = {
		[DOC_NULL] = "null", [DOC_BOOL] = "a bool", [DOC_INT] = "a whole number",
		[DOC_FLOAT] = "a number", [DOC_TIME] = "a time", [DOC_STRING] = "a string",
		[DOC_LIST] = "a list", [DOC_MAP] = "a map",
	};

	return words[kind];
}
