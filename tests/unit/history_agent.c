/* history_agent – core as intake makes it of door, spool, endings and looks, without their loop:
 * the same order of things, the real merge functions, the real store. See history.h. */
#include "config.h"

#include <stdarg.h>

#include "agent/store/repository.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"
#include "tests/unit/history.h"

static struct world *here;		/* for the clock */

/* ---- the clock: common/base/clock.c is replaced as a whole ---- */

static const char *boot_name(int boot)
{
	static char names[OPS + 1][16];

	if (!*names[boot])
		snprintf(names[boot], sizeof(names[boot]), "boot-%d", boot);
	return names[boot];
}

int64_t clock_wall_ms(void)
{
	return here ? here->now : 0;
}

int64_t clock_boot_ns(void)
{
	return here ? here->now - here->base[here->boot] : 0;
}

const char *clock_boot_id(void)
{
	return boot_name(here ? here->boot : 0);
}

const char *clock_text_ms(char *out, int64_t wall_ms)
{
	snprintf(out, CLOCK_TEXT, "%lld", (long long)wall_ms);
	return out;
}

const char *clock_text(char *out, int64_t wall_ms)
{
	return clock_text_ms(out, wall_ms);
}

const char *clock_age(char *out, int64_t ms)
{
	return clock_text_ms(out, ms);
}

static int64_t stamp(const struct world *w, int boot, int64_t at)
{
	return at - w->base[boot];
}

/* ---- names ---- */

const char *const history_refs[REFS + 1] = {
	"refs/heads/main", "refs/heads/b", "refs/tags/v1", "refs/heads/alias",
};

const char *history_value(int v)
{
	static const char *const oids[VALUES] = {
		"0000000000000000000000000000000000000000",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
		"cccccccccccccccccccccccccccccccccccccccc",
	};

	return oids[v];
}

int history_letter(const char *oid)
{
	return *oid == '0' ? '0' : *oid - 'a' + 'A';
}

static const char *const push_names[PUSHES] = { "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7" };

void world_wrong(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (*w->why)
		return;
	va_start(ap, fmt);
	vsnprintf(w->why, sizeof(w->why), fmt, ap);
	va_end(ap);
}

/* ---- the store ---- */

static const struct merge_repository where = { "u", "/nowhere/r.git", "r" };

static void sql(struct world *w, const char *text)
{
	struct ps_err err = { 0 };

	if (tx_exec(w->tx, text, &err) < 0)
		world_wrong(w, "%s: %s", text, err.msg);
}

static int64_t any_row(struct world *w, const char *text, const char *name)
{
	struct ps_err err = { 0 };
	sqlite3_stmt *q = sql_query(w->tx, &err, text, "t", name);
	int64_t is = sql_next(w->tx, q, &err) > 0 ? sql_int(q, 0) : 0;

	sql_done(q);
	return is;
}

/* Core writes with STORE_FULL: what is there stays there. */
static void synced(struct world *w)
{
	sql(w, "RELEASE synced");
	sql(w, "SAVEPOINT synced");
	for (int i = 0; i < PUSHES; i++)
		w->p[i].synced = w->p[i].intent_at != 0;
}

/* Will the ref's tail be what was read from this time on? Asked before it is told. */
static bool is_newer(struct world *w, int ref, const char *boot, int64_t from)
{
	struct repository repo = { 0 };
	struct ref r = { 0 };
	bool newer = true;

	if (repository_by_path(w->tx, where.path, &repo, NULL) == 0 &&
	    ref_get(w->tx, repo.id, history_refs[ref], &r, NULL) == 0)
		newer = strcmp(r.boot, boot) == 0 ? r.stamp < from :
			strcmp(r.boot, clock_boot_id()) != 0;
	ref_clear(&r);
	repository_clear(&repo);
	return newer;
}

static void note_reading(struct world *w, int ref, int64_t read)
{
	PS_BUG_IF(w->nreadings == READINGS, "more than %d readings", READINGS);
	w->readings[w->nreadings++] = (struct reading) { ref, read, w->now };
}

