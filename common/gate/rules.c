/* rules – see rules.h: the table, the walk over projects, and how a rule reads a file. */
#include "config.h"

#include "common/gate/rules.h"

#include "common/base/clock.h"
#include "common/base/near.h"
#include "common/gate/precedent.h"
#include "common/gate/unit.h"

enum {
	TEXT_MAX = 1000,		/* of one; names in files may be as long as the file */
	KEY_MAX = 500,
};

#define RULE(id, c, l, t, w, e, f)                                                       \
	[RULE_##id] = { .code = c, .level = CONF_LEVEL_##l, .text = t, .why = w, .example = e, \
			.fix = f },
const struct rule rule_table[RULE_COUNT] = {
#include "common/config/rule_rows.h"
};
#undef RULE

const struct rule *rule_find(const char *code)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (strcmp(rule_table[i].code, code) == 0)
			return &rule_table[i];
	return NULL;
}

const struct rule *rule_of(const struct diag *d)
{
	for (size_t i = 0; i < RULE_COUNT; i++)
		if (rule_table[i].code == d->code)
			return &rule_table[i];
	PS_BUG_IF(true, "a finding of no rule: %s", d->code);
	return NULL;
}

enum conf_level rule_level(const struct rule *r, const struct config *c, const char *ref)
{
	return c ? config_rule_level(c, r->code, ref, r->level) : r->level;
}

bool rule_wanted(const struct rules *r, enum rule_id id)
{
	const struct rule *rule = &rule_table[id];

	return rule->level != CONF_LEVEL_OFF ||
		(r->config && config_rule_is_named(r->config, rule->code));
}

/* Cuts it behind max bytes, not inside a character. */
static void cut(char *text, size_t max)
{
	static const char more[] = "...";

	if (strlen(text) <= max + sizeof(more))
		return;
	while (max && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	memcpy(text + max, more, sizeof(more));
}

/* A long one says by its digest what it is about. */
static char *key_of(const struct rules *r, const char *key)
{
	const char *project = r->p ? r->p->path : "";
	char digest[DIGEST_HEX];

	if (strlen(key) <= KEY_MAX)
		return xasprintf("%s|%s", project, key);
	digest_bytes(digest, key, strlen(key));
	return xasprintf("%s|%s", project, digest);
}

void rule_hit(struct rules *r, enum rule_id id, const char *path, struct doc_pos at,
	      const char *key, const char *fmt, ...)
{
	char *text, *full;
	va_list ap;

	r->told = r->found.n < RULES_FOUND_MAX;
	if (!r->told)
		return;
	full = key_of(r, key);
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	cut(text, TEXT_MAX);
	diag_add_key(&r->found, DIAG_ERROR, full, path, at.line, at.col, rule_table[id].code, "%s",
		     text);
	free(text);
	free(full);
}

void rule_near(struct rules *r, const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n && r->told; i++)
		if (near_one_away(word, words[i])) {
			diag_hint(&r->found, "the nearest is '%s'", words[i]);
			return;
		}
}

bool rules_in_time(struct rules *r, const char *what)
{
	if (!r->late && r->deadline_ns && clock_boot_ns() > r->deadline_ns) {
		r->late = true;
		r->slow = xstrdup(what);
	}
	return !r->late;
}

/* Only the two markers that no text has by chance: a bare row of '=' underlines a heading. */
struct doc_pos rules_conflict(const struct buf *b)
{
	struct doc_pos at = { 0, 0 };
	unsigned line = 1;

	for (const char *p = buf_str(b), *end = p + b->len; p < end; line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (end - p >= 8 && (memcmp(p, "<<<<<<< ", 8) == 0 ||
				     memcmp(p, ">>>>>>> ", 8) == 0))
			return (struct doc_pos) { line, 1 };
		if (!nl)
			break;
		p = nl + 1;
	}
	return at;
}

int rules_read(struct rules *r, const char *relative, size_t max, struct buf *bytes, bool *is_there,
	       bool *usable, struct ps_err *err)
{
	char *path = project_at(r->p->path, relative);
	struct doc_pos at;
	int rc = 0;

	*is_there = rules_in_time(r, path) && tree_is_file(r->t, path);
	*usable = false;
	if (*is_there)
		rc = tree_read(r->t, path, max, bytes, err);
	r->counts.reads += *is_there && rc == 0;
	r->counts.bytes += bytes->len;
	if (rc == PS_ELIMIT) {
		rule_hit(r, RULE_UNCHECKED, path, (struct doc_pos) { 1, 1 }, relative,
			 "larger than %zu bytes: not checked", max);
		rc = 0;
	} else if (rc == 0 && *is_there && project_is_pointer(bytes)) {
		rule_hit(r, RULE_POINTER, path, (struct doc_pos) { 1, 1 }, relative,
			 PROJECT_POINTER ": not checked");
	} else if (rc == 0 && *is_there) {
		at = rules_conflict(bytes);
		*usable = !at.line;
		if (at.line)
			rule_hit(r, RULE_CONFLICT, path, at, relative, "merge conflict marker");
	}
	free(path);
	return rc;
}

static void json_fault(struct rules *r, enum rule_id id, const char *relative, int rc,
		       enum doc_kind top, const struct doc_fault *fault)
{
	char *path = project_at(r->p->path, relative);

	if (rc == PS_ELIMIT)
		rule_hit(r, RULE_UNCHECKED, path, fault->at, relative, "%s: not checked",
			 fault->text);
	else if (rc < 0)
		rule_hit(r, id, path, fault->at, relative, "not JSON: %s", fault->text);
	else
		rule_hit(r, id, path, (struct doc_pos) { 1, 1 }, relative,
			 "holds %s, not an object", doc_kind_word(top));
	free(path);
}

