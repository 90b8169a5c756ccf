/* audit_check – is the audit whole? See audit.h. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>

#include "agent/store/audit.h"
#include "agent/store/audit_head.h"
#include "agent/store/sql.h"
#include "common/base/buf.h"
#include "common/base/chain.h"
#include "common/base/fsutil.h"

enum { FILE_MAX = 64 << 20 };

static int check_rows(struct store_tx *tx, struct chain_check *c, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT number, at_ms, who, what, outcome, thing, why, policy, details,"
				    " prev, hash FROM audit ORDER BY number", "");
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0) {
		struct chain_row r = {
			.number = sql_int(q, 0), .at_ms = sql_int(q, 1), .who = sql_text(q, 2), .what = sql_text(q, 3),
			.outcome = sql_text(q, 4), .thing = sql_text(q, 5), .why = sql_text(q, 6),
			.policy = sql_text(q, 7), .details = sql_text(q, 8), .prev = sql_text(q, 9),
			.hash = sql_text(q, 10),
		};

		if (!chain_next(c, &r))
			break;
	}
	sql_done(q);
	return rc < 0 ? rc : 0;
}

static int ask(struct store_tx *tx, const char *sql, int64_t number, const char *text, bool *yes, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, sql, "it", number, text);
	int rc = sql_next(tx, q, err);

	*yes = rc > 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

/* Of lines that the table does not have, one after the other: is it said at the row of the first, or
 * before it, that a copy was put back when the file ended with the last? */
struct lost { int64_t first; struct audit_head last; };

static int check_lost(struct store_tx *tx, struct lost *l, struct chain_check *c, struct ps_err *err)
{
	char *details = xasprintf("{\"audit_head\":\"%" PRId64 " %s\"}", l->last.number, l->last.hash);
	bool said = true;
	int rc = !l->first ? 0 : ask(tx, "SELECT 1 FROM audit WHERE what = 'recovery' AND who = '" AUDIT_CORE "'"
				     " AND number <= ? AND details = ?", l->first, details, &said, err);

	free(details);
	if (rc == 0 && !said)
		chain_break(c, l->first, l->first > c->last ? "it is missing: the file audit.head has it" :
			    "the file audit.head knows another one");
	l->first = 0;
	return rc;
}

static int check_first(struct store_tx *tx, const struct audit_head *h, struct chain_check *c, struct ps_err *err)
{
	bool said = true;
	int rc = h->number == 0 ? 0 : ask(tx, "SELECT 1 FROM audit WHERE number = ? AND what = ?", h->number + 1,
					  "audit", &said, err);

	if (rc == 0 && !said)
		chain_break(c, h->number, "the file audit.head begins only there");
	return rc;
}

static int check_line(struct store_tx *tx, const struct audit_head *h, struct lost *lost, struct chain_check *c,
		      struct ps_err *err)
{
	bool has = h->number == 0;
	int rc = has ? 0 : ask(tx, "SELECT 1 FROM audit WHERE number = ? AND hash = ?", h->number, h->hash, &has, err);

	if (rc < 0)
		return rc;
	if (has)
		return check_lost(tx, lost, c, err);
	if (!lost->first)
		lost->first = h->number;
	lost->last = *h;
	return 0;
}

static int check_file(struct store_tx *tx, const char *bytes, struct chain_check *c, struct ps_err *err)
{
	struct lost lost = { 0 };
	struct audit_head h;
	const char *at = bytes;
	int rc = 0;

	while (rc == 0 && !c->bad && *at) {
		bool first = at == bytes;

		if (!audit_head_line(at, &at, &h))
			chain_break(c, c->last, "a line of the file audit.head is damaged");
		else if (first)
			rc = check_first(tx, &h, c, err);
		if (rc == 0 && !c->bad)
			rc = check_line(tx, &h, &lost, c, err);
	}
	return rc == 0 && !c->bad ? check_lost(tx, &lost, c, err) : rc;
}

int audit_check(struct store_tx *tx, const char *file, struct chain_check *c, struct ps_err *err)
{
	struct buf bytes = BUF_INIT;
	struct audit_head head;
	int found = file ? fs_read(&bytes, AT_FDCWD, file, FILE_MAX, err) : 0, rc;

	chain_init(c);
	if (found < 0 && found != PS_ENOENT) {
		buf_clear(&bytes);
		return found;
	}
	rc = check_rows(tx, c, err);
	if (rc == 0)
		rc = audit_head_get(tx, &head, err);
	if (rc == 0 && !c->bad)
		chain_expect(c, head.number, head.hash, "the store's own count");
	if (rc == 0 && !c->bad && found < 0)
		chain_break(c, c->last, "the file audit.head is gone");
	if (rc == 0 && !c->bad && file)
		rc = check_file(tx, buf_str(&bytes), c, err);
	buf_clear(&bytes);
	return rc;
}
