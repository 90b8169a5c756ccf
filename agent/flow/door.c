/* door – see door.h. */
#include "config.h"

#include "agent/flow/door.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/flow/forecast.h"
#include "agent/flow/intake.h"
#include "agent/flow/word.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum {
	CLIENTS_MAX = 512,		/* the rest waits outside, and goes to its gate program */
	LET_IN = 64,			/* per wake-up */
	IDLE_MS = 10000,		/* somebody who came and says nothing */
	TICK_MS = 5000,
	JUDGE_MIN_MS = 50,
	FORECAST_MS = 250,		/* at most, and half of what is left of the push's time */
	/* GATE_LINES_MAX: post-receive has the other four of twelve, but none of a dry run */
	ACCEPT_LINES = 8, DRY_RUN_LINES = 12,
};

struct client {
	struct door *door;
	struct peer *peer;		/* NULL: hung up */
	uint32_t uid;
	int64_t came, spoke;		/* clock_boot_ns(); spoke 0: nothing yet */
	struct word *word;		/* what it waits for; NULL: nothing */
	bool judging;			/* the word is with the gate */
	int64_t until;			/* clock_boot_ns(): an answer to the intent must be out */
	struct forecast *forecast;	/* under way; NULL: none, or here */
	struct forecast_rows rows;	/* it was there before the intent was recorded */
	char *text, *note;		/* recorded: the answer that waits for it */
	bool dry_run;			/* that answer refuses, as was asked for */
	struct client *next;
};

struct door {
	struct core *core;
	int sock;
	struct loop_watch *readable, *tick;
	struct client *first;
	size_t n;
};

static void on_msg(struct peer *p, struct msg *m, void *arg);
static void on_close(struct peer *p, const char *why, void *arg);

static const struct peer_ops ops = {
	.on_msg = on_msg, .on_close = on_close, .max_frame = MSG_HOOK_MAX, .max_out = MSG_HOOK_MAX,
};

/* ---- answers ---- */

static void answer(struct client *cl, const char *verdict, const char *text)
{
	struct wire_answer a = { .verdict = verdict, .text = text ? text : "" };
	struct ps_err err;

	if (cl->peer && peer_send(cl->peer, MSG_answer, &a, &err) < 0)
		log_info("door", NULL, "an answer was not sent: %s", err.msg);
}

static void client_free(void *arg)
{
	struct client *cl = arg;

	forecast_clear(&cl->rows);
	free(cl->text);
	free(cl->note);
	free(cl);
}

static void drop_forecast(struct client *cl)
{
	forecast_forget(cl->forecast);
	cl->forecast = NULL;
	forecast_clear(&cl->rows);
}

/* Once it has hung up and nothing of it is under way. */
static void maybe_drop(struct client *cl)
{
	struct door *d = cl->door;
	struct client **at = d ? &d->first : NULL;

	if (cl->peer || cl->word || cl->forecast)
		return;
	while (at && *at != cl)
		at = &(*at)->next;
	if (at) {
		*at = cl->next;
		d->n--;
		loop_defer_free(d->core->loop, cl, client_free);
	} else {
		client_free(cl);	/* the door was closed before its word was stored */
	}
}

/* Who cannot be told "recorded" must hear nothing: then the hook leaves word in the spool. */
static void not_recorded(struct client *cl, const struct word *w, int rc, const struct ps_err *err)
{
	char *text;

	if (w->m.type == MSG_report && rc == PS_ECONFLICT) {
		text = xasprintf("warning: nothing is made of this push yet: %s\n",
				 ps_err_msg(err, rc));
		answer(cl, "keep", text);
		free(text);
	} else if (w->m.type == MSG_report || !w->m.u.intent.verdict)
		answer(cl, "undecided", NULL);
	else if (cl->peer)
		peer_close(cl->peer, "what it said was not recorded");
}

