/* rules_request – rules 24, 26, 27, 30 to 32, 34, 41, 52 to 54 and 106 to 109: what
 * databricks-job.json says past its shape. */
#include "config.h"

#include "common/gate/rules.h"

#include <ctype.h>

#include "common/project/pipeline.h"
#include "common/project/quartz.h"

struct request {
	struct rules *r;
	const struct rules_entry *e;
	const char *file;
	const struct job_view *v;
	struct ps_err *err;
	int rc;
};

static void hit(const struct request *q, enum rule_id id, const struct doc_node *at,
		const char *subject, const char *fmt, ...) PS_PRINTF(5, 6);

static void hit(const struct request *q, enum rule_id id, const struct doc_node *at,
		const char *subject, const char *fmt, ...)
{
	char *key = xasprintf("%s %s", q->e->key, subject), *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	rule_hit(q->r, id, q->file, at->at, key, "%s", text);
	free(text);
	free(key);
}

/* ---- components ---- */

/* Rule 30: gitUri=..&subPath=..&tag=NAME/VERSION&projectSubscriptionProjectId=..&path=.. */
static bool git_reference_ok(const char *ref)
{
	static const char *const parts[] = { "gitUri=", "&subPath=", "&tag=",
					     "&projectSubscriptionProjectId=", "&path=" };
	const char *at = ref, *tag = NULL, *slash;

	for (size_t i = 0; i < PS_NELEM(parts); i++) {
		at = strstr(at, parts[i]);
		if (!at || (i == 0 && at != ref))
			return false;
		at += strlen(parts[i]);
		tag = i == 2 ? at : tag;
	}
	slash = strchr(tag, '/');
	return slash && slash < strstr(tag, "&projectSub");
}

/* Rule 109: the wheel that the component names is the one that setup.py gives. */
static void wheel(struct request *q, const struct job_component *c)
{
	const struct doc_node *at = doc_get(c->body, "path");
	const char *path = doc_string(at), *ref = doc_string(c->reference), *slash;
	char *rel, *name, *version, *expected;
	struct buf b = BUF_INIT;
	bool is_there, usable;

	if (!path || !ref || !ps_ends(path, ".whl") || !job_reference_is_local(ref) ||
	    !project_key_is_safe(c->reference))
		return;
	rel = xasprintf("%s/code/setup.py", ref);
	q->rc = rules_read(q->r, rel, SETUP_MAX, &b, &is_there, &usable, q->err);
	if (q->rc == 0 && usable) {
		pipeline_setup_scan(buf_str(&b), b.len, &name, &version);
		expected = name && version ? pipeline_wheel(name, version) : NULL;
		slash = strrchr(path, '/');
		if (expected && strcmp(slash ? slash + 1 : path, expected) != 0)
			hit(q, RULE_WHEEL, at, c->node_name ? c->node_name : ref,
			    "names the wheel '%s', but '%s' builds '%s'", slash ? slash + 1 : path,
			    ref, expected);
		free(name);
		free(version);
		free(expected);
	}
	buf_clear(&b);
	free(rel);
}

static bool is_task(const struct job_view *v, const char *key)
{
	for (size_t i = 0; v->tasks && i < v->tasks->n; i++)
		if (ps_streq(doc_string(doc_get(v->tasks->items[i], "task_key")), key))
			return true;
	return false;
}

static void script(const struct request *q, const struct job_component *c)
{
	const struct doc_node *content = doc_get(c->body, "content");

	for (size_t i = 0; doc_is(content, DOC_STRING) && i < content->len; i++)
		if ((unsigned char)content->text[i] > 127) {
			hit(q, RULE_ASCII, content, c->node_name ? c->node_name : "script",
			    "the script of '%s' is not ASCII, Prophecy's own tool cannot upload it",
			    c->node_name ? c->node_name : "?");
			return;
		}
}

