/* unit – see unit.h. */
#include "config.h"

#include "common/gate/unit.h"

#include "common/gate/precedent.h"

void unit_result_clear(struct unit_result *u)
{
	deps_clear(&u->deps);
	diag_clear(&u->found);
	for (size_t i = 0; i < u->ndead; i++)
		rule_dead_clear(&u->dead[i]);
	free(u->dead);
	if (u->has_outline)
		outline_clear(&u->outline);
	project_paths_clear(&u->projects);
	*u = (struct unit_result) { .ndead = 0 };
}

/* Findings and dead references go over to the judgement, as many as without units. */
static void give(struct rules *r, struct unit_result *u)
{
	size_t room = r->found.n < RULES_FOUND_MAX ? RULES_FOUND_MAX - r->found.n : 0;

	diag_cut(&u->found, room);
	diag_move(&r->found, &u->found);
	for (size_t i = 0; i < u->ndead; i++) {
		r->dead = xgrow(r->dead, r->ndead, &r->cap, sizeof(*r->dead));
		r->dead[r->ndead++] = u->dead[i];
	}
	u->ndead = 0;
}

static bool still_so(const struct rules *r, const struct dep *d)
{
	char *value;
	bool same;

	if (d->what == DEP_VERSION)
		return strcmp(r->p->outline.version, d->value) == 0;
	if (d->what == DEP_PIPELINE || d->what == DEP_JOB)
		return (outline_find(&r->p->outline, d->what == DEP_JOB ? PROJECT_JOBS :
				     PROJECT_PIPELINES, d->path) != NULL) == (*d->value != '\0');
	value = trace_value(r->t, d->what, d->path);
	same = strcmp(value, d->value) == 0 && strcmp(value, TREE_OID_UNKNOWN) != 0;
	free(value);
	return same;
}

static bool known(struct rules *r, const struct memo_key *key, const struct rules_entry *e,
		  struct unit_result *u)
{
	const struct buf *bytes = memo_get(r->memo, key);
	bool ok = bytes && unit_unpack(u, bytes, r->p->file, e ? e->at.line : 0, !e);

	for (size_t i = 0; ok && i < u->deps.n; i++)
		ok = still_so(r, &u->deps.v[i]);
	if (!ok)
		unit_result_clear(u);
	return ok;
}

/* Runs with lists of its own, so that what this unit found can be told from the rest. */
static int run_fresh(struct rules *r, const struct rules_entry *e, unit_fn *run, const char *own,
		     struct unit_result *u, struct ps_err *err)
{
	struct tree *under = r->t;
	struct diag_list found = r->found;
	struct rule_dead *dead = r->dead;
	size_t ndead = r->ndead, cap = r->cap;
	int rc;

	r->t = trace_tree(under, own, &u->deps);
	r->deps = &u->deps;
	r->found = (struct diag_list)DIAG_LIST_INIT;
	r->dead = NULL;
	r->ndead = r->cap = 0;
	rc = run(r, e, err);
	u->found = r->found;
	u->dead = r->dead;
	u->ndead = r->ndead;
	tree_close(r->t);
	r->t = under;
	r->deps = NULL;
	r->found = found;
	r->dead = dead;
	r->ndead = ndead;
	r->cap = cap;
	return rc;
}

/* What depends on something that cannot be named is never found again. */
static bool may_remember(const struct rules *r, const struct unit_result *u)
{
	bool may = !r->late && u->deps.n <= DEPS_MAX;

	for (size_t i = 0; i < u->deps.n && may; i++)
		may = strcmp(u->deps.v[i].value, TREE_OID_UNKNOWN) != 0;
	return may;
}

static int remember(struct rules *r, const struct memo_key *key, const struct rules_entry *e,
		    unit_fn *run, const char *own, struct unit_result *u, struct ps_err *err)
{
	struct buf bytes = BUF_INIT;
	int rc = run_fresh(r, e, run, own, u, err);

	if (rc == 0 && may_remember(r, u)) {
		unit_pack(&bytes, u, r->p->file, e ? e->at.line : 0);
		memo_put(r->memo, key, &bytes);
	}
	return rc;
}

