/*
 * sysd – what a service manager is told of the parent: sd_notify(3)'s protocol, a datagram of
 * NAME=value lines to the socket in NOTIFY_SOCKET (a path, or @ and an abstract name). Without that
 * variable nobody listens and nothing is said. By hand, because libsystemd would bring compression
 * and cryptography into the one process that is root.
 */
#ifndef PS_SYSD_H
#define PS_SYSD_H

#include "common/base/err.h"

/* Once, before the first child: takes what concerns us out of the environment. */
void sysd_init(void);
/* "READY=1", "STOPPING=1", "WATCHDOG=1". What cannot be said is logged once and work goes on. */
void sysd_tell(const char *line);
/* RELOADING=1, with the time that Type=notify-reload wants; READY=1 ends it. */
void sysd_tell_reloading(void);
/* How often WATCHDOG=1 is due: half of what the manager waits, in ms; 0: it does not wait. */
int64_t sysd_watchdog_ms(void);

#endif
