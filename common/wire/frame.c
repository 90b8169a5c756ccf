/* frame – see frame.h. */
#include "config.h"

#include "common/wire/frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/wire/route.h"

/* Waits until sock is ready or the deadline is there. */
static int wait_for(int sock, short events, int64_t deadline_ns, struct ps_err *err)
{
	for (;;) {
		struct pollfd p = { .fd = sock, .events = events };
		int64_t left = deadline_ns ? (deadline_ns - clock_boot_ns() + 999999) / 1000000 :
			-1;
		int n;

		if (deadline_ns && left <= 0)
			return ps_err_set(err, PS_ETIME, "no answer in time");
		n = poll(&p, 1, left > 1000000 ? 1000000 : (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return ps_err_errno(err, "cannot wait for the socket");
	}
}

static void put_fd(struct msghdr *h, char *space, size_t size, int fd)
{
	struct cmsghdr *c;

	memset(space, 0, size);
	h->msg_control = space;
	h->msg_controllen = CMSG_SPACE(sizeof(int));
	c = CMSG_FIRSTHDR(h);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
}

int frame_send(int sock, enum msg_type type, const void *body, int fd, int64_t deadline_ns,
	       struct ps_err *err)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int))];
	struct buf b = BUF_INIT;
	size_t at = 0;
	int rc = msg_encode(&b, type, body, err);

	if (rc == 0 && route_send_fails(type))
		rc = ps_err_errno(err, "cannot send '%s'", msg_name(type));
	while (rc == 0 && at < b.len) {
		struct iovec iov = { b.data + at, b.len - at };
		struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n;

		if (fd >= 0 && at == 0)
			put_fd(&h, space, sizeof(space), fd);
		n = sendmsg(sock, &h, MSG_NOSIGNAL | (deadline_ns ? MSG_DONTWAIT : 0));
		if (n >= 0)
			at += (size_t)n;
		else if (errno == EAGAIN)
			rc = wait_for(sock, POLLOUT, deadline_ns, err);
		else if (errno != EINTR)
			rc = ps_err_set(err, PS_EAGENT, "the other end does not take '%s': %s",
					msg_name(type), strerror(errno));
	}
	buf_clear(&b);
	return rc;
}

static void take_fds(struct msghdr *h, int *fd)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int got;

			memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (fd && *fd < 0)
				*fd = got;
			else
				close(got);	/* nobody asked for it */
		}
	}
}

static int recv_some(int sock, char *to, size_t want, int *fd, int64_t deadline_ns,
		     struct ps_err *err)
{
	_Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)];
	size_t at = 0;

	while (at < want) {
		struct iovec iov = { to + at, want - at };
		struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
				    .msg_controllen = sizeof(space) };
		ssize_t n;
		int rc = wait_for(sock, POLLIN, deadline_ns, err);

		if (rc < 0)
			return rc;
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return ps_err_errno(err, "cannot receive");
		take_fds(&h, fd);
		if (n == 0)
			return ps_err_set(err, PS_EAGENT, "the other end has closed");
		at += (size_t)n;
	}
	return 0;
}

int frame_recv(int sock, struct msg *m, size_t max, int *fd, int64_t deadline_ns,
	       struct ps_err *err)
{
	struct buf b = BUF_INIT;
	char head[4];
	size_t len = 0;
	int rc;

	memset(m, 0, sizeof(*m));
	if (fd)
		*fd = -1;
	rc = recv_some(sock, head, 4, fd, deadline_ns, err);
	if (rc == 0) {
		rc = frame_peek(head, 4, max, &len, err);
		rc = rc < 0 ? rc : 0;
	}
	if (rc == 0)
		rc = recv_some(sock, buf_room(&b, len), len, fd, deadline_ns, err);
	if (rc == 0)
		rc = msg_decode(m, b.data, len, err);
	buf_clear(&b);
	if (rc == 0 && route_recv_fails(m->type)) {
		rc = ps_err_errno(err, "cannot receive '%s'", msg_name(m->type));
		msg_clear(m);
	}
	if (rc < 0 && fd && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	return rc;
}

int frame_peek(const void *bytes, size_t n, size_t max, size_t *len, struct ps_err *err)
{
	uint32_t be32;

	if (n < 4)
		return 0;
	memcpy(&be32, bytes, 4);
	*len = ntohl(be32);
	if (*len > max)
		return ps_err_set(err, PS_ELIMIT, "a frame of %zu bytes, at most %zu are allowed",
				  *len, max);
	return n - 4 >= *len;
}

/* sockaddr_un has 108 bytes; /proc/self/fd/N/name needs few whatever the path's length. */
static int address(struct sockaddr_un *a, int *dirfd, const char *path, struct ps_err *err)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) :
		xstrdup(".");
	int n;

	*dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	if (*dirfd < 0)
		return ps_err_errno(err, "cannot open the folder of '%s'", path);
	*a = (struct sockaddr_un) { .sun_family = AF_UNIX };
	n = snprintf(a->sun_path, sizeof(a->sun_path), "/proc/self/fd/%d/%s", *dirfd,
		     slash ? slash + 1 : path);
	if (n < 0 || (size_t)n >= sizeof(a->sun_path)) {
		close(*dirfd);
		return ps_err_set(err, PS_EINVAL, "the name of the socket '%s' is too long", path);
	}
	return 0;
}

int frame_connect(const char *path, int timeout_ms, struct ps_err *err)
{
	int64_t until = clock_boot_ns() + (int64_t)timeout_ms * 1000000;
	struct sockaddr_un a;
	int dirfd, rc = address(&a, &dirfd, path, err), sock;

	if (rc < 0)
		return rc;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock < 0)
		rc = ps_err_errno(err, "cannot make a socket");
	while (rc == 0 && connect(sock, (struct sockaddr *)&a, sizeof(a)) < 0) {
		struct timespec nap = { 0, 2000000 };

		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)	/* EAGAIN: the listener's queue is full */
			rc = ps_err_set(err, PS_EAGENT, "nobody listens on '%s': %s", path,
					strerror(errno));
		else if (clock_boot_ns() >= until)
			rc = ps_err_set(err, PS_ETIME, "'%s' does not accept connections", path);
		else
			nanosleep(&nap, NULL);
	}
	close(dirfd);
	if (rc == 0 && fcntl(sock, F_SETFL, 0) < 0)
		rc = ps_err_errno(err, "cannot set up the socket");
	if (rc < 0 && sock >= 0)
		close(sock);
	return rc < 0 ? rc : sock;
}

int frame_listen(const char *path, unsigned mode, struct ps_err *err)
{
	struct sockaddr_un a;
	int dirfd, rc = address(&a, &dirfd, path, err), sock;

	if (rc < 0)
		return rc;
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (unlink(path) < 0 && errno != ENOENT)
		rc = ps_err_errno(err, "cannot replace '%s'", path);
	else if (sock < 0 || bind(sock, (struct sockaddr *)&a, sizeof(a)) < 0)
		rc = ps_err_errno(err, "cannot bind '%s'", path);
	else if (chmod(path, mode) < 0 || listen(sock, 512) < 0)
		rc = ps_err_errno(err, "cannot listen on '%s'", path);
	close(dirfd);
	if (rc < 0 && sock >= 0)
		close(sock);
	return rc < 0 ? rc : sock;
}
