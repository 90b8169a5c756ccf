/*
 * redact – penstock.yml for eyes that may not see where credentials are: comments become blanks,
 * the references become x, and every other character keeps its line and column, so findings and
 * rules print the same places. The result parses to the same configuration but for those
 * references.
 */
#include <config.h>

#include "common/config/redact.h"

#include <yaml.h>

#include "common/base/buf.h"
#include "common/base/escape.h"

/* Marks, per character, what belongs to a token; what does not is blank or a comment. */
static bool mark_tokens(bool *keep, size_t chars, const char *bytes, size_t n)
{
	yaml_parser_t parser;
	yaml_token_t token;
	bool more = true, ok = true;

	PS_BUG_IF(!yaml_parser_initialize(&parser), "no memory for a YAML parser");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)bytes, n);
	while (more && ok) {
		ok = yaml_parser_scan(&parser, &token);
		if (!ok)
			break;
		more = token.type != YAML_STREAM_END_TOKEN;
		for (size_t i = token.start_mark.index; i < token.end_mark.index && i < chars; i++)
			keep[i] = true;
		yaml_token_delete(&token);
	}
	yaml_parser_delete(&parser);
	return ok;
}

/* The character that stands for number i of a reference: quotes stay, a path begins with '/'. */
static char stand_in(const struct conf_span *s, size_t i, char quote)
{
	bool quoted = quote == '"' || quote == '\'';

	if (quoted && (i == s->from || i + 1 == s->to))
		return quote;
	if (s->kind == CONF_SECRET_FILE && i == s->from + quoted)
		return '/';
	return 'x';
}

static const struct conf_span *span_at(const struct config *c, size_t i)
{
	for (size_t k = 0; k < c->nsecrets; k++)
		if (i >= c->secrets[k].from && i < c->secrets[k].to)
			return &c->secrets[k];
	return NULL;
}

int config_redact(struct buf *out, const struct config *c, const char *bytes, size_t n,
		  struct ps_err *err)
{
	bool *keep = xcalloc(n + 1, sizeof(bool));
	char quote = 0;
	bool ok = mark_tokens(keep, n, bytes, n);

	for (size_t at = 0, i = 0, len; ok && at < n; at += len, i++) {
		const struct conf_span *s = span_at(c, i);

		len = utf8_len((const unsigned char *)bytes + at, n - at);
		len += !len;
		if (s && i == s->from)
			quote = bytes[at];
		if (s)
			buf_addch(out, stand_in(s, i, quote));
		else if (keep[i] || bytes[at] == '\n' || bytes[at] == '\r')
			buf_add(out, bytes + at, len);
		else
			buf_addch(out, ' ');
	}
	free(keep);
	return ok ? 0 : ps_err_set(err, PS_EINVAL,
				   "the configuration cannot be read a second time");
}
