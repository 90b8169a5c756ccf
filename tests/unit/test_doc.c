/*
 * Units of the YAML and JSON readers: positions, repeated keys, limits, and the comparison with
 * PyYAML's safe_load over every form that project files use, and over mutants of them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/project/doc.h"
#include "tests/support/gitdir.h"

static struct doc_fault fault;
static const char *support = "tests/support";

/* Every form of YAML that project files are known to use, or that a hand edit may legally use. */
static const struct { const char *name, *text; } forms[] = {
	{ "plain", "name: demo\nversion: 1.0.0\nauthor: a+b@example.net\n" },
	{ "single", "name: 'it''s'\nversion: '1.0'\ncreated: '2023-07-28 19:54:27'\n" },
	{ "flow", "pipelines: {}\njobs: {}\nlist: []\ndependencies: '[]'\n" },
	{ "flow full", "a: {b: 1, 'c': [x, y, {z: null}], d: \"e\"}\n" },
	{ "null bool", "a: null\nb: true\nc: false\nd: ~\ne:\nf: Null\n" },
	{ "same indent", "a:\n- x\n- y: 1\n  z: 2\nb:\n  c:\n  - d\n" },
	{ "deeper", "a:\n    - x\n    -   y: 1\n        z: 2\n" },
	{ "both indents", "a:\n- x\nb:\n  - y\n" },
	{ "folded plain", "description: one two\n  three four\n\n  five\nb: 1\n" },
	{ "folded single", "description: 'one two\n\n  three''s\n  four'\nb: 1\n" },
	{ "literal", "description: |\n  one\n   two\n\n  three\nb: 1\n" },
	{ "literal strip", "a: |-\n  x\n\nb: >+\n  y\n  z\n\nc: >2\n    w\n" },
	{ "double", "a: \"x\\n\\u00e9\\\n   y\n  z \\\"q\\\" \\x41\"\n" },
	{ "non-ascii",
	  "name: \"caf\303\251 \346\227\245\346\234\254\"\nb: na\303\257ve \360\237\230\200\n" },
	{ "explicit key", "? a rather long key\n: value\n? b\n: - 1\n  - 2\n" },
	{ "comments", "# top\na: 1 # one\n# between\nb: '#no'\nc: x#y\n" },
	{ "anchors", "a: &x {k: 1}\nb: *x\nc: &y [1, 2]\nd: *y\ne: &z word\nf: *z\n" },
	{ "merge", "a: &x {k: 1, l: 2}\nb: &w {m: 5}\nc:\n  <<: *x\n  l: 3\nd:\n  <<: [*x, *w]\n  k: 9\n" },
	{ "tags", "a: !!str 12\nb: !!int '7'\nc: !!map {}\nd: !!seq [1]\ne: ! 5\n" },
	{ "document", "---\na: 1\n...\n" },
	{ "directive", "%YAML 1.1\n---\na: 1\n" },
	{ "two documents", "a: 1\n---\nb: 2\n" },
	{ "implicit null", "a:\nb:\n  c:\n" },
	{ "yes no", "a: yes\nb: No\nc: ON\nd: off\ne: y\nf: 'yes'\ng: yEs\n" },
	{ "numbers",
	  "a: 1.10\nb: 010\nc: 0x1F\nd: 0b101\ne: 1_000\nf: 1:30\ng: -5\nh: 08\ni: 1e3\nj: 1.5e+3\n"
		     "k: .5\nl: .inf\nm: -.INF\nn: .nan\no: +7\np: 1.2.3\nq: 3.0.0-5\nr: 0\ns: "
	  "-0\nt: 1__2\n" },
	{ "times", "a: 2023-07-28\nb: 2023-07-28 19:54:27\nc: 2023-07-28T19:54:27.5Z\nd: 2023-7-8\n" },
	{ "duplicate", "a: 1\nb: 2\na: 3\n" },
	{ "number keys", "1: a\nnull: c\n'1': e\n" },
	{ "crlf", "a: 1\r\nb:\r\n- x\r\n- y\r\nc: |\r\n  t\r\n  u\r\n" },
	{ "bom", "\357\273\277a: 1\nb: 2\n" },
	{ "no newline", "a: 1\nb: 2" },
	{ "empty", "" },
	{ "only comment", "# nothing\n" },
	{ "scalar", "just text\n" },
	{ "list", "- a\n- b\n" },
	{ "colons", "a: b:c\nurl: https://example.net/x?y=z\nrepositoryPath: "
	  "gitUri=http://h/r.git&subPath=/p\n" },
	{ "odd keys",
	  "pipelines/a-b: {}\n.prophecy/metadata/x: {}\n'quoted key': 1\n\"double\": 2\n" },
	{ "equals", "a: =\n" },
	{ "equals key", "=: 1\n" },
	{ "merge value", "a: <<\n" },
	{ "tab", "a:\tb\nc: d\te\n" },
	{ "tab indent", "a:\n\tb: 1\n" },
	{ "conflict", "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> x\n" },
	{ "unhashable", "? [a, b]\n: 1\n" },
	{ "unknown tag", "a: !thing 1\n" },
	{ "undefined alias", "a: *nobody\n" },
	{ "bad indent", "a:\n  b: 1\n c: 2\n" },
	{ "unclosed", "a: [1, 2\nb: 3\n" },
	{ "quote open", "a: 'x\nb: 2\n" },
	{ "reserved", "a: @x\n" },
	{ "control", "a: \001\n" },
	{ "latin1", "a: caf\351\n" },
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void dump(struct buf *out, const struct doc_node *v, unsigned depth)
{
	char **parts;

	if (depth > 40) {
		buf_adds(out, "deep");
		return;
	}
	switch (v ? v->kind : DOC_NULL) {
	case DOC_NULL:
		buf_adds(out, "null");
		return;
	case DOC_BOOL:
		buf_adds(out, v->num ? "true" : "false");
		return;
	case DOC_INT:
		if (v->num >= INT64_C(1) << 62 || v->num <= -(INT64_C(1) << 62))
			buf_adds(out, "ibig");
		else
			buf_addf(out, "i%lld", (long long)v->num);
		return;
	case DOC_FLOAT:
		buf_adds(out, "float");
		return;
	case DOC_TIME:
		buf_adds(out, "time");
		return;
	case DOC_STRING:
		buf_addf(out, "s%zu:", v->len);
		for (size_t i = 0; i < v->len; i++)
			buf_addch(out, v->text[i] ? v->text[i] : '\1');
		return;
	case DOC_LIST:
		buf_addch(out, '[');
		for (size_t i = 0; i < v->n; i++) {
			dump(out, v->items[i], depth + 1);
			buf_addch(out, ',');
		}
		buf_addch(out, ']');
		return;
	case DOC_MAP:
		break;
	}
	parts = xcalloc(v->n + 1, sizeof(char *));
	buf_addch(out, '{');
	for (size_t i = 0, n = 0; i <= v->n; i++) {
		struct buf one = BUF_INIT;
		bool later = false;

		if (i == v->n) {
			qsort(parts, n, sizeof(char *), by_text);
			for (size_t k = 0; k < n; k++) {
				buf_adds(out, parts[k]);
				free(parts[k]);
			}
			break;
		}
		for (size_t k = i + 1; k < v->n && !later; k++)
			later = v->pairs[k].key->kind == v->pairs[i].key->kind &&
				strcmp(v->pairs[k].key->text, v->pairs[i].key->text) == 0;
		if (later)
			continue;		/* the last one wins */
		dump(&one, v->pairs[i].key, depth + 1);
		buf_addch(&one, '=');
		dump(&one, v->pairs[i].value, depth + 1);
		buf_addch(&one, ',');
		parts[n++] = buf_steal(&one);
	}
	free(parts);
	buf_addch(out, '}');
}

static uint32_t random_state;

static uint32_t next_random(uint32_t below)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % below;
}