int rules_json(struct rules *r, enum rule_id id, const char *relative, struct doc **out,
	       bool *is_there, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	struct doc_fault fault;
	bool usable;
	int rc = rules_read(r, relative, PS_JSON_MAX, &b, is_there, &usable, err), bad;

	*out = NULL;
	if (rc == 0 && usable) {
		bad = doc_json(out, buf_str(&b), b.len, &fault);
		if (bad < 0 || (*out)->root->kind != DOC_MAP) {
			json_fault(r, id, relative, bad, bad < 0 ? DOC_NULL : (*out)->root->kind,
				   &fault);
			if (bad == 0)
				doc_free(*out);
			*out = NULL;
		}
	}
	buf_clear(&b);
	return rc;
}

int rules_json_shape(struct rules *r, enum rule_id id, enum rule_id loose, const char *relative,
		     struct ps_err *err)
{
	struct buf b = BUF_INIT;
	struct doc_fault fault;
	enum doc_kind top;
	bool is_there, usable;
	int rc = rules_read(r, relative, PS_JSON_MAX, &b, &is_there, &usable, err), bad;

	if (rc == 0 && usable) {
		bad = doc_json_scan(&top, buf_str(&b), b.len, &fault);
		if (bad < 0 || top != DOC_MAP)
			json_fault(r, bad < 0 && !fault.cut ? loose : id, relative, bad, top,
				   &fault);
	}
	buf_clear(&b);
	return rc;
}

/* ---- what rules may ask ---- */

const struct doc_node *rules_value(struct rules *r, const struct rules_entry *e, struct ps_err *err)
{
	static const char *const sections[] = { [PROJECT_PIPELINES] = "pipelines",
						[PROJECT_JOBS] = "jobs" };
	const struct doc_node *v;
	int rc = rules_doc(r, err);

	if (rc < 0)
		return NULL;
	v = doc_get(doc_get(r->p->read.doc->root, sections[e->kind]), e->key);
	if (!v)
		ps_err_set(err, PS_EIO, "'%s' does not declare '%s' any more", r->p->file, e->key);
	return v;
}

bool rules_declares(struct rules *r, enum project_kind kind, const char *key)
{
	bool yes = outline_find(&r->p->outline, kind, key) != NULL;

	if (r->deps)
		deps_add(r->deps, kind == PROJECT_JOBS ? DEP_JOB : DEP_PIPELINE, key,
			 yes ? "yes" : "");
	return yes;
}

const char *rules_language(const struct rules *r)
{
	return r->p->outline.language;
}

const char *rules_version(struct rules *r)
{
	if (r->deps)
		deps_add(r->deps, DEP_VERSION, "", r->p->outline.version);
	return r->p->outline.version;
}

/* ---- all of it ---- */

int rules_doc(struct rules *r, struct ps_err *err)
{
	struct rules_project *p = r->p;

	if (p->read.path)
		return 0;
	r->counts.parsed++;
	return project_read(r->whole, p->path, &p->read, err);
}

static struct rules_project *add_project(struct rules *r, const char *path)
{
	struct rules_project *p;

	r->projects = xgrow(r->projects, r->nprojects, &r->cap_projects, sizeof(*r->projects));
	p = &r->projects[r->nprojects++];
	*p = (struct rules_project) { .path = xstrdup(path),
				      .file = project_at(path, PROJECT_FILE) };
	return p;
}

static int run_project(struct rules *r, struct ps_err *err)
{
	static unit_fn *const rules_of[] = { [PROJECT_PIPELINES] = rules_pipeline,
					     [PROJECT_JOBS] = rules_job };
	const struct outline *o = &r->p->outline;
	size_t safe = 0;
	int rc = unit_project(r, err);

	if (rc == 0)
		rc = rules_layout(r, err);
	for (size_t i = 0; i < o->n; i++)
		safe += o->v[i].safe;
	if (rc == 0 && r->precedent)
		precedent_project(r->precedent, r->p->file, safe);
	for (size_t i = 0; rc == 0 && i < o->n && rules_in_time(r, o->v[i].key); i++)
		if (o->v[i].safe)
			rc = unit_entry(r, &o->v[i], rules_of[o->v[i].kind], err);
	return rc;
}

int rules_run(struct rules *r, const struct project_paths *projects, struct ps_err *err)
{
	int rc = 0;

	if (r->precedent)
		precedent_projects(r->precedent, projects->n);
	for (size_t i = 0; i < projects->n && rc == 0; i++) {
		if (!rules_in_time(r, projects->v[i]))
			break;
		r->p = add_project(r, projects->v[i]);
		rc = run_project(r, err);
		project_clear(&r->p->read);
		r->p = NULL;
	}
	return rc;
}

const struct outline *rules_outline(const struct rules *r, const char *project)
{
	for (size_t i = 0; i < r->nprojects; i++)
		if (strcmp(r->projects[i].path, project) == 0)
			return &r->projects[i].outline;
	return NULL;
}

void rule_dead_clear(struct rule_dead *d)
{
	free(d->project);
	free(d->pipeline);
	free(d->file);
	free(d->job);
}

void rules_clear(struct rules *r)
{
	for (size_t i = 0; i < r->ndead; i++)
		rule_dead_clear(&r->dead[i]);
	for (size_t i = 0; i < r->nprojects; i++) {
		outline_clear(&r->projects[i].outline);
		project_clear(&r->projects[i].read);
		free(r->projects[i].path);
		free(r->projects[i].file);
	}
	free(r->projects);
	free(r->dead);
	free(r->slow);
	diag_clear(&r->found);
	*r = (struct rules) { .t = NULL };
}
