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

int work_look(struct work *w, const struct msg *m, struct ps_err *err)
{
	const struct wire_look *q = &m->u.look;
	struct values values = { NULL, NULL, 0 };
	struct repo *r = NULL;
	char id[REPO_ID], mark[REPO_MARK];
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
	if (rc == 0) {
		struct wire_looked a = { .id = q->id, .repository_id = id,
					 .stamp = (uint64_t)stamp };

		if (strcmp(mark, REPO_MARK_NONE) != 0)
			a.mark = mark;

		a.refs.v = values.v;
		a.refs.n = values.n;
		rc = work_reply(w, MSG_looked, &a, err);
	}
	for (size_t i = 0; i < values.n; i++)
		repo_ref_clear(&values.refs[i]);
	free(values.refs);
	free(values.v);
	repo_close(r);
	return rc;
}