/* One to three small wounds: a byte changed, a line doubled, moved or cut. */
static void mutate(struct buf *b, const char *text)
{
	static const char pool[] = " \n\t:-'\"#[]{}&*!|>%@,?=<~a1.\r\\0";
	char *m;
	size_t n;

	buf_reset(b);
	buf_adds(b, text);
	for (uint32_t wounds = 1 + next_random(3); wounds && b->len; wounds--) {
		size_t at = next_random((uint32_t)b->len);

		m = b->data;
		n = b->len;
		switch (next_random(4)) {
		case 0:
			m[at] = pool[next_random(sizeof(pool) - 1)];
			break;
		case 1:				/* drop one */
			memmove(m + at, m + at + 1, n - at - 1);
			b->len--;
			break;
		case 2: {			/* insert one */
			char *tail = xstrndup(m + at, n - at);

			b->len = at;
			buf_addch(b, pool[next_random(sizeof(pool) - 1)]);
			buf_add(b, tail, n - at);
			free(tail);
			break;
		}
		default:			/* cut the rest */
			if (next_random(3) == 0)
				b->len = at;
			break;
		}
	}
}

static void write_bytes(const char *path, const char *p, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Returns 1 when PyYAML and we agree, 0 when we accept more, and fails when we refuse what it
 * takes. */
static bool compare(const char *stem, const struct buf *text)
{
	char *path = xasprintf("y/%s.out", stem);
	struct buf theirs = BUF_INIT, ours = BUF_INIT;
	struct doc *d = NULL;
	int rc = doc_yaml(&d, buf_str(text), text->len, &fault);
	bool same;

	assert_int_equal(fs_read(&theirs, AT_FDCWD, path, 1 << 20, NULL), 0);
	if (rc == 0)
		dump(&ours, d->root, 0);
	else
		buf_adds(&ours, "refused");
	same = theirs.len == ours.len && memcmp(buf_str(&theirs), buf_str(&ours), ours.len) == 0;
	if (!same && strcmp(buf_str(&theirs), "refused") != 0 && rc != PS_ELIMIT &&
	    !strstr(buf_str(&theirs), "other") && !strstr(buf_str(text), "!!int")) {
		print_message("%s:\n%.*s\n-- PyYAML: %s\n-- ours:   %s (%s)\n", stem,
			      (int)text->len, buf_str(text), buf_str(&theirs), buf_str(&ours),
			      fault.text);
		fail();
	}
	buf_clear(&theirs);
	buf_clear(&ours);
	doc_free(d);
	free(path);
	return same;
}

static void reads_as_pyyaml_does(void **state)
{
	enum { MUTANTS = 12 };
	struct buf *texts = xcalloc(PS_NELEM(forms) * (MUTANTS + 1), sizeof(*texts));
	size_t n = 0, agree = 0;
	char *line;
	int rc;

	(void)state;
	assert_int_equal(mkdir("y", 0755), 0);
	for (size_t i = 0; i < PS_NELEM(forms); i++) {
		for (int k = 0; k <= MUTANTS; k++, n++) {
			char path[64];

			random_state = (uint32_t)(i * 1000 + (size_t)k);
			if (k)
				mutate(&texts[n], forms[i].text);
			else
				buf_adds(&texts[n], forms[i].text);
			snprintf(path, sizeof(path), "y/%zu.yml", n);
			write_bytes(path, buf_str(&texts[n]), texts[n].len);
		}
	}
	line = xasprintf("/usr/bin/python3 '%s/pyyaml_dump.py' y", support);
	rc = system(line);
	free(line);
	for (size_t i = 0; i < n; i++) {
		char stem[32];

		snprintf(stem, sizeof(stem), "%zu", i);
		if (rc == 0) {
			bool same = compare(stem, &texts[i]);

			agree += same;
			if (!same && i % (MUTANTS + 1) == 0)
				print_message("note: we accept '%s', PyYAML does not\n",
					      forms[i / (MUTANTS + 1)].name);
		}
		buf_clear(&texts[i]);
	}
	free(texts);
	if (WIFEXITED(rc) && WEXITSTATUS(rc) == 77)
		skip();
	assert_int_equal(rc, 0);
	print_message("%zu of %zu texts read alike\n", agree, n);
	assert_true(agree * 100 >= n * 97);
}

static void positions_and_repeats(void **state)
{
	static const char text[] = "a: 1\n'\303\251\303\251': {b: [x,\t'y']}\na: 2\n";
	const struct doc_node *list;
	struct doc *d;

	(void)state;
	assert_int_equal(doc_yaml(&d, text, sizeof(text) - 1, &fault), 0);
	assert_int_equal(d->root->n, 3);
	assert_true(d->root->pairs[2].repeats && !d->root->pairs[0].repeats);
	assert_int_equal(d->root->pairs[2].key->at.line, 3);
	assert_int_equal(doc_get(d->root, "a")->num, 2);
	list = doc_path(d->root, "\303\251\303\251", "b", NULL);
	assert_true(doc_is(list, DOC_LIST));
	assert_int_equal(list->items[1]->at.line, 2);
	assert_int_equal(list->items[1]->at.col, 15);
	assert_null(doc_path(d->root, "a", "b", NULL));
	doc_free(d);
}

static const struct { const char *name, *text; int rc; unsigned line, col; bool cut; } faults[] = {
	{ "json cut", "{\"a\": [1,\n 2", PS_EINVAL, 2, 3, true },
	{ "json cut in a text", "{\"a\": \"\303", PS_EINVAL, 1, 9, true },
	{ "json comma", "{\"a\": 1,}", PS_EINVAL, 1, 9, false },
	{ "json trailing", "{} x", PS_EINVAL, 1, 4, false },
	{ "json empty", "", PS_EINVAL, 1, 1, false },
	{ "json blank", " \r\n\t", PS_EINVAL, 2, 2, false },
	{ "json bare word", "{\n  \"a\": nope\n}", PS_EINVAL, 2, 8, false },
	{ "json word and letter", "{\"a\": NaN, \"b\": NaNa}", PS_EINVAL, 1, 17, false },
	{ "json digit and word", "[1NaN]", PS_EINVAL, 1, 3, false },
	{ "json word and digit", "[Infinity5]", PS_EINVAL, 1, 2, false },
	{ "json minus and word", "[-NaN]", PS_EINVAL, 1, 2, false },
	{ "json word for a key", "{NaN: 1}", PS_EINVAL, 1, 2, false },
	{ "json words, then cut", "[NaN,\n Infinity", PS_EINVAL, 2, 10, true },
	{ "json bad utf-8", "{\"a\": \"\xff\"}", PS_EINVAL, 1, 8, false },
};

/* Where libyaml sees one more line, no file has one. */
static const struct { const char *name, *text; unsigned line, col; } yaml_faults[] = {
	{ "at the end, without a line feed", "a: 1\nb: [", 2, 5 },
	{ "behind U+0085", "a: x\xc2\x85" "b: *c\n", 1, 9 },
	{ "behind U+2028", "a: 1\n# x\xe2\x80\xa8" "b: *c\n", 2, 8 },
	{ "behind a lone CR", "a: 1\rb: *c\n", 1, 9 },
	{ "behind CR LF", "a: 1\r\nb: *c\n", 2, 4 },
};

static void yaml_faults_are_in_the_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(yaml_faults); i++) {
		const char *text = yaml_faults[i].text;
		struct doc *d = NULL;

		assert_int_equal(doc_yaml(&d, text, strlen(text), &fault), PS_EINVAL);
		if (fault.at.line != yaml_faults[i].line || fault.at.col != yaml_faults[i].col)
			fail_msg("%s: at %u:%u: %s", yaml_faults[i].name, fault.at.line,
				 fault.at.col, fault.text);
	}
}

