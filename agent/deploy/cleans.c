/* cleans – see cleans.h. */
#include "config.h"

#include "agent/deploy/cleans.h"

#include "agent/deploy/worker.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/retain.h"
#include "common/wire/frame.h"

enum { ITEMS_MAX = 20000 }; /* of one answer: the rest goes next time */

struct cleaning {
	const struct wire_clean *m;
	const char *outputs;
};

/* ---- in the child ---- */

static int tell(int sock, const struct wire_cleaned *answer)
{
	struct ps_err err = { 0 };
	int rc = frame_send(sock, MSG_cleaned, answer, -1, 0, &err);

	if (rc < 0)
		log_error("clean", NULL, "the answer did not reach core: %s", err.msg);
	return rc < 0;
}

static int list(int sock, const struct cleaning *c)
{
	const struct wire_clean *m = c->m;
	const struct retain_rule rule = { m->logs_before, m->logs_max, clock_wall_ms() };
	struct retain_files l = { NULL, 0, 0 };
	struct wire_clean_item *items = xcalloc(ITEMS_MAX, sizeof(*items));
	struct wire_cleaned answer = { .id = m->id };
	struct ps_err err = { 0 };
	int rc = retain_list_folder(&l, c->outputs, "x", &err), code;

	retain_need(&l, m->keep.v, m->keep.n);
	retain_pick(&l, &rule);
	for (size_t i = 0; i < l.n && answer.items.n < ITEMS_MAX; i++)
		if (l.v[i].goes)
			items[answer.items.n++] = (struct wire_clean_item) {
				"output", l.v[i].name, l.v[i].size, l.v[i].mtime_ms };
	answer.items.v = items;
	answer.problem = rc < 0 ? err.msg : NULL;
	code = tell(sock, &answer);
	retain_clear(&l);
	free(items);
	return code;
}

static int remove_all(int sock, const struct cleaning *c)
{
	const struct wire_clean *m = c->m;
	struct wire_cleaned answer = { .id = m->id };
	struct ps_err err = { 0 };

	for (size_t i = 0; i < m->remove.n; i++) {
		const struct wire_clean_item *item = &m->remove.v[i];
		const struct retain_file f = { .name = (char *)item->name, .size = item->size,
					       .mtime_ms = item->mtime };

		/* one that cannot be removed keeps none of the others */
		if (retain_remove_entry(c->outputs, &f, err.code ? NULL : &err) != 1)
			continue;
		answer.files++;
		answer.bytes += (uint64_t)item->size;
	}
	answer.problem = err.code ? err.msg : NULL;
	return tell(sock, &answer);
}

static int run(int sock, struct secret_fds secret, const void *job)
{
	const struct cleaning *c = job;

	(void)secret;
	return c->m->remove.n ? remove_all(sock, c) : list(sock, c);
}

/* ---- in the role ---- */

static void answer_for(struct role *r, uint64_t id, const char *problem)
{
	struct wire_cleaned answer = { .id = id, .problem = problem };

	role_tell_core(r, MSG_cleaned, &answer);
}

static void on_msg(struct worker *w, struct msg *m)
{
	if (m->type != MSG_cleaned)
		return;
	w->answered = true;
	role_tell_core(w->role, m->type, &m->u.cleaned);
}

static void on_lost(struct worker *w, const char *why)
{
	answer_for(w->role, w->id, why);
}

void cleans_start(struct role *r, const struct wire_clean *m)
{
	static const struct worker_kind kind = { "the cleaning process", run, on_msg, on_lost };
	struct cleaning c = { m, r->paths.outputs };
	struct ps_err err = { 0 };

	if (worker_start(r, &kind, m->id, 0, SECRET_NONE, &c, &err) < 0)
		answer_for(r, m->id, err.msg);
}
