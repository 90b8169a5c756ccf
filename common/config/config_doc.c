/* config_doc – see config_doc.h. One recursive descent over libyaml's events, bounded in depth. */
#include <config.h>

#include "common/config/config_doc.h"

#include <yaml.h>

#include "common/base/place.h"

struct anchor { char *name; struct conf_node *node; };

struct builder {
	struct conf_doc *doc;
	const char *path;
	const char *bytes;
	size_t n;
	struct place_cursor cursor;
	struct diag_list *out;
	yaml_parser_t parser;
	struct anchor *anchors;
	size_t nanchors, cap_anchors;
	size_t aliases;
	unsigned depth;
};

static struct conf_pos pos_at(struct place p)
{
	return (struct conf_pos) { p.line, p.col };
}

/* By the character, not by libyaml's lines: it knows more ends of lines than an editor. */
static struct conf_pos pos_of(struct builder *b, yaml_mark_t m)
{
	return pos_at(place_of_char(&b->cursor, b->bytes, b->n, m.index));
}

/* The finding behind every "no": returns NULL for `return refuse(...)`. */
static void *refuse(struct builder *b, struct conf_pos at, const char *code, const char *fmt, ...)
	PS_PRINTF(4, 5);
static void *refuse(struct builder *b, struct conf_pos at, const char *code, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	diag_add(b->out, DIAG_ERROR, b->path, at.line, at.col, code, "%s", text);
	free(text);
	return NULL;
}

/* What libyaml calls the problem, where it met it, and what it was reading then. */
static void syntax_error(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	struct conf_pos at = p->error == YAML_READER_ERROR ?
		pos_at(place_of_byte(&b->cursor, b->bytes, b->n, p->problem_offset)) :
		pos_of(b, p->problem_mark);

	refuse(b, at, "PS-CONF-001", "not YAML: %s%s%s", p->problem ? p->problem :
	       "unknown problem", p->context ? ", " : "", p->context ? p->context : "");
}

static bool next(struct builder *b, yaml_event_t *ev)
{
	if (yaml_parser_parse(&b->parser, ev))
		return true;
	syntax_error(b);
	return false;
}

static struct conf_node *node_new(struct builder *b, const yaml_event_t *ev, enum conf_kind kind)
{
	struct conf_doc *doc = b->doc;
	struct conf_node *node;

	if (doc->n == CONF_NODES_MAX)
		return refuse(b, pos_of(b, ev->start_mark), "PS-CONF-002",
			      "more than %d values in one file", CONF_NODES_MAX);
	node = xcalloc(1, sizeof(*node));
	node->kind = kind;
	node->pos = pos_of(b, ev->start_mark);
	node->from = ev->start_mark.index;
	node->to = ev->end_mark.index;
	doc->all = xgrow(doc->all, doc->n, &doc->cap, sizeof(*doc->all));
	doc->all[doc->n++] = node;
	return node;
}

static void anchor_add(struct builder *b, const yaml_char_t *name, struct conf_node *node)
{
	if (!name)
		return;
	b->anchors = xgrow(b->anchors, b->nanchors, &b->cap_anchors, sizeof(*b->anchors));
	b->anchors[b->nanchors++] = (struct anchor) { xstrdup((const char *)name), node };
}

/* The latest anchor of that name; one that is still being built is not known yet, so no circles. */
static struct conf_node *alias(struct builder *b, const yaml_event_t *ev)
{
	const char *name = (const char *)ev->data.alias.anchor;

	if (++b->aliases > CONF_ALIASES_MAX)
		return refuse(b, pos_of(b, ev->start_mark), "PS-CONF-002",
			      "more than %d aliases in one file", CONF_ALIASES_MAX);
	for (size_t i = b->nanchors; i-- > 0;)
		if (ps_streq(b->anchors[i].name, name))
			return b->anchors[i].node;
	return refuse(b, pos_of(b, ev->start_mark), "PS-CONF-001",
		      "alias '%s' names no anchor before it", name);
}

static struct conf_node *scalar(struct builder *b, const yaml_event_t *ev)
{
	const char *v = (const char *)ev->data.scalar.value;
	struct conf_node *node = node_new(b, ev, CONF_TEXT);
	bool odd = false;

	if (!node)
		return NULL;
	node->text = xmalloc(ev->data.scalar.length + 1);
	for (size_t i = 0; i < ev->data.scalar.length; i++) {
		bool bad = (unsigned char)v[i] < 0x20 || v[i] == 0x7f;

		node->text[i] = bad ? '?' : v[i];
		odd |= bad;
	}
	node->text[ev->data.scalar.length] = '\0';
	if (odd)
		refuse(b, node->pos, "PS-CONF-007", "a line break or control character in a value");
	node->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !ev->data.scalar.tag;
	node->blankable = !ev->data.scalar.anchor && !ev->data.scalar.tag &&
			  ev->start_mark.line == ev->end_mark.line;
	anchor_add(b, ev->data.scalar.anchor, node);
	return node;
}

static struct conf_node *value(struct builder *b, yaml_event_t *ev);

static struct conf_node *list(struct builder *b, const yaml_event_t *start)
{
	struct conf_node *node = node_new(b, start, CONF_LIST), *item;
	yaml_event_t ev;

	while (node && next(b, &ev)) {
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			node->to = ev.end_mark.index;
			yaml_event_delete(&ev);
			anchor_add(b, start->data.sequence_start.anchor, node);
			return node;
		}
		item = value(b, &ev);
		yaml_event_delete(&ev);
		if (!item)
			return NULL;
		node->items = xgrow(node->items, node->n, &node->cap, sizeof(*node->items));
		node->items[node->n++] = item;
	}
	return NULL;
}

