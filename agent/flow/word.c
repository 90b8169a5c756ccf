/* word – see word.h. */
#include "config.h"

#include "agent/flow/word.h"

#include <pwd.h>
#include <unistd.h>

#include "agent/flow/ending.h"
#include "agent/flow/intake.h"
#include "agent/flow/spooling.h"
#include "agent/store/push.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum { LOOK_LIMIT_MS = 5000 };

static struct word *under_way;

const char *word_repository(const struct word *w)
{
	return w->m.type == MSG_intent ? w->m.u.intent.repository : w->m.u.report.repository;
}

const char *word_push(const struct word *w)
{
	return w->m.type == MSG_intent ? w->m.u.intent.push : w->m.u.report.push;
}

static const char *boot_of(const struct word *w)
{
	return w->m.type == MSG_intent ? w->m.u.intent.boot : w->m.u.report.boot;
}

/* ---- who ---- */

static const struct conf_root *admit(struct core *c, const char *repository, uint32_t uid,
				     char **name, const char **why)
{
	const struct conf_root *root = config_root_of(c->policy->cfg, c->policy->base, repository,
						      name);

	*why = !root ? "the repository is below no root of penstock.yml" :
	       !config_root_admits(root, uid) ? "this user is not in hook_users of the root" : NULL;
	return root;
}

const char *word_refused(struct core *c, const char *repository, uint32_t uid)
{
	const char *why;
	char *name = NULL;

	admit(c, repository, uid, &name, &why);
	free(name);
	return why;
}

static bool is_member_of_any(const struct config *cfg, const char *login)
{
	for (size_t i = 0; i < cfg->nteams; i++)
		if (config_is_member(cfg, cfg->teams[i].name, login))
			return true;
	return false;
}

/* TRUST: with identity uid only the kernel is believed; else the hook of this uid says who it
 * is. */
static void believe(struct word *w, const struct conf_root *root, const char *pusher,
		    const char *as)
{
	const struct config *cfg = w->core->policy->cfg;
	struct passwd *pw;

	if (root->identity == CONF_ID_UID) {
		pw = getpwuid(w->uid);
		w->pusher = pw ? xstrdup(pw->pw_name) : NULL;
	} else if (pusher && *pusher) {
		w->pusher = xstrdup(pusher);
	}
	w->hold_unknown = cfg->repo.unknown_pusher != CONF_UNKNOWN_ACCEPT;
	if (!as || !*as)
		return;
	if (!cfg->trusted_caller || w->uid != geteuid())
		w->note = xasprintf("warning: PENSTOCK_AS is not believed from this user");
	else if (!is_member_of_any(cfg, as))
		w->note = xasprintf("warning: '%s' is in no team, PENSTOCK_AS is ignored", as);
	else
		w->acting_as = xstrdup(as);
}

/* ---- life ---- */

static int64_t claimed(uint64_t stamp, const char *boot)
{
	int64_t now = clock_boot_ns();

	if (stamp > INT64_MAX)
		return now;
	/* of an older boot it can only be compared with its like */
	return strcmp(boot, clock_boot_id()) == 0 && (int64_t)stamp > now ? now : (int64_t)stamp;
}

static void set_time(struct word *w)
{
	if (w->m.type == MSG_report) {
		w->from = w->to = claimed(w->m.u.report.stamp, w->m.u.report.boot);
		return;
	}
	w->to = claimed(w->m.u.intent.stamp, w->m.u.intent.boot);
	w->from = claimed(w->m.u.intent.begun ? w->m.u.intent.begun : w->m.u.intent.stamp,
			  w->m.u.intent.boot);
	if (w->from > w->to)
		w->from = w->to;
}

static const char *judged_of(const struct word *w)
{
	const char *verdict = w->m.type == MSG_intent ? w->m.u.intent.verdict : NULL;

	return ps_streq(verdict, "accept") ? "program" : ps_streq(verdict, "skip") ? "skipped" :
		"none";
}

int word_new(struct word **out, struct core *c, struct msg *m, uint32_t uid, struct ps_err *err)
{
	bool intent = m->type == MSG_intent;
	const char *path = intent ? m->u.intent.repository : m->u.report.repository, *why;
	struct word *w;
	char *name = NULL;
	const struct conf_root *root = admit(c, path, uid, &name, &why);

	if (why) {
		free(name);
		return ps_err_set(err, PS_EPERM, "uid %u about '%s': %s", uid, path, why);
	}
	w = xcalloc(1, sizeof(*w));
	w->core = c;
	w->m = *m;
	m->type = MSG_NONE;		/* its memory is ours now */
	w->uid = uid;
	w->pidfd = -1;
	w->name = name;
	w->judged = judged_of(w);
	w->sync = intent ? STORE_NORMAL : STORE_FULL;
	believe(w, root, intent ? w->m.u.intent.pusher : w->m.u.report.pusher,
		intent ? w->m.u.intent.as : w->m.u.report.as);
	set_time(w);
	w->next = under_way;
	if (under_way)
		under_way->prev = w;
	under_way = w;
	*out = w;
	return 0;
}

