/* spooling – see spooling.h. */
#include "config.h"

#include "agent/flow/spooling.h"

#include <errno.h>
#include <unistd.h>

#include "agent/flow/intake.h"
#include "agent/flow/word.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/wire/spool.h"

enum {
	NEVER_MAX = 256, ASIDE_TOLD = 20,
	/* copies whose words wait, how often they are tried, and how many words of all of them
	 * wait: what is beyond is set aside, so that they do not fill the batches */
	COPIES_MAX = 16, COPY_AGAIN_S = 10, COPY_WORDS_MAX = 64,
};

/* What can never be stored, until the next take sets it aside. */
struct never { char *push; enum msg_type type; char *why; };

/* A copy of a repository with the original's id: what its hooks said waits until it has its own. */
struct copy { char *path, *why; int64_t again_ns; size_t words; };

struct spooling {
	struct core *core;
	bool busy, again;
	int64_t started;		/* of the take under way */
	struct spool_batch batch;
	size_t at;
	bool stored;			/* something of this batch: what is left may go on now */
	struct never never[NEVER_MAX];
	size_t nnever;
	struct copy copies[COPIES_MAX];
	size_t ncopies, copy_words;	/* of the take under way */
	char why[1200];
	size_t waiting;			/* at the last take */
	struct spool_aside aside;
	bool aside_known;
};

struct spooling *spooling_new(struct core *c)
{
	struct spooling *s = xcalloc(1, sizeof(*s));

	s->core = c;
	return s;
}

static void forget_never(struct spooling *s)
{
	for (size_t i = 0; i < s->nnever; i++) {
		free(s->never[i].push);
		free(s->never[i].why);
	}
	s->nnever = 0;
}

/* ---- copies ---- */

static struct copy *find_copy(struct spooling *s, const char *path)
{
	for (size_t i = 0; i < s->ncopies; i++)
		if (strcmp(s->copies[i].path, path) == 0)
			return &s->copies[i];
	return NULL;
}

static void forget_copy(struct spooling *s, struct copy *c)
{
	free(c->path);
	free(c->why);
	*c = s->copies[--s->ncopies];
}

/* true: the word waits in the spool, and its copy is named in status. */
static bool wait_for_id(struct spooling *s, const char *path, const char *why)
{
	struct copy *c = find_copy(s, path);

	if ((!c && s->ncopies == COPIES_MAX) || ++s->copy_words > COPY_WORDS_MAX)
		return false;
	if (!c) {
		c = &s->copies[s->ncopies++];
		*c = (struct copy) { .path = xstrdup(path), .why = xstrdup(why) };
		log_warn("spool", path, "what its hooks said waits: %s", why);
	}
	c->again_ns = clock_boot_ns() + COPY_AGAIN_S * 1000000000LL;
	c->words++;
	return true;
}

void spooling_free(struct spooling *s)
{
	if (!s)
		return;
	spool_batch_clear(&s->batch);
	spool_aside_clear(&s->aside);
	forget_never(s);
	while (s->ncopies)
		forget_copy(s, &s->copies[0]);
	free(s);
}

bool spooling_idle(const struct spooling *s)
{
	return !s->busy;
}

/* A reason to set it aside. */
static const char *check(const struct msg *m, uint32_t uid, void *arg)
{
	struct spooling *s = arg;
	const char *path = m->type == MSG_intent ? m->u.intent.repository : m->u.report.repository;
	const char *push = m->type == MSG_intent ? m->u.intent.push : m->u.report.push;

	for (size_t i = 0; i < s->nnever; i++)
		if (s->never[i].type == m->type && strcmp(s->never[i].push, push) == 0) {
			snprintf(s->why, sizeof(s->why), "%s", s->never[i].why);
			return s->why;
		}
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return "its repository is not there any more";
	return word_refused(s->core, path, uid);
}

static void go_on(struct spooling *s);

static void never(struct spooling *s, const struct word *w, const char *why)
{
	if (s->nnever == NEVER_MAX)
		return;
	s->never[s->nnever++] = (struct never) { xstrdup(word_push(w)), w->m.type, xstrdup(why) };
}

