/* rules_declared – rules 7, 10 to 12, 35 to 37, 42, 51, 59, 60, 62, 66, 71, 74 and 104: what the
 * project file says by itself, past what Prophecy's tool stops at. */
#include "config.h"

#include "common/gate/rules.h"

#include <strings.h>

#include "common/base/place.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. /";

static const char *const sections[] = {
	[PROJECT_PIPELINES] = "pipelines", [PROJECT_JOBS] = "jobs"
};

static bool one_of(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0)
			return true;
	return false;
}

/* MAJOR.MINOR.PATCH with what semver allows behind. */
static bool is_semver(const char *v)
{
	for (int i = 0; i < 3; i++) {
		size_t n = strspn(v, "0123456789");

		if (!n || (n > 1 && *v == '0'))
			return false;
		v += n;
		if (i < 2 && *v++ != '.')
			return false;
	}
	return !*v || ((*v == '-' || *v == '+') && v[1] &&
		       strspn(v + 1, letters) == strlen(v + 1) && !strpbrk(v + 1, " /_"));
}

static void top(struct rules *r)
{
	static const char *const languages[] = { "python", "scala", "sql" };
	const struct doc_node *root = r->p->read.doc->root;
	const struct doc_node *language = doc_get(root, "language"),
			      *version = doc_get(root, "version"),
			      *dependencies = doc_get(root, "dependencies");
	const char *text = doc_string(language);

	if (language && (!text || !one_of(text, languages, PS_NELEM(languages))))
		rule_hit(r, RULE_LANGUAGE, r->p->file, language->at, "language",
			 "language '%s' is none of python, scala and sql",
			 text ? text : doc_kind_word(language->kind));
	if (version && version->kind != DOC_STRING)
		rule_hit(r, RULE_VERSION, r->p->file, version->at, "version",
			 "version is %s, not text; quote it", doc_kind_word(version->kind));
	else if (version && rule_wanted(r, RULE_SEMVER) && !is_semver(version->text))
		rule_hit(r, RULE_SEMVER, r->p->file, version->at, "version",
			 "version '%s' is not MAJOR.MINOR.PATCH", version->text);
	if (dependencies && dependencies->kind != DOC_LIST &&
	    !ps_streq(doc_string(dependencies), "[]"))
		rule_hit(r, RULE_DEPENDENCIES, r->p->file, dependencies->at, "dependencies",
			 "dependencies is %s, not a list", doc_kind_word(dependencies->kind));
}

/* Rule 71: PyYAML takes it all, other tools may not. Each once, where it is first. */
static void odd_bytes(struct rules *r)
{
	static const struct {
		const char *bytes, *key, *text;
		bool at_start;
	} odd[] = {
		{ "\xef\xbb\xbf", "bom", "a byte order mark", true },
		{ "\r\n", "cr", "a line that ends in CR LF", false },
		{ "\t", "tab",
		  "a tab; Prophecy's own tool takes it in quotes, | blocks and comments alone",
		  false },
	};
	const struct buf *b = &r->p->read.bytes;

	for (size_t i = 0; i < PS_NELEM(odd); i++) {
		size_t n = strlen(odd[i].bytes);
		const char *at = memmem(buf_str(b), b->len, odd[i].bytes, n);
		struct place_cursor cursor = { 0 };
		struct place place;

		if (!at || (odd[i].at_start && at != buf_str(b)))
			continue;
		place = place_of_byte(&cursor, buf_str(b), b->len, (size_t)(at - buf_str(b)));
		rule_hit(r, RULE_BYTES, r->p->file, (struct doc_pos){ place.line, place.col },
			 odd[i].key, "%s", odd[i].text);
	}
}

/* ---- keys ---- */

static int ignoring_case(const void *pa, const void *pb)
{
	const struct doc_pair *a = *(const struct doc_pair *const *)pa,
			      *b = *(const struct doc_pair *const *)pb;
	int c = strcasecmp(a->key->text, b->key->text);

	return c ? c : (a > b) - (a < b);
}

static void same_but_for_case(struct rules *r, const struct doc_pair **v, size_t n)
{
	qsort(v, n, sizeof(*v), ignoring_case);
	for (size_t i = 1; i < n; i++)
		if (strcasecmp(v[i - 1]->key->text, v[i]->key->text) == 0)
			rule_hit(r, RULE_CASE, r->p->file, v[i]->key->at, v[i]->key->text,
				 "'%s' differs from '%s' in case alone", v[i]->key->text,
				 v[i - 1]->key->text);
}

