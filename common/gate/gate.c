/*
 * gate – see gate.h. The way of a push: every command by itself (may this ref be named at all),
 * its value now, its new tree, its old side, the rules, and at the end one text for all.
 */
#include "config.h"

#include "common/gate/gate.h"

#include "common/base/clock.h"
#include "common/config/rights.h"
#include "common/gate/judge.h"
#include "common/gate/memo.h"
#include "common/gate/outlook.h"
#include "common/gate/precedent.h"
#include "common/gate/report.h"
#include "common/gate/rules_push.h"

static const char reserved[] = "refs/penstock";

struct push {
	const struct gate_input *in;
	struct gate_result *out;
	struct bench bench;
	const struct project_paths **projects;	/* per ref, of its new tree */
	const struct judged **trees;		/* likewise */
	bool skip;			/* asked for, and the pusher may */
};

const char *gate_verdict_word(enum gate_verdict v)
{
	static const char *const words[] = { "accept", "refuse", "undecided" };

	return words[v];
}

/* ---- rules about the push itself ---- */

static void push_hit(const struct push *p, struct gate_ref *ref, enum rule_id id, const char *name,
		     const char *text)
{
	enum conf_level level = rule_level(&rule_table[id], p->in->config, ref->target);

	if (level != CONF_LEVEL_OFF)
		diag_add_key(&ref->findings,
			     level == CONF_LEVEL_WARNING ? DIAG_WARNING : DIAG_ERROR, name, name, 1,
			     1, rule_table[id].code, "%s", text);
}

static int by_target(const void *pa, const void *pb)
{
	const struct gate_ref *a = *(const struct gate_ref *const *)pa,
		*b = *(const struct gate_ref *const *)pb;
	int c = strcmp(a->target, b->target);

	return c ? c : (a > b) - (a < b);
}

/* Also two names of one ref: a symbolic one and its target. */
static void find_twice(struct push *p)
{
	struct gate_ref **sorted = xcalloc(p->out->nrefs + 1, sizeof(*sorted));

	for (size_t i = 0; i < p->out->nrefs; i++)
		sorted[i] = &p->out->refs[i];
	qsort(sorted, p->out->nrefs, sizeof(*sorted), by_target);
	for (size_t i = 1; i < p->out->nrefs; i++)
		if (strcmp(sorted[i - 1]->target, sorted[i]->target) == 0)
			push_hit(p, sorted[i], RULE_TWICE, sorted[i]->target,
				 "named twice in one push; push each ref once");
	free(sorted);
}

static bool is_reserved(const char *ref)
{
	size_t n = strlen(reserved);

	return strncmp(ref, reserved, n) == 0 && (!ref[n] || ref[n] == '/');
}

/* ---- one ref ---- */

static void undecided(struct push *p, struct gate_ref *ref, const char *what)
{
	ref->verdict = GATE_UNDECIDED;
	if (!p->out->slow)
		p->out->slow = xstrdup(what);
}

/* The judgement of the tree behind an oid, made once. *out is NULL when it leads to no tree. */
static int judge_oid(struct push *p, const char *oid, struct repo_peeled *peeled,
		     struct judged **out, struct ps_err *err)
{
	struct tree *t;
	int rc = repo_peel(p->in->repo, oid, peeled, err);

	*out = NULL;
	if (rc == PS_EINVAL)
		return 0;		/* a blob, or a tag of one */
	if (rc < 0)
		return rc;
	*out = bench_find(&p->bench, peeled->tree);
	if (*out)
		return 0;
	rc = repo_tree(&t, p->in->repo, peeled->tree, err);
	return rc < 0 ? rc : bench_judge(&p->bench, t, peeled->tree, NULL, out, err);
}

/* The old side: what the ref holds now, else the nearest ancestor that any ref holds. */
static int judge_old(struct push *p, const struct gate_ref *ref, const char *new_oid,
		     struct judged **old, struct ps_err *err)
{
	struct repo_peeled peeled;
	char held[TREE_OID];
	bool found = true;
	int rc = 0;

	*old = NULL;
	if (*ref->seen && !repo_oid_is_zero(ref->seen))
		memcpy(held, ref->seen, sizeof(held));
	else
		rc = repo_nearest_held(p->in->repo, new_oid, NULL, held, &found, err);
	return rc < 0 || !found ? rc : judge_oid(p, held, &peeled, old, err);
}

