/* judge – see judge.h. */
#include "config.h"

#include "common/gate/judge.h"

#include "common/base/near.h"
#include "common/base/place.h"
#include "common/gate/fold.h"
#include "common/gate/precedent.h"
#include "common/gate/version.h"

static void judged_free(struct judged *j)
{
	rules_clear(&j->rules);
	project_paths_clear(&j->projects);
	tree_close(j->t);
	free(j->name);
	free(j);
}

int bench_judge(struct bench *b, struct tree *t, const char *name, const char *within,
		struct judged **out, struct ps_err *err)
{
	struct judged *j = xcalloc(1, sizeof(*j));
	struct tree_entry top;
	bool named = tree_stat(t, "", &top, NULL) == 0 && *top.oid;
	int rc;

	j->t = t;
	j->name = xstrdup(name ? name : "");
	j->rules = (struct rules) { .t = t, .whole = t, .config = b->config,
				    .memo = named ? b->memo : NULL,
				    .precedent = named && b->memo && name ? b->precedent : NULL,
				    .deadline_ns = b->deadline_ns };
	if (j->rules.precedent)
		precedent_meet(j->rules.precedent, t, name);
	rc = fold_tree(&j->rules, within ? within : "", &j->projects, err);
	if (rc == 0)
		rc = rules_run(&j->rules, &j->projects, err);
	if (rc < 0) {
		judged_free(j);
		return rc;
	}
	if (j->rules.precedent && !b->n && !j->rules.late)
		precedent_keep(j->rules.precedent);
	b->v = xgrow(b->v, b->n, &b->cap, sizeof(*b->v));
	b->v[b->n++] = j;
	*out = j;
	return 0;
}

struct judged *bench_find(const struct bench *b, const char *name)
{
	for (size_t i = 0; *name && i < b->n; i++)
		if (strcmp(b->v[i]->name, name) == 0)
			return b->v[i];
	return NULL;
}

enum { SOURCE_AROUND = 400 };		/* bytes of a long line kept before and behind the column */

/* The line a finding is about, or what of a long one is around its column; NULL when the file has
 * no such line. *col: where that begins. */
static char *line_of(const struct buf *b, struct place_cursor *c, const struct diag *d,
		     unsigned *col)
{
	const char *text = buf_str(b), *from, *to, *end = text + b->len;
	size_t left = SOURCE_AROUND;

	if (!place_seek(c, text, b->len, (struct place) { d->line, d->col }))
		return NULL;
	from = to = text + c->byte;
	*col = c->at.col;
	/* to the start of a character: a continuation is not counted */
	while (from > text && from[-1] != '\n' && (left || ((unsigned char)*from & 0xc0) == 0x80)) {
		from--;
		left -= left > 0;
		*col -= ((unsigned char)*from & 0xc0) != 0x80;
	}
	for (left = SOURCE_AROUND; to < end && *to != '\n' && left; left--)
		to++;
	if (to > from && to[-1] == '\r')
		to--;
	return to > from && !memchr(from, '\0', (size_t)(to - from)) ?
		xstrndup(from, (size_t)(to - from)) : NULL;
}

/* Folders have no lines, and what cannot be read now is told without. */
static void read_source(const struct judged *now, const char *path, struct buf *b)
{
	struct ps_err err;

	buf_reset(b);
	if (!tree_is_file(now->t, path) || tree_read(now->t, path, PS_JSON_MAX, b, &err) < 0)
		buf_reset(b);
}

void bench_sources(const struct judged *now, struct diag_list *l, size_t max)
{
	struct place_cursor cursor = { 0 };
	struct buf b = BUF_INIT;
	const char *file = "";
	size_t n = 0;

	for (int pass = DIAG_ERROR; pass <= DIAG_WARNING; pass++)
		for (size_t i = 0; i < l->n && (!max || n < max); i++) {
			struct diag *d = &l->v[i];

			if ((int)d->severity != pass || !*d->path)
				continue;
			if (strcmp(d->path, file) != 0) {
				read_source(now, d->path, &b);
				cursor = (struct place_cursor) { 0 };
			}
			file = d->path;
			free(d->source);
			d->source = b.len ? line_of(&b, &cursor, d, &d->source_col) : NULL;
			n++;
		}
	buf_clear(&b);
}

