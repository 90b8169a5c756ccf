/* view_audit – the audit for people, and whether it is whole; tokens of persons. */
#include "config.h"

#include "agent/store/audit.h"
#include "agent/store/token.h"
#include "agent/store/view_put.h"
#include "common/base/buf.h"
#include "common/base/chain.h"
#include "common/base/clock.h"

static json_t *audit_row(sqlite3_stmt *q)
{
	json_t *o = json_object();
	char *id = xasprintf("%lld", (long long)sql_int(q, 0));

	put_text(o, "id", id);
	put_text(o, "state", sql_text(q, 1));
	put_time(o, "at", q, 2);
	put_text(o, "who", sql_text(q, 3));
	put_text(o, "what", sql_text(q, 4));
	put_text(o, "thing", sql_text(q, 5));
	put_text(o, "why", sql_text(q, 6));
	put_text(o, "policy", sql_text(q, 7));
	json_object_set_new(o, "details", json_loads(sql_text(q, 8), 0, NULL));
	json_object_set_new(o, "at_ms", json_integer(sql_int(q, 2)));
	put_text(o, "prev", sql_text(q, 9));
	put_text(o, "hash", sql_text(q, 10));
	free(id);
	return o;
}

/* before, the name as a pattern that stands for itself, behind. */
static char *pattern(const char *before, const char *who, const char *behind)
{
	struct buf b = BUF_INIT;

	if (!who)
		return NULL;
	buf_adds(&b, before);
	for (; *who; who++)
		buf_addf(&b, "%s%c", strchr("%_\\", *who) ? "\\" : "", *who);
	buf_adds(&b, behind);
	return buf_steal(&b);
}

#define AUDIT_SQL                                                                                          \
	"SELECT number, outcome, at_ms, who, what, thing, why, policy, details, prev, hash FROM audit"     \
	" WHERE (CAST(? AS TEXT) IS NULL OR who = ? OR who LIKE ? ESCAPE '\\' OR who LIKE ? ESCAPE '\\')" \
	" AND (CAST(? AS TEXT) IS NULL OR what = ?) AND (CAST(? AS TEXT) IS NULL OR thing = ?)"            \
	" AND number > ? ORDER BY number "

/* who: by himself, spoken for, or by a token: "kim", "root (as kim)", "kim (token k3)". Newest first;
 * behind a number that was named, oldest first: so somebody may read all of it. */
int view_audit(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	char *as = pattern("% (as ", a->who, ")"), *token = pattern("", a->who, " (token %");
	sqlite3_stmt *q = sql_query(tx, err, a->from ? AUDIT_SQL "ASC LIMIT ?" : AUDIT_SQL "DESC LIMIT ?",
				    "tttt" "tt" "tt" "ii", a->who, a->who, as, token, a->what, a->what, a->thing, a->thing,
				    a->from ? a->after : 0, (int64_t)view_limit(a) + 1);
	int rc = view_list(tx, q, a, audit_row, out, err);

	free(as);
	free(token);
	return rc;
}

int view_audit_check(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	struct chain_check c;
	int rc = audit_check(tx, a->audit_head, &c, err);

	if (rc == 0)
		*out = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o}", "id", "audit", "state", c.bad ? "broken" : "whole",
				 "entries", (json_int_t)c.last, "hash", c.hash, "bad",
				 c.bad ? json_integer(c.bad) : json_null(), "problem",
				 c.bad ? json_string(c.why) : json_null());
	return rc;
}

static json_t *token_row(sqlite3_stmt *q)
{
	struct token t = { .revoked_ms = sql_int(q, 9), .expires_ms = sql_int(q, 6) };
	json_t *o = json_object();

	put_id(o, "id", 'k', sql_int(q, 0));
	put_text(o, "state", token_state(&t, clock_wall_ms()));
	put_text(o, "owner", sql_text(q, 1));
	put_text(o, "scope", sql_text(q, 2));
	put_text(o, "name", sql_text(q, 3));
	put_text(o, "made_by", sql_text(q, 4));
	put_time(o, "made", q, 5);
	put_time(o, "expires", q, 6);
	put_time(o, "used", q, 7);
	put_text(o, "revoked_by", sql_text(q, 8));
	put_time(o, "revoked", q, 9);
	return o;
}

int view_tokens(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT id, owner, scope, name, made_by, made_ms, expires_ms, used_ms,"
				    " revoked_by, revoked_ms FROM token WHERE (CAST(? AS TEXT) IS NULL OR owner = ?)"
				    " ORDER BY id DESC LIMIT ?", "tti", a->owner, a->owner, (int64_t)view_limit(a) + 1);

	return view_list(tx, q, a, token_row, out, err);
}