/* ---- words ---- */

static int target(int ref)
{
	return ref == ALIAS ? 0 : ref;
}

static struct wire_ref_line line_of(const struct live_push *p, int i)
{
	return (struct wire_ref_line) {
		.ref = history_refs[p->plan.v[i].ref], .old = history_value(p->old[i]),
		.new = history_value(p->plan.v[i].new), .ordinal = (uint64_t)i,
	};
}

static void tell_intent(struct world *w, int at, bool full)
{
	struct live_push *p = &w->p[at];
	struct wire_ref_line lines[COMMANDS];
	struct wire_intent in = { .push = push_names[at], .repository = where.path, .pid = 1,
				  .pid_start = 1, .boot = boot_name(p->boot) };
	struct merge_who who = { 1, push_names[at], NULL, "gate", true };
	struct merge_time when = { boot_name(p->boot), stamp(w, p->boot, p->from),
				   stamp(w, p->boot, p->to) };
	struct merge_done done = { 0 };
	struct ps_err err = { 0 };
	bool newer[COMMANDS];

	for (int i = 0; i < p->plan.n; i++) {
		lines[i] = line_of(p, i);
		if (p->plan.v[i].ref == ALIAS)
			lines[i].target = history_refs[0];
		lines[i].seen = p->plan.blind ? NULL : history_value(p->seen[i]);
		newer[i] = !p->intent_at && !p->plan.blind &&
			is_newer(w, target(p->plan.v[i].ref), boot_name(p->boot),
				 stamp(w, p->boot, p->from));
	}
	if (merge_intent(w->tx, &where, &who, &in, lines, (size_t)p->plan.n, when, &done, &err) < 0)
		world_wrong(w, "intent of p%d: %s", at, err.msg);
	for (int i = 0; i < p->plan.n; i++)
		if (newer[i])
			note_reading(w, target(p->plan.v[i].ref), p->read);
	if (!p->intent_at)
		p->intent_at = w->now;
	if (done.open)
		p->settled = false, p->settled_at = 0;
	if (full)
		synced(w);
}

static void tell_report(struct world *w, int at)
{
	struct live_push *p = &w->p[at];
	struct wire_ref_line lines[COMMANDS];
	struct wire_report r = { .push = push_names[at], .repository = where.path, .pid = 1,
				 .pid_start = 1, .boot = boot_name(p->boot) };
	struct merge_who who = { 1, push_names[at], NULL, "none", true };
	struct merge_time when = { boot_name(p->boot), stamp(w, p->boot, p->post),
				   stamp(w, p->boot, p->post) };
	struct merge_done done = { 0 };
	struct ps_err err = { 0 };
	bool alias = any_row(w, "SELECT 1 FROM alias WHERE name = ?", history_refs[ALIAS]);
	size_t n = 0;

	for (int i = 0; i < p->plan.n; i++)
		if (p->ok[i])
			lines[n++] = line_of(p, i);
	r.refs.v = lines;
	r.refs.n = n;
	if (merge_report(w->tx, &where, &who, &r, when, &done, &err) < 0)
		world_wrong(w, "report of p%d: %s", at, err.msg);
	events_clear(&done.events);
	for (int ref = 0; ref < REFS; ref++)
		for (int k = 0; k < w->nmoves[ref]; k++) {
			struct move *m = &w->moves[ref][k];

			if (m->told || m->push != at || (p->plan.v[m->line].ref == ALIAS && !alias))
				continue;
			m->told = true;
			m->told_at = w->now;
		}
	if (done.open)
		p->settled = false, p->settled_at = 0;
	synced(w);
}

static void tell(struct world *w, int push, bool report, bool full)
{
	if (report)
		tell_report(w, push);
	else
		tell_intent(w, push, full);
}

