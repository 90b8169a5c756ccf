/* unit_pack – a unit's result as msgpack and back. The place that keeps the bytes may be damaged:
 * nothing is believed of their shape. */
#include "config.h"

#include <msgpack.h>

#include "common/gate/unit.h"
#include "common/wire/pack.h"

/* dependencies, findings, dead references, projects; then the outline or nil */
enum { PARTS = 5 };

/* ---- out ---- */

/* Every row is an array: a known number of texts, then of numbers. */
static void put_row(msgpack_packer *pk, const char *const *texts, size_t ntexts,
		    const uint64_t *numbers, size_t nnumbers)
{
	msgpack_pack_array(pk, ntexts + nnumbers);
	for (size_t i = 0; i < ntexts; i++)
		pack_text(pk, texts[i]);
	for (size_t i = 0; i < nnumbers; i++)
		msgpack_pack_uint64(pk, numbers[i]);
}

#define PUT_ROW(pk, texts, numbers) \
	put_row(pk, texts, PS_NELEM(texts), numbers, PS_NELEM(numbers))

static void put_outline(msgpack_packer *pk, const struct outline *o)
{
	const char *head[] = { o->language, o->name, o->version };
	const uint64_t rest[] = { o->usable, o->maps, o->version_at.line, o->version_at.col };

	msgpack_pack_array(pk, o->n + 1);
	PUT_ROW(pk, head, rest);
	for (size_t i = 0; i < o->n; i++) {
		const struct rules_entry *e = &o->v[i];
		const char *texts[] = { e->key, e->digest };
		const uint64_t numbers[] = { (uint64_t)e->kind, e->at.line, e->at.col, e->safe,
					     (uint64_t)e->fabric };

		PUT_ROW(pk, texts, numbers);
	}
}

void unit_pack(struct buf *out, const struct unit_result *u, const char *file, unsigned line)
{
	msgpack_packer pk;

	pack_into(&pk, out);
	msgpack_pack_array(&pk, PARTS);
	msgpack_pack_array(&pk, u->deps.n);
	for (size_t i = 0; i < u->deps.n; i++) {
		const struct dep *d = &u->deps.v[i];
		const char *texts[] = { d->path, d->value };
		const uint64_t numbers[] = { (uint64_t)d->what };

		PUT_ROW(&pk, texts, numbers);
	}
	msgpack_pack_array(&pk, u->found.n);
	for (size_t i = 0; i < u->found.n; i++) {
		const struct diag *d = &u->found.v[i];
		bool here = strcmp(d->path, file) == 0;
		const char *texts[] = { here ? "" : d->path, d->key, d->text,
					d->hint ? d->hint : "" };
		/* an entry's findings stand at its key or below */
		const uint64_t numbers[] = { (uint64_t)(rule_of(d) - rule_table),
					     d->line - (here ? line : 0), d->col };

		PUT_ROW(&pk, texts, numbers);
	}
	msgpack_pack_array(&pk, u->ndead);
	for (size_t i = 0; i < u->ndead; i++) {
		const struct rule_dead *d = &u->dead[i];
		const char *texts[] = { d->project, d->pipeline, d->file, d->job };
		const uint64_t numbers[] = { d->at.line, d->at.col, d->declared };

		PUT_ROW(&pk, texts, numbers);
	}
	msgpack_pack_array(&pk, u->projects.n);
	for (size_t i = 0; i < u->projects.n; i++) {
		const char *texts[] = { u->projects.v[i] };

		put_row(&pk, texts, 1, NULL, 0);
	}
	if (u->has_outline)
		put_outline(&pk, &u->outline);
	else
		msgpack_pack_nil(&pk);
}

/* ---- in ---- */

enum { TEXTS_MAX = 4, NUMBERS_MAX = 5 };

struct row { char *text[TEXTS_MAX]; uint64_t number[NUMBERS_MAX]; };

static void row_drop(struct row *row)
{
	for (size_t i = 0; i < TEXTS_MAX; i++)
		free(row->text[i]);
}

/* On success the texts are the caller's. */
static bool take_row(struct row *row, const msgpack_object *o, size_t ntexts, size_t nnumbers)
{
	bool ok = o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size == ntexts + nnumbers;

	*row = (struct row) { { NULL }, { 0 } };
	for (size_t i = 0; ok && i < ntexts; i++) {
		const msgpack_object *t = &o->via.array.ptr[i];

		/* an empty one has no pointer */
		const char *s = t->via.str.size ? t->via.str.ptr : "";

		ok = t->type == MSGPACK_OBJECT_STR && !memchr(s, '\0', t->via.str.size);
		row->text[i] = ok ? xstrndup(s, t->via.str.size) : NULL;
	}
	for (size_t i = 0; ok && i < nnumbers; i++) {
		const msgpack_object *n = &o->via.array.ptr[ntexts + i];

		ok = n->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
		row->number[i] = ok ? n->via.u64 : 0;
	}
	if (!ok)
		row_drop(row);
	return ok;
}

