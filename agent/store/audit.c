/* audit – see audit.h. The chain itself is common/base/chain.h. */
#include "config.h"

#include "agent/store/audit.h"

#include <inttypes.h>

#include "agent/store/audit_head.h"
#include "agent/store/tx.h"
#include "common/base/buf.h"
#include "common/base/chain.h"
#include "common/base/clock.h"
#include "common/base/escape.h"
#include "common/base/id.h"
#include "common/base/log.h"

static int head_set(struct store_tx *tx, const struct chain_row *r, struct ps_err *err)
{
	char *text = xasprintf("%" PRId64 " %s", r->number, r->hash);
	int rc = sql_run(tx, err, "INSERT INTO meta (name, value) VALUES ('audit_head', ?)"
			 " ON CONFLICT (name) DO UPDATE SET value = excluded.value", "t", text);

	free(text);
	return rc < 0 ? rc : 0;
}

/* Every row has one once core has said which is in force. */
static int last_policy(struct store_tx *tx, char **policy, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT policy FROM audit ORDER BY number DESC LIMIT 1", "");
	int rc = sql_next(tx, q, err);

	*policy = rc > 0 ? xstrdup_null(sql_text(q, 0)) : NULL;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static char *clean(const char *text)
{
	struct buf b = BUF_INIT;

	if (!text)
		return NULL;
	escape_buf(&b, text, strlen(text), true);
	return buf_steal(&b);
}

static int insert(struct store_tx *tx, const struct chain_row *r, struct ps_err *err)
{
	int rc = sql_run(tx, err,
			 "INSERT INTO audit (number, at_ms, who, what, outcome, thing, why, policy, details, prev, hash)"
			 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "ii" "tttt" "tttt" "t", r->number, r->at_ms,
			 r->who, r->what, r->outcome, r->thing, r->why, r->policy, r->details, r->prev, r->hash);

	return rc < 0 ? rc : head_set(tx, r, err);
}

int audit_put(struct store_tx *tx, const struct audit *a, struct ps_err *err)
{
	char hash[DIGEST_HEX], *who = clean(a->who), *thing = clean(a->thing), *why = clean(a->why);
	char *policy = xstrdup_null(a->policy);
	struct audit_head head;
	int rc = audit_head_get(tx, &head, err);

	if (rc == 0 && !policy)
		rc = last_policy(tx, &policy, err);
	if (rc == 0) {
		struct chain_row r = {
			.number = head.number + 1, .at_ms = clock_wall_ms(), .who = who, .what = a->what,
			.outcome = a->refused ? "refused" : "done", .thing = thing, .why = why,
			.policy = policy, .details = a->details ? a->details : "{}", .prev = head.hash,
			.hash = hash,
		};

		chain_hash(&r, hash);
		rc = insert(tx, &r, err);
		tx->audited = true;
	}
	free(policy);
	free(who);
	free(thing);
	free(why);
	return rc;
}

int audit_put_id(struct store_tx *tx, const struct audit *a, char kind, int64_t id, struct ps_err *err)
{
	struct audit mine = *a;
	char text[ID_TEXT];

	mine.thing = id_text(text, kind, id);
	return audit_put(tx, &mine, err);
}

/* ---- without a transaction ---- */

struct told { struct audit a; audit_told_fn *fn; void *arg; };

static int run_tell(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct told *t = arg;

	return audit_put(tx, &t->a, err);
}

static int run_policy(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct told *t = arg;
	char *was = NULL;
	int rc = last_policy(tx, &was, err);

	if (rc == 0 && !ps_streq(was, t->a.policy))
		rc = audit_put(tx, &t->a, err);
	free(was);
	return rc;
}

static int run_key(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct told *t = arg;
	sqlite3_stmt *q = sql_query(tx, err, "SELECT thing FROM audit WHERE what = ? ORDER BY number DESC LIMIT 1", "t",
				    t->a.what);
	int rc = sql_next(tx, q, err);
	bool known = rc > 0 && ps_streq(sql_text(q, 0), t->a.thing);

	sql_done(q);
	return rc < 0 ? rc : known ? 0 : audit_put(tx, &t->a, err);
}

static void told(void *arg, int rc, const struct ps_err *err)
{
	struct told *t = arg;

	if (rc < 0)
		log_error("audit", t->a.thing, "'%s' by %s is not in the audit: %s", t->a.what, t->a.who,
			  ps_err_msg(err, rc));
	free((char *)t->a.who);
	free((char *)t->a.what);
	free((char *)t->a.thing);
	free((char *)t->a.why);
	free((char *)t->a.policy);
	free((char *)t->a.details);
	if (t->fn)
		t->fn(t->arg);
	free(t);
}

static void tell(struct store *st, store_run_fn *run, const struct audit *a, audit_told_fn *fn, void *arg)
{
	struct told *t = xcalloc(1, sizeof(*t));

	t->fn = fn;
	t->arg = arg;
	t->a = (struct audit) {
		.who = xstrdup(a->who), .what = xstrdup(a->what), .thing = xstrdup_null(a->thing),
		.why = xstrdup_null(a->why), .policy = xstrdup_null(a->policy),
		.details = xstrdup_null(a->details), .refused = a->refused,
	};
	store_write(st, STORE_FULL, run, told, t);
}

void audit_tell(struct store *st, const struct audit *a)
{
	tell(st, run_tell, a, NULL, NULL);
}

void audit_tell_then(struct store *st, const struct audit *a, audit_told_fn *fn, void *arg)
{
	tell(st, run_tell, a, fn, arg);
}

void audit_policy(struct store *st, const char *digest)
{
	tell(st, run_policy, &(struct audit) { .who = AUDIT_CORE, .what = "policy", .thing = "penstock.yml",
					       .why = "this configuration is in force now", .policy = digest }, NULL, NULL);
}

void audit_key(struct store *st, const char *id)
{
	char *thing = xasprintf("key %s", id);

	tell(st, run_key, &(struct audit) { .who = AUDIT_CORE, .what = "key", .thing = thing,
					    .why = "this key signs releases from now on" }, NULL, NULL);
	free(thing);
}