/* More names than slots for them, and one that is used twice. */
static void many_anchors_keep_their_names(void **state)
{
	enum { MANY = 40000 };
	const struct doc_node *list;
	struct buf b = BUF_INIT;
	struct doc *d = NULL;

	(void)state;
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "- &a%d %d\n", i, i);
	buf_adds(&b, "- &a7 again\n");
	for (int i = 0; i < MANY; i++)
		buf_addf(&b, "- *a%d\n", i);
	assert_int_equal(doc_yaml(&d, buf_str(&b), b.len, &fault), 0);
	list = d->root;
	assert_int_equal(list->n, 2 * MANY + 1);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(list->items[MANY + 1 + i], list->items[i == 7 ? MANY : i]);
	doc_free(d);
	buf_clear(&b);
}

/* Searched, not looked through: the last of a key, its repetitions, and what was merged. */
static void large_maps_are_searched(void **state)
{
	const struct doc_node *own, *merged;
	struct buf b = BUF_INIT;
	struct doc *d = NULL;

	(void)state;
	buf_adds(&b, "own: &o\n");
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "  k%d: %d\n", i % 90, i);
	buf_adds(&b, "merged:\n  <<: *o\n  k3: mine\n");
	assert_int_equal(doc_yaml(&d, buf_str(&b), b.len, &fault), 0);
	own = doc_get(d->root, "own");
	merged = doc_get(d->root, "merged");
	for (int i = 0; i < 100; i++) {
		char key[8];

		snprintf(key, sizeof(key), "k%d", i % 90);
		assert_int_equal(doc_get(own, key)->num, i % 90 < 10 ? i % 90 + 90 : i);
		assert_int_equal(own->pairs[i].hidden, i < 10);
		assert_int_equal(own->pairs[i].repeats, i >= 90);
	}
	assert_null(doc_get(own, "k"));
	assert_null(doc_get(own, "k90"));
	assert_string_equal(doc_get(merged, "k3")->text, "mine");
	assert_int_equal(doc_get(merged, "k4")->num, 94);
	assert_true(merged->pairs[93].hidden && !merged->pairs[93].repeats);
	assert_false(merged->pairs[100].repeats);
	doc_free(d);
	buf_clear(&b);
}