/* Lines of the gate, with the forecast where there is one, and what else there is to say. */
static void answer_judged(struct client *cl, const char *text, const char *note)
{
	size_t max = cl->dry_run ? DRY_RUN_LINES : ACCEPT_LINES;
	char *with = cl->rows.n ? forecast_weave(text, &cl->rows, max) : NULL, *lines;

	text = with ? with : text;
	lines = xasprintf("%s%s%s%s", text, *text && !ps_ends(text, "\n") ? "\n" : "",
			  note ? note : "", note ? "\n" : "");
	answer(cl, cl->dry_run ? "refuse" : "accept", lines);
	cl->dry_run = false;
	free(lines);
	free(with);
	forecast_clear(&cl->rows);
}

static void answer_recorded(struct client *cl, const struct word *w)
{
	const char *text = w->verdict.type == MSG_verdict ? w->verdict.u.verdict.text : "";
	char *lines;

	if (w->m.type == MSG_report) {
		lines = intake_report_text(w->core, &w->done.events, &w->pauses);
		answer(cl, "kept", lines);
		free(lines);
	} else if (cl->forecast) {		/* the later of the two answers */
		cl->text = xstrdup(text);
		cl->note = xstrdup_null(w->note);
	} else {
		answer_judged(cl, text, w->note);
	}
}

static void on_recorded(struct word *w, int rc, const struct ps_err *err)
{
	struct client *cl = w->arg;

	if (rc < 0)
		log_warn("door", word_push(w), "%s of '%s' is not recorded: %s",
			 msg_name(w->m.type), word_repository(w), ps_err_msg(err, rc));
	if (rc < 0) {
		drop_forecast(cl);
		not_recorded(cl, w, rc, err);
	} else {
		answer_recorded(cl, w);
	}
	cl->word = NULL;
	maybe_drop(cl);
}

/* ---- looking ahead ---- */

static void on_forecast(void *arg, struct forecast_rows *rows)
{
	struct client *cl = arg;

	cl->forecast = NULL;
	if (rows) {
		cl->rows = *rows;
		*rows = (struct forecast_rows) { NULL, 0 };
	}
	if (cl->text) {
		answer_judged(cl, cl->text, cl->note);
		PS_FREE(cl->text);
		PS_FREE(cl->note);
	}
}

/* While the intent is kept; what takes longer than that by more than a moment is not told. */
static void look_ahead(struct client *cl)
{
	int64_t left = (cl->until - clock_boot_ns()) / 1000000 / 2;

	cl->forecast = forecast_start(cl->door->core, cl->word,
				      left < FORECAST_MS ? left : FORECAST_MS, on_forecast, cl);
}

/* ---- judging ---- */

static void give_up(struct client *cl, const char *why)
{
	struct word *w = cl->word;

	log_info("door", word_push(w), "not judged for '%s': %s", word_repository(w), why);
	answer(cl, "undecided", NULL);
	cl->word = NULL;
	cl->judging = false;
	word_free(w);
}

static void refuse(struct client *cl, const char *text)
{
	struct word *w = cl->word;

	log_info("door", word_push(w), "refused for '%s', pusher %s", word_repository(w),
		 w->pusher ? w->pusher : "unknown");
	answer(cl, "refuse", text);
	cl->word = NULL;
	cl->judging = false;
	word_free(w);
}

/* A dry run has its forecast too, and nothing that is to be recorded. */
static void refuse_dry_run(struct client *cl, struct msg *m)
{
	struct word *w = cl->word;

	w->verdict = *m;
	m->type = MSG_NONE;
	look_ahead(cl);
	if (!cl->forecast) {
		refuse(cl, w->verdict.u.verdict.text);
		return;
	}
	cl->text = xstrdup(w->verdict.u.verdict.text);
	cl->dry_run = true;
	cl->word = NULL;
	cl->judging = false;
	word_free(w);
}

