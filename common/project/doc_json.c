/*
 * doc_json – JSON to nodes from YAJL's callbacks.
 *
 * YAJL tells where a token ended; where it began follows from there: between two tokens stand only
 * blanks, commas and colons. It knows no NaN: a text that it refuses and that has such words is
 * read once more with numbers of the same length in their places.
 */
#include "config.h"

#include "common/project/doc_build.h"

#include <ctype.h>

#include <yajl/yajl_parse.h>

struct reader {
	yajl_handle yajl;
	const char *bytes, *source;	/* source: with words where bytes has numbers for them */
	size_t n, end;			/* end: offset behind the last token */
	struct place_cursor cursor;
	struct doc *doc;		/* NULL: only checking */
	struct doc_fault *fault;
	struct doc_open stack[PS_DEPTH_MAX];
	size_t depth, nodes;
	enum doc_kind top;
	bool have_top;
	int rc;
};

static bool is_between(char c)
{
	return c == ' ' || c == ',' || c == ':' || c == '\n' || c == '\t' || c == '\r';
}

static size_t token_offset(const struct reader *r)
{
	size_t at = r->end;

	while (at < r->n && is_between(r->bytes[at]))
		at++;
	return at;
}

static struct doc_pos token_start(struct reader *r)
{
	size_t at = token_offset(r);

	r->end = yajl_get_bytes_consumed(r->yajl);
	return r->doc ? doc_pos_of(place_of_byte(&r->cursor, r->bytes, r->n, at)) :
		(struct doc_pos) { 0, 0 };
}

static int too_much(struct reader *r, struct doc_pos at, const char *what, int max)
{
	if (!r->doc)
		at = doc_pos_of(place_of_byte(&r->cursor, r->bytes, r->n, r->end));
	doc_fault_set(r->fault, at, "%s %d", what, max);
	r->rc = PS_ELIMIT;
	return 0;			/* YAJL stops */
}

static int put(struct reader *r, enum doc_kind kind, const char *text, size_t len,
	       struct doc_pos at, int64_t num)
{
	struct doc_node *node;

	if (!r->depth && !r->have_top) {
		r->top = kind;
		r->have_top = true;
	}
	if (!r->doc)
		return 1;
	if (!doc_count(&r->nodes, 1))
		return too_much(r, at, "more values than", DOC_NODES_MAX);
	node = doc_scalar(r->doc, kind, text, len, at);
	node->num = num;
	if (r->depth)
		doc_open_add(&r->stack[r->depth - 1], node);
	else
		r->doc->root = node;
	return 1;
}

static int on_null(void *arg)
{
	return put(arg, DOC_NULL, "null", 4, token_start(arg), 0);
}

static int on_bool(void *arg, int value)
{
	const char *text = value ? "true" : "false";

	return put(arg, DOC_BOOL, text, strlen(text), token_start(arg), value);
}

static int on_number(void *arg, const char *text, size_t len)
{
	struct reader *r = arg;
	bool whole = true;
	int64_t num = 0;
	bool minus = len && *text == '-';
	struct doc_pos at;

	if (r->source != r->bytes)
		text = r->source + token_offset(r);
	at = token_start(r);
	if (r->doc && !r->doc->word.line && strchr("NI", text[minus]))
		r->doc->word = at;
	for (size_t i = minus; i < len && whole; i++) {
		whole = text[i] >= '0' && text[i] <= '9';
		if (whole && (__builtin_mul_overflow(num, 10, &num) ||
			      __builtin_sub_overflow(num, text[i] - '0', &num)))
			num = INT64_MIN;
	}
	if (!minus)
		num = num == INT64_MIN ? INT64_MAX : -num;
	return put(arg, whole ? DOC_INT : DOC_FLOAT, text, len, at, whole ? num : 0);
}

static int on_string(void *arg, const unsigned char *text, size_t len)
{
	return put(arg, DOC_STRING, (const char *)text, len, token_start(arg), 0);
}

static int open_container(struct reader *r, enum doc_kind kind)
{
	struct doc_pos at = token_start(r);

	if (r->depth == PS_DEPTH_MAX)
		return too_much(r, at, "nested deeper than", PS_DEPTH_MAX);
	if (!r->depth && !r->have_top) {
		r->top = kind;
		r->have_top = true;
	}
	if (r->doc)
		r->stack[r->depth] = (struct doc_open) { .node =
							 doc_scalar(r->doc, kind, "", 0, at) };
	r->depth++;
	return 1;
}

static int on_close(void *arg)
{
	struct reader *r = arg;
	struct doc_node *node;

	token_start(r);
	r->depth--;
	if (!r->doc)
		return 1;
	node = doc_close(r->doc, &r->stack[r->depth]);
	if (!doc_count(&r->nodes, 1))
		return too_much(r, node->at, "more values than", DOC_NODES_MAX);
	if (r->depth)
		doc_open_add(&r->stack[r->depth - 1], node);
	else
		r->doc->root = node;
	return 1;
}

