/* diag – see diag.h. */
#include "config.h"

#include "common/base/diag.h"

#include "common/base/buf.h"
#include "common/base/escape.h"

static void add(struct diag_list *l, enum diag_severity severity, const char *key, const char *path,
		unsigned line, unsigned col, const char *code, const char *fmt, va_list ap)
{
	struct diag *d;

	l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
	d = &l->v[l->n++];
	*d = (struct diag) {
		.severity = severity, .path = xstrdup(path), .line = line ? line : 1,
		.col = col ? col : 1, .code = code, .text = xvasprintf(fmt, ap),
		.key = key ? xstrdup(key) : NULL,
	};
	l->errors += severity == DIAG_ERROR;
}

void diag_add(struct diag_list *l, enum diag_severity severity, const char *path, unsigned line,
	      unsigned col, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(l, severity, NULL, path, line, col, code, fmt, ap);
	va_end(ap);
}

void diag_add_key(struct diag_list *l, enum diag_severity severity, const char *key,
		  const char *path, unsigned line, unsigned col, const char *code, const char *fmt,
		  ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(l, severity, key, path, line, col, code, fmt, ap);
	va_end(ap);
}

void diag_hint(struct diag_list *l, const char *fmt, ...)
{
	struct diag *d = &l->v[l->n - 1];
	va_list ap;

	free(d->hint);
	va_start(ap, fmt);
	d->hint = xvasprintf(fmt, ap);
	va_end(ap);
}

void diag_copy(struct diag_list *l, enum diag_severity severity, const struct diag *d,
	       const char *path, const char *key)
{
	struct diag *to;

	l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
	to = &l->v[l->n++];
	*to = *d;
	to->severity = severity;
	to->path = xstrdup(path ? path : d->path);
	to->text = xstrdup(d->text);
	to->key = xstrdup_null(key ? key : d->key);
	to->hint = xstrdup_null(d->hint);
	to->source = xstrdup_null(d->source);
	l->errors += severity == DIAG_ERROR;
}

void diag_demote(struct diag_list *l, size_t i)
{
	if (l->v[i].severity == DIAG_ERROR)
		l->errors--;
	l->v[i].severity = DIAG_WARNING;
}

void diag_move(struct diag_list *to, struct diag_list *from)
{
	for (size_t i = 0; i < from->n; i++) {
		to->v = xgrow(to->v, to->n, &to->cap, sizeof(*to->v));
		to->v[to->n++] = from->v[i];
	}
	to->errors += from->errors;
	free(from->v);
	*from = (struct diag_list)DIAG_LIST_INIT;
}

static int num(unsigned a, unsigned b)
{
	return (a > b) - (a < b);
}

static int compare(const void *pa, const void *pb)
{
	const struct diag *a = pa, *b = pb;
	int c = strcmp(a->path, b->path);

	if (!c)
		c = num(a->line, b->line);
	if (!c)
		c = num(a->col, b->col);
	if (!c)
		c = strcmp(a->code, b->code);
	if (!c)
		c = strcmp(a->text, b->text);
	return c ? c : (int)a->severity - (int)b->severity;
}

static void diag_free(struct diag *d)
{
	free(d->path);
	free(d->text);
	free(d->key);
	free(d->hint);
	free(d->source);
}

void diag_sort(struct diag_list *l)
{
	size_t kept = 0;

	if (!l->n)
		return;
	qsort(l->v, l->n, sizeof(*l->v), compare);
	for (size_t i = 1; i < l->n; i++) {
		if (compare(&l->v[kept], &l->v[i]) == 0) {
			l->errors -= l->v[i].severity == DIAG_ERROR;
			diag_free(&l->v[i]);
		} else {
			l->v[++kept] = l->v[i];
		}
	}
	l->n = kept + 1;
}

static void print_one(struct buf *out, const struct diag *d)
{
	escape_buf(out, d->path, strlen(d->path), false);
	if (*d->path)
		buf_addf(out, ":%u:%u: ", d->line, d->col);
	buf_addf(out, "%s: ", d->severity == DIAG_ERROR ? "error" : "warning");
	escape_buf(out, d->text, strlen(d->text), false);
	buf_addf(out, " [%s]\n", d->code);
}

static void print_more(struct buf *out, const struct diag_list *l, size_t shown)
{
	if (shown < l->n)
		buf_addf(out, "and %zu more\n", l->n - shown);
}

void diag_print(struct buf *out, const struct diag_list *l, size_t max)
{
	size_t shown = max && l->n > max ? max : l->n;

	for (size_t i = 0; i < shown; i++)
		print_one(out, &l->v[i]);
	print_more(out, l, shown);
}

enum { SOURCE_WIDTH = 72 };

/* How many bytes the next character has; what is no UTF-8 counts byte by byte. */
static size_t char_len(const char *p)
{
	size_t n = utf8_len((const unsigned char *)p, strlen(p));

	return n ? n : 1;
}

/* Appends one character as it may be printed; how many columns it takes. */
static size_t add_char(struct buf *out, const char *p, size_t n)
{
	size_t was = out->len;

	if (*p == '\t')
		buf_addch(out, ' ');
	else
		escape_buf(out, p, n, false);
	return out->len - was == n ? 1 : out->len - was;
}

/* A window of the line around the column: long lines are usual in JSON. */
static void print_source(struct buf *out, const struct diag *d)
{
	unsigned first = d->col > SOURCE_WIDTH / 2 ? d->col - SOURCE_WIDTH / 2 : 1;
	unsigned col = d->source_col ? d->source_col : 1;
	const char *p = d->source, *lead = first > 1 ? "    ..." : "    ";
	size_t width = strlen(lead), caret = 0;

	buf_adds(out, lead);
	for (; *p && col < first; col++)
		p += char_len(p);
	for (; *p && col < first + SOURCE_WIDTH; col++) {
		size_t n = char_len(p);

		if (col == d->col)
			caret = width;
		width += add_char(out, p, n);
		p += n;
	}
	if (col == d->col)		/* just behind the end: something is missing there */
		caret = width;
	buf_adds(out, *p ? "...\n" : "\n");
	if (caret)
		buf_addf(out, "%*s^\n", (int)caret, "");
}

void diag_print_source(struct buf *out, const struct diag_list *l, size_t max)
{
	size_t shown = max && l->n > max ? max : l->n;

	for (size_t i = 0; i < shown; i++) {
		const struct diag *d = &l->v[i];

		print_one(out, d);
		if (d->source)
			print_source(out, d);
		if (d->hint) {
			buf_adds(out, "    hint: ");
			escape_buf(out, d->hint, strlen(d->hint), false);
			buf_addch(out, '\n');
		}
	}
	print_more(out, l, shown);
}

void diag_cut(struct diag_list *l, size_t n)
{
	while (l->n > n) {
		struct diag *d = &l->v[--l->n];

		l->errors -= d->severity == DIAG_ERROR;
		diag_free(d);
	}
}

void diag_clear(struct diag_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		diag_free(&l->v[i]);
	free(l->v);
	*l = (struct diag_list)DIAG_LIST_INIT;
}