struct rules_counts bench_counts(const struct bench *b)
{
	struct rules_counts sum = { .trees = b->n };

	for (size_t i = 0; i < b->n; i++) {
		const struct rules_counts *c = &b->v[i]->rules.counts;

		sum.units += c->units;
		sum.known += c->known;
		sum.folders += c->folders;
		sum.reads += c->reads;
		sum.bytes += c->bytes;
		sum.scans += c->scans;
		sum.parsed += c->parsed;
	}
	return sum;
}

void bench_clear(struct bench *b)
{
	for (size_t i = 0; i < b->n; i++)
		judged_free(b->v[i]);
	free(b->v);
	*b = (struct bench) { .config = NULL };
}

bool bench_needs_old(const struct judged *now)
{
	const struct rules *r = &now->rules;
	bool may_refuse = r->ndead > 0 || rule_wanted(r, RULE_RAISED);

	for (size_t i = 0; i < r->found.n && !may_refuse; i++) {
		const struct rule *rule = rule_of(&r->found.v[i]);

		may_refuse = rule->level < CONF_LEVEL_WARNING ||
			(r->config && config_rule_is_named(r->config, rule->code));
	}
	return may_refuse;
}

static int by_key(const void *pa, const void *pb)
{
	const struct diag *a = *(const struct diag *const *)pa,
		*b = *(const struct diag *const *)pb;
	int c = strcmp(a->code, b->code);

	return c ? c : strcmp(a->key, b->key);
}

/* The old side's findings by code and key. */
static const struct diag **index_of(const struct judged *old, size_t *n)
{
	const struct diag_list *l = &old->rules.found;
	const struct diag **v = xcalloc(l->n + 1, sizeof(*v));

	*n = l->n;
	for (size_t i = 0; i < l->n; i++)
		v[i] = &l->v[i];
	qsort(v, *n, sizeof(*v), by_key);
	return v;
}

/* Had the old side this pipeline, as an entry or (for a declared one) as a folder? */
static bool had_pipeline(const struct judged *old, const struct rule_dead *d)
{
	const struct outline *o;
	char *path;
	bool had;

	if (!d->declared) {
		o = rules_outline(&old->rules, d->project);
		return o && outline_find(o, PROJECT_PIPELINES, d->pipeline);
	}
	path = project_at(d->project, d->pipeline);
	had = tree_is_dir(old->t, path);
	free(path);
	return had;
}

/* How a finding counts on a ref. */
struct scale {
	const struct config *config;
	const char *ref;
	const struct diag **before;	/* the old side's findings by code and key */
	size_t nbefore;
};

static void weigh(const struct scale *s, const struct diag *d, struct diag_list *out)
{
	enum conf_level level = rule_level(rule_of(d), s->config, s->ref);
	bool keep = level == CONF_LEVEL_ERROR && s->config && !s->config->repo.existing_errors_warn;
	bool was = s->nbefore && bsearch(&d, s->before, s->nbefore, sizeof(*s->before), by_key);

	if (level == CONF_LEVEL_OFF)
		return;
	diag_copy(out, level == CONF_LEVEL_WARNING || (was && !keep) ? DIAG_WARNING : DIAG_ERROR, d,
		  NULL, NULL);
}

static void tell(const struct scale *s, struct diag_list *out, enum rule_id id,
		 const struct rule_dead *d, char *hint, const char *fmt, ...)
	PS_PRINTF(6, 7);

