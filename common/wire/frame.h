/*
 * frame – bytes on a stream socket: 4-byte big-endian length, then one msgpack map.
 *
 * Blocking calls with a deadline for the thin side (hook, CLI, deploy children), and a cursor for
 * the event loop. Descriptors travel by SCM_RIGHTS with the first byte of a frame.
 */
#ifndef PS_FRAME_H
#define PS_FRAME_H

#include "common/wire/msg.h"

enum { FRAME_FDS_MAX = 4 };

/* Sends one message; fd (or -1) goes with its first byte. deadline_ns: on clock_boot_ns(), 0: none.
 * PS_ETIME past it, PS_EAGENT when the other end is gone. Never raises SIGPIPE. */
int frame_send(int sock, enum msg_type type, const void *body, int fd, int64_t deadline_ns,
	       struct ps_err *err) PS_MUSTCHECK;
/* Receives one message of at most max bytes. *fd (may be NULL) gets a descriptor that came, or
 * -1. */
int frame_recv(int sock, struct msg *m, size_t max, int *fd, int64_t deadline_ns,
	       struct ps_err *err) PS_MUSTCHECK;
/*
 * For a buffer that fills bit by bit: 1 and the length of the map at `bytes + 4` when a whole frame
 * is there, 0 when more must come, PS_ELIMIT when it claims more than max.
 */
int frame_peek(const void *bytes, size_t n, size_t max, size_t *len,
	       struct ps_err *err) PS_MUSTCHECK;
/*
 * Connects to (or binds and listens on) the Unix socket `path` through a descriptor of its folder:
 * the length of the path is no limit. Returns the socket (close-on-exec) or PS_E*.
 * frame_connect gives up after timeout_ms with PS_ETIME; no listener is PS_EAGENT.
 */
int frame_connect(const char *path, int timeout_ms, struct ps_err *err) PS_MUSTCHECK;
int frame_listen(const char *path, unsigned mode, struct ps_err *err) PS_MUSTCHECK;

#endif
