/* wait – see wait.h. */
#include "config.h"

#include "cli/wait.h"

#include <signal.h>
#include <time.h>

#include "common/base/clock.h"

enum { POLL_MS = 250 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
	(void)signum;
	interrupted = 1;
}

int64_t wait_duration_ms(const char *text)
{
	static const struct {
		char unit;
		int64_t ms;
	} units[] = { { '\0', 1000 }, { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 },
		      { 'd', 86400000 } };
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || n < 0 || n > 1000000 || (*end && end[1]))
		return -1;
	for (size_t i = 0; i < PS_NELEM(units); i++)
		if (units[i].unit == *end)
			return n * units[i].ms;
	return -1;
}

int wait_timeout(struct cli *cli, const char *text, int64_t *ms)
{
	*ms = text ? wait_duration_ms(text) : -1;
	if (text && *ms < 0)
		return cli_fail(cli, CLI_USAGE, NULL, "'%s' is no time: give 90s, 30m or 2h", text);
	return 0;
}

void wait_begin(struct wait *w, int64_t timeout_ms)
{
	w->until_ns = timeout_ms < 0 ? -1 : clock_boot_ns() + timeout_ms * 1000000;
	sigaction(SIGINT, &(struct sigaction){ .sa_handler = on_interrupt }, NULL);
}

int wait_turn(const struct wait *w)
{
	if (!interrupted && w->until_ns >= 0 && clock_boot_ns() > w->until_ns)
		return CLI_NO;
	if (!interrupted)
		nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
	return interrupted ? CLI_INTERRUPTED : 0;
}
