/* answer – see answer.h. The place that keeps the bytes may be damaged: nothing is believed of
 * their shape. */
#include "config.h"

#include "common/gate/answer.h"

#include <msgpack.h>

#include "common/gate/remembered.h"
#include "common/gate/rules.h"
#include "common/tree/bearings.h"
#include "common/wire/pack.h"

/* question, bearings, the old side or nil, three numbers; then the findings */
enum { HEAD_PARTS = 6, FINDING_TEXTS = 5, FINDING_NUMBERS = 5 };

bool answer_may_be_kept(const struct gate_check *c)
{
	return !c->fresh && !c->rev && !c->against && !c->who;
}

static void add_text(struct buf *out, const char *text)
{
	buf_addch(out, text ? '+' : '-');
	buf_add(out, text ? text : "", text ? strlen(text) + 1 : 1);
}

void answer_question(struct buf *out, const struct gate_check *c, const char *top)
{
	add_text(out, top);
	add_text(out, c->config ? c->config->digest : NULL);
	add_text(out, c->ref);
	add_text(out, c->repo_name);
	add_text(out, c->all_new ? "new" : NULL);
}

void answer_key(struct memo_key *out, const struct buf *question)
{
	static const char what[] = "an answer";
	uint64_t sum = remembered_sum(question->data, question->len);

	/* the others are digests, which do not look like this */
	memset(out, 0, sizeof(*out));
	memcpy(out->b, &sum, sizeof(sum));
	memcpy(out->b + sizeof(sum), what, sizeof(what));
}

/* ---- out ---- */

static void put_text(msgpack_packer *pk, const char *s)
{
	if (s)
		pack_text(pk, s);
	else
		msgpack_pack_nil(pk);
}

static void put_finding(msgpack_packer *pk, const struct diag *d)
{
	const char *texts[FINDING_TEXTS] = { d->path, d->text, d->key, d->hint, d->source };
	const uint64_t numbers[FINDING_NUMBERS] = { (uint64_t)d->severity,
						    (uint64_t)(rule_of(d) - rule_table), d->line,
						    d->col, d->source_col };

	msgpack_pack_array(pk, FINDING_TEXTS + FINDING_NUMBERS);
	for (size_t i = 0; i < FINDING_TEXTS; i++)
		put_text(pk, texts[i]);
	for (size_t i = 0; i < FINDING_NUMBERS; i++)
		msgpack_pack_uint64(pk, numbers[i]);
}

static void put_bytes(msgpack_packer *pk, const struct buf *b)
{
	msgpack_pack_bin_with_body(pk, buf_str(b), b->len);
}

void answer_pack(struct buf *out, const struct gate_checked *a, const struct buf *question,
		 const struct buf *bearings)
{
	msgpack_packer pk;

	pack_into(&pk, out);
	msgpack_pack_array(&pk, HEAD_PARTS + a->found.n);
	put_bytes(&pk, question);
	put_bytes(&pk, bearings);
	put_text(&pk, a->against);
	msgpack_pack_uint64(&pk, a->nprojects);
	msgpack_pack_uint64(&pk, a->counts.trees);
	msgpack_pack_uint64(&pk, a->counts.units);
	for (size_t i = 0; i < a->found.n; i++)
		put_finding(&pk, &a->found.v[i]);
}

/* ---- in ---- */

/* *out is NULL for none. */
static bool take_text(char **out, const msgpack_object *o)
{
	*out = o->type == MSGPACK_OBJECT_STR ? xstrndup(o->via.str.ptr, o->via.str.size) : NULL;
	return *out || o->type == MSGPACK_OBJECT_NIL;
}

static bool take_number(uint64_t *out, const msgpack_object *o)
{
	*out = o->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? o->via.u64 : 0;
	return o->type == MSGPACK_OBJECT_POSITIVE_INTEGER;
}

static bool take_finding(struct diag_list *l, const msgpack_object *o)
{
	char *texts[FINDING_TEXTS] = { NULL };
	uint64_t n[FINDING_NUMBERS] = { 0 };
	bool ok = o->type == MSGPACK_OBJECT_ARRAY &&
		o->via.array.size == FINDING_TEXTS + FINDING_NUMBERS;

	for (size_t i = 0; ok && i < FINDING_TEXTS; i++)
		ok = take_text(&texts[i], &o->via.array.ptr[i]);
	for (size_t i = 0; ok && i < FINDING_NUMBERS; i++)
		ok = take_number(&n[i], &o->via.array.ptr[FINDING_TEXTS + i]);
	ok = ok && texts[0] && texts[1] && n[0] <= DIAG_WARNING && n[1] < RULE_COUNT;
	if (ok) {
		struct diag d = { .path = texts[0], .line = (unsigned)n[2], .col = (unsigned)n[3],
				  .code = rule_table[n[1]].code, .text = texts[1],
				  .key = texts[2], .hint = texts[3], .source = texts[4],
				  .source_col = (unsigned)n[4] };

		diag_copy(l, (enum diag_severity)n[0], &d, NULL, NULL);
	}
	for (size_t i = 0; i < FINDING_TEXTS; i++)
		free(texts[i]);
	return ok;
}

static bool is_bytes(const msgpack_object *o, const struct buf *b)
{
	return o->type == MSGPACK_OBJECT_BIN && o->via.bin.size == b->len &&
		memcmp(o->via.bin.ptr, b->data, b->len) == 0;
}

static bool take_all(struct gate_checked *a, const msgpack_object *o, const struct buf *question,
		     const char *gitdir)
{
	const msgpack_object *part = o->via.array.ptr;
	uint64_t n[3] = { 0 };
	bool ok = o->type == MSGPACK_OBJECT_ARRAY && o->via.array.size >= HEAD_PARTS &&
		is_bytes(&part[0], question) && part[1].type == MSGPACK_OBJECT_BIN &&
		bearings_hold(gitdir, part[1].via.bin.ptr, part[1].via.bin.size) &&
		take_text(&a->against, &part[2]);

	for (size_t i = 0; ok && i < PS_NELEM(n); i++)
		ok = take_number(&n[i], &part[3 + i]);
	a->nprojects = n[0];
	a->counts = (struct rules_counts) { .trees = n[1], .units = n[2], .known = n[2] };
	for (size_t i = HEAD_PARTS; ok && i < o->via.array.size; i++)
		ok = take_finding(&a->found, &part[i]);
	return ok;
}

bool answer_unpack(struct gate_checked *a, const struct buf *bytes, const struct buf *question,
		   const char *gitdir)
{
	msgpack_unpacked result;
	bool ok = pack_open(&result, bytes) && take_all(a, &result.data, question, gitdir);

	msgpack_unpacked_destroy(&result);
	return ok;
}