static void key(struct rules *r, enum project_kind kind, const struct doc_pair *e)
{
	const char *text = e->key->text;
	size_t n = strlen(sections[kind]);

	if (!project_key_is_safe(e->key))
		return; /* another rule's */
	if (strncmp(text, sections[kind], n) != 0 || text[n] != '/')
		rule_hit(r, RULE_SECTION, r->p->file, e->key->at, text,
			 "the key '%s' does not begin with '%s/'", text, sections[kind]);
	else if (kind == PROJECT_PIPELINES && strspn(text, letters) != strlen(text))
		rule_hit(r, RULE_LETTERS, r->p->file, e->key->at, text,
			 "the key '%s' has more than letters, digits, '-', '_', '.' and blanks",
			 text);
}

/* Rules 59 and 60. */
static void name_and_folder(struct rules *r, enum project_kind kind, const struct doc_pair *e)
{
	const struct doc_node *name = doc_get(e->value, "name");
	const char *slash = strchr(e->key->text, '/'), *text = doc_string(name);
	enum rule_id id = kind == PROJECT_JOBS ? RULE_JOB_NAME : RULE_PIPELINE_NAME;

	if (rule_wanted(r, id) && text && slash && strcmp(slash + 1, text) != 0)
		rule_hit(r, id, r->p->file, name->at, e->key->text,
			 "'%s' has the name '%s', not that of its folder", e->key->text, text);
}

/* ---- jobs ---- */

/* Rules 35 to 37. */
static void job(struct rules *r, const struct doc_pair *e)
{
	static const char *const known[] = { "Databricks", "Composer", "MWAA", "Prophecy" };
	const struct doc_node *uid = doc_get(e->value, "fabricUID"),
			      *scheduler = doc_get(e->value, "scheduler");
	const char *word;

	if (!doc_is(e->value, DOC_MAP))
		return; /* another rule's */
	if (!doc_is(uid, DOC_INT))
		rule_hit(r, RULE_FABRIC_UID, r->p->file, uid ? uid->at : e->key->at, e->key->text,
			 "job '%s' has no fabricUID that is a whole number", e->key->text);
	if (!doc_is(scheduler, DOC_MAP) || !scheduler->n) {
		rule_hit(r, RULE_SCHEDULER, r->p->file, scheduler ? scheduler->at : e->key->at,
			 e->key->text, "job '%s' has no scheduler that is a map with one key",
			 e->key->text);
		return;
	}
	if (scheduler->n > 1)
		rule_hit(r, RULE_SCHEDULERS, r->p->file, scheduler->at, e->key->text,
			 "job '%s' has %zu schedulers, not one", e->key->text, scheduler->n);
	word = doc_string(scheduler->pairs[0].key);
	if (!word || !one_of(word, known, PS_NELEM(known)))
		rule_hit(r, RULE_SCHEDULER_WORD, r->p->file, scheduler->pairs[0].key->at,
			 e->key->text,
			 "scheduler '%s' is none of Databricks, Composer, MWAA and "
			 "Prophecy",
			 word ? word : doc_kind_word(scheduler->pairs[0].key->kind));
}

struct named {
	const char *name, *key;
	int64_t fabric;
	const struct doc_node *at;
};

static int by_name(const void *pa, const void *pb)
{
	const struct named *a = pa, *b = pb;
	int c = strcmp(a->name, b->name);

	if (!c)
		c = (a->fabric > b->fabric) - (a->fabric < b->fabric);
	return c ? c : (a->at > b->at) - (a->at < b->at);
}

/* Rule 42. */
static void names_of_jobs(struct rules *r, const struct doc_pair **v, size_t n)
{
	struct named *l = xcalloc(n + 1, sizeof(*l));
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const struct doc_node *name = doc_get(v[i]->value, "name");
		const struct doc_node *uid = doc_get(v[i]->value, "fabricUID");

		if (doc_string(name) && doc_is(uid, DOC_INT) &&
		    job_provider(v[i]->value, NULL) == JOB_DATABRICKS)
			l[found++] =
				(struct named){ doc_string(name), v[i]->key->text, uid->num, name };
	}
	qsort(l, found, sizeof(*l), by_name);
	for (size_t i = 1; i < found; i++)
		if (strcmp(l[i - 1].name, l[i].name) == 0 && l[i - 1].fabric == l[i].fabric)
			rule_hit(r, RULE_SAME_JOB, r->p->file, l[i].at->at, l[i].key,
				 "'%s' and '%s' have the same name '%s' on fabric %lld",
				 l[i - 1].key, l[i].key, l[i].name, (long long)l[i].fabric);
	free(l);
}