/* What a finding may depend on besides the tree. */
static const char *by_config(const struct rules *r)
{
	return r->config ? r->config->digest : "";
}

/* What the tree judged last says of it, when nothing that it depends on has changed since. */
static bool again(struct rules *r, const struct rules_entry *e)
{
	struct unit_result u = { .ndead = 0 };
	const struct buf *bytes;
	bool same = r->precedent && precedent_says(r->precedent, &bytes) &&
		(!bytes || unit_unpack(&u, bytes, r->p->file, e->at.line, false));

	if (same) {
		precedent_follow(r->precedent);
		r->counts.known++;
		give(r, &u);
	}
	unit_result_clear(&u);
	return same;
}

/* By its own key: remembered, or judged now. */
static int entry_by_key(struct rules *r, const struct rules_entry *e, const struct memo_key *key,
			unit_fn *run, const char *own, struct ps_err *err)
{
	struct unit_result u = { .ndead = 0 };
	bool is_known = known(r, key, e, &u);
	int rc = 0;

	if (is_known)
		r->counts.known++;
	else
		rc = remember(r, key, e, run, own, &u, err);
	/* what was not remembered may have an older value there, which was just found untrue */
	if (rc == 0 && r->precedent)
		precedent_note(r->precedent, own, &u.deps,
			       is_known || may_remember(r, &u) ? memo_get(r->memo, key) : NULL,
			       !u.found.n && !u.ndead);
	give(r, &u);
	unit_result_clear(&u);
	return rc;
}

int unit_entry(struct rules *r, const struct rules_entry *e, unit_fn *run, struct ps_err *err)
{
	static const char *const kinds[] = { [PROJECT_PIPELINES] = "pipeline",
					     [PROJECT_JOBS] = "job" };
	char *own, *object, *kind;
	struct memo_key key;
	int rc;

	r->counts.units++;
	if (again(r, e))
		return 0;
	own = project_at(r->p->path, e->key);
	object = trace_value(r->t, DEP_OBJECT, own);
	if (!r->memo || !*e->digest || strcmp(object, TREE_OID_UNKNOWN) == 0) {
		rc = run(r, e, err);
		if (r->precedent)
			precedent_note(r->precedent, own, NULL, NULL, false);
	} else {
		kind = trace_value(r->t, DEP_KIND, own);
		memo_key(r->memo, &key, kinds[e->kind], by_config(r), r->p->path, e->key,
			 e->digest, rules_language(r), kind, object, NULL);
		free(kind);
		rc = entry_by_key(r, e, &key, run, own, err);
	}
	free(object);
	free(own);
	return rc;
}

static int run_project(struct rules *r, const struct rules_entry *e, struct ps_err *err)
{
	(void)e;
	return rules_project(r, err);
}

int unit_project(struct rules *r, struct ps_err *err)
{
	struct unit_result u = { .ndead = 0 };
	struct buf bytes = BUF_INIT;
	struct memo_key key;
	char *object;
	int rc;

	r->counts.units++;
	object = trace_value(r->t, DEP_OBJECT, r->p->file);
	if (!r->memo || !tree_oid_tells(object)) {
		free(object);
		return rules_project(r, err);
	}
	memo_key(r->memo, &key, "project", by_config(r), r->p->path, object, NULL);
	free(object);
	if (known(r, &key, NULL, &u)) {
		r->counts.known++;
		r->p->outline = u.outline;
		u.has_outline = false;
		give(r, &u);
		unit_result_clear(&u);
		return 0;
	}
	rc = run_fresh(r, NULL, run_project, r->p->file, &u, err);
	if (rc == 0 && may_remember(r, &u)) {
		u.outline = r->p->outline;
		u.has_outline = true;
		unit_pack(&bytes, &u, r->p->file, 0);
		u.has_outline = false;
		memo_put(r->memo, &key, &bytes);
	}
	give(r, &u);
	unit_result_clear(&u);
	return rc;
}
