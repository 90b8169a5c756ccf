/* plan_differs – why an approved plan does not count any more; see plan.h. */
#include "config.h"

#include "common/plan/plan.h"

#include "common/base/buf.h"
#include "common/base/escape.h"

/* One thing that a digest speaks of: its name and its value. Lists of them are sorted by name. */
struct fact {
	const char *name, *value;
};

static void say(struct buf *out, const char *fmt, ...) PS_PRINTF(2, 3);

static void say(struct buf *out, const char *fmt, ...)
{
	char *line;
	va_list ap;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	escape_buf(out, line, strlen(line), false);
	buf_addch(out, '\n');
	free(line);
}

static void differ(struct buf *out, const char *what, const char *was, const char *is)
{
	if (strcmp(was, is) != 0)
		say(out, "%s: %s → %s", what, was, is);
}

static struct fact *jobs_of(const struct plan *p, size_t *n)
{
	struct fact *v = xcalloc(p->njobs, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < p->njobs; i++)
		if (p->jobs[i].change != PLAN_ORPHAN)
			v[(*n)++] = (struct fact) { p->jobs[i].key, p->jobs[i].digest };
	return v;
}

static struct fact *artifacts_of(const struct plan *p, size_t *n)
{
	struct fact *v = xcalloc(p->nartifacts, sizeof(*v));

	for (*n = 0; *n < p->nartifacts; (*n)++)
		v[*n] = (struct fact) { p->artifacts[*n].path, p->artifacts[*n].sha256 };
	return v;
}

static struct fact *seen_of(const struct plan *p, size_t *n)
{
	struct fact *v = xcalloc(p->nseen, sizeof(*v));

	for (*n = 0; *n < p->nseen; (*n)++)
		v[*n] = (struct fact) { p->seen[*n].key, p->seen[*n].digest };
	return v;
}

static const struct {
	struct fact *(*list)(const struct plan *p, size_t *n);
	const char *gone, *come, *other; /* formats for the name */
} kinds[] = {
	{ jobs_of, "%s is not deployed any more", "%s is deployed as well",
	  "%s has another definition" },
	{ artifacts_of, "%s is not put any more", "%s is put as well", "%s has other bytes" },
	{ seen_of, "%s is not on the fabric any more", "%s is on the fabric now",
	  "%s was changed on the fabric" },
};

static void compare(struct buf *out, size_t kind, const struct plan *was, const struct plan *is)
{
	size_t na, nb, a = 0, b = 0;
	struct fact *had = kinds[kind].list(was, &na), *has = kinds[kind].list(is, &nb);

	while (a < na || b < nb) {
		int cmp = a == na ? 1 : b == nb ? -1 : strcmp(had[a].name, has[b].name);

		if (cmp < 0)
			say(out, kinds[kind].gone, had[a].name);
		else if (cmp > 0)
			say(out, kinds[kind].come, has[b].name);
		else if (strcmp(had[a].value, has[b].value) != 0)
			say(out, *has[b].value ? kinds[kind].other : kinds[kind].gone, had[a].name);
		a += cmp <= 0;
		b += cmp >= 0;
	}
	free(had);
	free(has);
}

void plan_differs(const struct plan *was, const struct plan *is, struct buf *out)
{
	char id[2][24];

	if (strcmp(was->digest, is->digest) == 0)
		return;
	snprintf(id[0], sizeof(id[0]), "%lld", (long long)was->fabric_id);
	snprintf(id[1], sizeof(id[1]), "%lld", (long long)is->fabric_id);
	differ(out, "the release", was->release, is->release);
	differ(out, "the environment", was->environment, is->environment);
	differ(out, "the fabric's id", id[0], id[1]);
	differ(out, "the fabric's address", was->address, is->address);
	for (size_t k = 0; k < PS_NELEM(kinds); k++)
		compare(out, k, was, is);
}
