/* ask – see ask.h. */
#include "config.h"

#include "agent/flow/ask.h"

struct ask {
	struct asks *all;
	uint64_t id;
	enum msg_type answer;		/* what may end it */
	struct peer *peer;
	ask_fn *fn;
	void *arg;
	struct loop_watch *timer;
	const char *why_not;		/* static; set when it could not even be sent */
	struct ask *next;
};

struct asks {
	struct loop *loop;
	uint64_t last;
	struct ask *first;
};

struct asks *asks_new(struct loop *l)
{
	struct asks *a = xcalloc(1, sizeof(*a));

	a->loop = l;
	return a;
}

static void ask_free(void *arg)
{
	struct ask *k = arg;

	loop_watch_free(k->timer);
	free(k);
}

/* Takes it out of the list and calls its function, once. */
static void ask_end(struct ask *k, struct msg *m, const char *problem)
{
	struct ask **at = &k->all->first;

	while (*at && *at != k)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = k->next;
	loop_timer_stop(k->timer);
	if (k->fn)
		k->fn(k->arg, m, problem);
	loop_defer_free(k->all->loop, k, ask_free);
}

static void on_time(void *arg)
{
	struct ask *k = arg;

	ask_end(k, NULL, k->why_not ? k->why_not : "no answer in time");
}

static enum msg_type answer_to(enum msg_type question)
{
	switch ((int)question) {
	case MSG_judge:
		return MSG_verdict;
	case MSG_look:
		return MSG_looked;
	case MSG_mark:
		return MSG_marked;
	case MSG_find:
		return MSG_found;
	case MSG_survey:
		return MSG_surveyed;
	case MSG_export:
	case MSG_keep:
		return MSG_done;
	case MSG_clean:
		return MSG_cleaned;
	case MSG_toolchain_query:
		return MSG_toolchain_info;
	case MSG_parse:
		return MSG_parsed;
	case MSG_observe:
		return MSG_observed;
	default:
		ps_bug(__FILE__, __LINE__, "'%s' is no question", msg_name(question));
	}
}

void ask_send(struct asks *a, struct peer *to, enum msg_type type, void *body, int64_t limit_ms,
	      ask_fn *fn, void *arg)
{
	struct ask *k = xcalloc(1, sizeof(*k));
	struct ps_err err;

	*k = (struct ask) { .all = a, .id = ++a->last, .answer = answer_to(type), .peer = to,
			    .fn = fn, .arg = arg, .next = a->first };
	k->timer = loop_timer(a->loop, on_time, k);
	a->first = k;
	memcpy(body, &k->id, sizeof(k->id));	/* id is the first member of every question */
	if (!to)
		k->why_not = "the role is not running";
	else if (peer_send(to, type, body, &err) < 0)
		k->why_not = "the question could not be sent";
	loop_timer_set(k->timer, k->why_not ? 0 : limit_ms);
}

static uint64_t answer_id(const struct msg *m)
{
	switch (m->type) {
	case MSG_verdict:
		return m->u.verdict.id;
	case MSG_looked:
		return m->u.looked.id;
	case MSG_marked:
		return m->u.marked.id;
	case MSG_found:
		return m->u.found.id;
	case MSG_surveyed:
		return m->u.surveyed.id;
	case MSG_done:
		return m->u.done.id;
	case MSG_cleaned:
		return m->u.cleaned.id;
	case MSG_toolchain_info:
		return m->u.toolchain_info.id;
	case MSG_parsed:
		return m->u.parsed.id;
	case MSG_observed:
		return m->u.observed.id;
	default:
		return 0;
	}
}

bool ask_answer(struct asks *a, struct peer *from, struct msg *m)
{
	uint64_t id = answer_id(m);

	for (struct ask *k = a->first; id && k; k = k->next)
		if (k->id == id && k->peer == from) {
			if (m->type == k->answer)
				ask_end(k, m, NULL);
			else
				ask_end(k, NULL, "it answered something else");
			return true;
		}
	return false;
}

void ask_peer_gone(struct asks *a, struct peer *peer, const char *why)
{
	struct ask *k = a->first;

	while (k) {
		if (k->peer != peer || k->why_not) {
			k = k->next;
			continue;
		}
		k->peer = NULL;
		ask_end(k, NULL, why);
		k = a->first;		/* the function may have asked again: begin anew */
	}
}

void asks_end(struct asks *a, const char *why)
{
	uint64_t last = a->last;	/* what is asked meanwhile is its owner's to forget */
	struct ask *k = a->first;

	while (k) {
		if (k->id > last) {
			k = k->next;
			continue;
		}
		ask_end(k, NULL, why);
		k = a->first;
	}
}

void ask_forget(struct asks *a, void *arg)
{
	for (struct ask *k = a->first; k; k = k->next)
		if (k->arg == arg)
			k->fn = NULL;
}

void asks_free(struct asks *a)
{
	if (!a)
		return;
	while (a->first) {
		struct ask *k = a->first;

		a->first = k->next;
		ask_free(k);
	}
	free(a);
}
