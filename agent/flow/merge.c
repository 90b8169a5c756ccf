/* merge – see merge.h. Each function: find the repository and the push, tell the rule about each
 * ref, leave the push settled or to be watched. */
#include "config.h"

#include "agent/flow/merge.h"

#include "agent/flow/merge_ref.h"
#include "common/base/clock.h"
#include "common/base/failpoint.h"

static int find_repository(struct store_tx *tx, const struct merge_repository *where,
			   struct repository *out, struct ps_err *err)
{
	return where->uid ? repository_put(tx, where->uid, where->path, where->name, out, err) :
			    repository_by_path(tx, where->path, out, err);
}

static void merge_clear(struct merge *m)
{
	push_clear(&m->push);
}

/* The push's row, found or made, and as it was before. */
static int find_push(struct store_tx *tx, struct push *was, struct push p, struct ps_err *err)
{
	int rc = push_put(tx, &p, err);

	return rc < 0 ? rc : push_get(tx, p.id, was, err);
}

/* Whatever is new about a push that was settled already must be settled as well. */
static int watch(struct store_tx *tx, const struct push *p, bool anything_new,
		 struct merge_done *done, struct ps_err *err)
{
	done->push = p->id;
	done->open = !p->ended || anything_new;
	return p->ended && anything_new ? push_set_ended(tx, p->id, false, err) : 0;
}

static struct push push_of(const struct repository *repo, const struct merge_who *who,
			   const char *name, const struct merge_time *when, uint64_t pid,
			   uint64_t pid_start)
{
	return (struct push) {
		.push = (char *)name, .repository = repo->id, .pusher = (char *)who->pusher,
		.acting_as = (char *)who->acting_as, .uid = who->uid, .judged = (char *)who->judged,
		.boot = (char *)when->boot, .stamp = when->to, .pid = (int64_t)pid,
		.pid_start = (int64_t)pid_start,
	};
}

/* ---- reports that wait ---- */

static int place_intent(struct merge *m, const struct intent *in, const char *value,
			const struct merge_time *when, bool *again, struct ps_err *err)
{
	struct rule_learnt l = {
		.thing = RULE_REPORT, .boot = when->boot, .from = when->from, .to = when->to,
		.value = value, .at_last = !value, .push = in->push, .old = in->old,
		.new = in->new, .k = in->told, .told = { in->boot, in->told_stamp },
		.begun = { in->ordinal >= 0 ? in->boot : NULL, in->begun },
	};
	struct merge_ref_done done = { .again = false };
	struct intent now = { 0 };
	/* the one before may have taken it along */
	int rc = intent_get(m->tx, in->push, in->ref, in->ordinal, &now, err);

	if (rc == 0 && strcmp(now.state, "open") == 0)
		rc = merge_ref(m, in->ref, &l, &done, err);
	*again |= done.again;
	intent_clear(&now);
	return rc;
}

static int by_told(const void *pa, const void *pb)
{
	const struct intent *a = pa, *b = pb;
	int c = strcmp(a->boot, b->boot);

	if (c)				/* of an older boot: earlier */
		return strcmp(a->boot, clock_boot_id()) == 0 ? 1 :
			strcmp(b->boot, clock_boot_id()) == 0 ? -1 : c;
	c = a->told_stamp < b->told_stamp ? -1 : a->told_stamp > b->told_stamp;
	return c ? c : a->told < b->told ? -1 : a->told > b->told;
}

/* What was reported of the ref and waited gets its place, whoever's it is: its value is known. */
static int place_told(struct merge *m, const char *ref, const char *value,
		      const struct merge_time *when, bool *again, struct ps_err *err)
{
	struct intents open = { 0 };
	int rc = intents_open(m->tx, m->repo->id, ref, MERGE_INTENTS_MAX, &open, err);

	if (open.n)
		qsort(open.v, open.n, sizeof(*open.v), by_told);
	for (size_t i = 0; rc == 0 && !*again && i < open.n; i++)
		if (open.v[i].told >= 0)
			rc = place_intent(m, &open.v[i], value, when, again, err);
	intents_clear(&open);
	return rc;
}

/* ---- intents ---- */