void word_free(struct word *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		under_way = w->next;
	if (w->next)
		w->next->prev = w->prev;
	if (w->pidfd >= 0)
		close(w->pidfd);
	msg_clear(&w->m);
	msg_clear(&w->verdict);
	events_clear(&w->done.events);
	pauses_clear(&w->pauses);
	free(w->name);
	free(w->pusher);
	free(w->acting_as);
	free(w->note);
	free(w->spool_name);
	free(w);
}

void words_forget(struct core *c)
{
	struct ps_err err = { 0 };

	ps_err_set(&err, PS_EAGENT, "core ends");
	while (under_way) {
		struct word *w = under_way;

		ask_forget(c->asks, w);
		if (w->fn && !w->spool_name)	/* a file in the spool just stays there */
			w->fn(w, PS_EAGENT, &err);
		word_free(w);
	}
}

/* ---- into the store ---- */

static const char *repository_id(const struct word *w)
{
	return w->verdict.type == MSG_verdict ? w->verdict.u.verdict.repository_id :
	       w->verdict.type == MSG_looked ? w->verdict.u.looked.repository_id : NULL;
}

/* A report must not be stored before its own intent. */
static int check_order(struct store_tx *tx, struct word *w, struct ps_err *err)
{
	bool known = true;
	int rc = 0;

	if (w->m.type == MSG_report && !w->spool_name && !w->asked)
		rc = push_has_intent(tx, word_push(w), &known, err);
	w->overtakes = rc == 0 && !known;
	return rc;
}

/* On the writer's thread: only what the word owns. */
static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct word *w = arg;
	const struct wire_intent *in = &w->m.u.intent;
	struct merge_repository where = { repository_id(w), word_repository(w), w->name };
	struct merge_who who = { w->uid, w->pusher, w->acting_as, w->judged, w->hold_unknown };
	struct merge_time when = { boot_of(w), w->from, w->to };
	bool filled = w->verdict.type == MSG_verdict && w->verdict.u.verdict.refs.n == in->refs.n;
	int rc = check_order(tx, w, err);

	events_clear(&w->done.events);
	if (rc < 0 || w->overtakes)
		return rc;
	if (w->m.type == MSG_report) {
		rc = merge_report(tx, &where, &who, &w->m.u.report, when, &w->done, err);
		pauses_clear(&w->pauses);
		return rc < 0 ? rc : pauses_all(tx, &w->pauses, err);
	}
	return merge_intent(tx, &where, &who, in, filled ? w->verdict.u.verdict.refs.v : in->refs.v,
			    in->refs.n, when, &w->done, err);
}

static void tell(struct word *w, int rc, const struct ps_err *err)
{
	if (w->fn)
		w->fn(w, rc, err);
}

static void on_found(void *arg, struct msg *m, const char *problem)
{
	struct word *w = arg;
	struct ps_err err = { 0 };

	if (m && m->type == MSG_looked) {
		problem = m->u.looked.problem ? m->u.looked.problem : !m->u.looked.repository_id ?
			"it has no id" : NULL;
		w->verdict = *m;
		m->type = MSG_NONE;
	}
	if (!problem) {
		word_record(w);
		return;
	}
	ps_err_set(&err, PS_EGATE, "nothing is known of '%s' yet and the gate cannot tell: %s",
		   word_repository(w), problem);
	tell(w, PS_EGATE, &err);
	word_free(w);
}

/* Its id is in the repository, and only the gate reads that. One ref keeps the answer small. */
static void find_repository(struct word *w)
{
	const char *ref = "HEAD";
	struct wire_look look = { .repository = word_repository(w), .refs = { &ref, 1 } };

	w->found = true;
	ask_send(w->core->asks, w->core->roles[CORE_GATE].peer, MSG_look, &look, LOOK_LIMIT_MS,
		 on_found, w);
}

static void written(void *arg, int rc, const struct ps_err *err)
{
	struct word *w = arg;

	if (rc == 0 && w->overtakes) {
		w->asked = clock_boot_ns();
		if (w->core->intake)
			spooling_take(w->core->intake->spool);
		else
			word_record(w);
		return;
	}
	if (rc == PS_ENOENT && !w->found && !repository_id(w)) {
		find_repository(w);
		return;
	}
	tell(w, rc, err);		/* first: somebody waits for it, and for nothing else */
	if (rc == 0 && w->done.open)
		ending_watch(w);
	if (rc == 0)
		core_kick(w->core);
	word_free(w);
}

void words_on_spool(int64_t started)
{
	for (struct word *w = under_way; w; w = w->next)
		if (w->overtakes && w->asked && w->asked <= started) {
			w->overtakes = false;
			word_record(w);
		}
}

void word_record(struct word *w)
{
	store_write(w->core->store, w->sync, run, written, w);
}
