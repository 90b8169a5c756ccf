/* merge – see merge.h. Each function: find the repository and the push, tell the rule about each
 * ref, leave the push settled or to be watched. */
#include "config.h"

#include "agent/flow/merge.h"

#include "agent/flow/merge_ref.h"
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
		.boot = (char *)when->boot, .stamp = when->from, .pid = (int64_t)pid,
		.pid_start = (int64_t)pid_start,
	};
}

/* ---- intents ---- */

static int learn_line(struct merge *m, int64_t push, const struct wire_ref_line *line,
		      const struct merge_time *when, bool *news, struct ps_err *err)
{
	const char *ref = line->target ? line->target : line->ref;
	struct rule_learnt l = {
		.thing = RULE_INTENT, .boot = when->boot, .from = when->from, .to = when->to,
		.value = line->seen, .push = push, .old = line->old, .new = line->new,
	};
	struct intent is = { 0 }, in = {
		.push = push, .ref = (char *)ref, .ordinal = (int64_t)line->ordinal,
			.old = (char *)line->old,
		.new = (char *)line->new, .seen = (char *)line->seen,
		.alias = line->target && strcmp(line->target, line->ref) != 0 ? (char *)line->ref :
			NULL,
	};
	bool open = false, known;
	int rc = intent_get(m->tx, push, ref, in.ordinal, &is, NULL);

	if (rc < 0 && rc != PS_ENOENT)
		return ps_err_set(err, rc, "the intents of the push cannot be read");
	known = rc == 0;
	l.recorded = known && (is.seen || !line->seen);
	*news |= !l.recorded;
	rc = l.recorded ? 0 : merge_ref(m, ref, &l, &open, err);
	in.state = (char *)(open ? "open" : "void");
	in.reason = (char *)(open ? NULL : "old and new are the same");
	if (rc == 0 && !known)
		rc = intent_insert(m->tx, &in, err);
	else if (rc == 0 && !l.recorded)
		rc = intent_set_seen(m->tx, &is, line->seen, err);
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
	for (size_t i = 0; rc == 0 && i < nrefs; i++)
		if (!merge_is_ours(refs[i].target ? refs[i].target : refs[i].ref))
			rc = learn_line(&m, push.id, &refs[i], &when, &news, err);
	if (rc == 0)
		rc = watch(tx, &push, news, done, err);
	merge_clear(&m);
	push_clear(&push);
	repository_clear(&repo);
	return rc;
}

/* ---- reports ---- */

/* A line of a report: its ref with symbolic ones resolved, and the how many-th of that ref it
 * is. */
struct said {
	const char *ref;
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

/* post-receive names the alias that was pushed; the intent knows what was behind it. */
static const char *resolve(const struct wire_ref_line *line, const struct intents *intents)
{
	if (line->target)
		return line->target;
	for (size_t i = 0; i < intents->n; i++)
		if (intents->v[i].alias && strcmp(intents->v[i].alias, line->ref) == 0)
			return intents->v[i].ref;
	return line->ref;
}

static struct said *number(const struct wire_report *r, struct intents *intents)
{
	struct said *s = xcalloc(r->refs.n + 1, sizeof(*s));
	size_t aliases = 0;