static void json_faults_have_positions(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(faults); i++) {
		enum doc_kind top;
		struct doc *d = NULL;

		assert_int_equal(doc_json(&d, faults[i].text, strlen(faults[i].text), &fault),
				 faults[i].rc);
		if (fault.at.line != faults[i].line || fault.at.col > faults[i].col + 2 ||
		    fault.at.col + 2 < faults[i].col)
			fail_msg("%s: at %u:%u: %s", faults[i].name, fault.at.line, fault.at.col,
				 fault.text);
		assert_true(*fault.text && fault.cut == faults[i].cut);
		assert_int_equal(doc_json_scan(&top, faults[i].text, strlen(faults[i].text),
					       &fault), faults[i].rc);
		assert_int_equal(fault.cut, faults[i].cut);
	}
}

static void json_nodes(void **state)
{
	static const char text[] =
		"\357\273\277{\n\t\"s\" : \"a\\\"\\u00e9\",\r\n\"n\": -12, \"f\": 1.5,"
				   "\"big\": 99999999999999999999, \"l\": [true, null, "
					   "{}],\n\"s\": 3}";
	const struct doc_node *l;
	enum doc_kind top;
	struct doc *d;

	(void)state;
	assert_int_equal(doc_json(&d, text, sizeof(text) - 1, &fault), 0);
	assert_int_equal(doc_get(d->root, "n")->num, -12);
	assert_int_equal(doc_get(d->root, "big")->num, INT64_MAX);
	assert_string_equal(doc_string(d->root->pairs[0].value), "a\"\303\251");
	assert_int_equal(d->root->pairs[0].value->at.line, 2);
	assert_int_equal(d->root->pairs[0].value->at.col, 8);
	assert_true(d->root->pairs[5].repeats);
	assert_int_equal(doc_get(d->root, "s")->num, 3);
	l = doc_get(d->root, "l");
	assert_int_equal(l->n, 3);
	assert_true(l->items[0]->kind == DOC_BOOL && l->items[0]->num &&
		    l->items[2]->kind == DOC_MAP);
	assert_int_equal(l->items[1]->at.line, 3);
	doc_free(d);
	assert_int_equal(doc_json_scan(&top, text, sizeof(text) - 1, &fault), 0);
	assert_int_equal(top, DOC_MAP);
	assert_int_equal(doc_json_scan(&top, "[1]", 3, &fault), 0);
	assert_int_equal(top, DOC_LIST);
}

