/* entry_copy – see entry_copy.h. */
#include "config.h"

#include "common/project/entry_copy.h"

#include "common/base/escape.h"

enum { CHANGES_MAX = 8 };

struct edit { size_t at, len; const char *text; };	/* in the file's bytes */

struct copying {
	const struct project *p;
	const char *bytes;
	size_t n;
	const struct doc_node *jobs;
	size_t index;			/* of the entry in jobs */
	size_t from, to;		/* its lines */
	struct edit edits[CHANGES_MAX + 1];
	size_t nedits;
};

static int refuse(struct ps_err *err, unsigned line, const char *why)
{
	return ps_err_set(err, PS_EINVAL, PROJECT_FILE ":%u: %s: write the entry by hand", line,
			  why);
}

/* Where a line (from 1) begins. */
static size_t line_at(const struct copying *c, unsigned line)
{
	size_t at = 0;

	for (unsigned i = 1; i < line && at < c->n; i++) {
		const char *end = memchr(c->bytes + at, '\n', c->n - at);

		at = end ? (size_t)(end - c->bytes) + 1 : c->n;
	}
	return at;
}

/* Columns count characters. A byte order mark is none. */
static size_t place_of(const struct copying *c, struct doc_pos pos)
{
	size_t at = line_at(c, pos.line);

	if (at == 0 && ps_starts(c->bytes, "\xef\xbb\xbf"))
		at = 3;
	for (unsigned i = 1; i < pos.col && at < c->n; i++) {
		size_t len = utf8_len((const unsigned char *)c->bytes + at, c->n - at);

		at += len ? len : 1;
	}
	return at;
}

/* The bytes of a scalar that stands on one line; 0: it has another form. */
static size_t token_length(const struct copying *c, size_t at, const struct doc_node *node)
{
	const char *s = c->bytes + at;
	char quote = *s;
	size_t n = 1;

	if (!node->quoted)
		return at + node->len <= c->n && memcmp(s, node->text, node->len) == 0 ? node->len :
			0;
	if (quote != '"' && quote != '\'')
		return 0;
	for (; at + n < c->n && s[n] != '\n'; n++) {
		if (quote == '"' && s[n] == '\\')
			n++;
		else if (s[n] == quote && s[n + 1] == quote && quote == '\'')
			n++;
		else if (s[n] == quote)
			return n + 1;
	}
	return 0;
}

static int add_edit(struct copying *c, const struct doc_node *node, const char *text,
		    struct ps_err *err)
{
	size_t at = place_of(c, node->at), len = token_length(c, at, node), i;

	if (!len || at < c->from || at + len > c->to)
		return refuse(err, node->at.line, "a value has a form that cannot be replaced");
	/* in the order of the file */
	for (i = c->nedits++; i && c->edits[i - 1].at > at; i--)
		c->edits[i] = c->edits[i - 1];
	c->edits[i] = (struct edit) { at, len, text };
	return 0;
}

static bool is_blank_line(const struct copying *c, size_t at, size_t end)
{
	while (at < end && strchr(" \t\r\n", c->bytes[at]))
		at++;
	return at == end || c->bytes[at] == '#';
}

/* The entry's own lines: to the next key, without what stands in front of that. */
static int find_lines(struct copying *c, struct ps_err *err)
{
	const struct doc_pair *pair = &c->jobs->pairs[c->index];
	const struct doc_node *root = c->p->doc->root, *next = NULL;
	size_t key = place_of(c, pair->key->at);

	if (c->index + 1 < c->jobs->n)
		next = c->jobs->pairs[c->index + 1].key;
	for (size_t i = 0; !next && i + 1 < root->n; i++)
		if (root->pairs[i].value == c->jobs)
			next = root->pairs[i + 1].key;
	c->from = line_at(c, pair->key->at.line);
	c->to = next ? line_at(c, next->at.line) : c->n;
	if (!doc_is(pair->value, DOC_MAP) || !pair->value->n ||
	    pair->value->pairs[0].key->at.line <= pair->key->at.line ||
	    strspn(c->bytes + c->from, " ") != key - c->from || c->to <= c->from)
		return refuse(err, pair->key->at.line, "the entry is not one of lines of its own");
	for (size_t at = c->from, end, keep = c->from; at < c->to; at = end) {
		const char *nl = memchr(c->bytes + at, '\n', c->to - at);

		end = nl ? (size_t)(nl - c->bytes) + 1 : c->to;
		keep = is_blank_line(c, at, end) ? keep : end;
		if (end == c->to)
			c->to = keep;
	}
	return 0;
}

