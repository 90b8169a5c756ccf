/*
 * doc_yaml – YAML to nodes from libyaml's events, with PyYAML's safe_load as the measure.
 *
 * What safe_load refuses (two documents, a tag without constructor, a list as a key) is a fault
 * here too. Aliases share the node they name, so nothing is multiplied; an alias inside its own
 * anchor is legal there and simply not read here (PS_ELIMIT). Merge keys are flattened as PyYAML
 * does: merged pairs come first, so the map's own keys win.
 */
#include "config.h"

#include "common/project/doc_build.h"

#include <yaml.h>

struct anchor {
	char *name;
	struct doc_node *node;		/* NULL while it is open */
	size_t next;			/* index + 1 of the one before it in its slot */
};

enum { SLOTS = 16384 };			/* for the names of anchors; a file may have many */

struct reader {
	yaml_parser_t parser;
	const char *bytes;
	size_t n;
	struct place_cursor cursor;
	struct doc *doc;
	struct doc_fault *fault;
	struct doc_open stack[PS_DEPTH_MAX];
	size_t depth, nodes;
	size_t anchor_of[PS_DEPTH_MAX];	/* index + 1 of the anchor a container has */
	struct anchor *anchors;
	size_t nanchors, cap;
	size_t slots[SLOTS];		/* index + 1 of the last anchor of the slot */
};

/* By the character, not by libyaml's lines: it knows more ends of lines than an editor. */
static struct doc_pos pos_of(struct reader *r, yaml_mark_t m)
{
	return doc_pos_of(place_of_char(&r->cursor, r->bytes, r->n, m.index));
}

/* Where libyaml refuses what PyYAML reads (found by the mutants of test_doc): not checked. */
static const char *const stricter[] = {
	"found unknown directive name",
	"found a tab character where an indentation space is expected",
};

static int parse_fault(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	struct doc_pos at = pos_of(r, p->problem_mark);

	if (p->error == YAML_READER_ERROR)
		at = doc_pos_of(place_of_byte(&r->cursor, r->bytes, r->n, p->problem_offset));
	doc_fault_set(r->fault, at, "%s%s%s", p->context ? p->context : "", p->context ? ", " : "",
		      p->problem ? p->problem : "not YAML");
	for (size_t i = 0; p->problem && i < PS_NELEM(stricter); i++)
		if (strcmp(p->problem, stricter[i]) == 0)
			return PS_ELIMIT;
	return PS_EINVAL;
}

/* ---- anchors ---- */

