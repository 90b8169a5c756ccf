/*
 * msg – messages as structs; encoding and decoding by the table of messages.h.
 *
 *	struct msg m;
 *	msg_encode(&buf, MSG_look, &(struct wire_look) { .id = 7, .repository = path }, &err);
 *	if (msg_decode(&m, bytes, len, &err) == 0 && m.type == MSG_looked) use(m.u.looked.refs.v[0]);
 *	msg_clear(&m);
 *
 * A decoded message owns all its memory; a message that is only sent owns nothing (that is why
 * texts are const). Bytes come from strangers: counts are checked against the bytes that are there
 * before anything is allocated, nesting is bounded, texts hold no NUL.
 */
#ifndef PS_MSG_H
#define PS_MSG_H

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/wire/messages.h"

enum {
	MSG_HOOK_MAX = 4 << 20,		/* frames from and to hooks */
	MSG_ROLE_MAX = 16 << 20,	/* frames between roles */
};

struct wire_bin { const void *p; size_t n; };
struct wire_strs { const char *const *v; size_t n; };

#define WIRE_DECL_STR(name, arg) const char *name;
#define WIRE_DECL_OSTR(name, arg) const char *name;
#define WIRE_DECL_BIN(name, arg) struct wire_bin name;
#define WIRE_DECL_U64(name, arg) uint64_t name;
#define WIRE_DECL_I64(name, arg) int64_t name;
#define WIRE_DECL_BOOL(name, arg) bool name;
#define WIRE_DECL_STRS(name, arg) struct wire_strs name;
#define WIRE_DECL_LIST(name, arg) struct { const struct wire_##arg *v; size_t n; } name;
#define WIRE_DECL(kind, name, arg, doc) WIRE_DECL_##kind(name, arg)
#define WIRE_STRUCT(shape) struct wire_##shape { WIRE_##shape(WIRE_DECL) };

WIRE_SHAPES(WIRE_STRUCT)
WIRE_MESSAGES(WIRE_STRUCT)

#define WIRE_ENUM(shape) MSG_##shape,
enum msg_type { MSG_NONE, WIRE_MESSAGES(WIRE_ENUM) MSG_COUNT };
#undef WIRE_ENUM

struct msg {
	enum msg_type type;		/* MSG_NONE: a type that is not in our table; see name */
	uint64_t version;
	char name[64];
	union {
#define WIRE_MEMBER(shape) struct wire_##shape shape;
		WIRE_MESSAGES(WIRE_MEMBER)
#undef WIRE_MEMBER
	} u;
};

/* Appends one whole frame (length and map). body is the struct wire_<type>. PS_ELIMIT past a limit. */
int msg_encode(struct buf *out, enum msg_type type, const void *body, struct ps_err *err) PS_MUSTCHECK;
/* Decodes one map without its length. An unknown type is no error: type is MSG_NONE. */
int msg_decode(struct msg *m, const void *bytes, size_t n, struct ps_err *err) PS_MUSTCHECK;
void msg_clear(struct msg *m);
const char *msg_name(enum msg_type type);
/* The table as Markdown, for docs/wire.md. */
void msg_document(FILE *out);

#endif
