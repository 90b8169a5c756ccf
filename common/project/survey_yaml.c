/*
 * survey_yaml – the project file reduced to one pipeline, written by us.
 *
 * Canonical: keys sorted bytewise, two blanks per level, every text in double quotes. Part of the
 * build key, so nothing may depend on how the original was laid out; changing this file changes
 * every build key (raise the recipe's revision with it).
 */
#include "config.h"

#include "common/project/survey.h"

#include "common/base/buf.h"
#include "common/base/escape.h"
#include "common/project/doc_build.h"

enum { KEY_MAX = 1000 };		/* YAML's limit for a key without '?' is 1024 characters */

struct writer { struct buf *out; size_t start; };

static void write_text(struct buf *out, const char *text, size_t n)
{
	buf_addch(out, '"');
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)text[i];
		size_t len = utf8_len((const unsigned char *)text + i, n - i);
		bool c1 = len == 2 && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0;
		bool breaks = len == 3 && (memcmp(text + i, "\xe2\x80\xa8", 3) == 0 ||
					   memcmp(text + i, "\xe2\x80\xa9", 3) == 0 ||
					   memcmp(text + i, "\xef\xbb\xbf", 3) == 0);

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f || len == 0)
			buf_addf(out, "\\x%02x", c);
		else if (c1)
			buf_addf(out, "\\x%02x", (unsigned char)text[i + 1]);
		else if (breaks)
			buf_addf(out, "\\u%04x",
				 (unsigned)((c & 0x0f) << 12 | (text[i + 1] & 0x3f) << 6 |
							     (text[i + 2] & 0x3f)));
		else
			buf_add(out, text + i, len);
		i += len ? len : 1;
	}
	buf_addch(out, '"');
}

/* Read again, the text alone means this kind. */
static bool says_itself(const struct doc_node *v)
{
	static const enum yaml_plain plain[] = {
		[DOC_INT] = YAML_IS_INT, [DOC_FLOAT] = YAML_IS_FLOAT, [DOC_TIME] = YAML_IS_TIME,
	};

	return yaml_plain(v->text, v->len) == plain[v->kind];
}

/* What a tag alone made one: `!!float "1e5"`. */
static void write_tagged(struct buf *out, const struct doc_node *v)
{
	static const char *const tags[] = {
		[DOC_INT] = "!!int ", [DOC_FLOAT] = "!!float ", [DOC_TIME] = "!!timestamp ",
	};

	buf_adds(out, tags[v->kind]);
	write_text(out, v->text, v->len);
}

static void write_scalar(struct buf *out, const struct doc_node *v)
{
	switch (v->kind) {
	case DOC_NULL:
		buf_adds(out, "null");
		break;
	case DOC_BOOL:
		buf_adds(out, v->num ? "true" : "false");
		break;
	case DOC_INT:
		if (!says_itself(v))
			write_tagged(out, v);
		else if (v->num == INT64_MAX || v->num == INT64_MIN)
			buf_add(out, v->text, v->len);
		else
			buf_addf(out, "%lld", (long long)v->num);
		break;
	case DOC_FLOAT:
	case DOC_TIME:
		if (says_itself(v))
			buf_add(out, v->text, v->len);
		else
			write_tagged(out, v);
		break;
	default:
		write_text(out, v->text, v->len);
	}
}

static int pair_order(const void *pa, const void *pb)
{
	const struct doc_pair *a = *(const struct doc_pair *const *)pa,
		*b = *(const struct doc_pair *const *)pb;
	int c = strcmp(a->key->text, b->key->text);

	c = c ? c : (int)a->key->kind - (int)b->key->kind;
	return c ? c : (a > b) - (a < b);
}

static bool same_key(const struct doc_pair *a, const struct doc_pair *b)
{
	return a->key->kind == b->key->kind && strcmp(a->key->text, b->key->text) == 0;
}

/* Aliases are written out, so the text is bounded, not the nodes. */
static bool is_full(const struct writer *w)
{
	return w->out->len - w->start > PS_YAML_MAX;
}

static int write_node(struct writer *w, const struct doc_node *v, int depth);