static void on_verdict(void *arg, struct msg *m, const char *problem)
{
	struct client *cl = arg;
	struct word *w = cl->word;
	const char *verdict = m && m->type == MSG_verdict ? m->u.verdict.verdict : NULL;

	if (!verdict) {
		give_up(cl, problem ? problem : "the gate answered something else");
	} else if (strcmp(verdict, "refuse") == 0 && m->u.verdict.outlook.n) {
		refuse_dry_run(cl, m);
	} else if (strcmp(verdict, "refuse") == 0) {
		refuse(cl, m->u.verdict.text);
	} else if (strcmp(verdict, "accept") != 0) {
		give_up(cl, m->u.verdict.problem ? m->u.verdict.problem :
			"the gate could not decide");
	} else {
		w->verdict = *m;
		m->type = MSG_NONE;
		w->judged = w->verdict.u.verdict.skipped ? "skipped" : "gate";
		w->to = clock_boot_ns();
		cl->judging = false;
		look_ahead(cl);
		word_record(w);
	}
}

static void judge(struct client *cl)
{
	struct core *c = cl->door->core;
	struct word *w = cl->word;
	const struct wire_intent *in = &w->m.u.intent;
	int64_t half = c->policy->cfg->repo.budget_ms / 2, limit = half;
	struct wire_judge q = {
		.repository = in->repository, .name = w->name, .object_dir = in->object_dir,
		.alternates = in->alternates, .refs = { in->refs.v, in->refs.n },
		.pusher = w->acting_as ? w->acting_as : w->pusher, .dry_run = in->dry_run,
		.skip = in->skip,
	};

	if (in->budget_ms && in->budget_ms < (uint64_t)half)
		limit = (int64_t)in->budget_ms;
	if (limit < JUDGE_MIN_MS) {
		give_up(cl, "no time is left of the budget");
		return;
	}
	/* the rest is for storing and answering. We give up before the hook does: who was told so
	 * says on this connection what his own gate program found, and that before his report comes
	 * */
	cl->until = clock_boot_ns() + limit * 1000000;
	q.deadline_ms = (uint64_t)(limit - limit / 10);
	limit -= limit / 20;
	w->from = clock_boot_ns();
	cl->judging = true;
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_judge, &q, limit, on_verdict, cl);
}

/* ---- what they say ---- */

static void not_understood(struct client *cl, const struct msg *m)
{
	struct wire_not_understood body = { .what = m->name };
	struct ps_err err;

	if (peer_send(cl->peer, MSG_not_understood, &body, &err) == 0)
		peer_finish(cl->peer, "said what is not understood");
}

static void take_word(struct client *cl, struct msg *m)
{
	struct core *c = cl->door->core;
	struct ps_err err = { 0 };
	struct word *w;
	int rc = 0;

	if (strcmp(m->type == MSG_intent ? m->u.intent.boot : m->u.report.boot, clock_boot_id()) !=
	    0)
		rc = ps_err_set(&err, PS_EPROTO, "uid %u: who speaks here speaks on this boot",
				cl->uid);
	if (rc < 0 || word_new(&w, c, m, cl->uid, &err) < 0) {
		log_warn("door", NULL, "refused: %s", err.msg);
		answer(cl, "undecided",
		       "warning: event not recorded: penstock does not listen to this user for "
		       "this repository\n"
		       "hint: an admin adds them below repositories.roots, or runs penstock "
		       "uninstall\n");
		return;
	}
	w->pidfd = peer_take_fd(cl->peer);
	w->fn = on_recorded;
	w->arg = cl;
	cl->word = w;
	if (w->m.type == MSG_report || w->m.u.intent.verdict) {
		w->to = w->m.type == MSG_report ? w->to : clock_boot_ns();
		word_record(w);
	} else {
		judge(cl);
	}
}

static void on_msg(struct peer *p, struct msg *m, void *arg)
{
	struct client *cl = arg;

	cl->spoke = clock_boot_ns();
	if (m->type != MSG_intent && m->type != MSG_report)
		not_understood(cl, m);
	else if (cl->word || cl->forecast)
		peer_close(p, "spoke before it was answered");
	else
		take_word(cl, m);
}

