/* plan_fold – what a release's version alone changes is told in one field; see plan.h. */
#include "config.h"

#include "common/plan/plan.h"

static const struct plan_job *job_of(const struct plan *p, const char *key)
{
	for (size_t i = 0; i < p->njobs; i++)
		if (strcmp(p->jobs[i].key, key) == 0)
			return &p->jobs[i];
	return NULL;
}

static bool has_field(const struct plan_job *j, const char *path)
{
	for (size_t i = 0; i < j->nfields; i++)
		if (strcmp(j->fields[i].path, path) == 0)
			return true;
	return false;
}

static void fold(struct plan_job *j, const struct plan_job *before, const char *was, const char *is)
{
	size_t n = 0;

	for (size_t i = 0; i < j->nfields; i++) {
		struct plan_field f = j->fields[i];

		if (has_field(before, f.path)) {
			j->fields[n++] = f;
			continue;
		}
		free(f.path);
		free(f.was);
		free(f.is);
	}
	if (n < j->nfields)	/* one was let go: there is room */
		j->fields[n++] = (struct plan_field) { xstrdup("version"), xstrdup(was),
						       xstrdup(is) };
	j->nfields = n;
}

void plan_fold_version(struct plan *p, const struct plan *before, const char *was, const char *is)
{
	for (size_t i = 0; i < p->njobs; i++) {
		struct plan_job *j = &p->jobs[i];
		const struct plan_job *as = j->nfields ? job_of(before, j->key) : NULL;

		if (as)
			fold(j, as, was, is);
	}
}