/* What json.dumps() writes of such numbers; in texts they are words. */
static void json_words_are_numbers(void **state)
{
	static const char text[] = "\357\273\277{\"a\": [NaN, -Infinity,\n  Infinity],\"t\": "
				   "\"\\\\\", \"NaN\": \"x\\\" NaN \", \"n\": -1, \"f\": -0.5,"
				   "\"e\":NaN}";
	static const struct { const char *text; unsigned line, col; } want[] = {
		{ "NaN", 1, 8 }, { "-Infinity", 1, 13 }, { "Infinity", 2, 3 },
	};
	const struct doc_node *l, *e;
	enum doc_kind top = DOC_NULL;
	struct doc *d;

	(void)state;
	assert_int_equal(doc_json(&d, text, sizeof(text) - 1, &fault), 0);
	l = doc_get(d->root, "a");
	assert_int_equal(l->n, PS_NELEM(want));
	for (size_t i = 0; i < PS_NELEM(want); i++) {
		assert_int_equal(l->items[i]->kind, DOC_FLOAT);
		assert_string_equal(l->items[i]->text, want[i].text);
		assert_int_equal(l->items[i]->at.line, want[i].line);
		assert_int_equal(l->items[i]->at.col, want[i].col);
	}
	assert_string_equal(doc_string(doc_get(d->root, "NaN")), "x\" NaN ");
	assert_int_equal(doc_get(d->root, "n")->num, -1);
	assert_string_equal(doc_get(d->root, "f")->text, "-0.5");
	e = doc_get(d->root, "e");
	assert_string_equal(e->text, "NaN");
	assert_int_equal(e->at.col, 66);
	doc_free(d);
	assert_int_equal(doc_json_scan(&top, text, sizeof(text) - 1, &fault), 0);
	assert_int_equal(top, DOC_MAP);
	assert_int_equal(doc_json(&d, "NaN", 3, &fault), 0);
	assert_string_equal(d->root->text, "NaN");
	doc_free(d);
}

