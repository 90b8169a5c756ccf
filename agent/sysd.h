/*
 * sysd – what the parent has from a service manager and what it tells him. By hand, because
 * libsystemd would bring compression and cryptography into the one process that is root.
 *
 * Told: sd_notify(3)'s protocol, a datagram of NAME=value lines to the socket in NOTIFY_SOCKET (a
 * path, or @ and an abstract name). Without that variable nobody listens and nothing is said.
 *
 * Had: sd_listen_fds(3)'s, sockets that listen already, from descriptor 3 on, LISTEN_FDS of them
 * for the process LISTEN_PID. They are known by the path that they are bound to.
 */
#ifndef PS_SYSD_H
#define PS_SYSD_H

#include "common/base/err.h"

/* Once, before the first child: takes what concerns us out of the environment. */
void sysd_init(void);
/* The listening stream socket that we were given for this path; it stays ours. -1: none. */
int sysd_socket(const char *path);
/* Closes those that nobody asked for, with a word about each. */
void sysd_close_others(void);
/* "READY=1", "STOPPING=1", "WATCHDOG=1". What cannot be said is logged once and work goes on. */
void sysd_tell(const char *line);
/* RELOADING=1, with the time that Type=notify-reload wants; READY=1 ends it. */
void sysd_tell_reloading(void);
/* How often WATCHDOG=1 is due: half of what the manager waits, in ms; 0: it does not wait. */
int64_t sysd_watchdog_ms(void);

#endif
