/* pbtconf_value – see pbtconf_parts.h. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/buf.h"
#include "common/base/escape.h"
#include "common/project/pbtconf_parts.h"

void pbtconf_error(struct pbtconf_reading *r, struct doc_pos at, const char *code, const char *fmt,
		   ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_add(r->out, DIAG_ERROR, r->file, at.line, at.col, code, "%s", text);
}

void pbtconf_leave(struct pbtconf_reading *r, struct doc_pos at, char *what, char *why)
{
	struct pbtconf *c = r->c;

	c->left = xgrow(c->left, c->nleft, &r->cap_left, sizeof(*c->left));
	c->left[c->nleft++] = (struct pbtconf_left){
		.where = at.line ? xasprintf("%s:%u:%u", r->file, at.line, at.col)
				 : xstrdup(r->file),
		.what = what,
		.why = why,
	};
}

static bool has_controls(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

const char *pbtconf_text(struct pbtconf_reading *r, const struct doc_node *map, const char *key,
			 bool needed)
{
	const struct doc_node *v = doc_get(map, key);
	const char *text;

	if (!v || v->kind == DOC_NULL) {
		if (needed)
			pbtconf_error(r, map->at, "PS-PBT-003",
				      "'%s' is missing: write it, as Prophecy's "
				      "tool needs it too",
				      key);
		return NULL;
	}
	text = doc_text(v);
	if (!text || has_controls(text)) {
		pbtconf_error(r, v->at, "PS-PBT-003", "'%s' must be a text on one line, not %s",
			      key, text ? "one with control characters" : doc_kind_word(v->kind));
		return NULL;
	}
	return text;
}

/* That tool takes letters, digits and '_' for a name; nothing else may come into a command. */
char *pbtconf_variable(const char *text)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t n = ps_starts(text, "{{") ? strspn(text + 2, letters) : 0;

	return n && ps_starts(text + 2 + n, "}}") ? xstrndup(text + 2, n) : NULL;
}

char *pbtconf_resolved(struct pbtconf_reading *r, const struct doc_node *map, const char *key,
		       bool needed)
{
	const char *text = pbtconf_text(r, map, key, needed), *value;
	char *name = text ? pbtconf_variable(text) : NULL;

	if (!name)
		return xstrdup_null(text);
	value = r->env(name);
	if (!value || !*value || has_controls(value)) {
		pbtconf_error(r, doc_get(map, key)->at, "PS-PBT-004",
			      "'%s' stands in the variable %s, "
			      "which %s here: set it, and import again",
			      key, name, !value || !*value ? "is not set" : "has no plain text");
		value = NULL;
	}
	free(name);
	return xstrdup_null(value);
}

const struct doc_node *pbtconf_list(struct pbtconf_reading *r, const struct doc_node *map,
				    const char *key)
{
	const struct doc_node *v = doc_get(map, key);

	if (!v || v->kind == DOC_NULL || v->kind == DOC_LIST)
		return v && v->kind == DOC_LIST ? v : NULL;
	pbtconf_error(r, v->at, "PS-PBT-003", "'%s' must be a list, not %s", key,
		      doc_kind_word(v->kind));
	return NULL;
}

bool pbtconf_is_map(struct pbtconf_reading *r, const struct doc_node *item, const char *what)
{
	if (doc_is(item, DOC_MAP))
		return true;
	pbtconf_error(r, item->at, "PS-PBT-003", "%s must be a map, not %s", what,
		      doc_kind_word(item->kind));
	return false;
}

void pbtconf_unknown(struct pbtconf_reading *r, const struct doc_node *map, const char *where,
		     const char *const *known)
{
	for (size_t i = 0; doc_is(map, DOC_MAP) && i < map->n; i++) {
		const struct doc_pair *p = &map->pairs[i];
		struct buf key = BUF_INIT;
		size_t k = 0;

		while (known[k] && !(doc_text(p->key) && strcmp(known[k], doc_text(p->key)) == 0))
			k++;
		if (known[k] || p->value->kind == DOC_NULL)
			continue;
		escape_buf(&key, p->key->text, p->key->len, false);
		pbtconf_leave(r, p->key->at, xasprintf("%s: %s", where, buf_str(&key)),
			      xstrdup("penstock does not know this key"));
		buf_clear(&key);
	}
}
