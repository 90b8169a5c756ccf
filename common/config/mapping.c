/* mapping – see mapping.h. One matcher over tokens serves both questions: does a pattern match a
 * text, and does it certainly match whatever another pattern matches (then the other pattern's own
 * wildcards are tokens that only an equal or wider one may take). */
#include <config.h>

#include "common/config/mapping.h"

/* a character, `?`, `*`, `**`, and `**` with a slash at the beginning of a part */
enum token { T_CHAR, T_ONE, T_STAR, T_DEEP, T_DEEP_SLASH };

struct span { const char *begin, *end; bool literal; };

static enum token token_at(const struct span *s, const char *at, size_t *len)
{
	size_t left = (size_t)(s->end - at);
	bool part = at == s->begin || at[-1] == '/';

	*len = 1;
	if (s->literal || (*at != '*' && *at != '?'))
		return T_CHAR;
	if (*at == '?')
		return T_ONE;
	if (left < 2 || at[1] != '*')
		return T_STAR;
	*len = 2;
	if (!part || left < 3 || at[2] != '/')
		return T_DEEP;
	*len = 3;
	return T_DEEP_SLASH;
}

/* May the pattern token p (T_CHAR, T_ONE or T_STAR) take the token t of the text? */
static bool takes(enum token p, char pc, enum token t, char tc)
{
	switch (p) {
	case T_CHAR:
		return t == T_CHAR && pc == tc;
	case T_ONE:
		return t == T_ONE || (t == T_CHAR && tc != '/');
	case T_STAR:
		return t == T_ONE || t == T_STAR || (t == T_CHAR && tc != '/');
	default:
		return false;
	}
}

/* Where a deep wildcard that ended at `at` may end next: one token on, or behind the next slash. */
static const char *deeper(const struct span *text, enum token deep, const char *at)
{
	while (at < text->end) {
		size_t len;
		char c = *at;
		enum token t = token_at(text, at, &len);

		at += len;
		if (deep == T_DEEP || t == T_DEEP_SLASH || (t == T_CHAR && c == '/'))
			return at;
	}
	return NULL;
}

/*
 * Going back to the last `*` and the last `**` only is enough: what stands between two wildcards is
 * best placed as far left as possible, since the later one takes at least as much from there.
 */
static bool match(const struct span *pattern, const struct span *text)
{
	const char *p = pattern->begin, *t = text->begin;
	const char *star = NULL, *star_text = NULL, *deep = NULL, *deep_text = NULL;
	enum token deep_kind = T_DEEP, pk, tk;
	size_t plen, tlen;

	while (t < text->end) {
		tk = token_at(text, t, &tlen);
		pk = p < pattern->end ? token_at(pattern, p, &plen) : T_CHAR;
		if (p < pattern->end && pk == T_STAR) {
			star = p += plen;
			star_text = t;
		} else if (p < pattern->end && (pk == T_DEEP || pk == T_DEEP_SLASH)) {
			deep = p += plen;
			deep_text = t;
			deep_kind = pk;
			star = NULL;
		} else if (p < pattern->end && takes(pk, *p, tk, *t)) {
			p += plen;
			t += tlen;
		} else {
			if (star) {
				tk = token_at(text, star_text, &tlen);
				if (takes(T_STAR, '*', tk, *star_text)) {
					p = star;
					t = star_text += tlen;
					continue;
				}
				star = NULL;
			}
			if (!deep || !(deep_text = deeper(text, deep_kind, deep_text)))
				return false;
			p = deep;
			t = deep_text;
		}
	}
	while (p < pattern->end) {
		pk = token_at(pattern, p, &plen);
		if (pk == T_CHAR || pk == T_ONE)
			return false;
		p += plen;
	}
	return true;
}

static struct span span(const char *s, size_t n, bool literal)
{
	return (struct span) { s, s + n, literal };
}

bool mapping_glob(const char *pattern, const char *text)
{
	struct span p = span(pattern, strlen(pattern), false), t = span(text, strlen(text), true);

	return match(&p, &t);
}

bool mapping_covers(const char *wide, const char *narrow)
{
	struct span p = span(wide, strlen(wide), false), t = span(narrow, strlen(narrow), false);

	return match(&p, &t);
}

bool mapping_project(const char *pattern, const char *repo, const char *project)
{
	const char *colon = strchr(pattern, ':');
	struct span p, t;

	if (!colon)
		return false;
	p = span(pattern, (size_t)(colon - pattern), false);
	t = span(repo, strlen(repo), true);
	return match(&p, &t) && mapping_glob(colon + 1, project);
}