static int on_map(void *arg)
{
	return open_container(arg, DOC_MAP);
}

static int on_list(void *arg)
{
	return open_container(arg, DOC_LIST);
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number,
	.yajl_string = on_string, .yajl_map_key = on_string, .yajl_start_map = on_map,
	.yajl_end_map = on_close, .yajl_start_array = on_list, .yajl_end_array = on_close,
};

/* "lexical error: invalid char in json text.\n" → "invalid char in json text". */
static void parse_fault(struct reader *r, size_t at)
{
	unsigned char *why = yajl_get_error(r->yajl, 0, NULL, 0);
	char text[200];

	snprintf(text, sizeof(text), "%s", why ? (const char *)why : "not JSON");
	yajl_free_error(r->yajl, why);
	text[strcspn(text, "\n")] = '\0';
	if (ps_ends(text, "."))
		text[strlen(text) - 1] = '\0';
	doc_fault_set(r->fault, doc_pos_of(place_of_byte(&r->cursor, r->bytes, r->n, at)), "%s",
		      text);
	r->rc = PS_EINVAL;
}

static bool is_blank(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isspace((unsigned char)bytes[i]))
			return false;
	return true;
}

static void parse(struct reader *r, const char *bytes, size_t n)
{
	yajl_status st;

	r->bytes = bytes;
	r->n = n;
	r->yajl = yajl_alloc(&callbacks, NULL, r);
	PS_BUG_IF(!r->yajl, "YAJL does not start");
	st = yajl_parse(r->yajl, (const unsigned char *)bytes, n);
	if (st == yajl_status_error) {
		size_t at = yajl_get_bytes_consumed(r->yajl);

		/* it stands behind the character it disliked */
		parse_fault(r, at ? at - 1 : 0);
	} else if (st == yajl_status_ok && yajl_complete_parse(r->yajl) == yajl_status_error) {
		parse_fault(r, n);
		r->fault->cut = !is_blank(bytes, n);
	}
	yajl_free(r->yajl);
	while (r->depth)
		doc_open_drop(&r->stack[--r->depth]);
}

/* ---- words that are numbers ---- */

static bool is_edge(const char *bytes, size_t n, size_t at)
{
	return at >= n || is_between(bytes[at]) || strchr("[]{}", bytes[at]);
}

/* The word at this offset, in the copy, which is made for the first one. */
static void replace(char **copy, const char *bytes, size_t n, size_t at)
{
	static const struct { const char *word, *number; } words[] = {
		{ "NaN", "0.0" }, { "Infinity", "1.000000" }, { "-Infinity", "-1.000000" },
	};

	for (size_t i = 0; i < PS_NELEM(words); i++) {
		size_t len = strlen(words[i].word);

		if (n - at < len || memcmp(bytes + at, words[i].word, len) != 0 ||
		    !is_edge(bytes, n, at - 1) || !is_edge(bytes, n, at + len))
			continue;
		if (!*copy)
			*copy = xmemdup(bytes, n);
		memcpy(*copy + at, words[i].number, len);
	}
}

/* NULL when no such word stands outside of texts. free() it. */
static char *without_words(const char *bytes, size_t n)
{
	bool in_text = false;
	char *copy = NULL;

	for (size_t i = 0; i < n; i++)
		if (in_text && bytes[i] == '\\')
			i++;
		else if (bytes[i] == '"')
			in_text = !in_text;
		else if (!in_text)
			replace(&copy, bytes, n, i);
	return copy;
}

static int run(struct reader *r, const char *bytes, size_t n)
{
	char *copy;

	*r->fault = (struct doc_fault) { .at = { 1, 1 } };
	if (n > PS_JSON_MAX) {
		doc_fault_set(r->fault, r->fault->at, "larger than %d bytes", PS_JSON_MAX);
		return PS_ELIMIT;
	}
	if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		n -= 3;
	}
	r->source = bytes;
	parse(r, bytes, n);
	if (r->rc == PS_EINVAL && (copy = without_words(bytes, n))) {
		*r = (struct reader) { .doc = r->doc, .fault = r->fault, .source = bytes };
		parse(r, copy, n);
		free(copy);
	}
	return r->rc;
}

int doc_json(struct doc **out, const char *bytes, size_t n, struct doc_fault *fault)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	int rc;

	r->doc = doc_new();
	r->fault = fault;
	rc = run(r, bytes, n);
	if (rc == 0)
		*out = r->doc;
	else
		doc_free(r->doc);
	free(r);
	return rc;
}

int doc_json_scan(enum doc_kind *top, const char *bytes, size_t n, struct doc_fault *fault)
{
	struct reader *r = xcalloc(1, sizeof(*r));
	int rc;

	r->fault = fault;
	rc = run(r, bytes, n);
	*top = r->top;
	free(r);
	return rc;
}
