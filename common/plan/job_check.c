/* job_check – see job_check.h. The rules read nodes with positions; here there are no lines, so
 * every position is 0. */
#include "config.h"

#include "common/plan/job_check.h"

#include "common/project/doc_build.h"
#include "common/project/job_rules.h"

static const struct doc_pos nowhere = { 0, 0 };

static struct doc_node *node_of(struct doc *d, const json_t *v);

static struct doc_node *map_of(struct doc *d, const json_t *v)
{
	struct doc_open open = { .node = doc_scalar(d, DOC_MAP, "", 0, nowhere) };
	json_t *o = (json_t *)v;

	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		const char *key = json_object_iter_key(it);

		doc_open_add(&open, doc_scalar(d, DOC_STRING, key, strlen(key), nowhere));
		doc_open_add(&open, node_of(d, json_object_iter_value(it)));
	}
	return doc_close(d, &open);
}

static struct doc_node *list_of(struct doc *d, const json_t *v)
{
	struct doc_open open = { .node = doc_scalar(d, DOC_LIST, "", 0, nowhere) };

	for (size_t i = 0; i < json_array_size(v); i++)
		doc_open_add(&open, node_of(d, json_array_get(v, i)));
	return doc_close(d, &open);
}

/* As deep as the text it was read from, which has a bound. Numbers and bools are of no interest to
 * the rules but for being no text. */
static struct doc_node *node_of(struct doc *d, const json_t *v)
{
	if (json_is_object(v))
		return map_of(d, v);
	if (json_is_array(v))
		return list_of(d, v);
	if (json_is_string(v))
		return doc_scalar(d, DOC_STRING, json_string_value(v), json_string_length(v),
				  nowhere);
	return doc_scalar(d, json_is_null(v) ? DOC_NULL : DOC_FLOAT, "", 0, nowhere);
}

struct told {
	job_check_fn *tell;
	void *arg;
};

static void on_rule(void *arg, enum job_rule rule, struct doc_pos at, const char *subject,
		    const char *text, const char *near)
{
	const struct told *t = arg;

	(void)rule;
	(void)at;
	(void)subject;
	(void)near;
	t->tell(t->arg, text);
}

void job_check(const json_t *definition, job_check_fn *tell, void *arg)
{
	struct told t = { tell, arg };
	struct doc *d = doc_new();
	struct job_view v;

	job_view(&v, node_of(d, definition));
	job_rules_check(&v, on_rule, &t);
	doc_free(d);
}
