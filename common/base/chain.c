/* chain – see chain.h. */
#include "config.h"

#include "common/base/chain.h"

#include <inttypes.h>
#include <stdarg.h>

#include "common/base/buf.h"
#include "common/base/escape.h"

const char chain_start[] = "0000000000000000000000000000000000000000000000000000000000000000";

static void put(struct buf *out, const char *key, const char *text)
{
	buf_addf(out, ",\"%s\":", key);
	if (text)
		escape_json(out, text, strlen(text));
	else
		buf_adds(out, "null");
}

/* Keys in the order of their bytes. */
void chain_text(const struct chain_row *r, bool with_hash, struct buf *out)
{
	buf_addf(out, "{\"at_ms\":%" PRId64 ",\"details\":%s", r->at_ms, r->details);
	if (with_hash)
		put(out, "hash", r->hash);
	buf_addf(out, ",\"number\":%" PRId64, r->number);
	put(out, "outcome", r->outcome);
	put(out, "policy", r->policy);
	put(out, "prev", r->prev);
	put(out, "thing", r->thing);
	put(out, "what", r->what);
	put(out, "who", r->who);
	put(out, "why", r->why);
	buf_addch(out, '}');
}

void chain_hash(const struct chain_row *r, char hex[DIGEST_HEX])
{
	struct buf b = BUF_INIT;

	chain_text(r, false, &b);
	digest_bytes(hex, b.data, b.len);
	buf_clear(&b);
}

void chain_init(struct chain_check *c)
{
	*c = (struct chain_check) { .last = 0 };
	snprintf(c->hash, sizeof(c->hash), "%s", chain_start);
}

PS_PRINTF(3, 4) static bool broken(struct chain_check *c, int64_t number, const char *fmt, ...)
{
	va_list ap;

	c->bad = number;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return false;
}

bool chain_break(struct chain_check *c, int64_t number, const char *why)
{
	return broken(c, number, "%s", why);
}

bool chain_next(struct chain_check *c, const struct chain_row *r)
{
	char hex[DIGEST_HEX];

	if (c->bad)
		return false;
	if (!r->who || !r->what || !r->outcome || !r->details || !r->prev)
		return broken(c, r->number, "something of it is missing");
	if (r->number != c->last + 1)
		return broken(c, c->last + 1, "it is missing; %" PRId64 " comes after %" PRId64,
			      r->number, c->last);
	if (strcmp(r->prev, c->hash) != 0)
		return broken(c, r->number, "it does not follow the entry before it");
	chain_hash(r, hex);
	if (!r->hash || strcmp(hex, r->hash) != 0)
		return broken(c, r->number, "it is not what was written");
	c->last = r->number;
	memcpy(c->hash, hex, sizeof(c->hash));
	return true;
}

bool chain_expect(struct chain_check *c, int64_t number, const char *hash, const char *whose)
{
	if (c->bad)
		return false;
	if (number > c->last)
		return broken(c, c->last + 1, "it is missing: by %s there are %" PRId64, whose,
			      number);
	if (number < c->last)
		return broken(c, number + 1, "it was put behind the end: by %s there are %" PRId64,
			      whose, number);
	if (strcmp(hash, c->hash) != 0)
		return broken(c, number, "%s knows another one", whose);
	return true;
}
