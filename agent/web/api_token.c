/* api_token – tokens of persons: made, listed, revoked; and who it is that shows one. */
#include "config.h"

#include "agent/store/token.h"
#include "agent/web/api_parts.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/id.h"
#include "common/base/log.h"

#define BEARER "Bearer "
#define MARK "pst_"			/* so that a leaked one is known for what it is */

enum { RANDOM = 32, NAME_MAX_BYTES = 100, SECRET_MAX = 200, USED_EVERY_MS = 60000 };
static const int64_t day_ms = 86400000, most_days = 366;

/* ---- who shows one ---- */

struct showing {
	struct request *r;
	char hash[DIGEST_HEX];
	struct token token;
};

static int run_find(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct showing *s = arg;

	return token_by_hash(tx, s->hash, &s->token, err);
}

struct use { int64_t id, now_ms; };

static int run_used(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct use *u = arg;

	return token_used(tx, u->id, u->now_ms, err);
}

static void on_used(void *arg, int rc, const struct ps_err *err)
{
	if (rc < 0)
		log_warn("api", NULL, "when a token was used is not kept: %s", ps_err_msg(err, rc));
	free(arg);
}

static void note_use(struct core *c, const struct token *t, int64_t now_ms)
{
	if (now_ms - t->used_ms >= USED_EVERY_MS)
		store_write(c->store, STORE_NORMAL, run_used, on_used,
			    xmemdup(&(struct use) { t->id, now_ms }, sizeof(struct use)));
}

/* Its owner as a member of his teams, whatever his account may do besides. */
static int become(struct request *r, const struct token *t, struct ps_err *err)
{
	char id[ID_TEXT];

	id_text(id, 'k', t->id);
	r->who.uid = UINT32_MAX;
	snprintf(r->who.login, sizeof(r->who.login), "%s", t->owner);
	snprintf(r->who.shown, sizeof(r->who.shown), "%.255s (token %s)", t->owner, id);
	r->by_token = true;
	if (r->speaks_as)
		return ps_err_set(err, PS_EPERM, "token %s speaks for '%s' and for nobody else: "
				  "leave --as away", id, t->owner);
	if (auth_is_member(&r->who, r->policy->cfg, err) < 0)
		return PS_EPERM;
	r->known = true;
	if (r->route->post && strcmp(t->scope, "act") != 0)
		return ps_err_set(err, PS_EPERM, "token %s is for looking alone; '%s' makes one "
				  "for more by: penstock token create --scope act", id, t->owner);
	return 0;
}

static void on_found(void *arg, int rc, const struct ps_err *err)
{
	struct showing *s = arg;
	struct request *r = s->r;
	struct ps_err why = { 0 };
	int64_t now_ms = clock_wall_ms();
	const char *state = rc == 0 ? token_state(&s->token, now_ms) : "";
	char id[ID_TEXT], text[160];

	if (rc == PS_ENOENT) {
		request_unknown(r, "the token is none of ours");
	} else if (rc < 0) {
		request_fail(r, rc, ps_err_msg(err, rc), NULL);
	} else if (strcmp(state, "active") != 0) {
		snprintf(text, sizeof(text), "token %s is %s", id_text(id, 'k', s->token.id),
			 state);
		request_unknown(r, text);
	} else if (!r->policy->cfg->trusted_caller &&
		   strcmp(s->token.made_by, s->token.owner) != 0) {
		/* who spoke for him then would go on doing so */
		snprintf(text, sizeof(text), "token %s was made by another in its owner's name, "
			 "which penstock.yml does not allow", id_text(id, 'k', s->token.id));
		request_unknown(r, text);
	} else if ((rc = become(r, &s->token, &why)) < 0) {
		request_fail(r, rc, ps_err_msg(&why, rc), NULL);
	} else {
		note_use(r->core, &s->token, now_ms);
		request_go(r);
	}
	token_clear(&s->token);
	free(s);
}