/* In the order of stamps, as spool_take() sorts. */
static void take(struct world *w, int most)
{
	for (int n = 0; w->nspool && n < most; n++) {
		int first = 0;
		struct spooled s;

		for (int i = 1; i < w->nspool; i++)
			if (w->spool[i].boot < w->spool[first].boot ||
			    (w->spool[i].boot == w->spool[first].boot &&
			     w->spool[i].stamp < w->spool[first].stamp))
				first = i;
		s = w->spool[first];
		memmove(&w->spool[first], &w->spool[first + 1],
			sizeof(s) * (size_t)(--w->nspool - first));
		++w->now;
		tell(w, s.push, s.report, true);
	}
}

static void drain(struct world *w)
{
	if (!w->no_drain)
		take(w, SPOOL);
}

void agent_hear(struct world *w, int push, bool report, enum road road)
{
	if (road == LOST)
		return;
	/* a report must not overtake its own intent */
	if (w->up && road != BY_SPOOL && report && !w->p[push].intent_at)
		drain(w);
	if (w->up && road != BY_SPOOL)
		tell(w, push, report, false);
	if (!w->up || road != BY_DOOR) {
		PS_BUG_IF(w->nspool == SPOOL, "more than %d words in the spool", SPOOL);
		w->spool[w->nspool++] = (struct spooled) {
			push, report, w->boot, report ? w->p[push].post : w->p[push].to,
		};
	}
}

/* ---- reflogs: an entry is a byte, as far as their lengths go ---- */

static int64_t known_log(struct world *w, int ref)
{
	struct repository repo = { 0 };
	struct ref r = { .log_size = -1 };

	if (repository_by_path(w->tx, where.path, &repo, NULL) == 0 &&
	    ref_get(w->tx, repo.id, history_refs[ref], &r, NULL) == PS_ENOENT && repo.adopted_ms)
		r.log_size = 0;
	repository_clear(&repo);
	free(r.name);
	free(r.tail);
	free(r.boot);
	free(r.born_boot);
	free(r.read_boot);
	return r.log_size;
}

/* As the gate does; a log goes with its ref. */
static uint64_t read_log(struct world *w, int ref, char *path, uint64_t *since)
{
	const struct move *m = w->moves[ref];
	int n = w->nmoves[ref], first = n, before;
	int64_t from = known_log(w, ref), size;

	*path = '\0';
	*since = (uint64_t)(from + 1);
	if (!w->h->logs)
		return 0;
	if (!w->value[ref])
		return 1;
	while (first > 0 && m[first - 1].new)
		first--;
	before = first == 0 && w->h->first[ref];	/* how it came to be is in there */
	size = before + n - first;
	if (from < before || from >= size || (w->h->cut && w->now % 3 == 0))
		return (uint64_t)size + 1;
	strcpy(path, history_value(m[first + from - before].old));
	for (int64_t i = first + from - before; i < n; i++) {
		strcat(path, " ");
		strcat(path, history_value(m[i].new));
	}
	return (uint64_t)size + 1;
}

/* ---- ends and looks ---- */

static bool is_known(struct world *w, int push)
{
	return any_row(w, "SELECT 1 FROM push WHERE push = ? AND ended = 0", push_names[push]);
}

