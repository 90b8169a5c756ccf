/* peer – what it does with an other end that is faster than we are, and with descriptors. */
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/loop/peer.h"
#include "common/base/buf.h"

enum { FLOOD = 4 << 20, HELD_MAX = 1 << 20 };

struct flood {
	struct loop *loop;
	struct loop_watch *writer;
	struct buf frame;
	int sock;			/* the stranger's end */
	size_t sent, handled;		/* bytes */
	size_t held_most;		/* sent and not handled: with us or in the kernel */
};

static void on_msg(struct peer *p, struct msg *m, void *arg)
{
	struct flood *f = arg;

	(void)p;
	assert_int_equal(m->type, MSG_stop);
	f->handled += f->frame.len;
	if (f->handled >= FLOOD)
		loop_stop(f->loop);
}

static const struct peer_ops ops = { .on_msg = on_msg, .max_frame = 4096, .max_out = 4096 };

/* As much as the socket takes, in whole frames and pieces of them. */
static void flood(void *arg)
{
	struct flood *f = arg;

	for (;;) {
		size_t at = f->sent % f->frame.len;
		ssize_t n = send(f->sock, f->frame.data + at, f->frame.len - at, MSG_DONTWAIT |
				 MSG_NOSIGNAL);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			break;
		}
		f->sent += (size_t)n;
	}
	if (f->sent - f->handled > f->held_most)
		f->held_most = f->sent - f->handled;
	loop_timer_set(f->writer, 0);
}

static void faster_than_we_are(void **state)
{
	struct flood f = { .frame = BUF_INIT };
	struct ps_err err;
	struct peer *p;
	int sp[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp), 0);
	assert_int_equal(loop_new(&f.loop, &err), 0);
	assert_int_equal(msg_encode(&f.frame, MSG_stop, &(struct wire_stop) { .why = "now" }, &err),
			 0);
	f.sock = sp[1];
	p = peer_new(f.loop, sp[0], &ops, &f);
	f.writer = loop_timer(f.loop, flood, &f);
	loop_timer_set(f.writer, 0);
	assert_int_equal(loop_run(f.loop, &err), 0);
	assert_true(f.handled >= FLOOD);
	assert_true(f.held_most < HELD_MAX);
	loop_watch_free(f.writer);
	peer_close(p, "end");
	loop_free(f.loop);
	buf_clear(&f.frame);
	close(sp[1]);
}

/* A descriptor that cannot go takes its message with it. */
static void descriptor_that_is_none(void **state)
{
	struct ps_err err = { 0 };
	struct loop *l;
	struct peer *p;
	char c;
	int sp[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp), 0);
	assert_int_equal(loop_new(&l, &err), 0);
	p = peer_new(l, sp[0], &ops, NULL);
	assert_true(peer_send_fd(p, MSG_stop, &(struct wire_stop) { .why = "now" }, 1 << 30,
				 &err) < 0);
	peer_finish(p, "nothing is queued: closes at once");
	assert_int_equal(peer_send(p, MSG_stop, &(struct wire_stop) { .why = "now" }, &err),
			 PS_EAGENT);
	assert_int_equal(recv(sp[1], &c, 1, MSG_DONTWAIT), 0);
	loop_free(l);
	close(sp[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(faster_than_we_are),
		cmocka_unit_test(descriptor_that_is_none),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("peer", t, NULL, NULL);
}
