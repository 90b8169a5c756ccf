/* job_clean – lists what may go by core's rules, or removes what core has decided on. */
#include "config.h"

#include "agent/build/job.h"
#include "common/base/clock.h"
#include "common/base/retain.h"

enum { ITEMS_MAX = 20000 };	/* of one answer: the rest goes next time */

/* What is kept where, and by which rule. */
static const struct place {
	const char *kind, *kinds;
	size_t dir;			/* in struct ps_paths */
} places[] = {
	{ "artifact", NULL, offsetof(struct ps_paths, artifacts) },
	{ "log", "btx", offsetof(struct ps_paths, logs) },
	{ "export", NULL, offsetof(struct ps_paths, work_export) },
};

enum { ARTIFACT, LOG, EXPORT, PLACES };

static const char *dir_of(const struct job_env *env, const struct place *p)
{
	return *(char *const *)((const char *)env->paths + p->dir);
}

static int list_place(const struct job_env *env, const struct wire_clean *m, size_t at,
		      struct retain_files *l, struct ps_err *err)
{
	const int64_t before[PLACES] = { m->artifacts_before, m->logs_before, m->exports_before };
	const int64_t max[PLACES] = { m->artifacts_max, m->logs_max, 0 };
	const struct retain_rule rule = { before[at], max[at], clock_wall_ms() };
	const struct place *p = &places[at];
	int rc = at == ARTIFACT ? retain_list_contents(l, dir_of(env, p), err) :
		retain_list_folder(l, dir_of(env, p), p->kinds, err);

	retain_need(l, m->keep.v, m->keep.n);
	retain_pick(l, &rule);
	return rc;
}

static int remove_one(const struct job_env *env, const struct wire_clean_item *item,
		      struct ps_err *err)
{
	const struct retain_file f = { .name = (char *)item->name, .size = item->size,
				       .mtime_ms = item->mtime };

	for (size_t i = 0; i < PLACES; i++) {
		const char *dir = dir_of(env, &places[i]);

		if (strcmp(places[i].kind, item->kind) != 0)
			continue;
		return i == ARTIFACT ? retain_remove_content(dir, &f, err) :
			retain_remove_entry(dir, &f, err);
	}
	return ps_err_set(err, PS_EPROTO, "'%s' is nothing that is cleaned", item->kind);
}

static void remove_all(const struct job_env *env, const struct wire_clean *m, int sock)
{
	struct wire_cleaned answer = { .id = m->id };
	struct ps_err err = { 0 };

	for (size_t i = 0; i < m->remove.n; i++) {
		/* one that cannot be removed keeps none of the others */
		if (remove_one(env, &m->remove.v[i], err.code ? NULL : &err) != 1)
			continue;
		answer.files++;
		answer.bytes += (uint64_t)m->remove.v[i].size;
	}
	answer.problem = err.code ? err.msg : NULL;
	job_tell(sock, MSG_cleaned, &answer);
}

void job_clean(const struct job_env *env, const struct wire_clean *m, int sock)
{
	struct retain_files l[PLACES] = { { NULL, 0, 0 }, { NULL, 0, 0 }, { NULL, 0, 0 } };
	struct wire_clean_item *items;
	struct wire_cleaned answer = { .id = m->id };
	struct ps_err err = { 0 };
	size_t n = 0;
	int rc = 0;

	if (m->remove.n) {
		remove_all(env, m, sock);
		return;
	}
	items = xcalloc(ITEMS_MAX, sizeof(*items));
	for (size_t at = 0; at < PLACES && rc == 0; at++) {
		rc = list_place(env, m, at, &l[at], &err);
		for (size_t i = 0; i < l[at].n && n < ITEMS_MAX; i++)
			if (l[at].v[i].goes)
				items[n++] = (struct wire_clean_item) {
					places[at].kind, l[at].v[i].name, l[at].v[i].size,
					l[at].v[i].mtime_ms };
	}
	answer.items.v = items;
	answer.items.n = n;
	answer.problem = rc < 0 ? err.msg : NULL;
	job_tell(sock, MSG_cleaned, &answer);
	for (size_t at = 0; at < PLACES; at++)
		retain_clear(&l[at]);
	free(items);
}
