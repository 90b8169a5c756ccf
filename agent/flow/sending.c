/* sending – see sending.h. */
#include "config.h"

#include "agent/flow/sending.h"

#include <sys/random.h>

#include "agent/flow/note.h"
#include "agent/store/audit.h"
#include "agent/store/outbox.h"
#include "common/base/clock.h"
#include "common/base/id.h"
#include "common/base/log.h"

enum { AT_ONCE = 8, LEASE_MS = 300000, SLEEP_MAX_MS = 60000, LATEST_MS = 3600000 };

struct sending {
	struct core *core;
	struct loop_watch *timer;
	bool busy, again;
};

/* One look at the outbox, or one claim from it. */
struct outing {
	struct sending *s;
	struct policy_now *policy;
	int64_t now_ms, next_ms;
	struct letters letters;
	struct notice *notices; /* of each letter */
};

static struct outing *outing_new(struct sending *s)
{
	struct outing *o = xcalloc(1, sizeof(*o));

	o->s = s;
	o->policy = policy_take(s->core->policy);
	o->now_ms = clock_wall_ms();
	return o;
}

static void outing_free(struct outing *o)
{
	for (size_t i = 0; o->notices && i < o->letters.n; i++)
		notice_clear(&o->notices[i]);
	free(o->notices);
	letters_clear(&o->letters);
	policy_drop(o->policy);
	free(o);
}

static void rest(struct sending *s, int64_t next_ms)
{
	int64_t wait = next_ms < 0 ? SLEEP_MAX_MS : next_ms - clock_wall_ms();

	s->busy = false;
	if (s->again)
		wait = 0;
	s->again = false;
	loop_timer_set(s->timer, wait < 0 ? 0 : wait > SLEEP_MAX_MS ? SLEEP_MAX_MS : wait);
}

/* ---- claim and send ---- */

static int claim(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct outing *o = arg;
	int rc = outbox_spread(tx, o->policy->cfg, err);

	if (rc == 0)
		rc = outbox_claim(tx, o->now_ms, o->now_ms + LEASE_MS, AT_ONCE, &o->letters, err);
	o->notices = xcalloc(o->letters.n + 1, sizeof(*o->notices));
	for (size_t i = 0; i < o->letters.n && rc == 0; i++)
		rc = outbox_notice(tx, o->letters.v[i].notice, &o->notices[i], err);
	if (rc == 0)
		rc = outbox_look(tx, o->now_ms, &o->next_ms, err);
	return rc;
}

static void claimed(void *arg, int rc, const struct ps_err *err)
{
	struct outing *o = arg;
	struct sending *s = o->s;

	if (rc < 0)
		log_error("outbox", NULL, "%s", ps_err_msg(err, rc));
	for (size_t i = 0; i < o->letters.n && rc == 0 && !s->core->role->stopping; i++) {
		const struct letter *l = &o->letters.v[i];

		core_tell(s->core, CORE_DEPLOY, MSG_post,
			  &(struct wire_post){ .id = (uint64_t)l->id,
					       .fence = (uint64_t)l->fence,
					       .target = l->target,
					       .kind = o->notices[i].kind,
					       .uid = l->uid,
					       .payload = o->notices[i].payload });
	}
	rest(s, rc < 0 ? -1 : o->next_ms);
	outing_free(o);
}

/* ---- is there something to do? ---- */

static int look(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct outing *o = arg;

	return outbox_look(tx, o->now_ms, &o->next_ms, err);
}

static void looked(void *arg, int rc, const struct ps_err *err)
{
	struct outing *o = arg;
	struct sending *s = o->s;

	if (rc < 0)
		log_error("outbox", NULL, "%s", ps_err_msg(err, rc));
	if (rc == 0 && o->next_ms == 0 && s->core->roles[CORE_DEPLOY].peer) {
		store_write(s->core->store, STORE_FULL, claim, claimed, o);
		return;
	}
	rest(s, rc < 0 || o->next_ms == 0 ? -1 : o->next_ms); /* 0: the role's hello kicks */
	outing_free(o);
}

void sending_kick(struct sending *s)
{
	if (!s)
		return;
	if (s->busy) {
		s->again = true;
		return;
	}
	s->busy = true;
	store_read(s->core->store, look, looked, outing_new(s));
}

static void on_timer(void *arg)
{
	sending_kick(arg);
}

static int unclaim(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return outbox_unclaim(tx, err);
}

static void unclaimed(void *arg, int rc, const struct ps_err *err)
{
	struct core *c = arg;

	if (rc < 0)
		log_error("outbox", NULL, "%s", ps_err_msg(err, rc));
	sending_kick(c->sending);
}

