/*
 * token – what a person may show instead of his account: kept as its SHA-256, so that who reads the
 * store cannot use one. Rows stay when they are revoked or over: the audit names them.
 */
#ifndef PS_STORE_TOKEN_H
#define PS_STORE_TOKEN_H

#include "agent/store/rows.h"

/* scope: read, act; made_by, revoked_by: as shown; used_ms, revoked_ms: 0 never */
#define TOKEN_COLS(X)                                                                              \
	X(i, id) X(t, hash) X(t, owner) X(t, scope) X(t, name) X(t, made_by) X(i, made_ms)          \
	X(i, expires_ms) X(i, used_ms) X(i, revoked_ms) X(t, revoked_by)
ROWS_STRUCT(token, TOKEN_COLS)

/* id and made_ms are set here, and used_ms and what follows it are not. With its row in the audit. */
int token_put(struct store_tx *tx, struct token *t, const char *policy, struct ps_err *err) PS_MUSTCHECK;
/* PS_ENOENT: there is none. token_clear() it. */
int token_by_hash(struct store_tx *tx, const char *hash, struct token *out, struct ps_err *err) PS_MUSTCHECK;
void token_clear(struct token *t);
int token_used(struct store_tx *tx, int64_t id, int64_t now_ms, struct ps_err *err) PS_MUSTCHECK;
/* owner NULL: whoever's it is. One that is revoked already stays as it is. PS_ENOENT: he has no such
 * token. With its row in the audit. */
int token_revoke(struct store_tx *tx, int64_t id, const char *owner, const char *who, const char *policy,
		 struct ps_err *err) PS_MUSTCHECK;
/* active, expired or revoked at this time. */
const char *token_state(const struct token *t, int64_t now_ms);

#endif
