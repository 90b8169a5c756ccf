/* remoterun – see remoterun.h. */
#include "config.h"

#include "agent/deploy/remoterun.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "agent/deploy/output.h"
#include "agent/deploy/place.h"
#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/wire/frame.h"

/* Between two looks, in the shortest such time: soon after something has changed, then ever later.
 * BLIND: while the provider cannot be asked; GIVE_UP: then with a new session, which may have
 * another credential. HEARD: core hears of every run that often, whatever happens. */
enum { LATE = 15, BLIND = 2, BLIND_LATE = 60, GIVE_UP = 8, HEARD_MS = 60000, LAST_MAX = 500 };

struct told { /* of one task */
	char *key, *url;
	const char *state;
};

struct remoterun {
	const struct remoterun_ask *ask;
	const struct wire_remote_run *m;
	const struct fabric_runs *runs;
	struct place place;
	struct fabric_job job;
	struct fabric_run run;
	char *id, *url;		/* the provider's */
	bool asked;		/* it may be running, though no id is known */
	bool cancel, cancelled; /* wanted; the provider was asked */
	bool repair;		/* wanted and not begun */
	unsigned blind, missing; /* looks that came to nothing, in a row */
	struct told *told;
	size_t ntold, cap_told;
	int64_t wait_ms, heard_ns; /* until the next look; core heard of it then */
	bool changed;
};

/* ---- core ---- */

/* What core says meanwhile. PS_ESTALE: this claim is over. *ok: it has what it was told. */
static int take_word(struct remoterun *r, bool *ok, struct ps_err *err)
{
	struct msg m;
	int rc = frame_recv(r->ask->sock, &m, MSG_ROLE_MAX, NULL, 0, err);

	if (rc < 0)
		return rc;
	if (m.type == MSG_cancel)
		r->cancel = true;
	if (m.type == MSG_remote_ok && m.u.remote_ok.stop)
		rc = ps_err_set(err, PS_ESTALE, "core has given the run to another");
	*ok = m.type == MSG_remote_ok;
	msg_clear(&m);
	return rc;
}

static int tell_seen(struct remoterun *r, const char *problem, struct ps_err *err)
{
	struct wire_remote_seen m = { .run = r->m->run, .fence = r->m->fence, .remote = r->id,
				      .url = r->url, .repair = r->run.repaired ? 2 : 0,
				      .problem = problem };
	int rc = frame_send(r->ask->sock, MSG_remote_seen, &m, -1, 0, err);
	bool ok = false;

	r->heard_ns = clock_boot_ns();
	while (rc == 0 && !ok)
		rc = take_word(r, &ok, err);
	return rc;
}

static int tell_end(struct remoterun *r, const char *state, const char *reason, struct ps_err *err)
{
	struct wire_run_end m = { r->m->run, r->m->fence, state, reason };

	return frame_send(r->ask->sock, MSG_run_end, &m, -1, 0, err);
}

/* Until it is time, or somebody wants its end. */
static int rest(struct remoterun *r, struct ps_err *err)
{
	int64_t until = clock_boot_ns() + r->wait_ms * 1000000;
	bool before = r->cancel, ok;
	int rc = 0;

	while (rc == 0 && r->cancel == before) {
		struct pollfd p = { .fd = r->ask->sock, .events = POLLIN };
		int64_t left = (until - clock_boot_ns()) / 1000000;
		int n = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (n == 0)
			return 0;
		if (n > 0)
			rc = take_word(r, &ok, err);
		else if (errno != EINTR)
			rc = ps_err_errno(err, "cannot wait");
	}
	return rc;
}

/* ---- a provider that cannot be asked ---- */

static bool is_temporary(int rc)
{
	return rc == PS_EIO || rc == PS_ETIME || rc == PS_EAGENT || rc == PS_EBUSY;
}

