/* work_look – what the refs of a repository are now. See EVENTS.md: looks. */
#include "config.h"

#include "agent/gate/work.h"

#include "common/base/clock.h"

struct values {
	struct wire_ref_value *v;
	struct repo_ref *refs;		/* owners of the names */
	size_t n;
};

static int look_at_some(struct repo *r, const struct wire_strs *names, struct values *out,
			struct ps_err *err)
{
	out->v = xcalloc(names->n, sizeof(*out->v));
	out->refs = xcalloc(names->n, sizeof(*out->refs));
	for (; out->n < names->n; out->n++) {
		struct repo_ref *ref = &out->refs[out->n];
		const char *asked = names->v[out->n];
		int rc = repo_ref_read(r, asked, ref, err);

		if (rc < 0)
			return rc;
		out->v[out->n] = (struct wire_ref_value) {
			.ref = asked, .oid = ref->oid,
			.target = ps_streq(asked, ref->name) ? NULL : ref->name,
		};
	}
	return 0;
}

static int look_at_all(struct repo *r, struct values *out, struct ps_err *err)
{
	struct repo_refs all;
	int rc = repo_refs_list(r, &all, err);

	if (rc < 0)
		return rc;
	out->v = xcalloc(all.n, sizeof(*out->v));
	out->refs = all.v;
	out->n = all.n;
	for (size_t i = 0; i < all.n; i++)
		out->v[i] = (struct wire_ref_value) { .ref = all.v[i].name, .oid = all.v[i].oid };
	return 0;
}

/* ---- reflogs ---- */

static int by_ref(const void *name, const void *log)
{
	return strcmp(name, ((const struct wire_ref_log *)log)->ref);
}

enum { PATHS_MAX = 4 << 20 };		/* of one answer; beyond, movements of a ref are one gap */

/* What their reflogs tell, read behind the values: a log is not behind its ref. */
static char **add_logs(struct repo *r, const struct wire_look *q, const struct values *values)
{
	char **paths = xcalloc(values->n + 1, sizeof(*paths));
	bool has = repo_has_logs(r);
	struct buf path = BUF_INIT;
	size_t used = 0;

	for (size_t i = 0; i < values->n; i++) {
		struct wire_ref_value *v = &values->v[i];
		const struct wire_ref_log *known = q->logs.n ?
			bsearch(v->ref, q->logs.v, q->logs.n, sizeof(*q->logs.v), by_ref) : NULL;
		int64_t from = known ? (int64_t)known->log - 1 : q->fresh ? 0 : REPO_LOG_END;

		v->since = (uint64_t)(from + 1);
		if (v->target || (!has && !repo_oid_is_zero(v->oid)))
			continue;
		v->log = (uint64_t)(repo_log(r, v->ref, used < PATHS_MAX ? from : REPO_LOG_END,
					     v->oid, &path) + 1);
		if (path.len) {
			used += path.len;
			v->path = paths[i] = buf_steal(&path);
		}
	}
	buf_clear(&path);
	return paths;
}

static void free_paths(char **paths, size_t n)
{
	for (size_t i = 0; paths && i < n; i++)
		free(paths[i]);
	free(paths);
}

int work_look(struct work *w, const struct msg *m, struct ps_err *err)
{
	const struct wire_look *q = &m->u.look;
	struct values values = { NULL, NULL, 0 };
	struct repo *r = NULL;
	char id[REPO_ID], mark[REPO_MARK], **paths = NULL;
	int rc = work_open(w, q->repository, &r, err);
	int64_t stamp;

	if (rc == 0)
		rc = work_repo_id(r, id, err);
	/* what is read below is not older than either */
	repo_mark(q->repository, mark);
	stamp = clock_boot_ns();
	if (rc == 0)
		rc = q->refs.n ? look_at_some(r, &q->refs, &values, err) :
				 look_at_all(r, &values, err);
	if (rc == 0)
		paths = add_logs(r, q, &values);
	if (rc == 0) {
		struct wire_looked a = { .id = q->id, .repository_id = id,
					 .stamp = (uint64_t)stamp };

		if (strcmp(mark, REPO_MARK_NONE) != 0)
			a.mark = mark;

		a.refs.v = values.v;
		a.refs.n = values.n;
		rc = work_reply(w, MSG_looked, &a, err);
	}
	free_paths(paths, values.n);
	for (size_t i = 0; i < values.n; i++)
		repo_ref_clear(&values.refs[i]);
	free(values.refs);
	free(values.v);
	repo_close(r);
	return rc;
}
