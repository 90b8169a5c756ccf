/* rules_project – rules 3 to 9 and 113: the project file as a whole. */
#include "config.h"

#include "common/gate/rules.h"

enum { VISITS_MAX = 500000 };		/* aliases may name a node many times */

struct dup { struct rules *r; enum rule_id id; struct buf path; size_t visits; };

enum { PART_MAX = 200 };		/* of a key in the way to another one */

/* Of an entry there nothing is built or deployed: only Prophecy's editor opens it. */
static bool is_listed_only(const char *section)
{
	return strcmp(section, "datasets") == 0 || strcmp(section, "subgraphs") == 0;
}

/* Rules 4 and 113. The key of a finding is the way to it: "pipelines > pipelines/x > name". */
static void duplicates(struct dup *d, const struct doc_node *node, unsigned depth)
{
	size_t len = d->path.len;

	if (depth > PS_DEPTH_MAX || ++d->visits > VISITS_MAX)
		return;
	for (size_t i = 0; node->kind == DOC_LIST && i < node->n; i++) {
		buf_addf(&d->path, " > %zu", i);
		duplicates(d, node->items[i], depth + 1);
		d->path.len = len;
	}
	for (size_t i = 0; node->kind == DOC_MAP && i < node->n; i++) {
		const struct doc_pair *pair = &node->pairs[i];

		buf_addf(&d->path, " > %.*s", PART_MAX, pair->key->text);
		if (pair->repeats)
			rule_hit(d->r, d->id, d->r->p->file, pair->key->at,
				 buf_str(&d->path),
				 "'%s' is there twice; the last one wins and the others are lost",
				 pair->key->text);
		if (!depth)
			d->id = is_listed_only(pair->key->text) ? RULE_DUPLICATE_LISTED :
								  RULE_DUPLICATE;
		duplicates(d, pair->value, depth + 1);
		if (!depth)
			d->id = RULE_DUPLICATE;
		d->path.len = len;
	}
}

/* Rules 5 and 6. */
static void top_keys(struct rules *r)
{
	static const struct { const char *name; bool is_map; } keys[] = {
		{ "name", false }, { "version", false }, { "language", false },
		{ "pipelines", true }, { "jobs", true },
	};
	const struct doc_node *root = r->p->read.doc->root;

	for (size_t i = 0; i < PS_NELEM(keys); i++) {
		const struct doc_node *v = doc_get(root, keys[i].name);

		if (!v)
			rule_hit(r, RULE_MISSING, r->p->file, root->at, keys[i].name,
				 "'%s' is missing", keys[i].name);
		else if (keys[i].is_map && v->kind != DOC_MAP)
			rule_hit(r, RULE_SHAPE, r->p->file, v->at, keys[i].name,
				 "'%s' is %s, not a map; write {} "
				 "for none", keys[i].name, doc_kind_word(v->kind));
		else if (i == 0 && (v->kind != DOC_STRING || !v->len))
			rule_hit(r, RULE_SHAPE, r->p->file, v->at, "name",
				 "'name' is %s, not text; quote it", v->kind == DOC_STRING ?
				 "empty" : doc_kind_word(v->kind));
	}
}

/* Rule 8. */
static void entry_parts(struct rules *r, const struct doc_pair *e, const char *kind, bool language)
{
	static const char *const parts[] = { "name", "language" };

	if (e->value->kind != DOC_MAP) {
		rule_hit(r, RULE_ENTRY, r->p->file, e->key->at, e->key->text,
			 "%s '%s' is %s, not a map", kind, e->key->text,
			 doc_kind_word(e->value->kind));
		return;
	}
	for (size_t i = 0; i < (language ? 2 : 1); i++) {
		const struct doc_node *v = doc_get(e->value, parts[i]);
		char *key;

		if (doc_is(v, DOC_STRING))
			continue;
		key = xasprintf("%s %s", e->key->text, parts[i]);
		rule_hit(r, RULE_ENTRY, r->p->file, v ? v->at : e->key->at, key,
			 "%s '%s' has no %s%s", kind, e->key->text, parts[i],
			 v ? " that is text" : "");
		free(key);
	}
}

/* Rule 9 over all keys, also those that a later one hides; then rule 8 over those that win. */
static void entries(struct rules *r, const char *section, enum project_kind which, const char *kind,
		    bool language)
{
	const struct doc_node *map = doc_get(r->p->read.doc->root, section);
	const struct doc_pair *e;

	for (size_t i = 0; doc_is(map, DOC_MAP) && i < map->n; i++) {
		const struct doc_node *key = map->pairs[i].key;

		if (key->kind != DOC_STRING)
			rule_hit(r, RULE_KEY, r->p->file, key->at, key->text,
				 "the %s key '%s' is %s, not text", kind, key->text,
				 doc_kind_word(key->kind));
		else if (!project_key_is_safe(key))
			rule_hit(r, RULE_KEY, r->p->file, key->at, key->text,
				 "the %s key '%s' is not a path below the "
				 "project", kind, key->text);
	}
	for (size_t i = 0; (e = project_next(&r->p->read, which, &i));)
		entry_parts(r, e, kind, language);
	if (doc_is(map, DOC_MAP) && map->n > PROJECT_ENTRIES_MAX)
		rule_hit(r, RULE_UNCHECKED, r->p->file, map->at, section,
			 "more than %d %s: the rest is not checked", PROJECT_ENTRIES_MAX, section);
}

/* When the file itself cannot be used, nothing below it can be found. */
static bool usable(struct rules *r)
{
	const struct project *p = &r->p->read;
	struct doc_pos at = rules_conflict(&p->bytes);

	if (at.line)
		rule_hit(r, RULE_CONFLICT, p->file, at, PROJECT_FILE, "merge conflict marker");
	else if (p->rc == PS_ELIMIT)
		rule_hit(r, RULE_UNCHECKED, p->file, p->fault.at, PROJECT_FILE, "%s: not checked",
			 p->fault.text);
	else if (p->rc == PS_ENOTSUP)
		rule_hit(r, RULE_POINTER, p->file, p->fault.at, PROJECT_FILE, "%s: not checked",
			 p->fault.text);
	else if (p->rc < 0)
		rule_hit(r, RULE_YAML, p->file, p->fault.at, PROJECT_FILE, "not YAML: %s",
			 p->fault.text);
	else if (!doc_is(p->doc->root, DOC_MAP))
		rule_hit(r, RULE_TOP, p->file, (struct doc_pos) { 1, 1 }, PROJECT_FILE,
			 "holds %s, not a map", p->doc->root ? doc_kind_word(p->doc->root->kind) :
			 "nothing");
	return !at.line && p->rc == 0 && doc_is(p->doc->root, DOC_MAP);
}

int rules_project(struct rules *r, struct ps_err *err)
{
	struct dup d = { .r = r, .id = RULE_DUPLICATE };
	int rc = rules_doc(r, err);

	if (rc < 0)
		return rc;
	if (!usable(r)) {
		outline_none(&r->p->outline);
		return 0;
	}
	outline_make(&r->p->outline, &r->p->read);
	duplicates(&d, r->p->read.doc->root, 0);
	buf_clear(&d.path);
	top_keys(r);
	entries(r, "pipelines", PROJECT_PIPELINES, "pipeline", true);
	entries(r, "jobs", PROJECT_JOBS, "job", false);
	rules_declared(r);
	return 0;
}
