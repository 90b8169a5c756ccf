/* sysd – see sysd.h. */
#include "config.h"

#include "agent/sysd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"

static struct sockaddr_un manager; /* sun_path[0] and [1] both 0: none listens */
static socklen_t manager_len;
static int64_t watchdog_ms;

enum { FIRST_FD = 3, SOCKETS_MAX = 16 };
static struct { bool given, taken; } sockets[SOCKETS_MAX]; /* by descriptor, from FIRST_FD on */

static void find_sockets(void)
{
	const char *n = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");

	if (!n || !pid || atol(pid) != (long)getpid())
		return;
	for (int i = 0; i < atoi(n) && i < SOCKETS_MAX; i++)
		sockets[i].given = fcntl(FIRST_FD + i, F_SETFD, FD_CLOEXEC) == 0;
}

/* Does it listen at this path? The file, not the text: the manager may know another way there. */
static bool listens_at(int fd, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };
	socklen_t n = sizeof(a), size = sizeof(int);
	struct stat mine, there;
	int listens = 0, type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
	       getsockname(fd, (struct sockaddr *)&a, &n) == 0 && a.sun_family == AF_UNIX &&
	       n > offsetof(struct sockaddr_un, sun_path) && n < sizeof(a) && *a.sun_path &&
	       stat(a.sun_path, &mine) == 0 && stat(path, &there) == 0 &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

int sysd_socket(const char *path)
{
	for (int i = 0; i < SOCKETS_MAX; i++)
		if (sockets[i].given && listens_at(FIRST_FD + i, path)) {
			sockets[i].taken = true;
			return FIRST_FD + i;
		}
	return -1;
}

void sysd_close_others(void)
{
	for (int i = 0; i < SOCKETS_MAX; i++) {
		if (!sockets[i].given || sockets[i].taken)
			continue;
		log_warn("systemd", NULL, "socket %d of those it gave is none of the agent's: "
			 "hook.sock and api.sock in its run folder are", i + 1);
		close(FIRST_FD + i);
		sockets[i].given = false;
	}
}

static void find_manager(void)
{
	const char *where = getenv("NOTIFY_SOCKET");
	size_t n = where ? strlen(where) : 0;

	if (!n)
		return;
	if ((where[0] != '/' && where[0] != '@') || n >= sizeof(manager.sun_path)) {
		log_warn("systemd", NULL, "'%s' in NOTIFY_SOCKET is no socket: nobody is told that "
			 "the agent is ready", where);
		return;
	}
	manager.sun_family = AF_UNIX;
	memcpy(manager.sun_path, where, n);
	if (where[0] == '@')
		manager.sun_path[0] = '\0';
	manager_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static void find_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (usec && (!pid || atol(pid) == (long)getpid()))
		watchdog_ms = atoll(usec) / 2000;
}

void sysd_init(void)
{
	static const char *const ours[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
					    "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES" };

	find_manager();
	find_watchdog();
	find_sockets();
	/* a role that could speak to the manager could say that we are well */
	for (size_t i = 0; i < PS_NELEM(ours); i++)
		unsetenv(ours[i]);
}

void sysd_tell(const char *line)
{
	/* what is said again soon may be lost on one who does not listen now; the rest waits for
	 * him a little */
	bool again = strcmp(line, "WATCHDOG=1") == 0;
	const struct timeval wait = { 1, 0 };
	static bool complained;
	int sock;

	if (!manager_len)
		return;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if ((sock < 0 || setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	     sendto(sock, line, strlen(line), MSG_NOSIGNAL | (again ? MSG_DONTWAIT : 0),
		    (struct sockaddr *)&manager, manager_len) < 0) &&
	    !(again && errno == EAGAIN) && !complained) {
		log_warn("systemd", NULL, "it cannot be told '%s': %s", line, strerror(errno));
		complained = true;
	}
	if (sock >= 0)
		close(sock);
}

void sysd_tell_reloading(void)
{
	struct timespec now;
	char text[96];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		 (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	sysd_tell(text);
}

int64_t sysd_watchdog_ms(void)
{
	return watchdog_ms;
}