static int write_key(struct writer *w, const struct doc_node *key, const struct doc_node *value,
		     int depth)
{
	bool empty = (value->kind == DOC_MAP || value->kind == DOC_LIST) && !value->n;
	bool block = (value->kind == DOC_MAP || value->kind == DOC_LIST) && value->n;
	bool longer = key->len > KEY_MAX;

	if (key->kind == DOC_MAP || key->kind == DOC_LIST)
		return PS_EINVAL;		/* the reader refuses these */
	if (is_full(w))
		return PS_ELIMIT;
	buf_addf(w->out, "%*s%s", depth * 2, "", longer ? "? " : "");
	write_scalar(w->out, key);
	if (longer)
		buf_addf(w->out, "\n%*s", depth * 2, "");
	buf_addch(w->out, ':');
	if (empty)
		buf_adds(w->out, value->kind == DOC_MAP ? " {}\n" : " []\n");
	else
		buf_addch(w->out, block ? '\n' : ' ');
	return empty ? 0 : write_node(w, value, depth + 1);
}

static int write_map(struct writer *w, const struct doc_node *v, int depth)
{
	const struct doc_pair **sorted = xcalloc(v->n, sizeof(*sorted));
	int rc = 0;

	for (size_t i = 0; i < v->n; i++)
		sorted[i] = &v->pairs[i];
	qsort(sorted, v->n, sizeof(*sorted), pair_order);
	for (size_t i = 0; i < v->n && rc == 0; i++)
		/* the last one wins */
		if (i + 1 == v->n || !same_key(sorted[i], sorted[i + 1]))
			rc = write_key(w, sorted[i]->key, sorted[i]->value, depth);
	free(sorted);
	return rc;
}

static int write_list(struct writer *w, const struct doc_node *v, int depth)
{
	int rc = 0;

	for (size_t i = 0; i < v->n && rc == 0; i++) {
		const struct doc_node *item = v->items[i];
		bool inner = item->kind == DOC_MAP || item->kind == DOC_LIST;

		if (is_full(w))
			return PS_ELIMIT;
		buf_addf(w->out, "%*s-", depth * 2, "");
		if (inner && !item->n)
			buf_adds(w->out, item->kind == DOC_MAP ? " {}\n" : " []\n");
		else
			buf_addch(w->out, inner ? '\n' : ' ');
		if (!inner || item->n)
			rc = write_node(w, item, depth + 1);
	}
	return rc;
}

/* A non-empty container as a block, or a scalar and the line's end. */
static int write_node(struct writer *w, const struct doc_node *v, int depth)
{
	if (depth > PS_DEPTH_MAX || is_full(w))
		return PS_ELIMIT;
	if (v->kind == DOC_MAP)
		return write_map(w, v, depth);
	if (v->kind == DOC_LIST)
		return write_list(w, v, depth);
	write_scalar(w->out, v);
	buf_addch(w->out, '\n');
	return 0;
}

int survey_reduced_yaml(const struct survey_project *p, const char *key, struct buf *out,
			struct ps_err *err)
{
	static const char *const kept[] = {	/* bytewise order */
		"functions", "gemContainer", "language", "name", "pipelines", "subgraphs",
	};
	const struct doc_node *root = p->doc ? p->doc->root : NULL;
	const struct doc_pair *entry = doc_pair(doc_get(root, "pipelines"), key);
	struct writer w = { out, out->len };
	int rc = 0;

	if (!entry)
		return ps_err_set(err, PS_ENOENT, "project '%s' has no pipeline '%s'", p->path,
				  key);
	for (size_t i = 0; i < PS_NELEM(kept) && rc == 0; i++) {
		const struct doc_pair *pair = doc_pair(root, kept[i]);

		if (pair && strcmp(kept[i], "pipelines") == 0) {
			buf_adds(out, "\"pipelines\":\n");
			rc = write_key(&w, entry->key, entry->value, 1);
		} else if (pair) {
			rc = write_key(&w, pair->key, pair->value, 0);
		}
	}
	return rc < 0 ? ps_err_set(err, rc, "project '%s' is too large to be reduced to '%s'",
				   p->path, key) : 0;
}

char *survey_reduced(const struct survey_project *p, const char *key, char **problem)
{
	struct buf yaml = BUF_INIT;
	struct ps_err err = { 0 };
	int rc = survey_reduced_yaml(p, key, &yaml, &err);

	*problem = NULL;
	if (rc < 0)
		*problem = xstrdup(ps_err_msg(&err, rc));
	else if (yaml.len > SURVEY_REDUCED_MAX)
		*problem = xasprintf("what pbt_project.yml says about it has %zu bytes, at most "
				     "%d are taken", yaml.len, SURVEY_REDUCED_MAX);
	if (*problem)
		buf_reset(&yaml);
	return buf_steal(&yaml);
}