static void settle(struct world *w, int at)
{
	struct live_push *p = &w->p[at];
	struct wire_ref_value v[COMMANDS];
	struct merge_time when;
	struct ps_err err = { 0 };
	int64_t id;
	size_t n = 0;
	bool again = false;

	if (!w->up || p->phase != ENDED || p->settled)
		return;
	if (!p->reading) {
		drain(w);
		if (!is_known(w, at))
			return;
		p->set_from = ++w->now;
		p->set_read = ++w->now;
		for (int i = 0; i < p->plan.n; i++) {
			p->value[i] = w->value[target(p->plan.v[i].ref)];
			p->log[i] = read_log(w, target(p->plan.v[i].ref), p->path[i],
					     &p->since[i]);
		}
		p->reading = true;
		return;
	}
	p->reading = false;
	when = (struct merge_time) { clock_boot_id(), stamp(w, w->boot, p->set_from),
				     stamp(w, w->boot, ++w->now) };
	for (int i = 0; i < p->plan.n; i++) {
		int ref = target(p->plan.v[i].ref);
		bool twice = false;

		for (size_t k = 0; k < n; k++)
			twice = twice || strcmp(v[k].ref, history_refs[ref]) == 0;
		if (twice)
			continue;
		v[n++] = (struct wire_ref_value) {
			.ref = history_refs[ref], .oid = history_value(p->value[i]),
			.path = *p->path[i] ? p->path[i] : NULL, .log = p->log[i], .since = p->since[i],
		};
		if (is_newer(w, ref, when.boot, when.from))
			note_reading(w, ref, p->set_read);
	}
	id = any_row(w, "SELECT id FROM push WHERE push = ?", push_names[at]);
	if (merge_end(w->tx, id, v, n, NULL, true, when, &again, &err) < 0)
		world_wrong(w, "end of p%d: %s", at, err.msg);
	p->settled = !again;
	p->settled_at = again ? 0 : w->now;
	synced(w);
}

static void look(struct world *w)
{
	struct wire_ref_value v[REFS + 1];
	struct merge_time when;
	struct ps_err err = { 0 };
	struct merge_seen seen;
	size_t n = 0;

	if (!w->up)
		return;
	if (!w->looking) {
		drain(w);
		w->look_from = ++w->now;
		w->look_read = ++w->now;
		memcpy(w->look_value, w->value, sizeof(w->value));
		for (int i = 0; i < REFS; i++)
			w->look_log[i] = read_log(w, i, w->look_path[i], &w->look_since[i]);
		w->looking = true;
		return;
	}
	w->looking = false;
	when = (struct merge_time) { clock_boot_id(), stamp(w, w->boot, w->look_from),
				     stamp(w, w->boot, ++w->now) };
	for (int i = 0; i < REFS; i++)
		if (w->look_value[i])
			v[n++] = (struct wire_ref_value) {
				.ref = history_refs[i], .oid = history_value(w->look_value[i]),
				.path = *w->look_path[i] ? w->look_path[i] : NULL,
				.log = w->look_log[i], .since = w->look_since[i],
			};
	if (w->look_value[0])
		v[n++] = (struct wire_ref_value) { .ref = history_refs[ALIAS],
						   .oid = history_value(w->look_value[0]),
						   .target = history_refs[0] };
	if (merge_look(w->tx, &where, v, n, when, &seen, &err) < 0)
		world_wrong(w, "look: %s", err.msg);
	synced(w);
}

static void start(struct world *w)
{
	if (w->up)
		return;
	w->up = true;
	w->looking = false;
	for (int i = 0; i < PUSHES; i++)
		w->p[i].reading = false;
	drain(w);
	look(w);
}

static void reboot(struct world *w, bool power)
{
	w->up = w->looking = false;
	if (power) {
		sql(w, "ROLLBACK TO synced");
		for (int i = 0; i < PUSHES; i++)
			if (!w->p[i].synced)
				w->p[i].intent_at = 0;
	}
	w->boot++;
	w->base[w->boot] = w->now;
}

void agent_do(struct world *w, const struct op *op)
{
	here = w;
	switch (op->what) {
	case OP_SETTLE:
		settle(w, op->p);
		return;
	case OP_TAKE:
		if (w->up)
			take(w, op->n);
		return;
	case OP_LOOK:
		look(w);
		return;
	case OP_STOP:
		w->up = w->looking = false;
		return;
	case OP_START:
		start(w);
		return;
	case OP_REBOOT:
		reboot(w, op->power);
		return;
	default:
		return;
	}
}

/* Whatever is under way comes to its end, and core looks once more. */
void agent_finish(struct world *w)
{
	start(w);
	w->no_drain = false;
	drain(w);
	for (int n = 0; n < 4 * PUSHES; n++)	/* one may have to read again after another */
		for (int i = 0; i < PUSHES; i++)
			settle(w, i);
	if (w->looking)
		look(w);
	look(w);
	look(w);
}