/* *whole gets the judgement of the new tree when there is one and all of it was looked at. */
static int judge_ref(struct push *p, size_t i, const struct judged **whole, struct ps_err *err)
{
	const struct gate_command *c = &p->in->commands[i];
	struct gate_ref *ref = &p->out->refs[i];
	struct judged *now, *old = NULL;
	struct repo_peeled peeled;
	int rc;

	rc = judge_oid(p, c->new_oid, &peeled, &now, err);
	if (rc < 0)
		return rc;
	memcpy(ref->commit, peeled.commit, sizeof(ref->commit));
	memcpy(ref->tree, peeled.tree, sizeof(ref->tree));
	if (!now)
		return 0;
	p->projects[i] = &now->projects;
	p->trees[i] = now;
	if (!now->rules.late && bench_needs_old(now))
		rc = judge_old(p, ref, c->new_oid, &old, err);
	if (rc < 0)
		return rc;
	if (now->rules.late || (old && old->rules.late)) {
		undecided(p, ref, now->rules.late ? now->rules.slow : old->rules.slow);
		return 0;
	}
	*whole = now;
	bench_compare(&p->bench, now, old, ref->target, &ref->findings);
	if (ref->findings.errors) {
		diag_sort(&ref->findings);
		bench_sources(now, &ref->findings, GATE_DIAGS_MAX);
	}
	return 0;
}

/* Reads the ref as it is now. What cannot be read has no seen value; the ref is judged all the
 * same. */
static void look(struct push *p, size_t i)
{
	struct gate_ref *ref = &p->out->refs[i];
	struct repo_ref now;
	struct ps_err err;

	if (repo_ref_read(p->in->repo, p->in->commands[i].ref, &now, &err) < 0) {
		ref->target = xstrdup(p->in->commands[i].ref);
		return;
	}
	ref->target = now.name;
	memcpy(ref->seen, now.oid, sizeof(ref->seen));
}

/* ---- rights, tags ---- */

struct held { struct push *p; const char *oid; };	/* what a ref holds before the push */

/* Only where the projects are: nothing of the old tree is judged for that. */
static int held_projects(void *arg, struct project_paths *out)
{
	const struct held *h = arg;
	struct repo_peeled peeled;
	struct tree *t = NULL;
	struct ps_err err;
	int rc = repo_peel(h->p->in->repo, h->oid, &peeled, &err);

	if (rc == PS_EINVAL)
		return 0;		/* no tree, no project */
	if (rc == 0)
		rc = repo_tree(&t, h->p->in->repo, peeled.tree, &err);
	if (rc == 0)
		rc = project_find(t, "", out, &err);
	tree_close(t);
	return rc;
}

static enum push_way way_of(const struct gate_command *c, const char *old)
{
	return repo_oid_is_zero(c->new_oid) ? PUSH_DELETE : repo_oid_is_zero(old) ? PUSH_CREATE :
		PUSH_MOVE;
}

/* judged NULL: there is no new tree, or what is in it is not known (unknown). */
static void rules_of_push(struct push *p, size_t i, const struct judged *judged, bool unknown)
{
	static const struct project_paths none;
	const struct gate_command *c = &p->in->commands[i];
	struct gate_ref *ref = &p->out->refs[i];
	struct held held = { p, *ref->seen ? ref->seen : c->old_oid };
	struct push_subject s = {
		.config = p->in->config, .repo = p->in->repo_name, .ref = ref->target,
		.who = p->in->who, .way = way_of(c, held.oid), .judged = judged,
		.now = judged ? &judged->projects : unknown ? NULL : &none,
		.old = repo_oid_is_zero(held.oid) ? NULL : held_projects, .arg = &held,
	};

	if (p->in->config && strcmp(held.oid, c->new_oid) != 0)
		rules_push(&s, &ref->findings);
}

/* What is wrong with the content does not count; who may move what does. */
static void skip_content(struct gate_ref *ref)
{
	for (size_t i = 0; i < ref->findings.n; i++)
		if (!ps_starts(ref->findings.v[i].code, "PS-PUSH-"))
			diag_demote(&ref->findings, i);
}

static void one_ref(struct push *p, size_t i)
{
	const struct gate_command *c = &p->in->commands[i];
	struct gate_ref *ref = &p->out->refs[i];
	const struct judged *whole = NULL;
	struct ps_err err = { 0 };
	int rc = 0;

	if (is_reserved(c->ref) || is_reserved(ref->target))
		push_hit(p, ref, RULE_RESERVED, c->ref,
			 "refs below refs/penstock/ are penstock's own");
	else if (p->in->deadline_ns && clock_boot_ns() > p->in->deadline_ns)
		undecided(p, ref, c->ref);
	else if (!repo_oid_is_zero(c->new_oid))
		rc = judge_ref(p, i, &whole, &err);
	if (rc == PS_ELIMIT)		/* bounds of ours are no reason to refuse */
		push_hit(p, ref, RULE_UNCHECKED, c->ref, err.msg);
	else if (rc < 0)
		undecided(p, ref, ps_err_msg(&err, rc));
	if (!is_reserved(c->ref) && !is_reserved(ref->target))
		rules_of_push(p, i, whole, rc < 0 || ref->verdict == GATE_UNDECIDED);
	if (p->skip) {
		skip_content(ref);
		ref->verdict = GATE_ACCEPT;
	}
}

