/* posts – see posts.h. */
#include "config.h"

#include "agent/deploy/posts.h"

#include "agent/deploy/post.h"
#include "agent/deploy/secrets.h"
#include "agent/deploy/worker.h"

struct posting {
	const struct wire_post *letter;
	const struct conf_notify *to;
};

static void answer_for(struct role *r, uint64_t id, uint64_t fence, const char *state,
		       const char *problem)
{
	struct wire_posted p = { .id = id, .fence = fence, .state = state, .problem = problem };

	role_tell_core(r, MSG_posted, &p);
}

static int run(int sock, struct secret_fds secret, const void *job)
{
	const struct posting *p = job;

	return post_run(sock, p->letter, p->to, secret.own);
}

static void on_msg(struct worker *w, struct msg *m)
{
	if (m->type != MSG_posted)
		return;
	w->answered = true;
	role_tell_core(w->role, m->type, &m->u.posted);
}

static void on_lost(struct worker *w, const char *why)
{
	answer_for(w->role, w->id, w->fence, "again", why);
}

void posts_start(struct role *r, const struct wire_post *m)
{
	static const struct worker_kind kind = { "the sending process", run, on_msg, on_lost };
	struct posting p = { m, config_notify(r->cfg, m->target) };
	struct ps_err err = { 0 };

	if (!p.to)
		answer_for(r, m->id, m->fence, "failed",
			   "penstock.yml names it no more under notify");
	else if (worker_start(r, &kind, m->id, m->fence, secrets_of("notify", m->target), &p,
			      &err) < 0)
		answer_for(r, m->id, m->fence, "again", err.msg);
}
