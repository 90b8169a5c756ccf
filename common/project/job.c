/* job – see job.h. */
#include "config.h"

#include "common/project/job.h"

#include <errno.h>

static const struct doc_node *only(const struct doc_node *node, enum doc_kind kind)
{
	return doc_is(node, kind) ? node : NULL;
}

void job_view(struct job_view *out, const struct doc_node *root)
{
	const struct doc_node *request = only(doc_get(root, "request"), DOC_MAP);
	const struct doc_node *wrapped = only(doc_get(request, "CreateNewJobRequest"), DOC_MAP);

	*out = (struct job_view) {
		.root = root,
		.components = only(doc_get(root, "components"), DOC_LIST),
		.request = wrapped ? wrapped : request,
		.fabric = doc_get(root, "fabric_id"),
	};
	out->tasks = only(doc_get(out->request, "tasks"), DOC_LIST);
	if (!out->fabric)
		out->fabric = doc_get(root, "fabricId");
}

bool job_component(struct job_component *out, const struct doc_node *component)
{
	const struct doc_node *body;

	*out = (struct job_component) { .kind = NULL };
	if (!doc_is(component, DOC_MAP) || component->n != 1)
		return false;
	out->kind = doc_string(component->pairs[0].key);
	body = component->pairs[0].value;
	out->body = body;
	out->node_name = doc_string(doc_get(body, "nodeName"));
	if (ps_streq(out->kind, "PipelineComponent")) {
		out->reference = doc_get(body, "pipelineId");
		if (!out->reference)
			out->reference = doc_get(body, "id");
	}
	return out->kind != NULL;
}

bool job_reference_is_local(const char *reference)
{
	return ps_starts(reference, "pipelines/");
}

bool job_component_of_task(struct job_component *out, const struct job_view *v,
			   const char *task_key)
{
	for (size_t i = 0; v->components && i < v->components->n; i++)
		if (job_component(out, v->components->items[i]) &&
		    ps_streq(out->node_name, task_key))
			return true;
	return false;
}

const struct doc_node *job_task_instance(const struct doc_node *task)
{
	static const char *const kinds[] = { "python_wheel_task", "spark_jar_task" };

	for (size_t k = 0; k < PS_NELEM(kinds); k++) {
		const struct doc_node *p = doc_path(task, kinds[k], "parameters", NULL);

		for (size_t i = 0; doc_is(p, DOC_LIST) && i + 1 < p->n; i++)
			if (ps_streq(doc_string(p->items[i]), "-i"))
				return p->items[i + 1];
	}
	return NULL;
}

int64_t job_fabric_number(const struct doc_node *node)
{
	const char *text = doc_string(node);
	long long n;
	char *end;

	if (doc_is(node, DOC_INT))
		return node->num;
	if (!text || !*text || strspn(text, "0123456789") != strlen(text))
		return 0;
	errno = 0;
	n = strtoll(text, &end, 10);
	return errno ? 0 : n;
}

enum job_provider job_provider(const struct doc_node *entry, const char **word)
{
	const struct doc_node *scheduler = doc_get(entry, "scheduler");

	if (word)
		*word = doc_is(scheduler, DOC_MAP) &&
			scheduler->n ? doc_string(scheduler->pairs[0].key) : NULL;
	return doc_get(scheduler, "Databricks") ? JOB_DATABRICKS : JOB_AIRFLOW;
}
