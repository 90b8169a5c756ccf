/*
 * peer – one connected stream socket that speaks frames, on the loop.
 *
 * on_msg is called for each whole message (the peer clears it afterwards); on_close exactly once,
 * with the reason, whoever ended it. After peer_close() no callback comes any more, and the peer is
 * freed after the present turn of the loop. At most PEER_TURN messages are taken per wake-up, so
 * one busy peer cannot starve the others.
 */
#ifndef PS_PEER_H
#define PS_PEER_H

#include "agent/loop/loop.h"
#include "common/wire/msg.h"

struct peer;

struct peer_ops {
	void (*on_msg)(struct peer *p, struct msg *m, void *arg);
	void (*on_close)(struct peer *p, const char *why, void *arg);
	size_t max_frame;		/* larger ones close the peer */
	size_t max_out;			/* unsent bytes past this close the peer */
};

/* Takes sock over. ops must outlive the peer. */
struct peer *peer_new(struct loop *l, int sock, const struct peer_ops *ops, void *arg);
/* Sends a message, or queues what does not go at once; fd (or -1) is duplicated and goes with its
 * first byte. No callback comes from here but for max_out. PS_EAGENT once closed. */
int peer_send(struct peer *p, enum msg_type type, const void *body,
	      struct ps_err *err) PS_MUSTCHECK;
int peer_send_fd(struct peer *p, enum msg_type type, const void *body, int fd,
		 struct ps_err *err) PS_MUSTCHECK;
/* The oldest descriptor that came and was not taken yet, or -1. Now the caller's. */
int peer_take_fd(struct peer *p);
/* Closes after what is queued has been sent; on_close comes then. */
void peer_finish(struct peer *p, const char *why);
void peer_close(struct peer *p, const char *why);
/* SO_PEERCRED: uid and pid of the process that connected. */
int peer_cred(struct peer *p, uint32_t *uid, int *pid, struct ps_err *err) PS_MUSTCHECK;
void *peer_arg(struct peer *p);
void peer_set_arg(struct peer *p, void *arg);

#endif