static void write_copy(const struct copying *c, struct buf *out)
{
	size_t at = c->from;

	buf_add(out, c->bytes, c->to);
	if (c->to && c->bytes[c->to - 1] != '\n')
		buf_addch(out, '\n');
	for (size_t i = 0; i < c->nedits; i++) {
		buf_add(out, c->bytes + at, c->edits[i].at - at);
		buf_adds(out, c->edits[i].text);
		at = c->edits[i].at + c->edits[i].len;
	}
	buf_add(out, c->bytes + at, c->to - at);
	buf_add(out, c->bytes + c->to, c->n - c->to);
}

/* What was written says what it shall, read as everybody reads it. */
static bool is_as_meant(const struct copying *c, const struct buf *file, const char *as,
			const struct entry_change *changes, size_t n)
{
	struct doc_fault fault;
	struct doc *d = NULL;
	const struct doc_node *jobs, *entry;
	bool ok = doc_yaml(&d, buf_str(file), file->len, &fault) == 0;

	jobs = ok ? doc_get(d->root, "jobs") : NULL;
	entry = doc_get(jobs, as);
	ok = entry && jobs->n == c->jobs->n + 1 && d->root->n == c->p->doc->root->n &&
		entry->n == c->jobs->pairs[c->index].value->n;
	for (size_t i = 0; i < n && ok; i++) {
		const struct doc_node *was = doc_get(c->jobs->pairs[c->index].value,
						     changes[i].member);
		const struct doc_node *is = doc_get(entry, changes[i].member);

		ok = is && is->kind == was->kind && ps_streq(doc_text(is), changes[i].value);
	}
	doc_free(d);
	return ok;
}

static int find_entry(struct copying *c, const char *from, const char *as, struct ps_err *err)
{
	c->jobs = doc_get(c->p->doc ? c->p->doc->root : NULL, "jobs");
	if (doc_get(c->jobs, as))
		return ps_err_set(err, PS_ECONFLICT, PROJECT_FILE " has an entry '%s' already", as);
	for (c->index = 0; doc_is(c->jobs, DOC_MAP) && c->index < c->jobs->n; c->index++)
		if (ps_streq(doc_string(c->jobs->pairs[c->index].key), from) &&
		    !c->jobs->pairs[c->index].hidden)
			return 0;
	return ps_err_set(err, PS_ENOENT, PROJECT_FILE " has no job '%s'", from);
}

int entry_copy(const struct project *p, const char *from, const char *as,
	       const struct entry_change *changes, size_t n, struct buf *out, struct ps_err *err)
{
	struct copying c = { .p = p, .bytes = buf_str(&p->bytes), .n = p->bytes.len };
	struct buf made = BUF_INIT;
	int rc = find_entry(&c, from, as, err);

	PS_BUG_IF(n > CHANGES_MAX, "%zu changes of an entry", n);
	if (rc == 0)
		rc = find_lines(&c, err);
	if (rc == 0)
		rc = add_edit(&c, c.jobs->pairs[c.index].key, as, err);
	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct doc_node *node = doc_get(c.jobs->pairs[c.index].value,
						      changes[i].member);

		rc = node ? add_edit(&c, node, changes[i].value, err) :
			ps_err_set(err, PS_ENOENT, PROJECT_FILE ": '%s' has no '%s'", from,
				   changes[i].member);
	}
	if (rc == 0) {
		write_copy(&c, &made);
		if (is_as_meant(&c, &made, as, changes, n))
			buf_add(out, buf_str(&made), made.len);
		else
			rc = refuse(err, c.jobs->pairs[c.index].key->at.line,
				    "a copy of the entry would not mean what it shall");
	}
	buf_clear(&made);
	return rc;
}
