/* intake – see intake.h: the parts put together, and what starts them. */
#include "config.h"

#include "agent/flow/intake.h"

#include "agent/flow/disk.h"
#include "agent/flow/ending.h"
#include "agent/flow/reconcile.h"
#include "agent/flow/spooling.h"
#include "agent/flow/word.h"
#include "common/base/buf.h"
#include "common/base/id.h"
#include "common/config/mapping.h"

enum {
	TICK_MS = 2000,
	/* of events and of what stops them; with the command four, and eight are pre-receive's */
	REPORT_LINES = 3,
	STOP_LINES = 2,
};

static void tick(void *arg)
{
	struct intake *in = arg;

	spooling_take(in->spool);
	endings_tick(in->endings);
	loop_timer_set(in->tick, TICK_MS);
}

int intake_open(struct intake **out, struct core *c, struct ps_err *err)
{
	struct intake *in = xcalloc(1, sizeof(*in));

	/* nothing here can fail; what follows goes through store and gate */
	(void)err;
	in->core = c;
	in->endings = endings_new(c);
	in->reconcile = reconcile_new(c);
	in->spool = spooling_new(c);
	in->tick = loop_timer(c->loop, tick, in);
	loop_timer_set(in->tick, 0);
	endings_resume(in->endings);
	*out = in;
	return 0;
}

void intake_close(struct intake *in)
{
	if (!in)
		return;
	loop_watch_free(in->tick);
	words_forget(in->core);
	endings_free(in->endings);
	reconcile_free(in->reconcile);
	spooling_free(in->spool);
	in->core->intake = NULL;
	free(in);
}

void intake_on_gate(struct core *c)
{
	struct intake *in = c->intake;

	if (!in)
		return;
	in->looks_due = true;
	spooling_take(in->spool);
	endings_on_gate(in->endings);
}

void intake_on_spool(struct core *c, int64_t started)
{
	struct intake *in = c->intake;

	if (!in)
		return;
	words_on_spool(started);
	endings_on_spool(in->endings, started);
	reconcile_on_spool(in->reconcile, started);
	if (in->looks_due && c->roles[CORE_GATE].peer) {
		in->looks_due = false;
		reconcile_start(in->reconcile);
	}
}

void intake_on_config(struct core *c)
{
	struct intake *in = c->intake;

	if (!in)
		return;
	in->looks_due = true;		/* a new root may hold repositories with our hook */
	spooling_take(in->spool);
}

void flow_adopt(struct core *c, const char *path, core_reply_fn *reply, void *arg)
{
	char *real = realpath(path, NULL);

	if (!real)
		reply(arg, PS_ENOENT, "there is no such repository", NULL);
	else
		reconcile_one(c->intake->reconcile, real, reply, arg);
	free(real);
}

/* The command as it must be typed on this host: the pusher's shell knows no instance. */
static void add_command(struct buf *b, const struct ps_paths *paths, const char *id)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@,:";
	const char *quote = paths->base[strspn(paths->base, plain)] ? "'" : "";

	if (paths->system || strchr(paths->base, '\''))
		buf_addf(b, "  penstock why %s\n", id);
	else
		buf_addf(b, "  penstock -C %s%s%s why %s\n", quote, paths->base, quote, id);
}

/* May an event of this ref come to where the pause is? Its projects are not known yet. */
static bool concerns(const struct config *cfg, const struct pause *p, const char *ref)
{
	if (!*p->name)
		return true;
	for (size_t i = 0; i < cfg->nenvironments; i++) {
		const struct conf_environment *e = &cfg->environments[i];

		if (strcmp(strcmp(p->scope, "fabric") == 0 ? e->fabric : e->name, p->name) != 0)
			continue;
		for (size_t k = 0; k < e->refs.n; k++)
			if (mapping_glob(e->refs.v[k], ref))
				return true;
	}
	return false;
}

/* Told to every pusher: nothing of his will begin, however his ref maps. */
static size_t add_disk(struct buf *b, const struct core *c)
{
	char *problem = disk_now(c->disk) < DISK_INTAKE ? NULL :
		disk_problem(c->disk, c->policy->cfg);
	bool said = problem != NULL;

	if (said)
		buf_addf(b, "penstock: warning: only this record is written: %s\n", problem);
	free(problem);
	return said;
}

/* How many lines of stops there are then. */
static size_t add_stops(struct buf *b, const struct config *cfg, const struct events *events,
			const struct pauses *pauses, size_t said)
{
	for (size_t i = 0; i < pauses->n && said < STOP_LINES; i++) {
		const struct pause *p = &pauses->v[i];
		char *subject;
		size_t k = 0;

		while (k < events->n && (strcmp(events->v[k].state, "open") != 0 ||
					 !concerns(cfg, p, events->v[k].ref)))
			k++;
		if (k == events->n)
			continue;
		subject = pause_subject(p);
		buf_addf(b, "penstock: %s is paused by %s: %s\n", subject, p->who, p->why);
		free(subject);
		said++;
	}
	return said;
}

static void add_event(struct buf *b, const struct ref_event *e)
{
	char id[ID_TEXT];

	buf_addf(b, "penstock: event %s %s", id_text(id, 'e', e->id), e->ref);
	if (strcmp(e->state, "open") != 0)
		buf_addf(b, ": %s%s%s", e->state, e->reason ? ": " : "",
			 e->reason ? e->reason : "");
	if (strcmp(e->state, "held") == 0)
		buf_addf(b, "; let go by: penstock release-hold %s", id);
}

char *intake_report_text(const struct core *c, const struct events *events,
			 const struct pauses *pauses)
{
	const struct ps_paths *paths = c->paths;
	struct buf b = BUF_INIT, stops = BUF_INIT;
	size_t room = REPORT_LINES - add_stops(&stops, c->policy->cfg, events, pauses,
					       add_disk(&stops, c));
	size_t shown = events->n < room ? events->n : room;
	char id[ID_TEXT];

	for (size_t i = 0; i < shown; i++) {
		add_event(&b, &events->v[i]);
		if (i + 1 == shown && shown < events->n)
			buf_addf(&b, ", and %zu more", events->n - shown);
		buf_addch(&b, '\n');
	}
	buf_add(&b, buf_str(&stops), stops.len);
	buf_clear(&stops);
	if (events->n)
		add_command(&b, paths, id_text(id, 'e', events->v[0].id));
	return buf_steal(&b);
}
