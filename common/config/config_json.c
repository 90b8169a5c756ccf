/* config_json – a part of penstock.yml that is handed on as it is: a map, as JSON. A plain scalar
 * means what it means in JSON, and everything else is a text: `yes` and `0x1f` stay texts. */
#include <config.h>

#include "common/config/config_read.h"

#include "common/base/buf.h"

/* Aliases may name a node many times over; a definition of a job is never that large. */
enum { JSON_TEXT_MAX = 64 << 10 };

static void add_text(struct buf *out, const char *s)
{
	buf_addch(out, '"');
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			buf_addf(out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			buf_addf(out, "\\u%04x", (unsigned char)*s);
		else
			buf_addch(out, *s);
	buf_addch(out, '"');
}

static size_t digits(const char *s)
{
	return strspn(s, "0123456789");
}

/* The grammar of RFC 8259: -0.5e+3, no leading zero, no lone point. */
static bool is_number(const char *s)
{
	size_t n;

	s += *s == '-';
	n = digits(s);
	if (!n || (n > 1 && *s == '0'))
		return false;
	s += n;
	if (*s == '.') {
		n = digits(s + 1);
		if (!n)
			return false;
		s += n + 1;
	}
	if (*s == 'e' || *s == 'E') {
		s += s[1] == '+' || s[1] == '-' ? 2 : 1;
		n = digits(s);
		if (!n)
			return false;
		s += n;
	}
	return !*s;
}

static void add_scalar(struct buf *out, const struct conf_node *node)
{
	if (conf_node_is_null(node))
		buf_adds(out, "null");
	else if (node->plain && (ps_streq(node->text, "true") || ps_streq(node->text, "false") ||
				 is_number(node->text)))
		buf_adds(out, node->text);
	else
		add_text(out, node->text);
}

/* As deep as the document, which has a bound. */
static void add_node(struct buf *out, const struct conf_node *node)
{
	if (out->len > JSON_TEXT_MAX)
		return;
	if (node->kind == CONF_TEXT) {
		add_scalar(out, node);
		return;
	}
	buf_addch(out, node->kind == CONF_MAP ? '{' : '[');
	for (size_t i = 0; i < node->n; i++) {
		if (i)
			buf_addch(out, ',');
		if (node->kind == CONF_MAP) {
			add_text(out, node->pairs[i].key->text);
			buf_addch(out, ':');
		}
		add_node(out, node->kind == CONF_MAP ? node->pairs[i].value : node->items[i]);
	}
	buf_addch(out, node->kind == CONF_MAP ? '}' : ']');
}

/* Every key is one of the row's words, and its value a text. */
static bool are_words(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node)
{
	char near[320];
	bool ok = true;
	size_t n = 0;

	while (k->words[n])
		n++;
	for (size_t i = 0; i < node->n; i++) {
		const struct conf_node *key = node->pairs[i].key, *value = node->pairs[i].value;
		size_t at = 0;

		while (at < n && strcmp(k->words[at], key->text) != 0)
			at++;
		if (at < n && value->kind == CONF_TEXT && *value->text)
			continue;
		if (at == n)
			conf_error(r, key->pos, "PS-CONF-005", "unknown key '%s' in '%s'%s",
				   key->text, k->name,
				   conf_nearest(near, key->text, k->words, n));
		else
			conf_error(r, value->pos, "PS-CONF-007", "'%s' must be a text", key->text);
		ok = false;
	}
	return ok;
}

bool conf_read_json(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		    void *at)
{
	struct buf out = BUF_INIT;
	bool ok = false;

	if (node->kind != CONF_MAP)
		conf_error(r, node->pos, "PS-CONF-007", "'%s' must be a map", k->name);
	else if (!k->words || are_words(r, k, node))
		ok = true;
	if (ok)
		add_node(&out, node);
	if (out.len > JSON_TEXT_MAX) {
		conf_error(r, node->pos, "PS-CONF-010", "'%s' is longer than allowed", k->name);
		ok = false;
	}
	if (ok) {
		free(*(char **)at);
		*(char **)at = buf_steal(&out);
	}
	buf_clear(&out);
	return ok;
}