/* Takes hint over; it may be NULL. */
static void tell(const struct scale *s, struct diag_list *out, enum rule_id id,
		 const struct rule_dead *d, char *hint, const char *fmt, ...)
{
	char *key = xasprintf("%s|%s %s", d->project, d->job, d->pipeline), *text;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	weigh(s, &(struct diag) { .key = key, .path = d->file, .line = d->at.line,
				  .col = d->at.col, .code = rule_table[id].code, .text = text,
				  .hint = hint },
	      out);
	free(hint);
	free(text);
	free(key);
}

/* free() it. */
static char *nearest_pipeline(const struct judged *now, const struct rule_dead *d)
{
	const struct outline *o = rules_outline(&now->rules, d->project);

	for (size_t i = 0; o && i < o->n; i++)
		if (o->v[i].kind == PROJECT_PIPELINES && near_one_away(d->pipeline, o->v[i].key))
			return xasprintf("the nearest is '%s'", o->v[i].key);
	return NULL;
}

enum { COMPARED_MAX = 50 };		/* of a job that names a great many */

static void dead_references(const struct scale *s, const struct judged *now,
			    const struct judged *old, struct diag_list *out)
{
	for (size_t i = 0; i < now->rules.ndead; i++) {
		const struct rule_dead *d = &now->rules.dead[i];
		bool had = old && had_pipeline(old, d);

		if (had)
			tell(s, out, RULE_REMOVED, d, NULL,
			     "%s of '%s' is removed, but job '%s' still names it",
			     d->declared ? "the folder" : "the entry", d->pipeline, d->job);
		else if (!d->declared)		/* a missing folder is told at its entry */
			tell(s, out, RULE_REFERENCE, d,
			     i < COMPARED_MAX ? nearest_pipeline(now, d) : NULL,
			     "job '%s' names '%s', which is not declared", d->job, d->pipeline);
	}
}

/* By object names of git's; of a folder on disk nobody knows. */
static bool has_changed(const struct judged *now, const struct judged *old, const char *project)
{
	const char *path = strcmp(project, ".") == 0 ? "" : project;
	struct tree_entry a, b;
	struct ps_err err;

	if (!*now->name || !*old->name)
		return false;
	if (!*path)
		return strcmp(now->name, old->name) != 0;
	return tree_stat(now->t, path, &a, &err) == 0 && tree_stat(old->t, path, &b, &err) == 0 &&
		*a.oid && *b.oid && strcmp(a.oid, b.oid) != 0;
}

/* Rule 64, for whoever wants it. */
static void raised(const struct scale *s, const struct judged *now, const struct judged *old,
		   struct diag_list *out)
{
	if (!old || !s->ref || !ps_starts(s->ref, "refs/heads/") ||
	    rule_level(&rule_table[RULE_RAISED], s->config, s->ref) == CONF_LEVEL_OFF)
		return;
	for (size_t i = 0; i < now->rules.nprojects; i++) {
		const struct rules_project *p = &now->rules.projects[i];
		const struct outline *was = rules_outline(&old->rules, p->path);
		bool known = false;
		char *text;

		if (!was || version_higher(p->outline.version, was->version, &known) || !known ||
		    !has_changed(now, old, p->path))
			continue;
		text = xasprintf("the project has changed, and its version %s is not above %s",
				 p->outline.version, was->version);
		weigh(s, &(struct diag) { .key = p->path, .path = p->file,
					  .line = p->outline.version_at.line,
					  .col = p->outline.version_at.col,
					  .code = rule_table[RULE_RAISED].code, .text = text },
		      out);
		free(text);
	}
}

void bench_compare(const struct bench *b, const struct judged *now, const struct judged *old,
		   const char *ref, struct diag_list *out)
{
	struct scale s = { .config = b->config, .ref = ref };

	if (old)
		s.before = index_of(old, &s.nbefore);
	for (size_t i = 0; i < now->rules.found.n; i++)
		weigh(&s, &now->rules.found.v[i], out);
	dead_references(&s, now, old, out);
	raised(&s, now, old, out);
	free(s.before);
}