/* One more name of a ref that this push names already: git moves the ref once. */
static bool is_second_name(const struct wire_ref_line *refs, size_t n, size_t at)
{
	const char *ref = refs[at].target;

	for (size_t i = 0; ref && i < n; i++)
		if (i != at && strcmp(refs[i].ref, refs[at].ref) != 0 &&
		    strcmp(refs[i].target ? refs[i].target : refs[i].ref, ref) == 0 &&
		    (!refs[i].target || i < at))
			return true;
	return false;
}

static bool is_alias(const struct wire_ref_line *line)
{
	return line->target && strcmp(line->target, line->ref) != 0;
}

/* Its report came before it, and is an event by now or waits to be one. */
static int was_reported(struct merge *m, const struct intent *in, bool *is, struct ps_err *err)
{
	struct intents all = { 0 };
	struct events events = { 0 };
	int left = 0, rc = intents_of_push(m->tx, in->push, &all, err);

	if (rc == 0)
		rc = events_of_push(m->tx, in->push, &events, err);
	for (size_t i = 0; i < events.n; i++) {
		const struct ref_event *e = &events.v[i];

		left += strcmp(e->kind, "sure") == 0 && strcmp(e->ref, in->ref) == 0 &&
			strcmp(e->old, in->old) == 0 && strcmp(e->new, in->new) == 0;
	}
	for (size_t i = 0; i < all.n; i++) {
		const struct intent *o = &all.v[i];

		if (strcmp(o->ref, in->ref) != 0 || strcmp(o->old, in->old) != 0 ||
		    strcmp(o->new, in->new) != 0)
			continue;
		left += o->ordinal < 0 && strcmp(o->state, "open") == 0;
		left -= o->ordinal >= 0 && strcmp(o->state, "used") == 0;
	}
	*is = rc == 0 && left > 0;
	intents_clear(&all);
	events_clear(&events);
	return rc;
}

static int learn_line(struct merge *m, int64_t push, const struct wire_ref_line *line, bool second,
		      const struct merge_time *when, bool *news, struct ps_err *err)
{
	const char *ref = line->target ? line->target : line->ref;
	struct rule_learnt l = {
		.thing = RULE_INTENT, .boot = when->boot, .from = when->from, .to = when->to,
		.value = line->seen, .push = push, .old = line->old, .new = line->new,
	};
	struct intent is = { 0 }, in = {
		.push = push, .ref = (char *)ref, .ordinal = (int64_t)line->ordinal,
		.old = (char *)line->old, .new = (char *)line->new, .seen = (char *)line->seen,
		.alias = is_alias(line) ? (char *)line->ref : NULL,
	};
	struct merge_ref_done done = { .open = false };
	bool known, reported = false, again = false;
	int rc = intent_get(m->tx, push, ref, in.ordinal, &is, NULL);

	if (rc < 0 && rc != PS_ENOENT)
		return ps_err_set(err, rc, "the intents of the push cannot be read");
	known = rc == 0;
	l.recorded = second || (known && (is.seen || !line->seen));
	*news |= !l.recorded;
	rc = l.recorded || !l.value ? 0 : place_told(m, ref, l.value, when, &again, err);
	if (rc == 0 && !l.recorded)
		rc = merge_ref(m, ref, &l, &done, err);
	if (rc == 0 && done.open)
		rc = was_reported(m, &in, &reported, err);
	in.state = (char *)(reported ? "used" : done.open ? "open" : "void");
	in.reason = (char *)(done.open ? NULL : second ? "another name of a ref of this push" :
			     "old and new are the same");
	if (rc == 0 && !known)
		rc = intent_insert(m->tx, &in, err);
	else if (rc == 0 && !l.recorded)
		rc = intent_set_seen(m->tx, &is, line->seen, err);
	if (rc == 0 && in.alias)
		rc = alias_put(m->tx, m->repo->id, in.alias, ref, err);
	intent_clear(&is);
	return rc;
}

int merge_intent(struct store_tx *tx, const struct merge_repository *where,
		 const struct merge_who *who, const struct wire_intent *in,
		 const struct wire_ref_line *refs, size_t nrefs, struct merge_time when,
		 struct merge_done *done, struct ps_err *err)
{
	struct repository repo = { 0 };
	struct push push = { 0 };
	struct merge m = { .tx = tx, .repo = &repo, .hold_unknown = who->hold_unknown };
	bool news = false;
	int rc = find_repository(tx, where, &repo, err);

