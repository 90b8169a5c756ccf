/* rules_files – rules 67 to 69, 110 and 112: about single files, wherever they lie in a project. */
#include "config.h"

#include <ctype.h>
#include <strings.h>

#include "common/gate/fold.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"
#include "common/base/place.h"

enum { SECRETS_MAX = 1 << 20, PART_MAX = 255 };

static char *path_of(const char *dir, const struct tree_entry *e)
{
	return *dir ? xasprintf("%s/%s", dir, e->name) : xstrdup(e->name);
}

/* ---- secrets ---- */

static bool is_hex(char c)
{
	return isdigit((unsigned char)c) || (c >= 'a' && c <= 'f');
}

static bool is_upper(char c)
{
	return isdigit((unsigned char)c) || isupper((unsigned char)c);
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* The shapes that the services publish: a beginning, and how many of which letters follow. */
static const struct shape {
	const char *begin, *what;
	bool (*letter)(char c);
	size_t n;
} shapes[] = {
	{ "AKIA", "an AWS access key", is_upper, 16 },
	{ "ASIA", "an AWS access key", is_upper, 16 },
	{ "AIza", "a Google API key", is_word, 35 },
	{ "dapi", "a Databricks token", is_hex, 32 },
	{ "ghp_", "a GitHub token", is_word, 36 },
	{ "-----BEGIN ", "a private key", NULL, 0 },
};

static bool is_base64(char c)
{
	return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '=';
}

static bool has_text(const char *at, const char *end, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(end - at) >= n && memcmp(at, text, n) == 0;
}

/* Line breaks and blanks behind at; breaks may be written as texts of JSON and of code have them:
 * \n, and \\n in a text of a text. NULL when there is no break. */
static const char *behind_breaks(const char *at, const char *end)
{
	bool broken = false;

	for (; at < end; at++) {
		const char *p = at;

		while (p < end && *p == '\\')
			p++;
		if (*at == '\n' || *at == '\r' || (p > at && p < end && (*p == 'n' || *p == 'r')))
			broken = true;
		else if (*at != ' ' && *at != '\t')
			break;
		at = p > at ? p : at;
	}
	return broken ? at : NULL;
}

/* "-----BEGIN RSA PRIVATE KEY-----", and behind it what a key is made of: the line alone is what
 * code looks for, or takes away. */
static bool is_private_key(const char *at, const char *end)
{
	enum { LETTERS = 16 };
	static const char tail[] = "PRIVATE KEY-----";
	size_t n = 0;

	while (at < end && (isupper((unsigned char)*at) || *at == ' ') && !has_text(at, end, tail))
		at++;
	if (!has_text(at, end, tail) || !(at = behind_breaks(at + strlen(tail), end)))
		return false;
	while (n < LETTERS && at + n < end && is_base64(at[n]))
		n++;
	return n == LETTERS || has_text(at, end, "Proc-Type:");
}

/* AWS's own documents have such ids for samples. */
static bool is_sample(const char *id, size_t n)
{
	static const char tail[] = "EXAMPLE";

	return memcmp(id + n - strlen(tail), tail, strlen(tail)) == 0;
}

static bool fits(const struct shape *s, const char *at, const char *start, const char *end)
{
	size_t n = strlen(s->begin);

	if ((size_t)(end - at) < n + s->n || memcmp(at, s->begin, n) != 0)
		return false;
	if (!s->letter)
		return is_private_key(at + n, end);
	if (at > start && is_word(at[-1]))
		return false;
	for (size_t i = 0; i < s->n; i++)
		if (!s->letter(at[n + i]))
			return false;
	if (s->letter == is_upper && is_sample(at + n, s->n))
		return false;
	return at + n + s->n == end || !is_word(at[n + s->n]);
}

/*
 * How far a shape that has this letter among its first HEAD ends may still be away: 0 when the
 * letter ends one. Most bytes of a file are in no beginning, and then HEAD of them are passed at
 * once.
 */
enum { HEAD = 4 };

static void make_steps(unsigned char steps[256])
{
	memset(steps, HEAD, 256);
	for (size_t i = 0; i < PS_NELEM(shapes); i++)
		for (unsigned char k = 0; k < HEAD; k++) {
			unsigned char *step = &steps[(unsigned char)shapes[i].begin[k]];

			*step = *step < HEAD - 1 - k ? *step : HEAD - 1 - k;
		}
}

static const struct shape *shape_at(const char *at, const char *start, const char *end)
{
	for (size_t i = 0; i < PS_NELEM(shapes); i++)
		if (*at == *shapes[i].begin && fits(&shapes[i], at, start, end))
			return &shapes[i];
	return NULL;
}

/* The secret itself is never told: findings go to logs and terminals. */
static void secrets(struct rules *r, const char *path, const struct buf *b)
{
	static unsigned char steps[256];
	const char *start = buf_str(b), *end = start + b->len;
	struct place_cursor cursor = { 0 };
	struct place at;

	if (!steps[0])
		make_steps(steps);
	for (const char *p = start; end - p >= HEAD;) {
		size_t step = steps[(unsigned char)p[HEAD - 1]];
		const struct shape *s = step ? NULL : shape_at(p, start, end);

		if (!s) {
			p += step ? step : 1;
			continue;
		}
		at = place_of_byte(&cursor, start, b->len, (size_t)(p - start));
		rule_hit(r, RULE_SECRET, path, (struct doc_pos){ at.line, at.col }, path,
			 "%s; take it out and make a new one", s->what);
		p += strlen(s->begin) + s->n;
	}
}

/* Those in which secrets may stand, and with them all that the other rules read. */
bool rules_file_is_read(const char *name)
{
	static const char *const ends[] = {
		".json", ".conf", ".py",  ".scala", ".sql", ".yml", ".yaml", ".properties", ".sh",
		".cfg",  ".ini",  ".env", ".pem",   ".key", ".txt", ".xml",  ".toml",
	};

	for (size_t i = 0; i < PS_NELEM(ends); i++)
		if (ps_ends(name, ends[i]))
			return true;
	return false;
}

static int look_for_secrets(struct rules *r, const char *path, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = tree_read(r->t, path, SECRETS_MAX, &b, err);

	r->counts.scans++;
	if (rc == 0)
		secrets(r, path, &b);
	buf_clear(&b);
	return rc == PS_ELIMIT ? 0 : rc; /* no source is that large */
}

/* ---- names ---- */

/* Would a terminal be shown it as it is? */
static bool is_printable(const char *name, size_t n)
{
	struct buf safe = BUF_INIT;
	size_t plain = 0;
	bool same;

	while (name[plain] >= 0x20 && name[plain] < 0x7f)
		plain++;
	if (plain == n)
		return true;
	escape_buf(&safe, name, n, false);
	same = strcmp(buf_str(&safe), name) == 0;
	buf_clear(&safe);
	return same;
}

static const char *bad_name(const char *name)
{
	size_t n = strlen(name);

	if (!fs_is_clean_relative(name) || !is_printable(name, n))
		return "control characters, a backslash or bytes that are no UTF-8";
	return n > PART_MAX ? "a name of more than 255 bytes" : NULL;
}

static bool is_built(const char *name)
{
	return ps_ends(name, ".whl") || ps_ends(name, ".jar") || ps_ends(name, ".egg");
}

static int ignoring_case(const void *pa, const void *pb)
{
	const struct tree_entry *a = *(const struct tree_entry *const *)pa,
				*b = *(const struct tree_entry *const *)pb;
	int c = strcasecmp(a->name, b->name);

	return c ? c : strcmp(a->name, b->name);
}

static void same_but_for_case(struct rules *r, const char *dir, const struct tree_list *l)
{
	const struct tree_entry **v = xcalloc(l->n + 1, sizeof(*v));

	for (size_t i = 0; i < l->n; i++)
		v[i] = &l->v[i];
	qsort(v, l->n, sizeof(*v), ignoring_case);
	for (size_t i = 1; i < l->n; i++) {
		char *path;

		if (strcasecmp(v[i - 1]->name, v[i]->name) != 0)
			continue;
		path = path_of(dir, v[i]);
		rule_hit(r, RULE_CASE_FILES, path, (struct doc_pos){ 1, 1 }, path,
			 "differs from '%s' in case alone", v[i - 1]->name);
		free(path);
	}
	free(v);
}

void rules_folder(struct rules *r, const char *dir, const struct tree_list *l)
{
	same_but_for_case(r, dir, l);
	for (size_t i = 0; i < l->n; i++) {
		const char *bad = l->v[i].kind == TREE_DIR ? bad_name(l->v[i].name) : NULL;
		char *path;

		if (!bad)
			continue;
		path = path_of(dir, &l->v[i]);
		rule_hit(r, RULE_NAME, path, (struct doc_pos){ 1, 1 }, path, "%s", bad);
		free(path);
	}
}

int rules_file(struct rules *r, const char *dir, const struct tree_entry *e, struct ps_err *err)
{
	static const struct doc_pos start = { 1, 1 };
	char *path = path_of(dir, e);
	const char *bad = bad_name(e->name);
	int rc = 0;

	if (bad)
		rule_hit(r, RULE_NAME, path, start, path, "%s", bad);
	if (e->kind == TREE_LINK || e->kind == TREE_SUBMODULE)
		rule_hit(r, RULE_LINK, path, start, path, "%s%s",
			 e->kind == TREE_LINK ? "a symbolic link" : "a submodule",
			 strcmp(e->name, PROJECT_FILE) == 0 ? "; no project is seen here" : "");
	else if (is_built(e->name))
		rule_hit(r, RULE_BUILT, path, start, path,
			 "a built file; it is made from the source");
	else if (rules_file_is_read(e->name))
		rc = look_for_secrets(r, path, err);
	free(path);
	return rc;
}
