/* msg – see msg.h. The table becomes descriptors here; three walkers (pack, read, clear) do all. */
#include "config.h"

#include "common/wire/msg.h"

#include <arpa/inet.h>

#include <msgpack.h>

#include "common/wire/pack.h"
#include "common/wire/route.h"

enum kind { STR, OSTR, BIN, U64, I64, BOOL, STRS, LIST };

struct shape;

struct field {
	const char *name;
	enum kind kind;
	size_t offset;
	size_t limit;			/* STR, OSTR, BIN */
	const struct shape *of;		/* LIST */
	const char *doc;
};

struct shape {
	const char *name;
	const struct field *fields;
	size_t nfields, size;
};

/* Every LIST member has this layout whatever it points to. */
struct any_list { void *v; size_t n; };

#define LIMIT_STR(arg) .limit = (arg)
#define LIMIT_OSTR(arg) .limit = (arg)
#define LIMIT_BIN(arg) .limit = (arg)
#define LIMIT_U64(arg) .limit = 0
#define LIMIT_I64(arg) .limit = 0
#define LIMIT_BOOL(arg) .limit = 0
#define LIMIT_STRS(arg) .limit = 0
#define LIMIT_LIST(arg) .of = &shape_##arg + 0 * sizeof(fields_##arg)

#define ROWS(shape) static const struct field fields_##shape[] = { WIRE_##shape(ROW_OF_##shape) };
#define ROW(s, kind_, name_, arg_, doc_) \
	{ .name = #name_, .kind = kind_, .offset = offsetof(struct wire_##s, name_), \
	  LIMIT_##kind_(arg_), .doc = doc_ },

#define SHAPE_DECL(s) static const struct shape shape_##s;
#define SHAPE_DEF(s)                                                                     \
	static const struct shape shape_##s = { #s, fields_##s, PS_NELEM(fields_##s),    \
						sizeof(struct wire_##s) };

WIRE_SHAPES(SHAPE_DECL)
WIRE_MESSAGES(SHAPE_DECL)
#include "common/wire/msg_rows.h"

static const struct shape *const shapes[MSG_COUNT] = {
/* the sum is nothing, but a message without its line in msg_rows.h does not compile */
#define SHAPE_ROW(s) [MSG_##s] = &shape_##s + 0 * sizeof(fields_##s),
	WIRE_MESSAGES(SHAPE_ROW)
};

const char *msg_name(enum msg_type type)
{
	return type > MSG_NONE && type < MSG_COUNT ? shapes[type]->name : "unknown";
}

/* ---- encoding ---- */

static int pack_shape(msgpack_packer *pk, const struct shape *s, const void *body, size_t extra,
		      struct ps_err *err);

static int pack_str(msgpack_packer *pk, const struct shape *s, const struct field *f, const char *v,
		    size_t limit, struct ps_err *err)
{
	PS_BUG_IF(!v, "message %s: field %s is not set", s->name, f->name);
	if (strlen(v) > limit)
		return ps_err_set(err, PS_ELIMIT,
				  "message %s: field %s has %zu bytes, at most %zu fit", s->name,
				  f->name, strlen(v), limit);
	pack_text(pk, v);
	return 0;
}

static int pack_field(msgpack_packer *pk, const struct shape *s, const struct field *f,
		      const void *at, struct ps_err *err)
{
	const struct wire_bin *bin = at;
	const struct wire_strs *strs = at;
	const struct any_list *list = at;
	int rc = 0;

	switch (f->kind) {
	case STR:
	case OSTR:
		return pack_str(pk, s, f, *(const char *const *)at, f->limit, err);
	case BIN:
		if (bin->n > f->limit)
			return ps_err_set(err, PS_ELIMIT, "message %s: field %s is too large",
					  s->name, f->name);
		msgpack_pack_bin(pk, bin->n);
		msgpack_pack_bin_body(pk, bin->p, bin->n);
		return 0;
	case U64:
		msgpack_pack_uint64(pk, *(const uint64_t *)at);
		return 0;
	case I64:
		msgpack_pack_int64(pk, *(const int64_t *)at);
		return 0;
	case BOOL:
		*(const bool *)at ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
		return 0;
	case STRS:
		if (strs->n > WIRE_LIST_MAX)
			return ps_err_set(err, PS_ELIMIT, "message %s: list %s is too long",
					  s->name, f->name);
		msgpack_pack_array(pk, strs->n);
		for (size_t i = 0; i < strs->n && rc == 0; i++)
			rc = pack_str(pk, s, f, strs->v[i], WIRE_TEXT, err);
		return rc;
	case LIST:
		if (list->n > WIRE_LIST_MAX)
			return ps_err_set(err, PS_ELIMIT, "message %s: list %s is too long",
					  s->name, f->name);
		msgpack_pack_array(pk, list->n);
		for (size_t i = 0; i < list->n && rc == 0; i++)
			rc = pack_shape(pk, f->of, (const char *)list->v + i * f->of->size, 0, err);
		return rc;
	}
	return 0;
}

static bool absent(const struct field *f, const void *at)
{
	return f->kind == OSTR && !*(const char *const *)at;
}

/* extra: entries that the caller packs itself right after (type and version). */
static int pack_shape(msgpack_packer *pk, const struct shape *s, const void *body, size_t extra,
		      struct ps_err *err)
{
	size_t n = extra;
	int rc = 0;

	for (size_t i = 0; i < s->nfields; i++)
		n += !absent(&s->fields[i], (const char *)body + s->fields[i].offset);
	msgpack_pack_map(pk, n);
	if (extra) {
		pack_text(pk, "type");
		pack_text(pk, s->name);
		pack_text(pk, "version");
		msgpack_pack_uint64(pk, WIRE_VERSION);
	}
	for (size_t i = 0; i < s->nfields && rc == 0; i++) {
		const struct field *f = &s->fields[i];
		const void *at = (const char *)body + f->offset;

		if (absent(f, at))
			continue;
		pack_text(pk, f->name);
		rc = pack_field(pk, s, f, at, err);
	}
	return rc;
}

int msg_encode(struct buf *out, enum msg_type type, const void *body, struct ps_err *err)
{
	size_t start = out->len;
	msgpack_packer pk;
	uint32_t len = 0;
	int rc;

	PS_BUG_IF(type <= MSG_NONE || type >= MSG_COUNT, "message type %d", (int)type);
	buf_add(out, &len, 4);
	pack_into(&pk, out);
	rc = pack_shape(&pk, shapes[type], body, 2, err);
	if (rc == 0 && out->len - start - 4 > MSG_ROLE_MAX)
		rc = ps_err_set(err, PS_ELIMIT, "message %s is larger than a frame",
				msg_name(type));
	if (rc < 0) {
		out->len = start;
		out->data[start] = '\0';
		return rc;
	}
	len = htonl((uint32_t)(out->len - start - 4));
	memcpy(out->data + start, &len, 4);
	return 0;
}

/* ---- decoding ---- */

static void clear_shape(const struct shape *s, void *body)
{
	for (size_t i = 0; i < s->nfields; i++) {
		const struct field *f = &s->fields[i];
		void *at = (char *)body + f->offset;
		struct any_list *list = at;

		switch (f->kind) {
		case STR:
		case OSTR:
		case BIN:	/* the pointer is the first member */
			free(*(void **)at);
			break;
		case STRS:
			for (size_t k = 0; k < list->n; k++)
				free(((char **)list->v)[k]);
			free(list->v);
			break;
		case LIST:
			for (size_t k = 0; k < list->n; k++)
				clear_shape(f->of, (char *)list->v + k * f->of->size);
			free(list->v);
			break;
		case U64:
		case I64:
		case BOOL:
			break;
		}
	}
	memset(body, 0, s->size);
}

static char *take_text(const msgpack_object *o, size_t limit)
{
	if (o->type != MSGPACK_OBJECT_STR || o->via.str.size > limit ||
	    memchr(o->via.str.ptr, '\0', o->via.str.size))
		return NULL;
	return xstrndup(o->via.str.ptr, o->via.str.size);
}

static int read_shape(const struct shape *s, void *body, const msgpack_object *o,
		      struct ps_err *err);

static bool read_strs(struct any_list *list, const msgpack_object *o)
{
	char **v;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > WIRE_LIST_MAX)
		return false;
	list->v = v = xcalloc(o->via.array.size, sizeof(*v));
	for (size_t i = 0; i < o->via.array.size; i++) {
		v[i] = take_text(&o->via.array.ptr[i], WIRE_TEXT);
		if (!v[i])
			return false;
		list->n++;
	}
	return true;
}

static int read_list(const struct field *f, struct any_list *list, const msgpack_object *o,
		     struct ps_err *err)
{
	int rc = 0;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size > WIRE_LIST_MAX)
		return ps_err_set(err, PS_EPROTO, "field %s is not a list", f->name);
	list->v = xcalloc(o->via.array.size, f->of->size);
	for (size_t i = 0; i < o->via.array.size && rc == 0; i++) {
		list->n++;
		rc = read_shape(f->of, (char *)list->v + i * f->of->size, &o->via.array.ptr[i],
				err);
	}
	return rc;
}