	if (rc == 0)
		rc = find_push(tx, &push, push_of(&repo, who, in->push, &when, in->pid,
						  in->pid_start), err);
	if (rc == 0 && FAIL_AT("intake.intent"))
		rc = ps_err_errno(err, "cannot record an intent");
	if (rc == 0)
		rc = push_began(tx, &push, when.boot, when.to, err);
	for (size_t i = 0; rc == 0 && i < nrefs; i++)
		if (!merge_is_ours(refs[i].target ? refs[i].target : refs[i].ref))
			rc = learn_line(&m, push.id, &refs[i],
					is_second_name(refs, nrefs, i), &when, &news, err);
	if (rc == 0)
		rc = watch(tx, &push, news, done, err);
	merge_clear(&m);
	push_clear(&push);
	repository_clear(&repo);
	return rc;
}

/* ---- reports ---- */

/* A line of a report: its ref with symbolic ones resolved, and which line of that ref it is. */
struct said {
	char *ref;
	bool second;			/* by an alias, and the push names the ref itself */
	size_t at;
	int64_t k;
};

static int by_ref(const void *pa, const void *pb)
{
	const struct said *a = pa, *b = pb;
	int c = strcmp(a->ref, b->ref);

	return c ? c : a->at < b->at ? -1 : a->at > b->at;
}

static int by_place(const void *pa, const void *pb)
{
	const struct said *a = pa, *b = pb;

	return a->at < b->at ? -1 : a->at > b->at;
}

/* post-receive names the alias that was pushed: the intent knows what was behind it, or a look. */
static int resolve(struct merge *m, const struct wire_ref_line *line, const struct intents *aliases,
		   char **ref, struct ps_err *err)
{
	int rc = 0;

	*ref = line->target ? xstrdup(line->target) : NULL;
	for (size_t i = 0; !*ref && i < aliases->n; i++)
		if (strcmp(aliases->v[i].alias, line->ref) == 0)
			*ref = xstrdup(aliases->v[i].ref);
	if (!*ref)
		rc = alias_target(m->tx, m->repo->id, line->ref, ref, err);
	if (!*ref)
		*ref = xstrdup(line->ref);
	return rc;
}

/*
 * Of a ref that a push names by its own name and by an alias, git moves it once, by its own name;
 * the alias is reported all the same, even where that was refused.
 */
static bool has_own_name(const struct intents *intents, const char *ref)
{
	for (size_t i = 0; i < intents->n; i++)
		if (!intents->v[i].alias && strcmp(intents->v[i].ref, ref) == 0)
			return true;
	return false;
}

/* Lines of one ref. */
static void number(const struct wire_report *r, const struct intents *intents, struct said *s,
		   size_t n)
{
	bool own = n > 0 && has_own_name(intents, s[0].ref);
	int64_t k = 0;

	for (size_t i = 0; i < n; i++)
		own = own || strcmp(r->refs.v[s[i].at].ref, s[i].ref) == 0;
	for (size_t i = 0; i < n; i++) {
		s[i].second = own && strcmp(r->refs.v[s[i].at].ref, s[i].ref) != 0;
		s[i].k = s[i].second ? -1 : k++;
	}
}

static int read_lines(struct merge *m, const struct wire_report *r, const struct intents *intents,
		      struct said *s, struct ps_err *err)
{
	struct intents aliases = { intents->v, 0 };
	size_t n = r->refs.n, end;
	int rc = 0;

	for (size_t i = 0; i < intents->n; i++)		/* the few that are aliases to the front */
		if (intents->v[i].alias) {
			struct intent swap = intents->v[aliases.n];

			intents->v[aliases.n++] = intents->v[i];
			intents->v[i] = swap;
		}
	for (size_t i = 0; rc == 0 && i < n; i++) {
		s[i].at = i;
		rc = resolve(m, &r->refs.v[i], &aliases, &s[i].ref, err);
	}
	if (rc < 0)
		return rc;
	qsort(s, n, sizeof(*s), by_ref);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && strcmp(s[end].ref, s[i].ref) == 0; end++)
			;
		number(r, intents, s + i, end - i);
	}
	qsort(s, n, sizeof(*s), by_place);
	return 0;
}

