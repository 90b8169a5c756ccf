/* queue – see queue.h. */
#include "config.h"

#include "agent/gate/queue.h"

#include "common/base/clock.h"

struct request *request_new(const struct request_kind *kind, struct msg *m)
{
	struct request *r = xcalloc(1, sizeof(*r));

	r->kind = kind;
	r->m = *m;
	r->until_ns = clock_boot_ns() + request_limit_ms(m) * 1000000;
	m->type = MSG_NONE;
	return r;
}

void request_free(struct request *r)
{
	if (!r)
		return;
	msg_clear(&r->m);
	free(r);
}

void queue_init(struct queue *q)
{
	q->first = NULL;
	q->end = &q->first;
}

void queue_put(struct queue *q, struct request *r)
{
	*q->end = r;
	q->end = &r->next;
}

struct request *queue_take(struct queue *q)
{
	struct request *r = q->first;

	if (!r)
		return NULL;
	q->first = r->next;
	if (!q->first)
		q->end = &q->first;
	r->next = NULL;
	return r;
}

void queue_clear(struct queue *q)
{
	struct request *r;

	while ((r = queue_take(q)))
		request_free(r);
}

int64_t queue_ms_until(int64_t ns)
{
	int64_t left = ns - clock_boot_ns();

	return left > 0 ? (left + 999999) / 1000000 : 0;
}