/* ---- the whole ---- */

static bool same_place(const struct diag *a, const struct diag *b)
{
	return a->line == b->line && a->col == b->col && strcmp(a->path, b->path) == 0 &&
		strcmp(a->code, b->code) == 0 && strcmp(a->text, b->text) == 0;
}

/* All findings of all refs, each once; an error of one ref beats the same warning of another. */
static void merge(struct gate_result *r)
{
	struct diag_list every = DIAG_LIST_INIT;

	for (size_t i = 0; i < r->nrefs; i++) {
		diag_sort(&r->refs[i].findings);
		for (size_t k = 0; k < r->refs[i].findings.n; k++) {
			const struct diag *d = &r->refs[i].findings.v[k];

			diag_copy(&every, d->severity, d, NULL, NULL);
		}
	}
	diag_sort(&every);		/* equal but for severity: the error stands first */
	for (size_t i = 0; i < every.n; i++) {
		const struct diag *d = &every.v[i];

		if (i == 0 || !same_place(&every.v[i - 1], d))
			diag_copy(&r->all, d->severity, d, NULL, NULL);
	}
	diag_clear(&every);
}

/* Ends with the last whole line that fits: names and paths of strangers may be very long. */
static void cut_text(struct buf *text)
{
	if (text->len <= GATE_TEXT_MAX)
		return;
	text->len = GATE_TEXT_MAX;
	while (text->len && text->data[text->len - 1] != '\n')
		text->len--;
	text->data[text->len] = '\0';
}

static void settle(struct push *p)
{
	struct gate_result *r = p->out;

	r->verdict = GATE_ACCEPT;
	r->skipped = p->skip;
	for (size_t i = 0; i < r->nrefs; i++) {
		if (r->refs[i].findings.errors)
			r->refs[i].verdict = GATE_REFUSE;
		if (r->refs[i].verdict == GATE_REFUSE || (r->refs[i].verdict == GATE_UNDECIDED &&
							  r->verdict == GATE_ACCEPT))
			r->verdict = r->refs[i].verdict;
	}
	merge(r);
	report_text(&r->text, p->in, r, p->projects);
	cut_text(&r->text);
	if (p->in->dry_run && r->verdict == GATE_ACCEPT)
		r->verdict = GATE_REFUSE;	/* on purpose, and the text says so */
}

/* What the forecast needs, for the lines that it may take the place of. */
static void look_ahead(struct push *p)
{
	for (size_t i = 0; i < p->out->nmapped; i++) {
		const struct gate_mapped *at = &p->out->mapped[i];
		const struct judged *tree = p->trees[at->ref];

		outlook_add(p->in->outlook, p->bench.memo, tree->t, tree->name,
			    tree->projects.v[at->project], p->out->refs[at->ref].target, at->line);
	}
}

void gate_judge(const struct gate_input *in, struct gate_result *out)
{
	struct push p = { .in = in, .out = out,
			  .bench = { .config = in->config, .deadline_ns = in->deadline_ns,
				     .memo = in->memo } };
	struct memo *own;

	p.skip = in->skip && in->config && in->who &&
		rights_is_one(in->config, &in->config->repo.skip, in->who->name);
	*out = (struct gate_result) { .verdict = GATE_UNDECIDED };
	own = in->memo ? NULL : memo_new("", NULL);	/* many tags share most of their trees */
	if (own)
		p.bench.memo = own;
	else
		p.bench.precedent = precedent_open(in->memo, in->config ? in->config->digest : "",
						   repo_gitdir(in->repo), in->repo);
	out->nrefs = in->ncommands;
	out->refs = xcalloc(in->ncommands + 1, sizeof(*out->refs));
	p.projects = xcalloc(in->ncommands + 1, sizeof(*p.projects));
	p.trees = xcalloc(in->ncommands + 1, sizeof(*p.trees));
	for (size_t i = 0; i < in->ncommands; i++)
		look(&p, i);
	find_twice(&p);
	/* no early exit: later refs deserve findings too */
	for (size_t i = 0; i < in->ncommands; i++)
		one_ref(&p, i);
	settle(&p);
	if (in->outlook)		/* nothing is mapped where something is refused */
		look_ahead(&p);
	out->counts = bench_counts(&p.bench);
	precedent_free(p.bench.precedent);
	bench_clear(&p.bench);
	memo_free(own);
	free(p.projects);
	free(p.trees);
}

void gate_result_clear(struct gate_result *r)
{
	for (size_t i = 0; i < r->nrefs; i++) {
		free(r->refs[i].target);
		diag_clear(&r->refs[i].findings);
	}
	free(r->refs);
	diag_clear(&r->all);
	free(r->slow);
	buf_clear(&r->text);
	*r = (struct gate_result) { .verdict = GATE_UNDECIDED };
}
