/* token – see token.h. */
#include "config.h"

#include "agent/store/token.h"

#include "agent/store/audit.h"
#include "agent/store/sql.h"
#include "common/base/clock.h"

#define ROWS_COL_token(kind, name) ROWS_COL(token, kind, name)
ROWS_SHAPE(token, "token", TOKEN_COLS)

static int tell(struct store_tx *tx, const struct token *t, const char *who, const char *why, const char *policy,
		const char *verb, struct ps_err *err)
{
	char *details = xasprintf("{\"did\":\"%s\",\"expires_ms\":%lld,\"scope\":\"%s\"}", verb,
				  (long long)t->expires_ms, t->scope);
	int rc = audit_put_id(tx, &(struct audit) { .who = who, .what = "token", .why = why, .policy = policy,
						    .details = details }, 'k', t->id, err);

	free(details);
	return rc;
}

int token_put(struct store_tx *tx, struct token *t, const char *policy, struct ps_err *err)
{
	int rc;

	t->made_ms = clock_wall_ms();
	rc = sql_run(tx, err, "INSERT INTO token (hash, owner, scope, name, made_by, made_ms, expires_ms)"
		     " VALUES (?, ?, ?, ?, ?, ?, ?)", "ttttt" "ii", t->hash, t->owner, t->scope, t->name, t->made_by,
		     t->made_ms, t->expires_ms);
	if (rc < 0)
		return rc;
	t->id = sql_last_id(tx);
	return tell(tx, t, t->made_by, t->name, policy, "create", err);
}

int token_by_hash(struct store_tx *tx, const char *hash, struct token *out, struct ps_err *err)
{
	return rows_one(tx, &token_shape, out, err, "WHERE hash = ?", "t", hash);
}

void token_clear(struct token *t)
{
	rows_clear_one(&token_shape, t);
}

int token_used(struct store_tx *tx, int64_t id, int64_t now_ms, struct ps_err *err)
{
	int rc = sql_run(tx, err, "UPDATE token SET used_ms = ? WHERE id = ?", "ii", now_ms, id);

	return rc < 0 ? rc : 0;
}

int token_revoke(struct store_tx *tx, int64_t id, const char *owner, const char *who, const char *policy,
		 struct ps_err *err)
{
	struct token t = { 0 };
	int rc = rows_one(tx, &token_shape, &t, err, "WHERE id = ?", "i", id);

	if (rc == PS_ENOENT || (rc == 0 && owner && strcmp(owner, t.owner) != 0))
		rc = ps_err_set(err, PS_ENOENT, "%s%sthere is no token k%lld", owner ? owner : "", owner ? ": " : "",
				(long long)id);
	if (rc == 0 && !t.revoked_ms) {
		rc = sql_run(tx, err, "UPDATE token SET revoked_ms = ?, revoked_by = ? WHERE id = ?", "iti",
			     clock_wall_ms(), who, id);
		if (rc >= 0)
			rc = tell(tx, &t, who, NULL, policy, "revoke", err);
	}
	token_clear(&t);
	return rc;
}

const char *token_state(const struct token *t, int64_t now_ms)
{
	return t->revoked_ms ? "revoked" : t->expires_ms <= now_ms ? "expired" : "active";
}
