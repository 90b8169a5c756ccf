/* job_rules – see job_rules.h. */
#include "config.h"

#include "common/project/job_rules.h"

#include "common/base/near.h"

struct task {
	const char *key;
	const struct doc_node *node, *at;
	size_t *needs;			/* indices of tasks, nneeds of them */
	size_t nneeds;
	enum { NEW, ON_WAY, DONE } state;
};

struct graph {
	struct task *v;			/* in the order of the file */
	size_t n;
	struct task **sorted;		/* by key */
	job_rules_report report;
	void *arg;
	size_t compared;
};

enum { COMPARED_MAX = 50 };

static void say(const struct graph *g, struct doc_pos at, const char *subject, const char *near,
		const char *fmt, ...) PS_PRINTF(5, 6);

static void say(const struct graph *g, struct doc_pos at, const char *subject, const char *near,
		const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	g->report(g->arg, JOB_RULE_TASKS, at, subject, text, near);
	free(text);
}

static int by_key(const void *pa, const void *pb)
{
	const struct task *a = *(struct task *const *)pa, *b = *(struct task *const *)pb;
	int c = strcmp(a->key, b->key);

	return c ? c : (a > b) - (a < b);
}

static struct task *find(const struct graph *g, const char *key)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(g->sorted[mid]->key, key);

		if (c == 0)
			return g->sorted[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static void collect(struct graph *g, const struct doc_node *tasks)
{
	g->v = xcalloc(tasks->n + 1, sizeof(*g->v));
	g->sorted = xcalloc(tasks->n + 1, sizeof(struct task *));
	for (size_t i = 0; i < tasks->n; i++) {
		const struct doc_node *at = doc_get(tasks->items[i], "task_key");

		if (!doc_string(at))
			continue;
		g->v[g->n] = (struct task) { .key = doc_string(at), .node = tasks->items[i],
					     .at = at };
		g->sorted[g->n] = &g->v[g->n];
		g->n++;
	}
	qsort(g->sorted, g->n, sizeof(struct task *), by_key);
	for (size_t i = 1; i < g->n; i++)
		if (strcmp(g->sorted[i - 1]->key, g->sorted[i]->key) == 0)
			say(g, g->sorted[i]->at->at, g->sorted[i]->key, NULL,
			    "task '%s' is there twice, first at line %u", g->sorted[i]->key,
			    g->sorted[i - 1]->at->at.line);
}

/* A stranger's job may have a great many unknown ones: only the first few are compared. */
static const char *nearest(struct graph *g, const char *key)
{
	if (g->compared++ >= COMPARED_MAX)
		return NULL;
	for (size_t i = 0; i < g->n; i++)
		if (near_one_away(key, g->v[i].key))
			return g->v[i].key;
	return NULL;
}

static void connect(struct graph *g)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct doc_node *deps = doc_get(g->v[i].node, "depends_on");
		struct task *t = &g->v[i];

		if (!doc_is(deps, DOC_LIST))
			continue;
		t->needs = xcalloc(deps->n + 1, sizeof(size_t));
		for (size_t k = 0; k < deps->n; k++) {
			const struct doc_node *at = doc_get(deps->items[k], "task_key");
			const char *key = doc_string(at ? at : deps->items[k]);
			struct task *other = key ? find(g, key) : NULL;

			if (other)
				t->needs[t->nneeds++] = (size_t)(other - g->v);
			else if (key)
				say(g, at ? at->at : deps->items[k]->at, t->key, nearest(g, key),
				    "task '%s' depends on '%s', which is no task of this job",
				    t->key, key);
		}
	}
}

static void say_circle(const struct graph *g, const size_t *stack, size_t from, size_t depth)
{
	const struct task *first = &g->v[stack[from]];
	char text[600];

	snprintf(text, sizeof(text), "%.60s", first->key);
	for (size_t i = from + 1; i <= depth; i++) {
		size_t len = strlen(text);

		if (i < depth && i - from > 6) {
			snprintf(text + len, sizeof(text) - len, " -> ...");
			i = depth;
			len = strlen(text);
		}
		snprintf(text + len, sizeof(text) - len, " -> %.60s",
			 i < depth ? g->v[stack[i]].key : first->key);
	}
	say(g, first->at->at, first->key, NULL, "tasks wait for each other: %s", text);
}

/* Walks along depends_on; meeting a task of the way that led here closes a circle. One is told: the
 * others are seen when it is gone. */
static void find_circle(struct graph *g)
{
	size_t *stack = xcalloc(g->n + 1, sizeof(*stack)), *next = xcalloc(g->n + 1, sizeof(*next));
	bool told = false;

	for (size_t i = 0; i < g->n && !told; i++) {
		size_t depth = 0;

		if (g->v[i].state != NEW)
			continue;
		stack[depth++] = i;
		g->v[i].state = ON_WAY;
		while (depth && !told) {
			struct task *t = &g->v[stack[depth - 1]];
			size_t to;

			if (next[t - g->v] == t->nneeds) {
				t->state = DONE;
				depth--;
				continue;
			}
			to = t->needs[next[t - g->v]++];
			if (g->v[to].state == ON_WAY) {
				size_t from = depth - 1;

				while (stack[from] != to)
					from--;
				say_circle(g, stack, from, depth);
				told = true;
			} else if (g->v[to].state == NEW) {
				g->v[to].state = ON_WAY;
				stack[depth++] = to;
			}
		}
	}
	free(stack);
	free(next);
}

void job_rules_check(const struct job_view *v, job_rules_report report, void *arg)
{
	struct graph g = { .report = report, .arg = arg };
	const struct doc_node *root = v->root, *request = doc_get(root, "request");

	if (!v->components)
		report(arg, JOB_RULE_SHAPE, doc_get(root, "components") ?
		       doc_get(root, "components")->at : root->at,
		       "components", "'components' is missing or not a list", NULL);
	if (!v->request)
		report(arg, JOB_RULE_SHAPE, request ? request->at : root->at, "request",
		       "'request' is missing or not a map", NULL);
	if (!v->tasks)
		return;
	collect(&g, v->tasks);
	connect(&g);
	find_circle(&g);
	for (size_t i = 0; i < g.n; i++)
		free(g.v[i].needs);
	free(g.v);
	free(g.sorted);
}