static void component(struct request *q, size_t i)
{
	const struct doc_node *node = q->v->components->items[i];
	struct job_component c;
	char number[32];
	const char *ref, *who;

	snprintf(number, sizeof(number), "component %zu", i + 1);
	if (!job_component(&c, node)) {
		hit(q, RULE_COMPONENT, node, number, "%s is not an object with exactly one key",
		    number);
		return;
	}
	who = c.node_name ? c.node_name : number;
	if (i == 0 && !doc_get(c.body, "path"))
		hit(q, RULE_FIRST_PATH, node, who,
		    "the first component has no path, which Prophecy's own tool wants");
	if (c.node_name && q->v->tasks && !is_task(q->v, c.node_name))
		hit(q, RULE_NODE, node, who, "component '%s' is no task of this job", who);
	if (strcmp(c.kind, "ScriptComponent") == 0)
		script(q, &c);
	if (strcmp(c.kind, "PipelineComponent") != 0)
		return;
	ref = doc_string(c.reference);
	if (!ref || !*ref)
		hit(q, RULE_NO_REFERENCE, c.reference ? c.reference : node, who,
		    "component '%s' names no pipeline", who);
	else if (ps_starts(ref, "gitUri=") && !git_reference_ok(ref))
		hit(q, RULE_GIT_REFERENCE, c.reference, who,
		    "a reference to another repository is gitUri, subPath, tag NAME/VERSION, "
		    "projectSubscriptionProjectId and path, in this order");
	else
		wheel(q, &c);
}

/* ---- the request ---- */

static void schedule(const struct request *q)
{
	const struct doc_node *s = doc_get(q->v->request, "schedule"),
			      *cron = doc_get(s, "quartz_cron_expression"),
			      *zone = doc_get(s, "timezone_id");
	char *why = doc_string(cron) ? quartz_fault(cron->text) : NULL;

	if (why)
		hit(q, RULE_CRON, cron, "schedule", "'%s' is no Quartz cron expression: %s",
		    cron->text, why);
	if (doc_string(zone) && !quartz_zone_is_known(zone->text))
		hit(q, RULE_ZONE, zone, "zone", "'%s' is no time zone", zone->text);
	free(why);
}

/* From the published schema of jobs 2.2. */
static void limits(const struct request *q)
{
	enum { NAME = 4096, TASKS = 1000, KEY = 100, RUNS = 1000 };
	const struct doc_node *name = doc_get(q->v->request, "name"),
			      *runs = doc_get(q->v->request, "max_concurrent_runs");

	if (doc_is(name, DOC_STRING) && name->len > NAME)
		hit(q, RULE_LIMITS, name, "name", "the name has %zu bytes, Databricks takes %d",
		    name->len, NAME);
	if (q->v->tasks && q->v->tasks->n > TASKS)
		hit(q, RULE_LIMITS, q->v->tasks, "tasks", "%zu tasks, Databricks takes %d",
		    q->v->tasks->n, TASKS);
	if (doc_is(runs, DOC_INT) && (runs->num < 0 || runs->num > RUNS))
		hit(q, RULE_LIMITS, runs, "runs", "max_concurrent_runs is from 0 to %d", RUNS);
	for (size_t i = 0; q->v->tasks && i < q->v->tasks->n; i++) {
		const struct doc_node *key = doc_get(q->v->tasks->items[i], "task_key");

		if (doc_is(key, DOC_STRING) && key->len > KEY)
			hit(q, RULE_LIMITS, key, "task_key",
			    "the task_key has %zu characters, Databricks takes %d", key->len, KEY);
	}
}