bool mapping_project_covers(const char *wide, const char *narrow)
{
	const char *w = strchr(wide, ':'), *n = strchr(narrow, ':');
	struct span p, t;

	if (!w || !n)
		return false;
	p = span(wide, (size_t)(w - wide), false);
	t = span(narrow, (size_t)(n - narrow), false);
	return match(&p, &t) && mapping_covers(w + 1, n + 1);
}

/* What neither refs nor paths may have, and what looks like a wildcard but is none here. */
static const char *path_fault(const char *s, size_t n)
{
	if (!n)
		return "has an empty part";
	if (s[0] == '/' || s[n - 1] == '/')
		return "begins or ends with '/', so it can never match";
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return "has a control character";
		if (strchr("[]{}\\", s[i]))
			return "may only have the wildcards '*', '**' and '?'";
		if (i + 1 < n && s[i] == '/' && s[i + 1] == '/')
			return "has '//', so it can never match";
		if (i + 2 < n && s[i] == '*' && s[i + 1] == '*' && s[i + 2] == '*')
			return "has three stars in a row";
	}
	return NULL;
}

const char *mapping_ref_fault(const char *pattern)
{
	const char *why = path_fault(pattern, strlen(pattern));

	if (why)
		return why;
	if (!ps_starts(pattern, "refs/") && !ps_starts(pattern, "**"))
		return "does not begin with 'refs/', like 'refs/heads/main'";
	if (strpbrk(pattern, " ~^:") || strstr(pattern, "..") || strstr(pattern, "@{"))
		return "has what no ref name may have, so it can never match";
	return NULL;
}

const char *mapping_project_fault(const char *pattern)
{
	const char *colon = strchr(pattern, ':'), *why;

	if (!colon)
		return "is not REPOSITORY:PROJECT, like 'sales/*:**'";
	why = path_fault(pattern, (size_t)(colon - pattern));
	return why ? why : path_fault(colon + 1, strlen(colon + 1));
}

static void look(const struct conf_environment *e, const char *repo, const char *project,
		 const char *ref, struct mapping_step *step)
{
	*step = (struct mapping_step) { .env = e };
	for (size_t i = 0; i < e->refs.n && !step->ref_matches; i++)
		if (mapping_glob(e->refs.v[i], ref)) {
			step->ref_matches = true;
			step->pattern = e->refs.v[i];
		}
	for (size_t i = 0; i < e->projects.n && !step->project_matches; i++)
		step->project_matches = mapping_project(e->projects.v[i], repo, project);
}

const struct conf_environment *mapping_find(const struct config *c, const char *repo,
					    const char *project, const char *ref, size_t *index)
{
	for (size_t i = 0; i < c->nenvironments; i++) {
		struct mapping_step step;

		look(&c->environments[i], repo, project, ref, &step);
		if (!step.ref_matches || !step.project_matches)
			continue;
		if (index)
			*index = i + 1;
		return &c->environments[i];
	}
	return NULL;
}

static bool repository_matches(const char *pattern, const char *repo)
{
	char *alone = xasprintf("%.*s:**", (int)(strchr(pattern, ':') - pattern), pattern);
	bool yes = repo ? mapping_project(alone, repo, ".") :
		mapping_project_covers(alone, "**:**");

	free(alone);
	return yes;
}

enum mapping_reach mapping_reach(const struct conf_environment *e, const char *repo,
				 const char *ref)
{
	enum mapping_reach reach = MAPPING_NONE;
	bool refs = false;

	for (size_t i = 0; i < e->refs.n && !refs; i++)
		refs = mapping_glob(e->refs.v[i], ref);
	for (size_t i = 0; refs && i < e->projects.n && reach != MAPPING_ALL; i++)
		if (repository_matches(e->projects.v[i], repo))
			reach = mapping_covers(strchr(e->projects.v[i], ':') + 1, "**") ?
				MAPPING_ALL : MAPPING_SOME;
	return reach;
}

void mapping_explain(const struct config *c, const char *repo, const char *project, const char *ref,
		     struct mapping_step *steps)
{
	for (size_t i = 0; i < c->nenvironments; i++)
		look(&c->environments[i], repo, project, ref, &steps[i]);
}

const char *mapping_short_ref(const char *ref)
{
	static const char *const heads[] = { "refs/heads/", "refs/tags/" };

	for (size_t i = 0; i < PS_NELEM(heads); i++)
		if (ps_starts(ref, heads[i]) && ref[strlen(heads[i])])
			return ref + strlen(heads[i]);
	return ref;
}