/* Says so, with the time of the next try, and waits for it. Not one of these is an end. */
static int be_blind(struct remoterun *r, const char *why, struct ps_err *err)
{
	char at[CLOCK_TEXT], *text;
	int64_t wait = (int64_t)BLIND << (r->blind < 5 ? r->blind : 5);
	int rc;

	r->blind++;
	r->wait_ms = (wait < BLIND_LATE ? wait : BLIND_LATE) * r->ask->soon_ms;
	text = xasprintf("%s: %s; next look at %s", r->id ? "still running, cannot see it"
							  : "not known to have begun", why,
			 clock_text(at, clock_wall_ms() + r->wait_ms));
	rc = tell_seen(r, text, err);
	free(text);
	if (rc == 0)
		rc = rest(r, err);
	if (rc == 0 && r->blind >= GIVE_UP)
		rc = ps_err_set(err, PS_EAGENT, "%s", why);
	r->wait_ms = r->ask->soon_ms;
	return rc;
}

static int see_again(struct remoterun *r, struct ps_err *err)
{
	bool was = r->blind > 0;

	r->blind = 0;
	return was ? tell_seen(r, NULL, err) : 0;
}

/* ---- its start ---- */

/* 1: it is over, core knows; 0: it runs. */
static int start(struct remoterun *r, struct ps_err *err)
{
	while (!r->id) {
		enum fabric_outcome outcome = FABRIC_NOT_DONE;
		struct ps_err why = { 0 };
		int rc;

		if (r->cancel && !r->asked)
			return tell_end(r, "cancelled", NULL, err) < 0 ? err->code : 1;
		rc = r->runs->start(&r->place.t, &r->run, &r->id, &outcome, &why);
		r->asked |= outcome == FABRIC_UNKNOWN;
		if (FAIL_AT("run.started"))
			return ps_err_errno(err, "cannot go on");
		r->run.id = r->id;
		if (r->id)
			return tell_seen(r, NULL, err);
		if (rc == 0)
			rc = ps_err_set(&why, PS_EIO, "the provider did not say the run's id");
		if (outcome != FABRIC_UNKNOWN && !is_temporary(rc))
			return tell_end(r, "failed", ps_err_msg(&why, rc), err) < 0 ? err->code : 1;
		rc = be_blind(r, ps_err_msg(&why, rc), err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- its tasks ---- */

static bool has_ended(const char *state)
{
	return strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

static struct told *told_of(struct remoterun *r, const char *key)
{
	for (size_t i = 0; i < r->ntold; i++)
		if (strcmp(r->told[i].key, key) == 0)
			return &r->told[i];
	r->told = xgrow(r->told, r->ntold, &r->cap_told, sizeof(*r->told));
	r->told[r->ntold] = (struct told) { .key = xstrdup(key), .state = "" };
	return &r->told[r->ntold++];
}

/* What it has printed so far, onto the disk. That of a task that goes on may wait. */
static void fetch_output(struct remoterun *r, const struct fabric_task *t, char *last, size_t size)
{
	struct buf text = BUF_INIT;
	struct ps_err err = { 0 };
	int rc = 0;

	*last = '\0';
	if (t->started_ms)
		rc = r->runs->output(&r->place.t, &r->run, t->key, &text, &err);
	if (rc == 0)
		rc = output_put(r->ask->outputs, t->key, &text, r->ask->output_max, &err);
	output_last(&text, last, size);
	if (rc < 0 && has_ended(t->state))
		snprintf(last, size, "its output could not be read: %.*s", LAST_MAX,
			 ps_err_msg(&err, rc));
	buf_clear(&text);
}

static int tell_task(struct remoterun *r, const struct fabric_task *t, const char *state,
		     int64_t at_ms, const char *last, struct ps_err *err)
{
	struct wire_task_state m = {
		.run = r->m->run, .fence = r->m->fence, .task = t->key, .state = state,
		.at_ms = at_ms ? at_ms : clock_wall_ms(), .last = *last ? last : NULL,
		.reason = strcmp(state, t->state) == 0 ? t->reason : NULL, .url = t->url };

	return frame_send(r->ask->sock, MSG_task_state, &m, -1, 0, err);
}

static int see_task(struct remoterun *r, const struct fabric_task *t, struct ps_err *err)
{
	struct told *told = told_of(r, t->key);
	char last[LAST_MAX + 64] = "";
	bool news = strcmp(told->state, t->state) != 0 || !ps_streq(told->url, t->url);
	int rc = 0;

	if (strcmp(t->state, "running") == 0 || (news && has_ended(t->state)))
		fetch_output(r, t, last, sizeof(last));
	if (!news && !*last)
		return 0;
	/* one that came and went between two looks has begun all the same */
	if (news && has_ended(t->state) && t->started_ms && strcmp(told->state, "running") != 0)
		rc = tell_task(r, t, "running", t->started_ms, "", err);
	if (rc == 0)
		rc = tell_task(r, t, t->state, has_ended(t->state) ? t->ended_ms : t->started_ms,
			       last, err);
	told->state = t->state;
	free(told->url);
	told->url = xstrdup_null(t->url);
	r->changed |= news;
	return rc;
}

/* ---- looking ---- */

static const char *end_word(const char *state)
{
	static const char *const same[] = { "passed", "cancelled", "unknown" };

	for (size_t i = 0; i < PS_NELEM(same); i++)
		if (strcmp(state, same[i]) == 0)
			return same[i];
	return "failed";
}

/* The first task that did not pass, where the provider gives no reason of its own. */
static char *reason_of(const struct fabric_run_now *n)
{
	for (size_t i = 0; i < n->ntasks && !n->reason; i++)
		if (strcmp(n->tasks[i].state, "failed") == 0)
			return xasprintf("task '%s'%s%s", n->tasks[i].key,
					 n->tasks[i].reason ? ": " : " failed",
					 n->tasks[i].reason ? n->tasks[i].reason : "");
	return xstrdup_null(n->reason);
}

/* As start(). */
static int see(struct remoterun *r, const struct fabric_run_now *n, struct ps_err *err)
{
	bool new_url = n->url && !ps_streq(n->url, r->url);
	char *reason;
	int rc = 0;

	if (new_url) {
		free(r->url);
		r->url = xstrdup(n->url);
	}
	if (new_url || clock_boot_ns() - r->heard_ns > HEARD_MS * INT64_C(1000000))
		rc = tell_seen(r, NULL, err);
	for (size_t i = 0; i < n->ntasks && rc == 0; i++)
		rc = see_task(r, &n->tasks[i], err);
	if (rc < 0 || !has_ended(n->state))
		return rc;
	if (r->cancel && r->runs->cancelled_is_failed && strcmp(n->state, "failed") == 0)
		return tell_end(r, "cancelled", NULL, err) < 0 ? err->code : 1;
	reason = reason_of(n);
	rc = tell_end(r, end_word(n->state), reason, err);
	free(reason);
	return rc < 0 ? rc : 1;
}

/* Again from what failed, once: what runs already was asked for before. As start(). */
static int repair(struct remoterun *r, const struct fabric_run_now *n, struct ps_err *err)
{
	enum fabric_outcome outcome = FABRIC_ALREADY;
	struct ps_err why = { 0 };
	int rc = has_ended(n->state) ? r->runs->repair(&r->place.t, &r->run, &outcome, &why) : 0;

	if (FAIL_AT("run.repaired"))
		return ps_err_errno(err, "cannot go on");
	if (rc < 0 && (outcome == FABRIC_UNKNOWN || is_temporary(rc)))
		return be_blind(r, ps_err_msg(&why, rc), err);
	if (rc < 0)
		return tell_end(r, "failed", ps_err_msg(&why, rc), err) < 0 ? err->code : 1;
	r->repair = false;
	r->run.repaired = true;
	return tell_seen(r, NULL, err);
}

static int ask_for_end(struct remoterun *r, struct ps_err *err)
{
	enum fabric_outcome outcome = FABRIC_NOT_DONE;
	struct ps_err why = { 0 };
	int rc = r->runs->cancel(&r->place.t, &r->run, &outcome, &why);

	/* refused or not heard: looking tells, and it is asked for again */
	r->cancelled = rc == 0;
	r->wait_ms = r->ask->soon_ms;
	if (rc == 0)
		return 0;
	ps_err_prefix(&why, "it cannot be cancelled at its provider");
	return is_temporary(rc) ? 0 : tell_seen(r, why.msg, err);
}

static int look(struct remoterun *r, struct ps_err *err)
{
	struct fabric_run_now now = { 0 };
	struct ps_err why = { 0 };
	int rc = r->runs->now(&r->place.t, &r->run, &now, &why);

	r->changed = false;
	r->missing = rc == PS_ENOENT ? r->missing + 1 : 0;
	if (rc == 0) {
		rc = see_again(r, err);
		if (rc == 0)
			rc = r->repair ? repair(r, &now, err) : see(r, &now, err);
	} else if (r->missing > 1) {
		rc = tell_end(r, "unknown", ps_err_msg(&why, rc), err) < 0 ? err->code : 1;
	} else {
		rc = be_blind(r, ps_err_msg(&why, rc), err);
	}
	fabric_run_now_clear(&now);
	return rc;
}

static int watch(struct remoterun *r, struct ps_err *err)
{
	int rc = start(r, err);

	r->wait_ms = r->ask->soon_ms;
	while (rc == 0) {
		if (r->cancel && !r->cancelled)
			rc = ask_for_end(r, err);
		if (rc == 0)
			rc = look(r, err);
		if (rc != 0)
			break;
		rc = rest(r, err);
		r->wait_ms = r->changed ? r->ask->soon_ms : r->wait_ms * 3 / 2;
		if (r->wait_ms > LATE * r->ask->soon_ms)
			r->wait_ms = LATE * r->ask->soon_ms;
	}
	return rc < 0 ? rc : 0;
}

/* ---- from what was asked ---- */

static int open_it(struct remoterun *r, struct ps_err *err)
{
	const struct wire_remote_run *m = r->m;
	const struct place_ask ask = { .fabric = r->ask->fabric, .fabric_dir = "",
				       .content = m->content, .repository = m->repository,
				       .project = m->project, .release = m->release,
				       .fence = m->fence, .secret = r->ask->secret };
	int rc = m->names.n == m->values.n && place_is_path(m->job) ? 0
		 : ps_err_set(err, PS_EPROTO, "'%s' is not a job", m->job);

	if (rc == 0)
		rc = place_open(&r->place, &ask, err);
	r->runs = rc == 0 ? r->place.driver->runs : NULL;
	if (rc == 0 && !r->runs)
		rc = ps_err_set(err, PS_ENOTSUP, "fabric '%s': this version runs nothing on %s",
				m->fabric, r->place.driver->name);
	if (rc == 0 && m->repair == 1 && !r->runs->repair)
		rc = ps_err_set(err, PS_ENOTSUP, "%s cannot repair a run", r->place.driver->name);
	r->job = (struct fabric_job) { .key = m->job, .name = m->name, .sha256 = m->digest,
				       .id = m->job_id };
	r->run = (struct fabric_run) { .job = &r->job, .token = m->token, .id = r->id,
				       .config = m->config, .names = m->names.v,
				       .values = m->values.v, .nparams = m->names.n,
				       .repaired = m->repair == 2 };
	return rc;
}

/* Nothing of it is over: somebody else goes on. */
static void tell_lost(struct remoterun *r, const char *why)
{
	struct wire_remote_seen m = { .run = r->m->run, .fence = r->m->fence, .remote = r->id,
				      .problem = why, .lost = true };
	struct ps_err err = { 0 };

	if (frame_send(r->ask->sock, MSG_remote_seen, &m, -1, 0, &err) < 0)
		log_warn("run", NULL, "%s", err.msg);
}

int remoterun_do(const struct remoterun_ask *ask)
{
	const struct wire_remote_run *m = ask->m;
	struct remoterun r = { .ask = ask, .m = m, .id = xstrdup_null(m->remote),
			       .cancel = m->cancel != NULL, .repair = m->repair == 1,
			       /* a claim before this one may have */
			       .asked = m->fence > 1 };
	struct ps_err err = { 0 }, told = { 0 };
	int rc = open_it(&r, &err);

	umask(022); /* core reads the output */
	if ((rc == PS_ENOTSUP || rc == PS_EPROTO) && tell_end(&r, "failed", err.msg, &told) == 0)
		goto out;
	if (rc == 0)
		rc = watch(&r, &err);
	if (rc < 0 && rc != PS_ESTALE)
		tell_lost(&r, ps_err_msg(&err, rc));
out:
	place_close(&r.place);
	for (size_t i = 0; i < r.ntold; i++) {
		free(r.told[i].key);
		free(r.told[i].url);
	}
	free(r.told);
	free(r.id);
	free(r.url);
	return rc < 0;
}
