/* Units of common/wire: every message there and back, limits, and bytes from strangers. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/wire/frame.h"
#include "common/wire/route.h"

static const struct wire_ref_line lines[] = {
	{ .ref = "refs/heads/main", .old = "00", .new = "11", .seen = "00", .ordinal = 0 },
	{ .ref = "HEAD", .old = "11", .new = "22", .target = "refs/heads/main", .ordinal = 1 },
};

static const struct wire_intent intent = {
	.push = "m-b-1-2", .repository = "/srv/git/x.git", .boot = "boot", .stamp = 1ull << 60,
	.budget_ms = 4000, .refs = { lines, 2 },
};

static void intent_there_and_back(void **state)
{
	struct buf b = BUF_INIT;
	struct ps_err err;
	struct msg m;

	(void)state;
	assert_int_equal(msg_encode(&b, MSG_intent, &intent, &err), 0);
	assert_int_equal(msg_decode(&m, b.data + 4, b.len - 4, &err), 0);
	assert_int_equal(m.type, MSG_intent);
	assert_int_equal(m.u.intent.stamp, 1ull << 60);
	assert_null(m.u.intent.pusher);
	assert_int_equal(m.u.intent.refs.n, 2);
	assert_null(m.u.intent.refs.v[1].seen);
	assert_string_equal(m.u.intent.refs.v[1].target, "refs/heads/main");
	msg_clear(&m);
	buf_clear(&b);
}

static void nested_lists(void **state)
{
	static const char *const instances[] = { "dev", "prod" };
	const struct wire_pipeline p = { .key = "pipelines/a", .name = "a", .reduced = "",
					 .instances = { instances, 2 } };
	const struct wire_project pr = { .path = ".", .oid = "1", .name = "n", .version = "1",
					 .language = "python", .pipelines = { &p, 1 } };
	const struct wire_surveyed s = { .id = 3, .projects = { &pr, 1 } };
	struct buf b = BUF_INIT;
	struct ps_err err;
	struct msg m;

	(void)state;
	assert_int_equal(msg_encode(&b, MSG_surveyed, &s, &err), 0);
	assert_int_equal(msg_decode(&m, b.data + 4, b.len - 4, &err), 0);
	assert_string_equal(m.u.surveyed.projects.v[0].pipelines.v[0].instances.v[1], "prod");
	msg_clear(&m);
	buf_clear(&b);
}

static void too_long_is_refused_on_both_sides(void **state)
{
	char *ref = xmalloc(PS_REF_MAX + 2);
	struct wire_look look = { .id = 1, .repository = "/x" };
	const char *const refs[] = { ref };
	struct wire_connect c = { .role = ref };
	struct buf b = BUF_INIT;
	struct ps_err err;

	(void)state;
	memset(ref, 'a', PS_REF_MAX + 1);
	ref[PS_REF_MAX + 1] = '\0';
	look.refs.v = refs;
	look.refs.n = 1;
	assert_int_equal(msg_encode(&b, MSG_look, &look, &err), 0);
	buf_reset(&b);
	assert_int_equal(msg_encode(&b, MSG_connect, &c, &err), PS_ELIMIT);
	assert_int_equal(b.len, 0);
	buf_clear(&b);
	free(ref);
}

static void hostile_bytes(void **state)
{
	static const struct { const char *name, *bytes; size_t n; } rows[] = {
		{ "empty", "", 0 },
		{ "array of four billion", "\xdd\xff\xff\xff\xff", 5 },
		{ "map of four billion", "\xdf\xff\xff\xff\xff", 5 },
		{ "string longer than the frame", "\xdb\x00\xff\xff\xff" "a", 6 },
		{ "deep", "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0", 14 },
		{ "trailing", "\x80\x80", 2 },
		{ "not a map", "\x01", 1 },
		{ "no type", "\x80", 1 },
		{ "ext", "\xd4\x01\x02", 3 },
	};

	(void)state;
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		struct ps_err err;
		struct msg m;

		assert_int_equal(msg_decode(&m, rows[i].bytes, rows[i].n, &err), PS_EPROTO);
	}
}

static void mutants_never_crash(void **state)
{
	struct buf b = BUF_INIT;
	struct ps_err err;
	unsigned seed = 42;

	(void)state;
	assert_int_equal(msg_encode(&b, MSG_intent, &intent, &err), 0);
	for (int i = 0; i < 20000; i++) {
		char *copy = xmemdup(b.data + 4, b.len - 4);
		struct msg m;

		for (int k = 0; k < 3; k++) {
			seed = seed * 1103515245 + 12345;
			copy[(seed >> 8) % (b.len - 4)] = (char)(seed >> 20);
		}
		if (msg_decode(&m, copy, b.len - 4, &err) == 0)
			msg_clear(&m);
		free(copy);
	}
	buf_clear(&b);
}

static void unknown_type_is_named(void **state)
{
	static const char bytes[] = "\x82\xa4type\xa5" "later\xa7version\x01";
	struct ps_err err;
	struct msg m;

	(void)state;
	assert_int_equal(msg_decode(&m, bytes, sizeof(bytes) - 1, &err), 0);
	assert_int_equal(m.type, MSG_NONE);
	assert_string_equal(m.name, "later");
	msg_clear(&m);
}

static void descriptors_travel(void **state)
{
	struct ps_err err;
	struct msg m;
	int sp[2], p[2], fd = -1;
	char c = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sp), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(frame_send(sp[0], MSG_intent, &intent, p[1], clock_boot_ns() + 1000000000,
				    &err), 0);
	assert_int_equal(frame_recv(sp[1], &m, MSG_HOOK_MAX, &fd, clock_boot_ns() + 1000000000,
				    &err), 0);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(p[0], &c, 1), 1);
	msg_clear(&m);
	assert_int_equal(frame_recv(sp[1], &m, MSG_HOOK_MAX, NULL, clock_boot_ns() + 20000000,
				    &err), PS_ETIME);
	close(sp[0]);
	assert_int_equal(frame_recv(sp[1], &m, MSG_HOOK_MAX, NULL, 0, &err), PS_EAGENT);
	close(sp[1]);
	close(p[0]);
	close(p[1]);
	close(fd);
}

static void every_message_has_a_route(void **state)
{
	(void)state;
	for (int t = MSG_NONE + 1; t < MSG_COUNT; t++)
		if (!route_count((enum msg_type)t))
			fail_msg("nobody says '%s': give it a row in common/wire/route.h",
				 msg_name((enum msg_type)t));
}

/* A point of a table, armed by name for one speaker: only he fails, once, and without a byte sent. */
static void frames_have_points(void **state)
{
	struct wire_looked body = { .id = 7, .repository_id = "r" };
	struct ps_err err = { 0 };
	struct msg m;
	int sp[2];

	(void)state;
#ifndef PENSTOCK_FAILPOINTS
	skip();
#endif
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp), 0);
	failpoint_arm("gate/frame.send.looked.worker", 1, EIO);
	failpoint_arm("worker/frame.send.looked.worker", 2, ENOSPC);
	route_as(SPEAKER_worker);
	assert_int_equal(frame_send(sp[0], MSG_looked, &body, -1, 0, &err), 0);
	assert_true(frame_send(sp[0], MSG_looked, &body, -1, 0, &err) < 0);
	assert_non_null(strstr(err.msg, "No space left"));
	failpoint_arm("frame.recv.looked.gate", 1, EIO);
	route_as(SPEAKER_gate);
	assert_true(frame_recv(sp[1], &m, MSG_ROLE_MAX, NULL, 0, &err) < 0);
	assert_true(recv(sp[1], &m, 1, MSG_DONTWAIT) < 0);
	route_as(SPEAKER_NONE);
	failpoint_reset();
	close(sp[0]);
	close(sp[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intent_there_and_back),
		cmocka_unit_test(nested_lists),
		cmocka_unit_test(too_long_is_refused_on_both_sides),
		cmocka_unit_test(hostile_bytes),
		cmocka_unit_test(mutants_never_crash),
		cmocka_unit_test(unknown_type_is_named),
		cmocka_unit_test(descriptors_travel),
		cmocka_unit_test(every_message_has_a_route),
		cmocka_unit_test(frames_have_points),
	};

	if (argc > 1 && strcmp(argv[1], "--document") == 0) {
		msg_document(stdout);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
