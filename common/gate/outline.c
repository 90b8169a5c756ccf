/* outline – see outline.h. */
#include "config.h"

#include "common/gate/outline.h"

#include "common/project/job.h"

/* Of all entries together: aliases may name a node many times. What is past it has no digest, nor
 * has what is nested too deeply: it is judged each time. */
enum { VISITS_MAX = 500000 };

struct adder { struct digest *d; unsigned line; size_t left; bool partly; };

/* A node without its place in the file, but with that of its parts to each other. */
static void add_node(struct adder *a, const struct doc_node *node, unsigned depth)
{
	unsigned head[4] = { (unsigned)node->kind, node->at.line - a->line, node->at.col,
			     (unsigned)node->n };

	a->partly |= depth > PS_DEPTH_MAX || a->left == 0;
	if (a->partly)
		return;
	a->left--;
	digest_add(a->d, head, sizeof(head));
	if (node->kind == DOC_MAP) {
		for (size_t i = 0; i < node->n; i++) {
			add_node(a, node->pairs[i].key, depth + 1);
			add_node(a, node->pairs[i].value, depth + 1);
		}
	} else if (node->kind == DOC_LIST) {
		for (size_t i = 0; i < node->n; i++)
			add_node(a, node->items[i], depth + 1);
	} else {
		digest_add(a->d, &node->len, sizeof(node->len));
		digest_add(a->d, node->text, node->len);
	}
}

static void add_entries(struct outline *o, size_t *cap, const struct project *p,
			enum project_kind kind, size_t *left)
{
	const struct doc_pair *e;

	for (size_t i = 0; (e = project_next(p, kind, &i));) {
		struct adder a = { digest_new(), e->key->at.line, *left, false };
		struct rules_entry *to;

		o->v = xgrow(o->v, o->n, cap, sizeof(*o->v));
		to = &o->v[o->n++];
		*to = (struct rules_entry) { .kind = kind, .key = xstrdup(e->key->text),
					     .at = e->key->at,
					     .safe = project_key_is_safe(e->key) };
		if (kind == PROJECT_JOBS)
			to->fabric = job_fabric_number(doc_get(e->value, "fabricUID"));
		add_node(&a, e->value, 0);
		digest_end(a.d, to->digest);
		if (a.partly)
			to->digest[0] = '\0';
		*left = a.left;
	}
}

void outline_make(struct outline *o, const struct project *p)
{
	const struct doc_node *version;
	const char *language, *name;
	size_t cap = 0, left = VISITS_MAX;

	*o = (struct outline) { .usable = true };
	language = doc_string(doc_get(p->doc->root, "language"));
	o->language = xstrdup(language ? language : "");
	name = doc_string(doc_get(p->doc->root, "name"));
	o->name = xstrdup(name ? name : "");
	version = doc_get(p->doc->root, "version");
	o->version = xstrdup(doc_text(version) ? doc_text(version) : "");
	if (version)
		o->version_at = version->at;
	if (doc_is(doc_get(p->doc->root, "pipelines"), DOC_MAP))
		o->maps |= PS_BIT(PROJECT_PIPELINES);
	if (doc_is(doc_get(p->doc->root, "jobs"), DOC_MAP))
		o->maps |= PS_BIT(PROJECT_JOBS);
	add_entries(o, &cap, p, PROJECT_PIPELINES, &left);
	add_entries(o, &cap, p, PROJECT_JOBS, &left);
	outline_sort(o);
}

void outline_none(struct outline *o)
{
	*o = (struct outline) { .usable = false, .language = xstrdup(""), .name = xstrdup(""),
				.version = xstrdup("") };
	outline_sort(o);
}

static int compare(enum project_kind kind, const char *key, const struct rules_entry *e)
{
	return kind != e->kind ? (int)kind - (int)e->kind : strcmp(key, e->key);
}

static int by_key(const void *pa, const void *pb, void *arg)
{
	const struct outline *o = arg;
	const struct rules_entry *a = &o->v[*(const size_t *)pa];

	return compare(a->kind, a->key, &o->v[*(const size_t *)pb]);
}

void outline_sort(struct outline *o)
{
	o->sorted = xcalloc(o->n + 1, sizeof(*o->sorted));
	for (size_t i = 0; i < o->n; i++)
		o->sorted[i] = i;
	qsort_r(o->sorted, o->n, sizeof(*o->sorted), by_key, o);
}

const struct rules_entry *outline_find(const struct outline *o, enum project_kind kind,
				       const char *key)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct rules_entry *e = &o->v[o->sorted[mid]];
		int c = compare(kind, key, e);

		if (c == 0)
			return e;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

void outline_clear(struct outline *o)
{
	for (size_t i = 0; i < o->n; i++)
		free(o->v[i].key);
	free(o->v);
	free(o->sorted);
	free(o->language);
	free(o->name);
	free(o->version);
	*o = (struct outline) { .usable = false };
}