static int read_field(const struct shape *s, const struct field *f, void *at,
		      const msgpack_object *o, struct ps_err *err)
{
	bool ok = false;

	switch (f->kind) {
	case STR:
	case OSTR:
		ok = (*(char **)at = take_text(o, f->limit)) != NULL;
		break;
	case BIN:
		ok = o->type == MSGPACK_OBJECT_BIN && o->via.bin.size <= f->limit;
		if (ok)
			*(struct wire_bin *)at = (struct wire_bin) {
				xmemdup(o->via.bin.ptr, o->via.bin.size), o->via.bin.size };
		break;
	case U64:
		ok = o->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
		if (ok)
			*(uint64_t *)at = o->via.u64;
		break;
	case I64:
		ok = o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
		     (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX);
		if (ok)
			*(int64_t *)at = o->via.i64;
		break;
	case BOOL:
		ok = o->type == MSGPACK_OBJECT_BOOLEAN;
		if (ok)
			*(bool *)at = o->via.boolean;
		break;
	case STRS:
		ok = read_strs(at, o);
		break;
	case LIST:
		return read_list(f, at, o, err);
	}
	return ok ? 0 : ps_err_set(err, PS_EPROTO,
				   "message %s: field %s has a wrong type or is too large", s->name,
				   f->name);
}

