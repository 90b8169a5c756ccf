/*
 * post – one letter to somebody outside, in a process of its own: a webhook or a mail.
 *
 * Straight-line code with limits of time and size. What it returns is a word for core: done; again
 * (the network, a full queue, a receiver that says "later"); failed (the receiver has understood
 * and will not).
 */
#ifndef PS_DEPLOY_POST_H
#define PS_DEPLOY_POST_H

#include "common/base/buf.h"
#include "common/config/config.h"
#include "common/wire/msg.h"

enum { POST_LIMIT_S = 60 };

struct post_end {
	const char *state; /* done, again, failed */
	int64_t after_ms;  /* again: what the receiver asked for; 0: nothing */
	char problem[512];
};

/* The whole of the child: sends, and says through sock what came of it. secret: a descriptor, or
 * -1. Returns the exit code of the process. */
int post_run(int sock, const struct wire_post *m, const struct conf_notify *n, int secret);

/* Headers: Penstock-Id (the uid), Penstock-Event, Penstock-Timestamp, and Penstock-Signature:
 * v1=HMAC-SHA256, in hex, of
 * "<timestamp>.<body>". */
void post_webhook(const struct wire_post *m, const struct conf_notify *n, const char *secret,
		  size_t len, struct post_end *end);
/* The message on sendmail's standard input, the addresses as its arguments. */
void post_mail(const struct wire_post *m, const struct conf_notify *n, struct post_end *end);

void post_ends(struct post_end *end, const char *state, const char *fmt, ...) PS_PRINTF(3, 4);

#endif
