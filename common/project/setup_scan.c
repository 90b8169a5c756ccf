/*
 * setup_scan – reads name= and version= out of a setup.py without running it.
 *
 * A small reader of Python tokens: enough to step over comments and strings, to know how deep the
 * brackets are, and to see that a value is one plain literal. Whatever is computed is told as NULL:
 * a guess would make the wrong file name.
 */
#include "config.h"

#include "common/project/pipeline.h"

#include <ctype.h>

enum token { T_END, T_NAME, T_STRING, T_OTHER };

struct scan {
	const char *p, *end;
	enum token kind;
	const char *text;		/* of a name, or inside the quotes of a string */
	size_t len;
	bool plain;			/* the string has no prefix but u or r, and no backslash */
};

static bool word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static void skip_blank(struct scan *s)
{
	while (s->p < s->end) {
		if (*s->p == '#')
			while (s->p < s->end && *s->p != '\n')
				s->p++;
		else if (isspace((unsigned char)*s->p) || *s->p == '\\')
			s->p++;
		else
			return;
	}
}

static void take_string(struct scan *s, bool plain)
{
	char quote = *s->p;
	size_t q = s->end - s->p >= 3 && s->p[1] == quote && s->p[2] == quote ? 3 : 1;

	s->kind = T_STRING;
	s->plain = plain;
	s->p += q;
	s->text = s->p;
	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end) {
			s->plain = false;
			s->p++;
		} else if (*s->p == '\n' && q == 1) {
			break;			/* not Python; go on behind it */
		} else if (*s->p == quote && (q == 1 || (s->end - s->p >= 3 && s->p[1] == quote &&
							 s->p[2] == quote))) {
			s->len = (size_t)(s->p - s->text);
			s->p += q;
			return;
		}
	}
	s->len = (size_t)(s->p - s->text);
	s->plain = false;
}

static void next(struct scan *s)
{
	skip_blank(s);
	if (s->p >= s->end) {
		s->kind = T_END;
		return;
	}
	if (*s->p == '\'' || *s->p == '"') {
		take_string(s, true);
		return;
	}
	s->text = s->p;
	s->kind = word(*s->p) ? T_NAME : T_OTHER;
	if (s->kind == T_OTHER) {
		s->p++;
	} else {
		while (s->p < s->end && word(*s->p))
			s->p++;
	}
	s->len = (size_t)(s->p - s->text);
	if (s->kind == T_NAME && s->len <= 2 && s->p < s->end && (*s->p == '\'' || *s->p == '"')) {
		bool harmless = s->len == 1 && strchr("uUrR", *s->text);

		take_string(s, harmless);
	}
}

static bool is(const struct scan *s, const char *what)
{
	return (s->kind == T_NAME || s->kind == T_OTHER) && s->len == strlen(what) &&
		memcmp(s->text, what, s->len) == 0;
}

/* Behind `name =`: one plain literal and then the end of the argument. */
static char *literal(struct scan *s)
{
	char *out;

	next(s);
	if (s->kind != T_STRING || !s->plain)
		return NULL;
	out = xstrndup(s->text, s->len);
	next(s);
	if (is(s, ",") || is(s, ")"))
		return out;
	free(out);
	return NULL;
}

/* Inside setup( : s stands on the bracket. */
static void arguments(struct scan *s, char **name, char **version)
{
	bool argument = true;		/* the next token begins one */
	int depth = 1;

	next(s);
	while (s->kind != T_END && depth) {
		char **to = NULL;

		if (depth == 1 && argument && s->kind == T_NAME)
			to = is(s, "name") ? name : is(s, "version") ? version : NULL;
		argument = depth == 1 && is(s, ",");
		if (is(s, "(") || is(s, "[") || is(s, "{"))
			depth++;
		else if (is(s, ")") || is(s, "]") || is(s, "}"))
			depth--;
		if (!depth)
			return;
		next(s);
		if (to && is(s, "=")) {
			free(*to);
			/* stands on what follows, which the loop looks at */
			*to = literal(s);
		}
	}
}

void pipeline_setup_scan(const char *text, size_t n, char **name, char **version)
{
	struct scan s = { .p = text, .end = text + n };

	*name = *version = NULL;
	for (next(&s); s.kind != T_END;) {
		bool call = s.kind == T_NAME && is(&s, "setup");

		next(&s);
		if (call && is(&s, "(")) {
			arguments(&s, name, version);
			return;
		}
	}
}