static bool key_is(const msgpack_object *k, const char *name)
{
	return k->type == MSGPACK_OBJECT_STR && k->via.str.size == strlen(name) &&
	       memcmp(k->via.str.ptr, name, k->via.str.size) == 0;
}

static const msgpack_object *find(const msgpack_object *map, const char *name)
{
	for (size_t i = 0; i < map->via.map.size; i++)
		if (key_is(&map->via.map.ptr[i].key, name))
			return &map->via.map.ptr[i].val;
	return NULL;
}

static int read_shape(const struct shape *s, void *body, const msgpack_object *o,
		      struct ps_err *err)
{
	int rc = 0;

	if (o->type != MSGPACK_OBJECT_MAP)
		return ps_err_set(err, PS_EPROTO, "%s is not a map", s->name);
	for (size_t i = 0; i < s->nfields && rc == 0; i++) {
		const struct field *f = &s->fields[i];
		const msgpack_object *v = find(o, f->name);

		if (v)
			rc = read_field(s, f, (char *)body + f->offset, v, err);
		else if (f->kind == STR)
			rc = ps_err_set(err, PS_EPROTO, "message %s lacks the field %s", s->name,
					f->name);
	}
	return rc;
}

static int read_message(struct msg *m, const msgpack_object *o, struct ps_err *err)
{
	const msgpack_object *type, *version;

	if (o->type != MSGPACK_OBJECT_MAP)
		return ps_err_set(err, PS_EPROTO, "a frame is not a map");
	type = find(o, "type");
	version = find(o, "version");
	if (!type || type->type != MSGPACK_OBJECT_STR || !version ||
	    version->type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return ps_err_set(err, PS_EPROTO, "a frame has no type or no version");
	m->version = version->via.u64;
	snprintf(m->name, sizeof(m->name), "%.*s", (int)type->via.str.size, type->via.str.ptr);
	for (size_t i = MSG_NONE + 1; i < MSG_COUNT; i++)
		if (key_is(type, shapes[i]->name)) {
			m->type = (enum msg_type)i;
			return read_shape(shapes[i], &m->u, o, err);
		}
	return 0;
}

int msg_decode(struct msg *m, const void *bytes, size_t n, struct ps_err *err)
{
	msgpack_unpacked u;
	size_t at = 0;
	int rc;

	memset(m, 0, sizeof(*m));
	if (!pack_is_one_value(bytes, n))
		return ps_err_set(err, PS_EPROTO, "a frame of %zu bytes is not one msgpack value",
				  n);
	msgpack_unpacked_init(&u);
	if (msgpack_unpack_next(&u, bytes, n, &at) != MSGPACK_UNPACK_SUCCESS)
		rc = ps_err_set(err, PS_EPROTO, "a frame of %zu bytes cannot be unpacked", n);
	else
		rc = read_message(m, &u.data, err);
	msgpack_unpacked_destroy(&u);
	if (rc < 0)
		msg_clear(m);
	return rc;
}

void msg_clear(struct msg *m)
{
	if (m->type > MSG_NONE && m->type < MSG_COUNT)
		clear_shape(shapes[m->type], &m->u);
	m->type = MSG_NONE;
}

/* ---- documentation ---- */

static void document_fields(FILE *out, const struct shape *s)
{
	static const char *const words[] = {
		[STR] = "text", [OSTR] = "text, optional", [BIN] = "bytes", [U64] = "unsigned",
		[I64] = "integer", [BOOL] = "boolean", [STRS] = "list of text", [LIST] = "list of",
	};

	fprintf(out, "\n| field | type | limit | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < s->nfields; i++) {
		const struct field *f = &s->fields[i];

		fprintf(out, "| %s | %s%s%s | ", f->name, words[f->kind], f->of ? " " : "",
			f->of ? f->of->name : "");
		if (f->limit)
			fprintf(out, "%zu", f->limit);
		fprintf(out, " | %s |\n", f->doc);
	}
}

static void document_shape(FILE *out, const struct shape *s)
{
	fprintf(out, "\n### %s\n", s->name);
	document_fields(out, s);
}

static void document_message(FILE *out, enum msg_type type)
{
	fprintf(out, "\n### %s\n\n", shapes[type]->name);
	route_document(out, type);
	fprintf(out, "\n");
	document_fields(out, shapes[type]);
}

void msg_document(FILE *out)
{
#define DOCUMENT(s) document_shape(out, &shape_##s);
	fprintf(out, "# Messages\n\nMade from common/wire/messages.h by `test_wire --document`. A "
		"frame is a 4-byte\n"
		     "big-endian length and one msgpack map with `type`, `version` (%d) and these "
		"fields.\n"
		     "\n## Shapes\n", WIRE_VERSION);
	WIRE_SHAPES(DOCUMENT)
	fprintf(out, "\n## Messages\n");
#define DOCUMENT_MESSAGE(s) document_message(out, MSG_##s);
	WIRE_MESSAGES(DOCUMENT_MESSAGE)
}
