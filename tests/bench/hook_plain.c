/*
 * hook_plain – the least that a hook can be, to compare ours with: it does nothing; built with
 * HOOK_SYNCS, it makes one line durable, as whoever acknowledges an event must.
 */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

int main(void)
{
	int bad = 0;

#ifdef HOOK_SYNCS
	static const char line[] = "an event\n";
	int fd = open("penstock-bench", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	bad = fd < 0 || write(fd, line, sizeof(line) - 1) < 0 || fsync(fd) < 0;
#endif
	return bad;
}
