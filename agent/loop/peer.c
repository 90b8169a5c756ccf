/* peer – see peer.h. */
#include "config.h"

#include "agent/loop/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/wire/frame.h"
#include "common/wire/route.h"

enum { PEER_TURN = 16, PEER_READ = 65536, PEER_FDS = 8 };

/* A descriptor that goes out with the byte at `at` of everything ever queued. */
struct out_fd {
	uint64_t at;
	int fd;
};

struct peer {
	struct loop *loop;
	int sock;
	const struct peer_ops *ops;
	void *arg;
	struct loop_watch *readable, *writable, *again;
	struct buf in, out;
	uint64_t sent;			/* bytes that left since the beginning */
	struct out_fd *out_fds;
	size_t nout_fds, cap_out_fds;
	int in_fds[PEER_FDS];
	size_t nin_fds;
	bool closed, finishing;
	/* whole frames wait for `again`: nothing more is read until then */
	bool backlog;
	char finish_why[128];
};

static void peer_free(void *arg)
{
	struct peer *p = arg;

	loop_watch_free(p->readable);
	loop_watch_free(p->writable);
	loop_watch_free(p->again);
	for (size_t i = 0; i < p->nin_fds; i++)
		close(p->in_fds[i]);
	for (size_t i = 0; i < p->nout_fds; i++)
		close(p->out_fds[i].fd);
	free(p->out_fds);
	buf_clear(&p->in);
	buf_clear(&p->out);
	close(p->sock);
	free(p);
}

void peer_close(struct peer *p, const char *why)
{
	if (p->closed)
		return;
	p->closed = true;
	loop_watch_free(p->readable);
	loop_watch_free(p->writable);
	p->readable = p->writable = NULL;
	loop_timer_stop(p->again);
	shutdown(p->sock, SHUT_RDWR);
	if (p->ops->on_close)
		p->ops->on_close(p, why, p->arg);
	loop_defer_free(p->loop, p, peer_free);
}

/* ---- out ---- */

static void want_write(struct peer *p);

static ssize_t send_some(struct peer *p, size_t n, int fd)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { p->out.data, n };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *c;

		h.msg_control = space;
		h.msg_controllen = sizeof(space);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(p->sock, &h, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* 0: all of it is on its way; PS_EBUSY: not yet; PS_EIO with errno: it never will be. */
static int send_all(struct peer *p)
{
	while (p->out.len) {
		int fd = p->nout_fds && p->out_fds[0].at == p->sent ? p->out_fds[0].fd : -1;
		/* stop before the next byte that carries a descriptor */
		size_t next = p->nout_fds > (fd >= 0) ? (size_t)(p->out_fds[fd >= 0].at - p->sent) :
			p->out.len;
		ssize_t n = send_some(p, next < p->out.len ? next : p->out.len, fd);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? PS_EBUSY : PS_EIO;
		if (fd >= 0) {
			close(fd);
			memmove(p->out_fds, p->out_fds + 1, --p->nout_fds * sizeof(*p->out_fds));
		}
		buf_drain(&p->out, (size_t)n);
		p->sent += (uint64_t)n;
	}
	return 0;
}

static void flush(void *arg)
{
	struct peer *p = arg;
	int rc = send_all(p);

	if (rc == PS_EBUSY)
		return;
	if (rc < 0) {
		peer_close(p, strerror(errno));
		return;
	}
	loop_watch_free(p->writable);
	p->writable = NULL;
	if (p->finishing)
		peer_close(p, p->finish_why);
}

static void want_write(struct peer *p)
{
	if (!p->writable)
		p->writable = loop_writable(p->loop, p->sock, flush, p);
}

int peer_send_fd(struct peer *p, enum msg_type type, const void *body, int fd, struct ps_err *err)
{
	uint64_t at = p->sent + p->out.len;
	int rc, copy = -1;

	if (p->closed || p->finishing)
		return ps_err_set(err, PS_EAGENT, "the other end is gone");
	if (route_send_fails(type))
		return ps_err_errno(err, "cannot send '%s'", msg_name(type));
	if (fd >= 0) {		/* first: without it the message must not go out */
		copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (copy < 0)
			return ps_err_errno(err, "cannot pass a descriptor");
	}
	rc = msg_encode(&p->out, type, body, err);
	if (rc < 0) {
		if (copy >= 0)
			close(copy);
		return rc;
	}
	if (copy >= 0) {
		p->out_fds = xgrow(p->out_fds, p->nout_fds, &p->cap_out_fds, sizeof(*p->out_fds));
		p->out_fds[p->nout_fds++] = (struct out_fd) { at, copy };
	}
	if (p->out.len > p->ops->max_out) {
		peer_close(p, "does not read what it is sent");
		return ps_err_set(err, PS_EAGENT, "the other end does not read");
	}
	/* at once where that is possible: somebody waits for it. What fails is told by the next
	 * turn, when nobody is in the middle of something with this peer */
	if (p->writable || send_all(p) < 0)
		want_write(p);
	return 0;
}

int peer_send(struct peer *p, enum msg_type type, const void *body, struct ps_err *err)
{
	return peer_send_fd(p, type, body, -1, err);
}

void peer_finish(struct peer *p, const char *why)
{
	if (p->closed || p->finishing)
		return;
	p->finishing = true;
	snprintf(p->finish_why, sizeof(p->finish_why), "%s", why);
	if (!p->out.len)
		peer_close(p, why);
}

/* ---- in ---- */

static void keep_fds(struct peer *p, struct msghdr *h)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (p->nin_fds < PEER_FDS)
				p->in_fds[p->nin_fds++] = fd;
			else
				close(fd);
		}
	}
}