static bool take_dep(struct unit_result *u, const msgpack_object *o)
{
	struct row row;

	if (!take_row(&row, o, 2, 1))
		return false;
	u->deps.v = xgrow(u->deps.v, u->deps.n, &u->deps.cap, sizeof(*u->deps.v));
	u->deps.v[u->deps.n++] = (struct dep) { (enum dep_what)row.number[0], row.text[0],
						row.text[1] };
	return row.number[0] < DEP_WHAT_COUNT;
}

static bool take_finding(struct unit_result *u, const msgpack_object *o, const char *file,
			 unsigned line)
{
	struct row row;
	bool ok, here;

	if (!take_row(&row, o, 4, 3))
		return false;
	ok = row.number[0] < RULE_COUNT;
	here = !*row.text[0];
	if (ok)
		diag_add_key(&u->found, DIAG_ERROR, row.text[1], here ? file : row.text[0],
			     (unsigned)row.number[1] + (here ? line : 0), (unsigned)row.number[2],
			     rule_table[row.number[0]].code, "%s", row.text[2]);
	if (ok && *row.text[3])
		diag_hint(&u->found, "%s", row.text[3]);
	row_drop(&row);
	return ok;
}

static bool take_dead(struct unit_result *u, const msgpack_object *o, size_t *cap)
{
	struct row row;

	if (!take_row(&row, o, 4, 3))
		return false;
	u->dead = xgrow(u->dead, u->ndead, cap, sizeof(*u->dead));
	u->dead[u->ndead++] = (struct rule_dead) {
		.project = row.text[0], .pipeline = row.text[1], .file = row.text[2],
		.job = row.text[3], .declared = row.number[2] != 0,
		.at = { (unsigned)row.number[0], (unsigned)row.number[1] },
	};
	return true;
}

static bool take_project(struct project_paths *l, const msgpack_object *o)
{
	struct row row;

	if (!take_row(&row, o, 1, 0))
		return false;
	l->v = xgrow(l->v, l->n, &l->cap, sizeof(char *));
	l->v[l->n++] = row.text[0];
	return true;
}

static bool take_entry(struct rules_entry *e, const msgpack_object *o)
{
	struct row row;
	bool ok;

	if (!take_row(&row, o, 2, 5))
		return false;
	ok = row.number[0] <= PROJECT_JOBS && strlen(row.text[1]) < sizeof(e->digest);
	*e = (struct rules_entry) {
		.kind = (enum project_kind)row.number[0], .key = xstrdup(row.text[0]),
		.at = { (unsigned)row.number[1], (unsigned)row.number[2] },
		.safe = row.number[3] != 0, .fabric = (int64_t)row.number[4],
	};
	if (ok)
		memcpy(e->digest, row.text[1], strlen(row.text[1]) + 1);
	row_drop(&row);
	return ok;
}

static bool take_outline(struct outline *out, const msgpack_object *o)
{
	struct row row;

	if (o->type != MSGPACK_OBJECT_ARRAY || !o->via.array.size ||
	    !take_row(&row, &o->via.array.ptr[0], 3, 4))
		return false;
	*out = (struct outline) { .usable = row.number[0] != 0, .maps = (unsigned)row.number[1],
				 .language = row.text[0], .name = row.text[1],
				 .version = row.text[2],
				 .version_at = { (unsigned)row.number[2],
						 (unsigned)row.number[3] } };
	out->v = xcalloc(o->via.array.size, sizeof(*out->v));
	for (size_t i = 1; i < o->via.array.size; i++)
		if (!take_entry(&out->v[out->n++], &o->via.array.ptr[i])) {
			outline_clear(out);
			return false;
		}
	outline_sort(out);
	return true;
}

static bool take_all(struct unit_result *u, const msgpack_object *o, const char *file,
		     unsigned line, bool outline)
{
	const msgpack_object *part = o->via.array.ptr;
	bool ok = o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size == PARTS;
	size_t cap = 0;

	for (int i = 0; ok && i < PARTS - 1; i++)
		ok = part[i].type == MSGPACK_OBJECT_ARRAY;
	for (size_t i = 0; ok && i < part[0].via.array.size; i++)
		ok = take_dep(u, &part[0].via.array.ptr[i]);
	for (size_t i = 0; ok && i < part[1].via.array.size; i++)
		ok = take_finding(u, &part[1].via.array.ptr[i], file, line);
	for (size_t i = 0; ok && i < part[2].via.array.size; i++)
		ok = take_dead(u, &part[2].via.array.ptr[i], &cap);
	for (size_t i = 0; ok && i < part[3].via.array.size; i++)
		ok = take_project(&u->projects, &part[3].via.array.ptr[i]);
	if (ok && outline)
		ok = u->has_outline = take_outline(&u->outline, &part[PARTS - 1]);
	return ok;
}

bool unit_unpack(struct unit_result *u, const struct buf *bytes, const char *file, unsigned line,
		 bool outline)
{
	msgpack_unpacked result;
	bool ok = pack_open(&result, bytes) && take_all(u, &result.data, file, line, outline);

	msgpack_unpacked_destroy(&result);
	return ok;
}
