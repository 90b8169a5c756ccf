/* view_approvals – what waits for whom: deployments at the gate `approval`, with who has approved the plan as it is
 * and who could. Whether it is enough is decided by the pass (agent/flow/gates.h). */
#include "config.h"

#include "agent/store/view_put.h"

#include "agent/store/gate.h"
#include "agent/store/retention.h"
#include "common/base/clock.h"

static bool holds(const json_t *list, const char *text)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
		if (ps_streq(json_string_value(one), text))
			return true;
	return false;
}

static void add_once(json_t *list, const char *text)
{
	if (!holds(list, text))
		json_array_append_new(list, view_text(text));
}

/* Those of the team that have not pushed it, nor approved already. */
static json_t *could(const struct config *cfg, const struct conf_fabric *f, const json_t *makers, const json_t *by)
{
	json_t *list = json_array();

	for (size_t t = 0; t < cfg->nteams; t++)
		for (size_t m = 0; m < cfg->teams[t].members.n; m++) {
			const char *login = cfg->teams[t].members.v[m];

			if (config_is_member(cfg, f->owner, login) && !holds(by, login) &&
			    (f->self_approval || !holds(makers, login)))
				add_once(list, login);
		}
	return list;
}

static int makers_of(struct store_tx *tx, int64_t event, json_t *list, struct ps_err *err)
{
	struct texts who = { NULL, 0, 0 };
	bool unknown;
	int rc = gate_makers(tx, event, &who, &unknown, err);

	for (size_t i = 0; i < who.n; i++)
		add_once(list, who.v[i]);
	texts_clear(&who);
	return rc;
}

/* Of the plan as it is, not lapsed, by people who are of the team today. */
static int given(struct store_tx *tx, const struct view_ask *a, const struct conf_environment *env,
		 const struct conf_fabric *f, int64_t deployment, json_t *by, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT a.login FROM approval a JOIN deployment d ON d.id = a.deployment"
				    " WHERE a.deployment = ? AND a.plan_digest = d.plan_digest AND a.decision = 'approved'"
				    " AND a.at_ms > ? ORDER BY a.id", "ii", deployment,
				    clock_wall_ms() - env->approval_lapses_ms);
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0)
		if (config_is_member(a->cfg, f->owner, sql_text(q, 0)))
			add_once(by, sql_text(q, 0));
	sql_done(q);
	return rc;
}

static int complete(struct store_tx *tx, const struct view_ask *a, json_t *row, struct ps_err *err)
{
	const struct conf_environment *env = config_environment(a->cfg, get_text(row, "environment"));
	const struct conf_fabric *f = env ? config_fabric(a->cfg, env->fabric) : NULL;
	json_t *makers = json_array(), *by = json_array(), *who;
	int64_t id = 0, event = 0;
	int rc = view_number(get_text(row, "id"), 'd', &id, err);

	if (rc == 0)
		rc = view_number(get_text(row, "event"), 'e', &event, err);
	if (rc == 0)
		rc = makers_of(tx, event, makers, err);
	if (rc == 0 && f)
		rc = given(tx, a, env, f, id, by, err);
	who = f ? could(a->cfg, f, makers, by) : json_array();
	json_object_set(row, "deployment", json_object_get(row, "id"));
	put_text(row, "team", f ? f->owner : NULL);
	json_object_set_new(row, "given", json_integer((json_int_t)json_array_size(by)));
	json_object_set_new(row, "needed", json_integer(env ? env->approvals : 0));
	json_object_set_new(row, "approved_by", by);
	json_object_set_new(row, "pushed_by", makers);
	json_object_set_new(row, "could", who);
	return rc;
}

static json_t *plan_row(sqlite3_stmt *q)
{
	json_t *plan = sql_is_null(q, 0) ? NULL : json_loads(sql_text(q, 0), 0, NULL);

	return plan ? plan : json_null();
}

/* One by its id: with its plan, and in whatever state. */
static int one(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE d.id = ?", deployment_sql);
	json_t *plan = NULL;
	int64_t id = 0;
	int rc = view_number(a->id, 'd', &id, err);

	if (rc == 0)
		rc = view_one(tx, sql_query(tx, err, sql, "i", id), "deployment", a->id, deployment_row, out, err);
	if (rc == 0)
		rc = view_one(tx, sql_query(tx, err, "SELECT plan FROM deployment WHERE id = ?", "i", id), "deployment",
			      a->id, plan_row, &plan, err);
	if (rc == 0)
		rc = complete(tx, a, *out, err);
	if (rc == 0)
		json_object_set(*out, "plan", plan);
	json_decref(plan);
	free(sql);
	return rc;
}

int view_approvals(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *sql;
	json_t *row;
	size_t i;
	int rc;

	if (a->id)
		return one(tx, a, out, err);
	sql = xasprintf("%sWHERE d.state = 'waiting' AND d.gate = 'approval' ORDER BY d.id LIMIT ?", deployment_sql);
	rc = view_list(tx, sql_query(tx, err, sql, "i", (int64_t)view_limit(a) + 1), a, deployment_row, out, err);
	free(sql);
	if (rc == 0)
		json_array_foreach(json_object_get(*out, "items"), i, row)
			if (rc == 0)
				rc = complete(tx, a, row, err);
	return rc;
}