/* Gives whole frames to on_msg; true when the turn's share is used up and more is there. */
static bool deliver(struct peer *p)
{
	for (int i = 0; i < PEER_TURN; i++) {
		struct ps_err err = { 0 };
		struct msg m;
		size_t len = 0;
		int rc = frame_peek(p->in.data, p->in.len, p->ops->max_frame, &len, &err);

		if (rc == 0)
			return false;
		if (rc > 0)
			rc = msg_decode(&m, p->in.data + 4, len, &err);
		if (rc == 0 && route_recv_fails(m.type)) {
			rc = ps_err_errno(&err, "cannot receive '%s'", msg_name(m.type));
			msg_clear(&m);
		}
		if (rc < 0) {
			peer_close(p, err.msg);
			return false;
		}
		buf_drain(&p->in, len + 4);
		p->ops->on_msg(p, &m, p->arg);
		msg_clear(&m);
		if (p->closed)
			return false;
	}
	return true;
}

static void more(void *arg)
{
	struct peer *p = arg;

	if (p->closed)
		return;
	p->backlog = deliver(p);
	if (p->backlog)
		loop_timer_set(p->again, 0);
}

static void readable(void *arg)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)];
	struct peer *p = arg;
	struct iovec iov = { NULL, PEER_READ };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	ssize_t n;

	if (p->backlog)		/* who sends faster than he is served must not fill our memory */
		return;
	iov.iov_base = buf_room(&p->in, PEER_READ);
	n = recvmsg(p->sock, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		peer_close(p, n == 0 ? "closed" : strerror(errno));
		return;
	}
	keep_fds(p, &h);
	buf_grew(&p->in, (size_t)n);
	more(p);
}

/* ---- life ---- */

struct peer *peer_new(struct loop *l, int sock, const struct peer_ops *ops, void *arg)
{
	struct peer *p = xcalloc(1, sizeof(*p));

	p->loop = l;
	p->sock = sock;
	p->ops = ops;
	p->arg = arg;
	p->readable = loop_readable(l, sock, readable, p);
	p->again = loop_timer(l, more, p);
	return p;
}

int peer_take_fd(struct peer *p)
{
	int fd;

	if (!p->nin_fds)
		return -1;
	fd = p->in_fds[0];
	memmove(p->in_fds, p->in_fds + 1, --p->nin_fds * sizeof(*p->in_fds));
	return fd;
}

int peer_cred(struct peer *p, uint32_t *uid, int *pid, struct ps_err *err)
{
	struct ucred c;
	socklen_t n = sizeof(c);

	if (getsockopt(p->sock, SOL_SOCKET, SO_PEERCRED, &c, &n) < 0)
		return ps_err_errno(err, "cannot tell who connected");
	*uid = c.uid;
	*pid = c.pid;
	return 0;
}

void *peer_arg(struct peer *p)
{
	return p->arg;
}

void peer_set_arg(struct peer *p, void *arg)
{
	p->arg = arg;
}
