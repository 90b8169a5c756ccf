/* acts_parts – see acts_parts.h. */
#include "config.h"

#include "agent/flow/acts_parts.h"

#include "agent/flow/acts_rights.h"
#include "common/base/id.h"

static const struct { const char *verb, *past; } words[] = {
	[ACTS_CANCEL] = { "cancel", "cancelled" },
	[ACTS_RETRY] = { "retry", "retried" },
	[ACTS_BUMP] = { "bump", "bumped" },
	[ACTS_CHECK] = { "check", "asked" },
	[ACTS_PROMOTE] = { "promote", "promoted" },
	[ACTS_REDEPLOY] = { "redeploy", "asked for again" },
	[ACTS_APPROVE] = { "approve", "approved" },
	[ACTS_REJECT] = { "reject", "rejected" },
	[ACTS_DEPLOY] = { "deploy", "let go" },
	[ACTS_FREEZE] = { "freeze", "frozen" },
	[ACTS_UNFREEZE] = { "unfreeze", "opened" },
	[ACTS_LOCK] = { "lock", "locked" },
	[ACTS_UNLOCK] = { "unlock", "opened" },
	[ACTS_ROLLBACK] = { "rollback", "rolled back" },
	[ACTS_PIN] = { "pin", "pinned" },
	[ACTS_UNPIN] = { "unpin", "unpinned" },
	[ACTS_PRUNE] = { "prune", "pruned" },
	[ACTS_REPAIR] = { "repair", "repaired" },
};

const char *acts_word(enum acts_verb verb)
{
	return words[verb].verb;
}

void acting_init(struct acting *a)
{
	const char *why = a->ask.why;

	a->items = json_array();
	a->why = xasprintf("%s by %s%s%s", words[a->ask.verb].past, a->ask.who.shown,
			   why ? ": " : "", why ? why : "");
}

void acting_clear(struct acting *a)
{
	for (size_t i = 0; i < a->nkeeps; i++) {
		free(a->keeps[i].repository);
		free(a->keeps[i].oid);
	}
	for (size_t i = 0; i < a->nrepairs; i++)
		free(a->repairs[i]);
	free(a->repairs);
	free(a->keeps);
	free(a->stops);
	free(a->why);
	free(a->plan);
	free(a->next);
	json_decref(a->items);
}

void acts_item(struct acting *a, char kind, int64_t id, const char *state, const char *reason,
	       const char *what)
{
	char text[ID_TEXT];

	acts_item_named(a, id_text(text, kind, id), state, reason, what);
}

void acts_item_named(struct acting *a, const char *text, const char *state, const char *reason,
		     const char *what)
{
	json_t *one;
	size_t i;

	json_array_foreach(
		a->items, i,
		one) if (ps_streq(json_string_value(json_object_get(one, "id")), text)) return;
	one = json_pack("{s:s, s:s, s:s?, s:s?}", "id", text, "state", state, "reason", reason,
			"what", what);
	if (!one) /* a name that is not UTF-8 */
		one = json_pack("{s:s, s:s, s:n, s:n}", "id", text, "state", state, "reason",
				"what");
	json_array_append_new(a->items, one);
}

void acts_stop(struct acting *a, char kind, int64_t id, int64_t fence, bool remote)
{
	for (size_t i = 0; i < a->nstops; i++)
		if (a->stops[i].kind == kind && a->stops[i].id == id)
			return;
	a->stops = xgrow(a->stops, a->nstops, &a->cap_stops, sizeof(*a->stops));
	a->stops[a->nstops++] = (struct acts_stop){ kind, id, fence, remote };
}

int acts_check_needs(struct acting *a, const char *verb, const char *what, const struct needs *l,
		     bool open_only, struct ps_err *err)
{
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < l->n && rc == 0; i++) {
		if (open_only && !need_is_open(&l->v[i]))
			continue;
		rc = acts_check(a->cfg, &a->ask.who, verb, what, l->v[i].pusher, l->v[i].fabric,
				err);
		n++;
	}
	return n || rc < 0 ? rc : acts_check(a->cfg, &a->ask.who, verb, what, NULL, NULL, err);
}

int acts_check_any(struct acting *a, const char *verb, const char *what, const struct needs *l,
		   struct ps_err *err)
{
	for (size_t i = 0; i < l->n; i++)
		if (acts_may(a->cfg, &a->ask.who, l->v[i].pusher, l->v[i].fabric))
			return 0;
	return acts_check_needs(a, verb, what, l, false, err);
}

int acts_unknown(struct acting *a, const char *noun, int rc, struct ps_err *err)
{
	return rc == PS_ENOENT ? ps_err_set(err, rc, "there is no %s %s", noun, a->ask.thing) : rc;
}