static size_t *slot_of(struct reader *r, const char *name)
{
	uint32_t h = 2166136261u;

	for (const char *p = name; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619u;
	return &r->slots[(h ^ h >> 16) % SLOTS];
}

/* Returns index + 1. A name used again hides the older node. */
static size_t anchor_add(struct reader *r, const yaml_char_t *name)
{
	size_t *slot;

	if (!name)
		return 0;
	slot = slot_of(r, (const char *)name);
	r->anchors = xgrow(r->anchors, r->nanchors, &r->cap, sizeof(*r->anchors));
	r->anchors[r->nanchors] = (struct anchor) { .name = xstrdup((const char *)name),
						    .next = *slot };
	return *slot = ++r->nanchors;
}

static int alias(struct reader *r, const yaml_event_t *e, struct doc_node **out)
{
	const char *name = (const char *)e->data.alias.anchor;

	for (size_t i = *slot_of(r, name); i; i = r->anchors[i - 1].next) {
		if (strcmp(r->anchors[i - 1].name, name) != 0)
			continue;
		*out = r->anchors[i - 1].node;
		if (*out)
			return 0;
		doc_fault_set(r->fault, pos_of(r, e->start_mark),
			      "alias '%s' inside its own anchor", name);
		return PS_ELIMIT;
	}
	doc_fault_set(r->fault, pos_of(r, e->start_mark), "found undefined alias '%s'", name);
	return PS_EINVAL;
}

/* ---- nodes ---- */

static const char std_tag[] = "tag:yaml.org,2002:";

static const struct { const char *tag; yaml_event_type_t event; enum doc_kind kind; } tags[] = {
	{ "str", YAML_SCALAR_EVENT, DOC_STRING },      { "binary", YAML_SCALAR_EVENT, DOC_STRING },
	{ "int", YAML_SCALAR_EVENT, DOC_INT },         { "float", YAML_SCALAR_EVENT, DOC_FLOAT },
	{ "bool", YAML_SCALAR_EVENT, DOC_BOOL },       { "null", YAML_SCALAR_EVENT, DOC_NULL },
	{ "timestamp", YAML_SCALAR_EVENT, DOC_TIME },  { "map", YAML_MAPPING_START_EVENT, DOC_MAP },
	{ "set", YAML_MAPPING_START_EVENT, DOC_MAP },  { "seq", YAML_SEQUENCE_START_EVENT,
							 DOC_LIST },
	{ "omap", YAML_SEQUENCE_START_EVENT, DOC_LIST }, { "pairs", YAML_SEQUENCE_START_EVENT,
							   DOC_LIST },
};

/* *kind stays as it is when there is no tag that says otherwise. */
static int tag_kind(struct reader *r, const yaml_event_t *e, const yaml_char_t *tag,
		    enum doc_kind *kind)
{
	const char *t = (const char *)tag;

	if (!t || strcmp(t, "!") == 0)
		return 0;
	for (size_t i = 0; i < PS_NELEM(tags); i++) {
		if (!ps_starts(t, std_tag) || strcmp(t + strlen(std_tag), tags[i].tag) != 0)
			continue;
		if (tags[i].event != e->type)
			break;
		*kind = tags[i].kind;
		return 0;
	}
	doc_fault_set(r->fault, pos_of(r, e->start_mark),
		      "no value of this kind can have the tag '%s'", t);
	return PS_EINVAL;
}

static int scalar(struct reader *r, const yaml_event_t *e, struct doc_node **out)
{
	static const enum doc_kind kinds[] = {
		[YAML_IS_STRING] = DOC_STRING, [YAML_IS_NULL] = DOC_NULL, [YAML_IS_BOOL] = DOC_BOOL,
		[YAML_IS_INT] = DOC_INT, [YAML_IS_FLOAT] = DOC_FLOAT, [YAML_IS_TIME] = DOC_TIME,
		[YAML_IS_MERGE] = DOC_STRING, [YAML_IS_VALUE] = DOC_STRING,
	};
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct doc_open *in = r->depth ? &r->stack[r->depth - 1] : NULL;
	bool is_key = in && in->node->kind == DOC_MAP && !in->key;
	const char *tag = (const char *)e->data.scalar.tag;
	/* libyaml leaves the tag of `- !` as it is; it means "no tag" there */
	bool is_plain = e->data.scalar.plain_implicit || (!len && tag && strcmp(tag, "!") == 0 &&
							   e->data.scalar.style !=
							  YAML_SINGLE_QUOTED_SCALAR_STYLE);
	enum yaml_plain plain = is_plain ? yaml_plain(text, len) : YAML_IS_STRING;
	enum doc_kind kind = kinds[plain];
	int rc = tag_kind(r, e, e->data.scalar.tag, &kind);

	if (rc < 0)
		return rc;
	if (!is_key && (plain == YAML_IS_MERGE || plain == YAML_IS_VALUE)) {
		doc_fault_set(r->fault, pos_of(r, e->start_mark),
			      "'%s' is no value; quote it to mean the text", text);
		return PS_EINVAL;
	}
	*out = doc_scalar(r->doc, kind, text, len, pos_of(r, e->start_mark));
	(*out)->quoted = !is_plain;
	if (kind == DOC_INT && yaml_plain(text, len) == YAML_IS_INT)
		(*out)->num = yaml_int((*out)->text);
	else if (kind == DOC_BOOL)
		(*out)->num = yaml_bool((*out)->text);
	return 0;
}

static int open_container(struct reader *r, const yaml_event_t *e, enum doc_kind kind,
			  const yaml_char_t *tag, const yaml_char_t *anchor)
{
	int rc = tag_kind(r, e, tag, &kind);

	if (rc < 0)
		return rc;
	if (r->depth == PS_DEPTH_MAX) {
		doc_fault_set(r->fault, pos_of(r, e->start_mark), "nested more than %d deep",
			      PS_DEPTH_MAX);
		return PS_ELIMIT;
	}
	r->anchor_of[r->depth] = anchor_add(r, anchor);
	r->stack[r->depth] = (struct doc_open) {
		.node = doc_scalar(r->doc, kind, "", 0, pos_of(r, e->start_mark)),
	};
	r->depth++;
	return 0;
}

/* ---- merge keys ---- */

static bool is_merge(const struct doc_node *key)
{
	return key->kind == DOC_STRING && !key->quoted && strcmp(key->text, "<<") == 0;
}

static int merge_from(struct reader *r, struct doc_open *to, const struct doc_node *from)
{
	if (from->kind != DOC_MAP) {
		doc_fault_set(r->fault, from->at, "expected a map or a list of maps for merging");
		return PS_EINVAL;
	}
	if (!doc_count(&r->nodes, from->n)) {
		doc_fault_set(r->fault, from->at, "merging makes more than %d values",
			      DOC_NODES_MAX);
		return PS_ELIMIT;
	}
	for (size_t i = 0; i < from->n; i++) {
		doc_open_add(to, from->pairs[i].key);
		doc_open_add(to, from->pairs[i].value);
	}
	return 0;
}

/* Makes the map searchable again; the first `merged` pairs repeat nothing, nor are they
 * repeated. */
static void hide_merged(struct reader *r, struct doc_node *map, size_t merged)
{
	bool *repeats = xcalloc(map->n + 1, sizeof(bool));

	for (size_t i = merged; i < map->n; i++)
		repeats[i] = map->pairs[i].repeats;
	doc_index(r->doc, map);
	for (size_t i = 0; i < map->n; i++)
		map->pairs[i].repeats = repeats[i];
	free(repeats);
}

/* Replaces a map whose pairs hold merge keys: merged pairs first, own pairs behind them. Only what
 * repeats among the own ones is a repetition. */
static int flatten(struct reader *r, struct doc_node *map)
{
	struct doc_open all = { .node = map };
	size_t merges = 0;
	int rc = 0;

	for (size_t i = 0; i < map->n; i++)
		merges += is_merge(map->pairs[i].key);
	if (!merges)
		return 0;
	for (size_t i = 0; i < map->n && rc == 0; i++) {
		const struct doc_node *v = map->pairs[i].value;

		if (!is_merge(map->pairs[i].key))
			continue;
		if (v->kind != DOC_LIST)
			rc = merge_from(r, &all, v);
		for (size_t k = v->kind == DOC_LIST ? v->n : 0; k-- > 0 && rc == 0;)
			rc = merge_from(r, &all, v->items[k]);	/* the first of the list wins */
	}
	if (rc == 0) {
		size_t n = all.n;
		struct doc_pair *pairs = doc_alloc(r->doc, (n + map->n) * sizeof(*pairs));

		for (size_t i = 0; i < n; i++)
			pairs[i] = (struct doc_pair) { .key = all.pairs[i].key,
						       .value = all.pairs[i].value };
		for (size_t i = 0; i < map->n; i++)
			if (!is_merge(map->pairs[i].key))
				pairs[n++] = map->pairs[i];
		map->pairs = pairs;
		map->n = n;
		hide_merged(r, map, all.n);
	}
	doc_open_drop(&all);
	return rc;
}

/* ---- the loop over events ---- */

static int put(struct reader *r, struct doc_node *node)
{
	struct doc_open *in;

	if (!doc_count(&r->nodes, 1)) {
		doc_fault_set(r->fault, node->at, "more than %d values", DOC_NODES_MAX);
		return PS_ELIMIT;
	}
	if (!r->depth) {
		r->doc->root = node;
		return 0;
	}
	in = &r->stack[r->depth - 1];
	if (in->node->kind == DOC_MAP && !in->key && (node->kind == DOC_MAP ||
						      node->kind == DOC_LIST)) {
		doc_fault_set(r->fault, node->at, "found unhashable key: %s cannot be a key",
			      doc_kind_word(node->kind));
		return PS_EINVAL;
	}
	doc_open_add(in, node);
	return 0;
}

static int take(struct reader *r, const yaml_event_t *e)
{
	struct doc_node *node = NULL;
	size_t anchor = 0;
	int rc = 0;

	switch (e->type) {
	case YAML_SCALAR_EVENT:
		rc = scalar(r, e, &node);
		if (rc == 0)
			anchor = anchor_add(r, e->data.scalar.anchor);
		break;
	case YAML_ALIAS_EVENT:
		rc = alias(r, e, &node);
		break;
	case YAML_SEQUENCE_START_EVENT:
		return open_container(r, e, DOC_LIST, e->data.sequence_start.tag,
				      e->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return open_container(r, e, DOC_MAP, e->data.mapping_start.tag,
				      e->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		anchor = r->anchor_of[r->depth];
		node = doc_close(r->doc, &r->stack[r->depth]);
		if (node->kind == DOC_MAP)
			rc = flatten(r, node);
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (r->doc->root) {
			doc_fault_set(r->fault, pos_of(r, e->start_mark),
				      "a second document begins here");
			rc = PS_EINVAL;
		}
		return rc;
	default:
		return 0;
	}
	if (rc == 0 && anchor)
		r->anchors[anchor - 1].node = node;
	return rc < 0 ? rc : put(r, node);
}

static int read_all(struct reader *r)
{
	bool end = false;
	int rc = 0;

	while (rc == 0 && !end) {
		yaml_event_t e;

		if (!yaml_parser_parse(&r->parser, &e))
			return parse_fault(r);
		end = e.type == YAML_STREAM_END_EVENT;
		rc = take(r, &e);
		yaml_event_delete(&e);
	}
	return rc;
}

int doc_yaml(struct doc **out, const char *bytes, size_t n, struct doc_fault *fault)
{
	struct reader *r;
	int rc;

	*fault = (struct doc_fault) { .at = { 1, 1 } };
	if (n > PS_YAML_MAX) {
		doc_fault_set(fault, fault->at, "larger than %d bytes", PS_YAML_MAX);
		return PS_ELIMIT;
	}
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		n -= 3;
	}
	r = xcalloc(1, sizeof(*r));
	PS_BUG_IF(!yaml_parser_initialize(&r->parser), "libyaml does not start");
	r->bytes = bytes;
	r->n = n;
	r->doc = doc_new();
	r->fault = fault;
	yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r->parser, (const unsigned char *)bytes, n);
	rc = read_all(r);
	while (r->depth)
		doc_open_drop(&r->stack[--r->depth]);
	for (size_t i = 0; i < r->nanchors; i++)
		free(r->anchors[i].name);
	free(r->anchors);
	yaml_parser_delete(&r->parser);
	if (rc == 0)
		*out = r->doc;
	else
		doc_free(r->doc);
	free(r);
	return rc;
}