	for (size_t i = 0; i < intents->n; i++)		/* the few that are aliases to the front */
		if (intents->v[i].alias) {
			struct intent swap = intents->v[aliases];

			intents->v[aliases++] = intents->v[i];
			intents->v[i] = swap;
		}
	for (size_t i = 0; i < r->refs.n; i++)
		s[i] = (struct said) { resolve(&r->refs.v[i],
					       &(struct intents) { intents->v, aliases }), i, 0 };
	qsort(s, r->refs.n, sizeof(*s), by_ref);
	for (size_t i = 1; i < r->refs.n; i++)
		s[i].k = strcmp(s[i].ref, s[i - 1].ref) == 0 ? s[i - 1].k + 1 : 0;
	qsort(s, r->refs.n, sizeof(*s), by_place);
	return s;
}

static int learn_lines(struct merge *m, const struct push *push, const struct wire_report *r,
		       const struct merge_time *when, struct ps_err *err)
{
	struct intents intents = { 0 };
	struct said *said;
	int rc = intents_of_push(m->tx, push->id, &intents, err);

	said = number(r, &intents);
	for (size_t i = 0; rc == 0 && i < r->refs.n; i++) {
		struct rule_learnt l = {
			.thing = RULE_REPORT, .boot = when->boot, .from = when->from,
				.to = when->to,
			.push = push->id, .old = r->refs.v[i].old, .new = r->refs.v[i].new,
				.k = said[i].k,
		};

		if (intents.n)
			l.begun = (struct rule_stamp) { push->boot, push->stamp };
		if (!merge_is_ours(said[i].ref))
			rc = merge_ref(m, said[i].ref, &l, NULL, err);
	}
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
		rc = watch(tx, &push, m.events > 0, done, err);
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

static int learn_value(struct merge *m, enum rule_thing thing, int64_t push, const char *ref,
		       const char *value, const struct merge_time *when, struct ps_err *err)
{
	struct rule_learnt l = {
		.thing = thing, .boot = when->boot, .from = when->from, .to = when->to,
			.value = value, .push = push,
	};

	return merge_ref(m, ref, &l, NULL, err);
}

int merge_end(struct store_tx *tx, int64_t id, const struct wire_ref_value *values, size_t n,
	      const char *blind, bool hold_unknown, struct merge_time when, struct ps_err *err)
{
	struct repository repo = { 0 };
	struct push push = { 0 };
	struct merge m = { .tx = tx, .repo = &repo, .hold_unknown = hold_unknown };
	int rc = push_get(tx, id, &push, err);

	if (rc == 0)
		rc = repository_get(tx, push.repository, &repo, err);
	if (rc == 0 && FAIL_AT("intake.end"))
		rc = ps_err_errno(err, "cannot settle a push");
	for (size_t i = 0; rc == 0 && !blind && i < n; i++)
		if (!values[i].target && !merge_is_ours(values[i].ref))
			rc = learn_value(&m, RULE_END, id, values[i].ref, values[i].oid, &when,
					 err);
	if (rc == 0)			/* what is symbolic by now, and what nobody can read */
		rc = void_open(tx, id, blind ? blind : "push ended, ref cannot be read", err);
	if (rc == 0)
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

static int look_gone(struct merge *m, const struct ref *r, const struct merge_time *when,
		     struct ps_err *err)
{
	char zeros[PS_OID_HEX_MAX + 1];

	if (rule_is_zero(r->tail))
		return 0;
	snprintf(zeros, sizeof(zeros), "%0*d", (int)strlen(r->tail), 0);
	return learn_value(m, RULE_LOOK, 0, r->name, zeros, when, err);
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
		else if (c < 0 || strcmp(now[i]->oid, known->v[k].tail) != 0)
			rc = learn_value(m, RULE_LOOK, 0, now[i]->ref, now[i]->oid, when, err);
		i += c <= 0;
		k += c >= 0;
	}
	return rc;
}

int merge_look(struct store_tx *tx, const struct merge_repository *where,
	       const struct wire_ref_value *values, size_t n, struct merge_time when,
	       size_t *events, struct ps_err *err)
{
	const struct wire_ref_value **now = xcalloc(n + 1, sizeof(*now));
	struct repository repo = { 0 };
	struct refs known = { 0 };
	struct merge m = { .tx = tx, .repo = &repo };
	size_t real = 0;
	int rc = find_repository(tx, where, &repo, err);

	for (size_t i = 0; i < n; i++)		/* a symbolic one is told by its target */
		if (!values[i].target && !merge_is_ours(values[i].ref))
			now[real++] = &values[i];
	qsort(now, real, sizeof(*now), by_name);
	if (rc == 0)
		rc = refs_of(tx, repo.id, &known, err);
	if (rc == 0 && FAIL_AT("intake.look"))
		rc = ps_err_errno(err, "cannot record a look");
	if (rc == 0)
		rc = look_all(&m, &known, now, real, &when, err);
	if (rc == 0)
		rc = repository_adopted(tx, repo.id, err);
	*events = m.events;
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