void token_identify(struct request *r, const char *authorization)
{
	const char *secret = ps_starts(authorization, BEARER) ? authorization + strlen(BEARER) : "";
	struct showing *s;

	if (!*secret || strlen(secret) > SECRET_MAX) {
		request_unknown(r, "only 'Authorization: Bearer TOKEN' is understood");
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->r = r;
	digest_bytes(s->hash, secret, strlen(secret));
	store_read(r->core->store, run_find, on_found, s);
}

/* ---- made, revoked ---- */

struct change {
	struct request *r;
	struct token token;		/* strings of the request's, or ours below */
	char hash[DIGEST_HEX], secret[sizeof(MARK) + 2 * RANDOM];
	char *scope, *name, *owner;
};

static void change_free(struct change *c)
{
	free(c->scope);
	free(c->name);
	free(c->owner);
	explicit_bzero(c->secret, sizeof(c->secret));
	free(c);
}

static int run_put(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct change *c = arg;

	return token_put(tx, &c->token, c->r->policy->cfg->digest, err);
}

static void on_put(void *arg, int rc, const struct ps_err *err)
{
	struct change *c = arg;
	char id[ID_TEXT], expires[CLOCK_TEXT];
	json_t *doc;

	if (rc < 0) {
		request_fail(c->r, rc, ps_err_msg(err, rc), NULL);
		change_free(c);
		return;
	}
	doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "id", id_text(id, 'k', c->token.id),
			"state", "active", "owner", c->owner, "scope", c->scope, "expires",
			clock_text_ms(expires, c->token.expires_ms), "token", c->secret);
	request_done(c->r, 201, doc);
	json_decref(doc);
	change_free(c);
}

static int read_wish(struct request *r, const json_t *body, struct change *c, struct ps_err *err)
{
	const char *scope = json_string_value(json_object_get(body, "scope"));
	const char *name = json_string_value(json_object_get(body, "name"));
	const json_t *days = json_object_get(body, "expires_ms");
	int64_t ms = days ? json_integer_value(days) : 90 * day_ms;

	if (scope && strcmp(scope, "read") != 0 && strcmp(scope, "act") != 0)
		return ps_err_set(err, PS_EINVAL, "the scope is read or act, not '%s'", scope);
	if (ms < 60000 || ms > most_days * day_ms)
		return ps_err_set(err, PS_EINVAL, "a token is for a minute to %lld days",
				  (long long)most_days);
	if (name && strlen(name) > NAME_MAX_BYTES)
		return ps_err_set(err, PS_EINVAL, "the name is longer than %d bytes",
				  NAME_MAX_BYTES);
	c->scope = xstrdup(scope ? scope : "read");
	c->name = xstrdup_null(name);
	c->owner = xstrdup(r->who.login);
	c->token.expires_ms = clock_wall_ms() + ms;
	return 0;
}

void act_token_create(struct request *r)
{
	struct change *c = xcalloc(1, sizeof(*c));
	struct ps_err err = { 0 };
	json_t *body = NULL;
	int rc = http_body(r->call, &body, &err);

	c->r = r;
	if (rc == 0 && r->by_token)
		rc = ps_err_set(&err, PS_EPERM, "a token makes no tokens: '%s' makes one at the "
				"agent's socket", r->who.login);
	if (rc == 0)
		rc = auth_is_member(&r->who, r->policy->cfg, &err);
	if (rc == 0)
		rc = read_wish(r, body, c, &err);
	json_decref(body);
	if (rc < 0) {
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
		change_free(c);
		return;
	}
	memcpy(c->secret, MARK, strlen(MARK));
	random_hex(c->secret + strlen(MARK), RANDOM);
	digest_bytes(c->hash, c->secret, strlen(c->secret));
	c->token = (struct token) { .hash = c->hash, .owner = c->owner, .scope = c->scope,
				    .name = c->name, .made_by = r->who.shown,
				    .expires_ms = c->token.expires_ms };
	store_write(r->core->store, STORE_FULL, run_put, on_put, c);
}

static int run_revoke(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct change *c = arg;

	return token_revoke(tx, c->token.id, c->owner, c->r->who.shown, c->r->policy->cfg->digest,
			    err);
}

static void on_revoked(void *arg, int rc, const struct ps_err *err)
{
	struct change *c = arg;
	json_t *doc;

	if (rc < 0) {
		request_fail(c->r, rc, ps_err_msg(err, rc), "penstock token list");
	} else {
		doc = json_pack("{s:s, s:s}", "id", c->r->id, "state", "revoked");
		request_done(c->r, 200, doc);
		json_decref(doc);
	}
	change_free(c);
}

void act_token_revoke(struct request *r)
{
	struct change *c;
	int64_t id;

	if (!id_parse(r->id, 'k', &id)) {
		request_fail(r, PS_EINVAL, "a token's id is like k3", "penstock token list");
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->r = r;
	c->token.id = id;
	c->owner = r->who.admin ? NULL : xstrdup(r->who.login);
	store_write(r->core->store, STORE_FULL, run_revoke, on_revoked, c);
}