static int by_key(const void *pa, const void *pb)
{
	const struct conf_node *a = (*(struct conf_pair *const *)pa)->key;
	const struct conf_node *b = (*(struct conf_pair *const *)pb)->key;
	int c = strcmp(a->text, b->text);

	return c ? c : (a->from > b->from) - (a->from < b->from);
}

/* A key met again is a finding; the first one counts, so that reading on makes sense. */
static void drop_duplicates(struct builder *b, struct conf_node *map)
{
	struct conf_pair **sorted = xcalloc(map->n + 1, sizeof(struct conf_pair *));
	size_t kept = 0;

	for (size_t i = 0; i < map->n; i++)
		sorted[i] = &map->pairs[i];
	qsort(sorted, map->n, sizeof(struct conf_pair *), by_key);
	for (size_t i = 1, first = 0; i < map->n; i++) {
		struct conf_node *key = sorted[i]->key, *was = sorted[first]->key;

		if (strcmp(was->text, key->text) != 0) {
			first = i;
			continue;
		}
		refuse(b, key->pos, "PS-CONF-004", "'%s' is given twice, first in line %u",
		       key->text, was->pos.line);
		sorted[i]->value = NULL;
	}
	for (size_t i = 0; i < map->n; i++)
		if (map->pairs[i].value)
			map->pairs[kept++] = map->pairs[i];
	map->n = kept;
	free(sorted);
}

static struct conf_node *map(struct builder *b, const yaml_event_t *start)
{
	struct conf_node *node = node_new(b, start, CONF_MAP), *key = NULL, *child;
	yaml_event_t ev;

	while (node && next(b, &ev)) {
		if (ev.type == YAML_MAPPING_END_EVENT) {
			node->to = ev.end_mark.index;
			yaml_event_delete(&ev);
			drop_duplicates(b, node);
			anchor_add(b, start->data.mapping_start.anchor, node);
			return node;
		}
		child = value(b, &ev);
		if (child && !key && child->kind != CONF_TEXT)
			child = refuse(b, pos_of(b, ev.start_mark), "PS-CONF-007",
				       "a key must be a text");
		yaml_event_delete(&ev);
		if (!child)
			return NULL;
		if (!key) {
			key = child;
			continue;
		}
		node->pairs = xgrow(node->pairs, node->n, &node->cap, sizeof(*node->pairs));
		node->pairs[node->n++] = (struct conf_pair) { key, child };
		key = NULL;
	}
	return NULL;
}

static struct conf_node *value(struct builder *b, yaml_event_t *ev)
{
	struct conf_node *node = NULL;

	if (b->depth == CONF_DEPTH_MAX)
		return refuse(b, pos_of(b, ev->start_mark), "PS-CONF-002", "nested deeper than %d",
			      CONF_DEPTH_MAX);
	b->depth++;
	if (ev->type == YAML_SCALAR_EVENT)
		node = scalar(b, ev);
	else if (ev->type == YAML_SEQUENCE_START_EVENT)
		node = list(b, ev);
	else if (ev->type == YAML_MAPPING_START_EVENT)
		node = map(b, ev);
	else if (ev->type == YAML_ALIAS_EVENT)
		node = alias(b, ev);
	b->depth--;
	return node;
}

/* stream start, document start, one value, document end, stream end – or an empty stream. */
static bool document(struct builder *b)
{
	bool inside = false, ok = true;
	yaml_event_t ev;

	while (ok && next(b, &ev)) {
		yaml_event_type_t type = ev.type;

		if (type == YAML_DOCUMENT_START_EVENT) {
			if (inside)
				ok = refuse(b, pos_of(b, ev.start_mark), "PS-CONF-001",
					    "a second document in the file");
			inside = true;
		} else if (type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_END_EVENT &&
			   type != YAML_STREAM_END_EVENT) {
			b->doc->root = value(b, &ev);
			ok = b->doc->root != NULL;
		}
		yaml_event_delete(&ev);
		if (type == YAML_STREAM_END_EVENT)
			return true;
	}
	return false;
}

bool conf_doc_parse(struct conf_doc *doc, const char *path, const char *bytes, size_t n,
		    struct diag_list *out)
{
	struct builder b = { .doc = doc, .path = path, .bytes = bytes, .n = n, .out = out };
	bool ok;

	*doc = (struct conf_doc) { 0 };
	if (n > CONF_BYTES_MAX) {
		refuse(&b, (struct conf_pos) { 1, 1 }, "PS-CONF-002", "larger than %d bytes",
		       CONF_BYTES_MAX);
		return false;
	}
	PS_BUG_IF(!yaml_parser_initialize(&b.parser), "no memory for a YAML parser");
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)bytes, n);
	ok = document(&b);
	yaml_parser_delete(&b.parser);
	for (size_t i = 0; i < b.nanchors; i++)
		free(b.anchors[i].name);
	free(b.anchors);
	return ok;
}

void conf_doc_clear(struct conf_doc *doc)
{
	for (size_t i = 0; i < doc->n; i++) {
		free(doc->all[i]->text);
		free(doc->all[i]->pairs);
		free(doc->all[i]->items);
		free(doc->all[i]);
	}
	free(doc->all);
	*doc = (struct conf_doc) { 0 };
}

struct conf_node *conf_node_get(const struct conf_node *node, const char *key)
{
	for (size_t i = 0; node && node->kind == CONF_MAP && i < node->n; i++)
		if (strcmp(node->pairs[i].key->text, key) == 0)
			return node->pairs[i].value;
	return NULL;
}

bool conf_node_is_null(const struct conf_node *node)
{
	return node->kind == CONF_TEXT && node->plain &&
	       (!*node->text || ps_streq(node->text, "~") || ps_streq(node->text, "null"));
}