static void entries(struct rules *r, enum project_kind kind)
{
	const struct doc_node *map = doc_get(r->p->read.doc->root, sections[kind]);
	const struct doc_pair **v = xcalloc((doc_is(map, DOC_MAP) ? map->n : 0) + 1, sizeof(*v));
	const struct doc_pair *e;
	size_t n = 0;

	for (size_t i = 0; (e = project_next(&r->p->read, kind, &i));) {
		v[n++] = e;
		key(r, kind, e);
		name_and_folder(r, kind, e);
		if (kind == PROJECT_JOBS)
			job(r, e);
	}
	if (kind == PROJECT_JOBS)
		names_of_jobs(r, v, n);
	same_but_for_case(r, v, n);
	free(v);
}

/* ---- other sections ---- */

/* Rules 51 and 105: the file of a configuration is named by its key. */
static void configurations(struct rules *r)
{
	const struct doc_node *map = doc_get(r->p->read.doc->root, "pipelineConfigurations");

	for (size_t i = 0; doc_is(map, DOC_MAP) && i < map->n; i++) {
		const struct doc_node *k = map->pairs[i].key,
				      *all = doc_get(map->pairs[i].value, "configurations");

		if (!doc_string(doc_get(map->pairs[i].value, "basePipeline")))
			rule_hit(r, RULE_BASE_PIPELINE, r->p->file, k->at, k->text,
				 "'%s' has no basePipeline", k->text);
		for (size_t j = 0; doc_is(all, DOC_MAP) && j < all->n; j++) {
			const struct doc_node *c = all->pairs[j].key;
			char *rel, *path;

			if (!project_key_is_safe(c))
				continue;
			rel = xasprintf("%s.json", c->text);
			path = project_at(r->p->path, rel);
			if (!tree_is_file(r->t, path))
				rule_hit(r, RULE_CONFIGURATION, r->p->file, c->at, c->text,
					 "configuration '%s' has no file '%s'", c->text, rel);
			free(path);
			free(rel);
		}
	}
}

/* Rule 58. */
static void folders(struct rules *r, const char *section)
{
	const struct doc_node *map = doc_get(r->p->read.doc->root, section);
	size_t n = strlen(section);

	for (size_t i = 0; doc_is(map, DOC_MAP) && i < map->n && i < PROJECT_ENTRIES_MAX; i++) {
		const struct doc_node *k = map->pairs[i].key;
		char *path;

		if (!project_key_is_safe(k) || strncmp(k->text, section, n) != 0 ||
		    k->text[n] != '/')
			continue;
		path = project_at(r->p->path, k->text);
		if (!tree_is_dir(r->t, path))
			rule_hit(r, RULE_NO_FOLDER, r->p->file, k->at, k->text,
				 "'%s' is declared and has no folder", k->text);
		free(path);
	}
}

/* Rule 74. */
static void dependencies(struct rules *r)
{
	const struct doc_node *map = doc_get(r->p->read.doc->root, "projectDependencies");

	for (size_t i = 0; doc_is(map, DOC_MAP) && i < map->n; i++) {
		const struct doc_node *k = map->pairs[i].key,
				      *uid = doc_get(map->pairs[i].value, "projectUID");

		if (doc_is(uid, DOC_INT) && doc_text(k) && strcmp(k->text, uid->text) != 0)
			rule_hit(r, RULE_PROJECT_UID, r->p->file, uid->at, k->text,
				 "the dependency '%s' has projectUID %s", k->text, uid->text);
	}
}

void rules_declared(struct rules *r)
{
	top(r);
	odd_bytes(r);
	entries(r, PROJECT_PIPELINES);
	entries(r, PROJECT_JOBS);
	configurations(r);
	folders(r, "datasets");
	folders(r, "subgraphs");
	dependencies(r);
}
