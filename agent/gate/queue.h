/* queue – requests that no worker has yet, in the order they came. */
#ifndef PS_QUEUE_H
#define PS_QUEUE_H

#include "agent/gate/request.h"

struct request {
	struct request *next;
	struct msg m;
	const struct request_kind *kind;
	int64_t until_ns;		/* on clock_boot_ns() */
	unsigned lost;			/* workers that ended with it */
};

struct queue { struct request *first, **end; };

/* Takes m over (its type becomes MSG_NONE). */
struct request *request_new(const struct request_kind *kind, struct msg *m);
void request_free(struct request *r);		/* NULL is fine */

void queue_init(struct queue *q);
void queue_put(struct queue *q, struct request *r);
struct request *queue_take(struct queue *q);	/* NULL: empty */
void queue_clear(struct queue *q);

/* Milliseconds until then, rounded up; 0 when it is past. */
int64_t queue_ms_until(int64_t ns);

#endif
