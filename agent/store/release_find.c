/* release_find – one release by what somebody typed; see release.h. */
#include "config.h"

#include "agent/store/release.h"

#include "agent/store/sql.h"
#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/escape.h"

enum { PREFIX_MIN = 4, CANDIDATES = 6 };

#define LABELS                                                                               \
	"SELECT l.id, l.release, l.repository, l.project, r.name, l.ref, l.version FROM label l" \
	" JOIN repository r ON r.id = l.repository WHERE l.id IN (SELECT MAX(k.id) FROM label k "
#define PLACE                                                                                \
	" AND (CAST(? AS TEXT) IS NULL OR r.name = ?) AND (CAST(? AS TEXT) IS NULL OR l.project = ?)" \
	" ORDER BY l.id DESC"

struct search {
	const struct release_ask *ask;
	struct release_found *out;
	size_t n;		/* different ones so far */
	struct buf names;	/* of them */
};

/* One more label that fits; another release, or the same at another place, makes it ambiguous. */
static void take(struct search *s, sqlite3_stmt *q)
{
	struct release_found *f = s->out;
	const char *id = sql_text(q, 1), *project = sql_text(q, 3);
	bool same = s->n && strcmp(f->id, id) == 0 &&
		    (!s->ask->place ||
		     (f->repository == sql_int(q, 2) && strcmp(f->project, project) == 0));

	if (same && f->label >= sql_int(q, 0))
		return;
	if (!same && ++s->n <= CANDIDATES)
		buf_addf(&s->names, "%s%.12s (%s at %s in %s:%s)", s->n > 1 ? ", " : "", id,
			 sql_text(q, 6), sql_text(q, 5), sql_text(q, 4), project);
	if (s->n > 1)
		return;
	free(f->project);
	snprintf(f->id, sizeof(f->id), "%s", id);
	f->label = sql_int(q, 0);
	f->repository = sql_int(q, 2);
	f->project = xstrdup(project);
}

static int search(struct store_tx *tx, struct search *s, sqlite3_stmt *q, struct ps_err *err)
{
	int rc;

	while ((rc = sql_next(tx, q, err)) > 0)
		take(s, q);
	sql_done(q);
	return rc;
}

static int by_id(struct store_tx *tx, struct search *s, struct ps_err *err)
{
	const struct release_ask *a = s->ask;
	size_t len = strlen(a->thing);
	char *like;
	int rc;

	if (len < PREFIX_MIN || len > PS_DIGEST_HEX || !digest_is_hex(a->thing, len))
		return 0;
	like = xasprintf("%s%%", a->thing);
	rc = search(tx, s, sql_query(tx, err, LABELS "WHERE k.release LIKE ? GROUP BY k.release, k.repository,"
				     " k.project)" PLACE, "ttttt", like, a->repository, a->repository, a->project,
				     a->project), err);
	free(like);
	return rc;
}

static int by_label(struct store_tx *tx, struct search *s, struct ps_err *err)
{
	const struct release_ask *a = s->ask;
	char *branch = xasprintf("refs/heads/%s", a->thing), *tag = xasprintf("refs/tags/%s", a->thing);
	int rc = search(tx, s, sql_query(tx, err, LABELS "WHERE k.version = ? OR k.ref = ? OR k.ref = ? OR k.ref = ?"
					 " GROUP BY k.repository, k.project, k.ref)" PLACE, "tttttttt", a->thing,
					 a->thing, branch, tag, a->repository, a->repository, a->project, a->project),
			err);

	free(branch);
	free(tag);
	return rc;
}

static int refuse(const struct search *s, struct ps_err *err)
{
	struct buf thing = BUF_INIT;
	int rc;

	escape_buf(&thing, s->ask->thing, strlen(s->ask->thing), false);
	if (!s->n)
		rc = ps_err_set(err, PS_ENOENT, "no release is called '%s'%s%s: give the beginning of an id, a "
				"version or a ref; next: penstock releases", buf_str(&thing),
				s->ask->repository ? " in " : "", s->ask->repository ? s->ask->repository : "");
	else
		rc = ps_err_set(err, PS_EINVAL, "'%s' may be any of %zu releases: %s%s; give more of the id, or "
				"--repo and --project", buf_str(&thing), s->n, buf_str(&s->names),
				s->n > CANDIDATES ? ", ..." : "");
	buf_clear(&thing);
	return rc;
}

int release_find(struct store_tx *tx, const struct release_ask *ask, struct release_found *out,
		 struct ps_err *err)
{
	struct search s = { .ask = ask, .out = out };
	int rc;

	*out = (struct release_found) { .label = 0 };
	rc = by_id(tx, &s, err);
	if (rc == 0)
		rc = by_label(tx, &s, err);
	if (rc == 0 && s.n != 1)
		rc = refuse(&s, err);
	buf_clear(&s.names);
	if (rc < 0)
		release_found_clear(out);
	return rc;
}

void release_found_clear(struct release_found *f)
{
	PS_FREE(f->project);
}