/* When the push told its first intent; boot NULL: it is not known. */
static struct rule_stamp begun_of(const struct push *push, const struct intents *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].ordinal >= 0)
			return (struct rule_stamp) { push->boot, push->stamp };
	return (struct rule_stamp) { NULL, 0 };
}

/* A report that waits for the end of its push is kept as an intent that was reported. */
static int keep_told(struct merge *m, const char *ref, const struct rule_learnt *l,
		     struct ps_err *err)
{
	struct intent fresh = {
		.push = l->push, .ref = (char *)ref, .ordinal = -1 - l->k, .old = (char *)l->old,
		.new = (char *)l->new, .state = (char *)"open",
	};
	const struct intent *is = NULL;
	struct intents all = { 0 };
	int rc = intents_of_push(m->tx, l->push, &all, err);

	m->waits = true;
	for (size_t i = 0; rc == 0 && !is && i < all.n; i++) {
		const struct intent *in = &all.v[i];

		if (strcmp(in->state, "open") == 0 && in->told < 0 && strcmp(in->ref, ref) == 0 &&
		    strcmp(in->old, l->old) == 0 && strcmp(in->new, l->new) == 0)
			is = in;
	}
	if (rc == 0 && !is)
		rc = intent_insert(m->tx, &fresh, err);
	if (rc == 0)
		rc = intent_set_told(m->tx, is ? is : &fresh, l->k, l->told.ns, err);
	intents_clear(&all);
	return rc;
}

static int learn_lines(struct merge *m, const struct push *push, const struct wire_report *r,
		       const struct merge_time *when, struct ps_err *err)
{
	struct said *said = xcalloc(r->refs.n + 1, sizeof(*said));
	struct intents intents = { 0 };
	struct merge_ref_done done;
	int rc = intents_of_push(m->tx, push->id, &intents, err);

	if (rc == 0)
		rc = read_lines(m, r, &intents, said, err);
	for (size_t i = 0; rc == 0 && i < r->refs.n; i++) {
		struct rule_learnt l = {
			.thing = RULE_REPORT, .boot = when->boot, .from = when->from,
			.to = when->to, .push = push->id, .old = r->refs.v[i].old,
			.new = r->refs.v[i].new, .k = said[i].k,
			.told = { when->boot, when->from },
			.begun = begun_of(push, &intents),
		};

		if (!said[i].second && !merge_is_ours(said[i].ref))
			rc = merge_ref(m, said[i].ref, &l, &done, err);
		else
			continue;
		if (rc == 0 && done.waits)
			rc = keep_told(m, said[i].ref, &l, err);
	}
	for (size_t i = 0; i < r->refs.n; i++)
		free(said[i].ref);
	free(said);
	intents_clear(&intents);
	return rc;
}

int merge_report(struct store_tx *tx, const struct merge_repository *where,
		 const struct merge_who *who, const struct wire_report *r, struct merge_time when,
		 struct merge_done *done, struct ps_err *err)
{
	struct repository repo = { 0 };
	struct push push = { 0 };
	struct merge m = { .tx = tx, .repo = &repo, .hold_unknown = who->hold_unknown };
	int rc = find_repository(tx, where, &repo, err);

	if (rc == 0)
		rc = find_push(tx, &push, push_of(&repo, who, r->push, &when, r->pid, r->pid_start),
			       err);
	if (rc == 0 && FAIL_AT("intake.report"))
		rc = ps_err_errno(err, "cannot record a report");
	if (rc == 0)
		rc = learn_lines(&m, &push, r, &when, err);
	if (rc == 0)
		rc = watch(tx, &push, m.events > 0 || m.waits, done, err);
	if (rc == 0)
		rc = events_of_push(tx, push.id, &done->events, err);
	merge_clear(&m);
	push_clear(&push);
	repository_clear(&repo);
	return rc;
}

/* ---- ends and looks ---- */

static int void_open(struct store_tx *tx, int64_t push, const char *why, struct ps_err *err)
{
	struct intents l = { 0 };
	int rc = intents_of_push(tx, push, &l, err);

	for (size_t i = 0; rc == 0 && i < l.n; i++)
		if (strcmp(l.v[i].state, "open") == 0)
			rc = intent_set_state(tx, &l.v[i], "void", why, err);
	intents_clear(&l);
	return rc;
}

