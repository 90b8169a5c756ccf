/* acts_back – what the owners of a fabric do to it: go back, pin, unpin, clear orphans away. */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/back.h"
#include "common/base/buf.h"
#include "common/base/id.h"

enum { ORPHANS_MAX = 1000 };

/* "team prod_support (kim, lee)" */
static void owners_text(const struct acting *a, const struct conf_fabric *f, struct buf *out)
{
	size_t n = 0;

	buf_addf(out, "team %s (", f->owner);
	for (size_t i = 0; i < a->cfg->nteams; i++) {
		const struct conf_team *t = &a->cfg->teams[i];

		for (size_t k = 0; k < t->members.n; k++) {
			bool first = true;

			/* once, also when several teams name him */
			for (size_t j = 0; j < i && first; j++)
				first = !conf_names_has(&a->cfg->teams[j].members,
							t->members.v[k]);
			if (first && config_is_member(a->cfg, f->owner, t->members.v[k]))
				buf_addf(out, "%s%s", n++ ? ", " : "", t->members.v[k]);
		}
	}
	buf_adds(out, ")");
}

/* The fabric as typed, and may he? */
static int owned(struct acting *a, const struct conf_fabric **f, struct ps_err *err)
{
	const char *name = a->ask.thing ? a->ask.thing : "";
	struct buf whom = BUF_INIT;
	int rc = 0;

	*f = config_fabric(a->cfg, name);
	if (!*f) {
		a->next = xstrdup("penstock fabrics");
		return ps_err_set(err, PS_ENOENT, "the configuration has no fabric '%s'", name);
	}
	if (!config_is_member(a->cfg, (*f)->owner, a->ask.who.login)) {
		owners_text(a, *f, &whom);
		rc = ps_err_set(err, PS_EPERM, "'%s' may not %s: fabric %s is for %s",
				a->ask.who.shown, acts_word(a->ask.verb), name, buf_str(&whom));
	}
	buf_clear(&whom);
	return rc;
}

static int need_why(const struct acting *a, const char *who_reads, struct ps_err *err)
{
	return a->ask.why && *a->ask.why ? 0 :
		ps_err_set(err, PS_EINVAL, "say why: -m TEXT; %s", who_reads);
}

static struct back_ask ask_of(const struct acting *a, const struct conf_fabric *f)
{
	return (struct back_ask) { .cfg = a->cfg, .paths = a->paths, .fabric = f,
				   .to = a->ask.ref, .by = a->ask.who.shown, .why = a->ask.why };
}

int acts_rollback(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	const struct conf_fabric *f;
	struct deployment now = { 0 };
	struct back_ask q;
	int64_t event = 0;
	char *what = NULL;
	int rc = owned(a, &f, err);

	if (rc == 0)
		rc = need_why(a, "it is an emergency, and history keeps it", err);
	if (rc == 0)
		rc = back_place(tx, f, a->ask.repository, a->ask.project, &now, err);
	if (rc == 0) {
		q = ask_of(a, f);
		rc = back_put(tx, &q, &now, &event, &what, err);
	}
	if (rc == 0) {
		acts_item(a, 'e', event, "open", a->why, what);
		acts_item_named(a, f->name, "pinned", a->why, "nothing about data is undone");
	} else if (rc == PS_ENOENT && !a->next) {
		char *history = xasprintf("penstock history %s", f->name);

		a->next = history;
	}
	free(what);
	deployment_clear(&now);
	return rc;
}

int acts_pin(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	const struct conf_fabric *f;
	int rc = owned(a, &f, err);

	if (rc == 0)
		rc = need_why(a, "all who wait will read it", err);
	if (rc == 0)
		rc = pin_put(tx, &(struct pin) { .fabric = f->name,
						 .who = (char *)a->ask.who.shown,
						 .why = (char *)a->ask.why }, err);
	if (rc == 0)
		acts_item_named(a, f->name, "pinned", a->why, "what comes for it waits");
	return rc;
}

/* Only the newest of what waited goes on. */
static int drop_outdated(struct store_tx *tx, const char *fabric, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	int rc = place_outdated(tx, fabric, &l, err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		char id[ID_TEXT], *why = xasprintf("superseded by %s",
						   id_text(id, 'd', l.v[i].superseded_by));

		rc = deployment_set(tx, l.v[i].id, "superseded", why, NULL,
				    l.v[i].superseded_by, err);
		if (rc == 0)
			rc = demand_set(tx, l.v[i].demand, "superseded", why, NULL,
					l.v[i].superseded_by, err);
		free(why);
	}
	deployments_clear(&l);
	return rc;
}

int acts_unpin(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	const struct conf_fabric *f;
	bool was = false;
	int rc = owned(a, &f, err);

	if (rc == 0)
		rc = pin_lift(tx, f->name, &was, err);
	if (rc == 0 && was)
		rc = drop_outdated(tx, f->name, err);
	if (rc == 0)
		acts_item_named(a, f->name, was ? "unpinned" : "not pinned", a->why,
				was ? "the newest of what waited goes on" : NULL);
	return rc;
}

/* ---- orphans ---- */

static bool is_meant(const struct acting *a, const struct deployed_job *j)
{
	const char *last = strrchr(j->job, '/');

	return strcmp(j->state, "orphan") == 0 &&
	       (!a->ask.job || strcmp(j->job, a->ask.job) == 0 ||
		strcmp(last ? last + 1 : j->job, a->ask.job) == 0);
}

/* Those of one project there; *event stays 0 when it has none. */
static int prune_place(struct store_tx *tx, struct acting *a, const struct conf_fabric *f,
		       const struct deployment *at, struct ps_err *err)
{
	struct back_ask q = ask_of(a, f);
	struct deployed_jobs l = { NULL, 0 };
	json_t *keys = json_array();
	char *text = NULL;
	int64_t event = 0;
	int rc = deployed_jobs(tx, f->name, at->repository, at->project, &l, err);

	for (size_t i = 0; i < l.n && json_array_size(keys) < ORPHANS_MAX; i++)
		if (is_meant(a, &l.v[i])) {
			json_array_append_new(keys, json_string(l.v[i].job));
			acts_item_named(a, l.v[i].job, "orphan", a->why, "goes away");
		}
	if (rc == 0 && json_array_size(keys)) {
		text = json_dumps(keys, JSON_COMPACT);
		rc = back_again(tx, &q, at, "prune", text, &event, err);
	}
	if (rc == 0 && event)
		acts_item(a, 'e', event, "open", a->why, f->name);
	free(text);
	json_decref(keys);
	deployed_jobs_clear(&l);
	return rc;
}

int acts_prune(struct store_tx *tx, struct acting *a, struct ps_err *err)
{
	const struct conf_fabric *f;
	struct deployments l = { NULL, 0 };
	int rc = owned(a, &f, err);

	if (rc == 0)
		rc = places_on(tx, f->name, a->ask.repository, a->ask.project, &l, err);
	for (size_t i = 0; i < l.n && rc == 0; i++)
		rc = prune_place(tx, a, f, &l.v[i], err);
	if (rc == 0 && !json_array_size(a->items)) {
		a->next = xasprintf("penstock jobs %s", f->name);
		rc = a->ask.job ? ps_err_set(err, PS_ENOENT, "fabric %s has no orphan '%s'",
					     f->name, a->ask.job) :
			ps_err_set(err, PS_ENOENT, "fabric %s has no orphans", f->name);
	}
	deployments_clear(&l);
	return rc;
}
