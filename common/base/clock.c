/* clock – see clock.h. */
#include "config.h"

#include "common/base/clock.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

int64_t clock_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t clock_boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void split(int64_t wall_ms, struct tm *tm)
{
	time_t t = (time_t)(wall_ms / 1000);

	gmtime_r(&t, tm);
}

const char *clock_text(char *out, int64_t wall_ms)
{
	struct tm tm;

	split(wall_ms, &tm);
	strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

const char *clock_text_ms(char *out, int64_t wall_ms)
{
	struct tm tm;
	size_t n;

	split(wall_ms, &tm);
	n = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, CLOCK_TEXT - n, ".%03dZ", (int)(wall_ms % 1000));
	return out;
}

const char *clock_age(char *out, int64_t ms)
{
	int64_t s = ms < 0 ? 0 : ms / 1000;

	if (s < 120)
		snprintf(out, CLOCK_TEXT, "%lld s", (long long)s);
	else if (s < 7200)
		snprintf(out, CLOCK_TEXT, "%lld m", (long long)(s / 60));
	else if (s < 172800)
		snprintf(out, CLOCK_TEXT, "%lld h", (long long)(s / 3600));
	else
		snprintf(out, CLOCK_TEXT, "%lld d", (long long)(s / 86400));
	return out;
}

static char boot_id[40];

static void read_boot_id(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, boot_id, 36);
		close(fd);
	}
	if (n != 36)
		snprintf(boot_id, sizeof(boot_id), "unknown");
}

const char *clock_boot_id(void)
{
	/* the loop and the store's writer both ask */
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, read_boot_id);
	return boot_id;
}
