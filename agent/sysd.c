/* sysd – see sysd.h. */
#include "config.h"

#include "agent/sysd.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/base/log.h"

static struct sockaddr_un manager; /* sun_path[0] and [1] both 0: none listens */
static socklen_t manager_len;
static int64_t watchdog_ms;

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
	static const char *const ours[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID" };

	find_manager();
	find_watchdog();
	/* a role that could speak to the manager could say that we are well */
	for (size_t i = 0; i < PS_NELEM(ours); i++)
		unsetenv(ours[i]);
}

void sysd_tell(const char *line)
{
	static bool complained;
	int sock;

	if (!manager_len)
		return;
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if ((sock < 0 || sendto(sock, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT,
				(struct sockaddr *)&manager, manager_len) < 0) && !complained) {
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