/* What the gate says of its reflog, for the rule. The texts are in *text; free() both. */
static void put_path(struct rule_learnt *l, const struct wire_ref_value *v, const char ***path,
		     char **text)
{
	size_t n = 0;

	*text = xstrdup(v->path ? v->path : "");
	*path = xcalloc(strlen(*text) / 2 + 1, sizeof(**path));
	for (char *at = *text, *next; at && *at; at = next) {
		next = strchr(at, ' ');
		if (next)
			*next++ = '\0';
		(*path)[n++] = at;
	}
	l->path = *path;
	l->npath = n;
	l->log = (int64_t)v->log - 1;
	l->log_since = (int64_t)v->since - 1;
}

static int learn_value(struct merge *m, enum rule_thing thing, int64_t push,
		       const struct wire_ref_value *v, const struct merge_time *when,
		       struct ps_err *err)
{
	struct merge_ref_done done;
	struct rule_learnt l = {
		.thing = thing, .boot = when->boot, .from = when->from, .to = when->to,
		.value = v->oid, .push = push,
	};
	const char **path;
	char *text;
	int rc;

	put_path(&l, v, &path, &text);
	rc = merge_ref(m, v->ref, &l, &done, err);
	m->again |= rc == 0 && done.again;
	m->lives += rc == 0 && l.lives;
	free(path);
	free(text);
	return rc;
}

/* Refs of the push that nobody can read any more: what was reported gets a place all the same. */
static int place_blind(struct merge *m, int64_t push, const struct merge_time *when,
		       struct ps_err *err)
{
	struct intents all = { 0 };
	bool again = false;
	int rc = intents_of_push(m->tx, push, &all, err);

	for (size_t i = 0; rc == 0 && i < all.n; i++)
		if (all.v[i].told >= 0)
			rc = place_intent(m, &all.v[i], NULL, when, &again, err);
	intents_clear(&all);
	return rc;
}

static int end_ref(struct merge *m, int64_t push, const struct wire_ref_value *v,
		   const struct merge_time *when, struct ps_err *err)
{
	bool again = false;
	int rc = place_told(m, v->ref, v->oid, when, &again, err);

	if (rc == 0 && !again)
		rc = learn_value(m, RULE_END, push, v, when, err);
	m->again |= again;
	return rc;
}

int merge_end(struct store_tx *tx, int64_t id, const struct wire_ref_value *values, size_t n,
	      const char *blind, bool hold_unknown, struct merge_time when, bool *again,
	      struct ps_err *err)
{
	struct repository repo = { 0 };
	struct push push = { 0 };
	struct merge m = { .tx = tx, .repo = &repo, .hold_unknown = hold_unknown };
	int rc = push_get(tx, id, &push, err);

	*again = false;
	if (rc == 0)
		rc = repository_get(tx, push.repository, &repo, err);
	if (rc == 0 && FAIL_AT("intake.end"))
		rc = ps_err_errno(err, "cannot settle a push");
	for (size_t i = 0; rc == 0 && !blind && i < n; i++)
		if (!values[i].target && !merge_is_ours(values[i].ref))
			rc = end_ref(&m, id, &values[i], &when, err);
	if (rc == 0 && !m.again)
		rc = place_blind(&m, id, &when, err);
	*again = m.again;
	if (rc == 0 && !m.again)	/* what is symbolic by now, and what nobody can read */
		rc = void_open(tx, id, blind ? blind : "push ended, ref cannot be read", err);
	if (rc == 0 && !m.again)
		rc = push_set_ended(tx, id, true, err);
	merge_clear(&m);
	push_clear(&push);
	repository_clear(&repo);
	return rc;
}

static int by_name(const void *pa, const void *pb)
{
	const struct wire_ref_value *a = *(const struct wire_ref_value *const *)pa;
	const struct wire_ref_value *b = *(const struct wire_ref_value *const *)pb;

	return strcmp(a->ref, b->ref);
}

/* What waits for the ref's value first, as at an end. */
static int look_ref(struct merge *m, const struct wire_ref_value *v, const struct merge_time *when,
		    struct ps_err *err)
{
	bool again = false;
	int rc = place_told(m, v->ref, v->oid, when, &again, err);

	m->lives += again;		/* it was read too early for what is told by now */
	return rc < 0 || again ? rc : learn_value(m, RULE_LOOK, 0, v, when, err);
}

