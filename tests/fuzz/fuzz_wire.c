/* fuzz_wire – frames of a stranger: what is decoded is encoded and decoded to the same again. */
#include "config.h"

#include "common/wire/frame.h"
#include "tests/fuzz/fuzz.h"

static void check_again(const struct msg *m)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct ps_err err = { 0 };
	struct msg next;

	FUZZ_CHECK(msg_encode(&once, m->type, &m->u, &err) == 0, "%s: not encoded: %s",
		   msg_name(m->type), err.msg);
	FUZZ_CHECK(msg_decode(&next, once.data + 4, once.len - 4, &err) == 0 &&
		   next.type == m->type, "%s: not decoded: %s", msg_name(m->type), err.msg);
	FUZZ_CHECK(msg_encode(&twice, next.type, &next.u, &err) == 0 && twice.len == once.len &&
		   memcmp(once.data, twice.data, once.len) == 0, "%s: differs",
		   msg_name(m->type));
	msg_clear(&next);
	buf_clear(&once);
	buf_clear(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_err err = { 0 };
	struct msg m;
	size_t len;
	int whole = frame_peek(data, size, MSG_ROLE_MAX, &len, &err);

	FUZZ_CHECK(whole <= 0 || len + 4 <= size, "a frame of %zu bytes in %zu", len, size);
	if (whole < 0)
		return 0;
	/* a frame that is cut off, and its bytes alone, as the spool has them */
	if (msg_decode(&m, data + (size < 4 ? size : 4),
		       whole ? len : size < 4 ? 0 : size - 4, &err) < 0) {
		FUZZ_CHECK(err.code && *err.msg, "no reason");
		return 0;
	}
	if (m.type != MSG_NONE)
		check_again(&m);
	msg_clear(&m);
	return 0;
}
