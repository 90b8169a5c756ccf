/* rules_push – see rules_push.h. */
#include "config.h"

#include "common/gate/rules_push.h"

#include "common/config/mapping.h"
#include "common/config/rights.h"
#include "common/gate/version.h"

static const char tags[] = "refs/tags/";

bool rules_push_hit(const struct push_subject *s, enum rule_id id, struct diag_list *out,
		    const char *path, struct doc_pos at, const char *fmt, ...)
{
	enum conf_level level = rule_level(&rule_table[id], s->config, s->ref);
	va_list ap;
	char *text;

	if (level == CONF_LEVEL_OFF)
		return false;
	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	diag_add_key(out, level == CONF_LEVEL_WARNING ? DIAG_WARNING : DIAG_ERROR, s->ref, path,
		     at.line, at.col, rule_table[id].code, "%s", text);
	free(text);
	return true;
}

/* ---- who ---- */

static const char *verb(enum push_way way)
{
	static const char *const verbs[] = { "create", "move", "delete", "push" };

	return verbs[way];
}

/* What is in the old and the new tree together. NULL with *n 0: not known. Texts are the lists'. */
static const char **all_projects(const struct push_subject *s, struct project_paths *old, size_t *n)
{
	const char **v;
	bool known = s->now != NULL;

	*n = 0;
	if (known && s->old)
		known = s->old(s->arg, old) == 0;
	if (!known)
		return NULL;
	v = xcalloc(s->now->n + old->n + 1, sizeof(*v));
	for (size_t i = 0; i < s->now->n; i++)
		v[(*n)++] = s->now->v[i];
	for (size_t i = 0; i < old->n; i++)
		v[(*n)++] = old->v[i];
	return v;
}

static const struct conf_environment *against(const struct push_subject *s,
					      const struct rights_ask *q)
{
	const struct conf_environment *e = NULL;
	struct project_paths old = { NULL, 0, 0 };
	const char **v;
	size_t n;

	if (!rights_in_doubt(q))
		return NULL;
	if (s->now && s->now->n)	/* most often that tells it, and the old tree is not read */
		e = rights_against(q, (const char *const *)s->now->v, s->now->n);
	if (!e) {
		v = all_projects(s, &old, &n);
		e = rights_against(q, v, n);
		free(v);
	}
	project_paths_clear(&old);
	return e;
}

static bool may_not(const struct push_subject *s, const struct rights_ask *q, struct diag_list *out)
{
	const struct conf_environment *e = against(s, q);
	struct buf who = BUF_INIT, whom = BUF_INIT;
	bool told = false;

	if (e) {
		rights_who_text(&who, s->config, q->login);
		rights_whom_text(&whom, s->config, e);
		told = rules_push_hit(s, RULE_RIGHT, out, "", (struct doc_pos) { 0, 0 },
			   "%s may not %s %s: environment %s takes pushes of %s only",
			   buf_str(&who), verb(s->way), mapping_short_ref(s->ref), e->name,
			   buf_str(&whom));
	}
	buf_clear(&who);
	buf_clear(&whom);
	return told;
}

/* ---- tags that were released ---- */

static bool was_taken(const struct push_subject *s, const struct rights_ask *q)
{
	static const char *const none[1];
	struct project_paths old = { NULL, 0, 0 };
	bool known = s->old(s->arg, &old) == 0, taken;

	taken = rights_takes(q, !known ? NULL : old.n ? (const char *const *)old.v : none, old.n);
	project_paths_clear(&old);
	return taken;
}

static void released(const struct push_subject *s, const struct rights_ask *q,
		     struct diag_list *out)
{
	if ((s->way != PUSH_MOVE && s->way != PUSH_DELETE) || !ps_starts(s->ref, tags) ||
	    !s->old || !rights_is_mapped(q) || !was_taken(s, q))
		return;
	if (rules_push_hit(s, RULE_RELEASED, out, "", (struct doc_pos) { 0, 0 },
		"%s may not be %s: penstock releases what is tagged so, and a released tag stays "
		"as it is", mapping_short_ref(s->ref), s->way == PUSH_MOVE ? "moved" : "deleted"))
		diag_hint(out, "raise the version and push a new tag");
}

/* ---- what a tag says ---- */

/* Is the tag NAME/VERSION about this project? Of a name that no project has: about all. */
static bool is_about(const struct rules *r, const struct outline *o, const char *tag)
{
	const char *slash = strrchr(tag, '/');
	size_t n = slash ? (size_t)(slash - tag) : 0;

	if (!n || (strlen(o->name) == n && memcmp(o->name, tag, n) == 0))
		return true;
	for (size_t i = 0; i < r->nprojects; i++)
		if (strlen(r->projects[i].outline.name) == n &&
		    memcmp(r->projects[i].outline.name, tag, n) == 0)
			return false;
	return true;
}

/* One project with that version is enough: a tag may be of a repository with many. */
static void tag_version(const struct push_subject *s, const struct rights_ask *q,
			struct diag_list *out)
{
	const struct rules_project *first = NULL;
	const char *tag = s->ref + strlen(tags), *version;
	size_t others = 0;

	if (!s->judged || !ps_starts(s->ref, tags) || !(version = version_of_tag(tag)) ||
	    !rights_is_mapped(q))
		return;
	for (size_t i = 0; i < s->judged->rules.nprojects; i++) {
		const struct rules_project *p = &s->judged->rules.projects[i];
		const char *path[] = { p->path };

		if (!*p->outline.version || !is_about(&s->judged->rules, &p->outline, tag) ||
		    !rights_takes(q, path, 1))
			continue;
		if (version_same(version, p->outline.version))
			return;
		if (first)
			others++;
		else
			first = p;
	}
	if (first && others)
		rules_push_hit(s, RULE_TAG_VERSION, out, first->file, first->outline.version_at,
		    "tag %s says version %s, this project is %s, and %zu more are not %s either",
		    tag, version, first->outline.version, others, version);
	else if (first)
		rules_push_hit(s, RULE_TAG_VERSION, out, first->file, first->outline.version_at,
		    "tag %s says version %s, the project says %s", tag, version,
		    first->outline.version);
}

void rules_push(const struct push_subject *s, struct diag_list *out)
{
	struct rights_ask q = { s->config, s->repo, s->ref, s->who ? s->who->name : NULL };
	bool refused = false;

	if (s->who && !s->who->name && s->config->repo.unknown_pusher == CONF_UNKNOWN_REFUSE)
		refused = rules_push_hit(s, RULE_UNKNOWN, out, "", (struct doc_pos) { 0, 0 },
			      "nobody knows who you are, and unknown_pusher is refuse");
	if (!refused && s->who)
		refused = may_not(s, &q, out);
	if (!refused)
		released(s, &q, out);
	tag_version(s, &q, out);
	rules_derive(s, out);
}