static int look_gone(struct merge *m, const struct ref *r, const struct merge_time *when,
		     struct ps_err *err)
{
	char zeros[PS_OID_HEX_MAX + 1];

	if (rule_is_zero(r->tail))
		return 0;
	snprintf(zeros, sizeof(zeros), "%0*d", (int)strlen(r->tail), 0);
	return look_ref(m, &(struct wire_ref_value) { .ref = r->name, .oid = zeros,
						       .log = 1,
						       .since = (uint64_t)(r->log_size + 1) },
			   when, err);
}

/* Both lists in the order of their names: what is known and what is there. */
static int look_all(struct merge *m, const struct refs *known, const struct wire_ref_value **now,
		    size_t n, const struct merge_time *when, struct ps_err *err)
{
	size_t i = 0, k = 0;
	int rc = 0;

	while (rc == 0 && (i < n || k < known->n)) {
		int c = i == n ? 1 : k == known->n ? -1 : strcmp(now[i]->ref, known->v[k].name);

		if (c > 0)
			rc = look_gone(m, &known->v[k], when, err);
		else if (c < 0 || strcmp(now[i]->oid, known->v[k].tail) != 0 ||
			 (int64_t)now[i]->log - 1 != known->v[k].log_size)
			rc = look_ref(m, now[i], when, err);
		i += c <= 0;
		k += c >= 0;
	}
	return rc;
}

int merge_look(struct store_tx *tx, const struct merge_repository *where,
	       const struct wire_ref_value *values, size_t n, struct merge_time when,
	       struct merge_seen *seen, struct ps_err *err)
{
	const struct wire_ref_value **now = xcalloc(n + 1, sizeof(*now));
	struct repository repo = { 0 };
	struct refs known = { 0 };
	struct merge m = { .tx = tx, .repo = &repo };
	size_t real = 0;
	int rc = find_repository(tx, where, &repo, err);

	for (size_t i = 0; rc == 0 && i < n; i++) {	/* a symbolic one is told by its target */
		if (values[i].target)
			rc = alias_put(tx, repo.id, values[i].ref, values[i].target, err);
		else if (!merge_is_ours(values[i].ref))
			now[real++] = &values[i];
	}
	qsort(now, real, sizeof(*now), by_name);
	if (rc == 0)
		rc = refs_of(tx, repo.id, &known, err);
	if (rc == 0 && FAIL_AT("intake.look"))
		rc = ps_err_errno(err, "cannot record a look");
	if (rc == 0)
		rc = look_all(&m, &known, now, real, &when, err);
	if (rc == 0)
		rc = repository_adopted(tx, repo.id, err);
	*seen = (struct merge_seen) { m.events, m.lives };
	merge_clear(&m);
	refs_clear(&known);
	repository_clear(&repo);
	free(now);
	return rc;
}

static void add_name(char ***v, size_t *n, size_t *cap, const char *name)
{
	*v = xgrow(*v, *n, cap, sizeof(**v));
	(*v)[(*n)++] = xstrdup(name);
}

static int by_text(const void *pa, const void *pb)
{
	return strcmp(*(char *const *)pa, *(char *const *)pb);
}

/* Each once, in order. */
static size_t tidy(char **v, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_text);
	for (size_t i = 0; i < n; i++) {
		if (kept && strcmp(v[kept - 1], v[i]) == 0)
			free(v[i]);
		else
			v[kept++] = v[i];
	}
	return kept;
}

int merge_refs_of_push(struct store_tx *tx, int64_t push, char ***refs, size_t *n,
		       struct ps_err *err)
{
	struct intents intents = { 0 };
	struct events events = { 0 };
	size_t cap = 0;
	int rc = intents_of_push(tx, push, &intents, err);

	*refs = NULL;
	*n = 0;
	if (rc == 0)
		rc = events_of_push(tx, push, &events, err);
	for (size_t i = 0; rc == 0 && i < intents.n; i++)
		add_name(refs, n, &cap, intents.v[i].ref);
	for (size_t i = 0; rc == 0 && i < events.n; i++)
		add_name(refs, n, &cap, events.v[i].ref);
	*n = tidy(*refs, *n);
	intents_clear(&intents);
	events_clear(&events);
	return rc;
}