static void on_stored(struct word *w, int rc, const struct ps_err *err)
{
	struct spooling *s = w->arg;
	struct ps_err why = { 0 };

	if (rc == 0) {
		struct copy *c = find_copy(s, word_repository(w));

		if (c)
			forget_copy(s, c);
		s->stored = true;
		rc = spool_retire(s->core->paths->spool, w->spool_name, &why);
		if (rc < 0)
			log_error("spool", w->spool_name, "stored, but %s", why.msg);
		else
			log_info("spool", w->spool_name, "%s of %s taken", msg_name(w->m.type),
				 w->name);
	} else if (rc == PS_ECONFLICT &&
		   wait_for_id(s, word_repository(w), ps_err_msg(err, rc))) {
		;			/* it stays */
	} else if (rc == PS_EPERM || rc == PS_ECONFLICT) {
		never(s, w, ps_err_msg(err, rc));
	} else {
		log_warn("spool", w->spool_name, "stays: %s", ps_err_msg(err, rc));
	}
	go_on(s);
}

static void take_entry(struct spooling *s, struct spool_entry *e)
{
	const char *path = e->msg.type == MSG_intent ? e->msg.u.intent.repository :
		e->msg.u.report.repository;
	struct copy *c = find_copy(s, path);
	struct ps_err err = { 0 };
	struct word *w;

	if (c && clock_boot_ns() < c->again_ns && s->copy_words < COPY_WORDS_MAX) {
		s->copy_words++;
		c->words++;
		go_on(s);
		return;
	}
	if (word_new(&w, s->core, &e->msg, e->uid, &err) < 0) {
		/* the configuration changed just now */
		log_warn("spool", e->name, "stays: %s", err.msg);
		go_on(s);
		return;
	}
	w->sync = STORE_FULL;		/* the file goes when this is stored */
	w->spool_name = xstrdup(e->name);
	w->fn = on_stored;
	w->arg = s;
	word_record(w);
}

static void start(struct spooling *s)
{
	struct ps_err err = { 0 };

	s->again = false;
	s->started = clock_boot_ns();
	s->at = 0;
	s->copy_words = 0;
	for (size_t i = 0; i < s->ncopies; i++)
		s->copies[i].words = 0;
	s->stored = false;
	spool_batch_clear(&s->batch);
	if (spool_take(&s->batch, s->core->paths->spool, check, s, &err) < 0)
		log_error("spool", NULL, "%s", err.msg);
	s->waiting = s->batch.waiting;
	if (s->batch.aside || !s->aside_known) {
		spool_aside_clear(&s->aside);
		spool_aside_list(&s->aside, s->core->paths->spool, ASIDE_TOLD);
		s->aside_known = true;
	}
	forget_never(s);
}

/* The next entry, the next batch, or the end. */
static void go_on(struct spooling *s)
{
	if (s->core->role->stopping)	/* the files stay there for the next start */
		return;
	if (s->at < s->batch.n) {
		take_entry(s, &s->batch.v[s->at++]);
		return;
	}
	if (s->again || (s->batch.more && s->stored)) {
		start(s);
		if (s->batch.n) {
			go_on(s);
			return;
		}
	}
	s->busy = false;
	for (size_t i = s->ncopies; i-- > 0;)
		if (!s->copies[i].words)	/* it went, or somebody set its words aside */
			forget_copy(s, &s->copies[i]);
	spool_batch_clear(&s->batch);
	intake_on_spool(s->core, s->started);
}

void spooling_take(struct spooling *s)
{
	if (s->busy) {
		s->again = true;
		return;
	}
	s->busy = true;
	start(s);
	go_on(s);
}

bool flow_spool_waits(const struct core *c, size_t at, const char **path, const char **why)
{
	const struct spooling *s = c->intake->spool;

	if (at >= s->ncopies)
		return false;
	*path = s->copies[at].path;
	*why = s->copies[at].why;
	return true;
}

void flow_spool_facts(const struct core *c, struct flow_spool_facts *out)
{
	const struct spooling *s = c->intake->spool;

	*out = (struct flow_spool_facts) { s->waiting, s->aside.n, s->aside.told, s->aside.names,
					   s->aside.why };
}