void sending_on_deploy(struct sending *s)
{
	store_write(s->core->store, STORE_FULL, unclaim, unclaimed, s->core);
}

/* ---- what came of it ---- */

int64_t sending_backoff(int64_t first_ms, int64_t tries, unsigned chance)
{
	int64_t ms = first_ms;

	for (int64_t i = 1; i < tries && ms < LATEST_MS; i++)
		ms *= 2;
	ms = ms > LATEST_MS ? LATEST_MS : ms;
	return ms - ms / 4 + ms / 2 * (int64_t)chance / 999;
}

struct result {
	struct core *core;
	struct policy_now *policy;
	int64_t id, fence, after_ms;
	char *state, *problem;
	char target[WIRE_ID + 1];
	bool dead;
};

static int write_result(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct result *r = arg;
	const struct conf_notify *n;
	struct letter l = { 0 };
	int64_t next = 0;
	unsigned chance = 0;
	int rc = outbox_get(tx, r->id, &l, err);

	if (rc < 0)
		return rc;
	snprintf(r->target, sizeof(r->target), "%s", l.target);
	n = config_notify(r->policy->cfg, l.target);
	r->dead = strcmp(r->state, "failed") == 0;
	if (strcmp(r->state, "again") == 0) {
		r->dead = !n || l.tries >= n->tries;
		if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance))
			chance = (unsigned)clock_boot_ns();
		next = n ? sending_backoff(n->retry_ms, l.tries, chance % 1000) : 0;
		next = clock_wall_ms() + (r->after_ms > next ? r->after_ms : next);
	}
	rc = outbox_end(tx, r->id, r->fence,
			r->dead                         ? "failed"
			: strcmp(r->state, "done") == 0 ? "done"
							: "queued",
			next, r->problem, err);
	letter_clear(&l);
	return rc;
}

static void result_written(void *arg, int rc, const struct ps_err *err)
{
	struct result *r = arg;
	char id[ID_TEXT];

	id_text(id, 'o', r->id);
	if (rc < 0)
		log_warn("outbox", id, "%s", ps_err_msg(err, rc));
	else if (r->dead)
		log_error("outbox", id,
			  "not sent to %s: %s; once that is mended: penstock outbox resend %s",
			  r->target, r->problem ? r->problem : "no reason given", id);
	else if (strcmp(r->state, "done") != 0)
		log_warn("outbox", id, "not sent to %s yet: %s", r->target,
			 r->problem ? r->problem : "");
	sending_kick(r->core->sending);
	policy_drop(r->policy);
	free(r->state);
	free(r->problem);
	free(r);
}

void sending_on_posted(struct core *c, const struct wire_posted *m)
{
	struct result *r = xcalloc(1, sizeof(*r));

	*r = (struct result){ .core = c,
			      .policy = policy_take(c->policy),
			      .id = (int64_t)m->id,
			      .fence = (int64_t)m->fence,
			      .after_ms = (int64_t)m->after_ms,
			      .state = xstrdup(m->state),
			      .problem = xstrdup_null(m->problem) };
	store_write(c->store, STORE_FULL, write_result, result_written, r);
}

/* ---- by hand ---- */

struct resend {
	struct core *core;
	int64_t id;
	char *who;
	core_reply_fn *reply;
	void *arg;
};

static int write_resend(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct resend *r = arg;
	int rc = outbox_resend(tx, r->id, err);

	if (rc == 0)
		rc = audit_put_id(tx, &(struct audit){ .who = r->who, .what = "outbox resend" },
				  'o', r->id, err);
	return rc;
}

static void resent(void *arg, int rc, const struct ps_err *err)
{
	struct resend *r = arg;

	r->reply(r->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, NULL);
	sending_kick(r->core->sending);
	free(r->who);
	free(r);
}

void flow_resend(struct core *c, int64_t letter, const char *who, core_reply_fn *reply, void *arg)
{
	struct resend *r = xcalloc(1, sizeof(*r));

	*r = (struct resend){ c, letter, xstrdup(who), reply, arg };
	store_write(c->store, STORE_FULL, write_resend, resent, r);
}

/* ---- life ---- */

int sending_open(struct sending **out, struct core *c, struct ps_err *err)
{
	struct sending *s = xcalloc(1, sizeof(*s));

	(void)err;
	s->core = c;
	s->timer = loop_timer(c->loop, on_timer, s);
	*out = s;
	return 0;
}

void sending_close(struct sending *s)
{
	if (!s)
		return;
	loop_watch_free(s->timer);
	free(s);
}