/* Rules 34 and 41 against the entry of the project file. */
static void as_declared(const struct request *q, const struct doc_node *value)
{
	const struct doc_node *name = doc_get(q->v->request, "name"),
			      *declared = doc_get(value, "name"),
			      *uid = doc_get(value, "fabricUID");

	if (!q->v->fabric)
		hit(q, RULE_FABRIC_ID, q->v->root, "fabric", "has no fabric_id");
	else if (doc_is(uid, DOC_INT) && job_fabric_number(q->v->fabric) != uid->num)
		hit(q, RULE_FABRIC_DIFFERS, q->v->fabric, "fabric",
		    "fabric_id is %s, pbt_project.yml says %s",
		    doc_text(q->v->fabric) ? doc_text(q->v->fabric) : "no number", uid->text);
	if (doc_string(name) && doc_string(declared) && strcmp(name->text, declared->text) != 0)
		hit(q, RULE_JOB_NAMES, name, "name", "the name is '%s', pbt_project.yml says '%s'",
		    name->text, declared->text);
}

/* ---- every text of the file ---- */

static bool placeholder_known(const char *p, size_t n)
{
	static const char *const known[] = {
		"__PROJECT_ID_PLACEHOLDER__",
		"__PROJECT_RELEASE_VERSION_PLACEHOLDER__",
		"__PROPHECY_URL_PLACEHOLDER__",
		"__PROJECT_FULL_RELEASE_TAG_PLACEHOLDER__",
	};

	for (size_t i = 0; i < PS_NELEM(known); i++)
		if (strlen(known[i]) == n && memcmp(known[i], p, n) == 0)
			return true;
	return false;
}

/* Rule 53: the words between "__" and "_PLACEHOLDER__". */
static void placeholders(const struct request *q, const struct doc_node *node)
{
	static const char end[] = "_PLACEHOLDER__";
	const char *at = node->text;

	while ((at = strstr(at, end))) {
		const char *from = at, *to = at + strlen(end);
		char *word;

		while (from > node->text && (isupper((unsigned char)from[-1]) || from[-1] == '_'))
			from--;
		word = xstrndup(from, (size_t)(to - from));
		if (ps_starts(word, "__") && !placeholder_known(word, strlen(word)))
			hit(q, RULE_PLACEHOLDER, node, word,
			    "'%s' is no placeholder that is filled in", word);
		free(word);
		at = to;
	}
}

struct seen {
	const struct doc_node *artifact;
	bool placeholder;
};

static void texts(const struct request *q, const struct doc_node *node, struct seen *s,
		  unsigned depth)
{
	if (depth > PS_DEPTH_MAX)
		return;
	for (size_t i = 0; node->kind == DOC_LIST && i < node->n; i++)
		texts(q, node->items[i], s, depth + 1);
	for (size_t i = 0; node->kind == DOC_MAP && i < node->n; i++)
		texts(q, node->pairs[i].value, s, depth + 1);
	if (node->kind != DOC_STRING)
		return;
	placeholders(q, node);
	s->placeholder = s->placeholder || strstr(node->text, "_PLACEHOLDER__");
	if (!s->artifact && strstr(node->text, "/prophecy/artifacts/"))
		s->artifact = node;
}

/* The form of 2022. Its artifact paths have never had placeholders: there were none yet. */
static bool is_before_placeholders(const struct job_view *v)
{
	return !doc_get(v->root, "fabric_id") && doc_get(v->root, "fabricId") &&
		doc_path(v->root, "request", "CreateNewJobRequest", NULL);
}

int rules_request(struct rules *r, const struct rules_entry *e, const struct doc_node *value,
		  const char *file, const struct job_view *v, struct ps_err *err)
{
	struct request q = { .r = r, .e = e, .file = file, .v = v, .err = err };
	struct seen s = { NULL, false };

	for (size_t i = 0;
	     v->components && i < v->components->n && q.rc == 0 && rules_in_time(r, file); i++)
		component(&q, i);
	as_declared(&q, value);
	if (v->request) {
		schedule(&q);
		limits(&q);
	}
	texts(&q, v->root, &s, 0);
	if (s.artifact && !s.placeholder && !is_before_placeholders(v)) /* rule 52 */
		hit(&q, RULE_SUBSTITUTED, s.artifact, "artifact",
		    "an artifact path without placeholder: what Prophecy's own tool wrote while it "
		    "deployed was committed");
	return q.rc;
}