/* A request whose peer has hung up is recorded, never judged. */
static void on_close(struct peer *p, const char *why, void *arg)
{
	struct client *cl = arg;

	(void)p;
	log_debug("door", NULL, "connection of uid %u ended: %s", cl->uid, why);
	cl->peer = NULL;
	drop_forecast(cl);
	if (cl->judging) {
		ask_forget(cl->door->core->asks, cl);
		cl->judging = false;
		word_record(cl->word);
	}
	if (cl->door && !cl->door->readable && cl->door->sock >= 0)
		door_let_in(cl->door);
	maybe_drop(cl);
}

/* ---- the door itself ---- */

static void let_in(void *arg)
{
	door_let_in(arg);
}

static void hang_out(struct door *d)
{
	if (d->n < CLIENTS_MAX && !d->readable)
		d->readable = loop_readable(d->core->loop, d->sock, let_in, d);
	if (d->n >= CLIENTS_MAX) {
		loop_watch_free(d->readable);
		d->readable = NULL;
	}
}

/* Somebody may stay and say nothing, or nobody can be let in: else nothing is to be done. */
static void look_again(struct door *d)
{
	if (d->first || !d->readable)
		loop_timer_set(d->tick, TICK_MS);
}

static void let_one_in(struct door *d, int sock)
{
	struct client *cl = xcalloc(1, sizeof(*cl));
	struct ps_err err;
	int pid;

	cl->door = d;
	cl->came = clock_boot_ns();
	cl->peer = peer_new(d->core->loop, sock, &ops, cl);
	cl->next = d->first;
	if (!d->first)
		loop_timer_set(d->tick, TICK_MS);
	d->first = cl;
	d->n++;
	if (peer_cred(cl->peer, &cl->uid, &pid, &err) < 0)
		peer_close(cl->peer, err.msg);
}

void door_let_in(struct door *d)
{
	for (int i = 0; i < LET_IN && d->n < CLIENTS_MAX; i++) {
		int sock = accept4(d->sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (sock >= 0) {
			let_one_in(d, sock);
			continue;
		}
		if (errno == EAGAIN)
			break;
		if (errno != EINTR && errno != ECONNABORTED) {
			/* he who knocks stays there: without a rest we would spin on him */
			log_error("door", NULL, "cannot let a hook in, next try in %d s: %s",
				  TICK_MS / 1000, strerror(errno));
			loop_watch_free(d->readable);
			d->readable = NULL;
			look_again(d);
			return;
		}
	}
	hang_out(d);
}

bool door_is_quiet(const struct door *d, int64_t ns)
{
	for (const struct client *cl = d->first; cl; cl = cl->next)
		if (cl->peer && !cl->spoke && cl->came <= ns)
			return false;
	return true;
}

static void tick(void *arg)
{
	struct door *d = arg;
	int64_t before = clock_boot_ns() - (int64_t)IDLE_MS * 1000000;

	for (struct client *cl = d->first, *next; cl; cl = next) {
		next = cl->next;
		if (cl->peer && !cl->word && !cl->forecast &&
		    (cl->spoke ? cl->spoke : cl->came) < before)
			peer_close(cl->peer, "said nothing for too long");
	}
	hang_out(d);
	look_again(d);
}

int door_open(struct door **out, struct core *c, struct ps_err *err)
{
	int sock = core_listen(c, CORE_HOOKS, err);
	struct door *d;

	if (sock < 0)
		return sock;
	d = xcalloc(1, sizeof(*d));
	d->core = c;
	d->sock = sock;
	d->tick = loop_timer(c->loop, tick, d);
	hang_out(d);
	*out = d;
	return 0;
}

void door_close(struct door *d)
{
	if (!d)
		return;
	loop_watch_free(d->readable);
	loop_watch_free(d->tick);
	d->readable = NULL;
	close(d->sock);
	d->sock = -1;
	for (struct client *cl = d->first, *next; cl; cl = next) {
		next = cl->next;
		if (cl->peer)
			peer_close(cl->peer, "core ends");
	}
	for (struct client *cl = d->first; cl; cl = cl->next)
		cl->door = NULL;	/* their words are still on the way */
	free(d);
}