static void too_deep_is_not_checked(void **state)
{
	static char text[4096];
	enum doc_kind top;
	struct doc *d;

	(void)state;
	memset(text, '[', 3000);
	assert_int_equal(doc_json(&d, text, 3000, &fault), PS_ELIMIT);
	assert_int_equal(doc_json_scan(&top, text, 3000, &fault), PS_ELIMIT);
	assert_int_equal(doc_yaml(&d, text, 3000, &fault), PS_ELIMIT);
	assert_int_equal(doc_yaml(&d, "a: &x [*x]", 10, &fault), PS_ELIMIT);
}

/* Aliases that double at each level stay as small as they are written. */
static void doubling_aliases_stay_small(void **state)
{
	struct buf b = BUF_INIT;
	struct doc *d = NULL;

	(void)state;
	buf_adds(&b, "a0: &a0 {k0: 1}\n");
	for (int i = 1; i < 60; i++)
		buf_addf(&b, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	assert_int_equal(doc_yaml(&d, buf_str(&b), b.len, &fault), 0);
	doc_free(d);
	buf_reset(&b);
	buf_adds(&b, "a0: &a0 {k0: 1}\n");
	for (int i = 1; i < 60; i++)
		buf_addf(&b, "a%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i - 1, i - 1);
	assert_int_equal(doc_yaml(&d, buf_str(&b), b.len, &fault), PS_ELIMIT);
	buf_clear(&b);
}

static void mutants_never_crash(void **state)
{
	static const char json[] =
		"{\"request\": {\"tasks\": [{\"task_key\": \"a\", \"n\": [1, 2.5e3, null, NaN, true]}]},"
				   "\"s\": \"\\u00e9\\n\\\\ x\"}";
	struct buf b = BUF_INIT;
	size_t taken = 0;

	(void)state;
	for (uint32_t i = 0; i < 4000; i++) {
		struct doc *d = NULL;
		enum doc_kind top;
		int rc;

		random_state = i * 7919u;
		mutate(&b, i % 2 ? json : forms[i % PS_NELEM(forms)].text);
		rc = doc_json(&d, buf_str(&b), b.len, &fault);
		assert_int_equal(rc, doc_json_scan(&top, buf_str(&b), b.len, &fault));
		taken += rc == 0;
		doc_free(d);
		d = NULL;
		taken += doc_yaml(&d, buf_str(&b), b.len, &fault) == 0;
		doc_free(d);
	}
	assert_true(taken > 100);
	buf_clear(&b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_as_pyyaml_does, gitdir_enter, gitdir_leave),
		cmocka_unit_test(positions_and_repeats),
		cmocka_unit_test(json_faults_have_positions),
		cmocka_unit_test(yaml_faults_are_in_the_file),
		cmocka_unit_test(many_anchors_keep_their_names),
		cmocka_unit_test(large_maps_are_searched),
		cmocka_unit_test(json_nodes),
		cmocka_unit_test(json_words_are_numbers),
		cmocka_unit_test(too_deep_is_not_checked),
		cmocka_unit_test(doubling_aliases_stay_small),
		cmocka_unit_test(mutants_never_crash),
	};
	char *real = realpath(TEST_SRCDIR "/tests/support", NULL);

	if (real)
		support = real;
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
