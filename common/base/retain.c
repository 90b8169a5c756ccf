/* retain – see retain.h: the decision. */
#include "config.h"

#include "common/base/retain.h"

static int by_name(const void *pa, const void *pb)
{
	const struct retain_file *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

static int by_text(const void *pa, const void *pb)
{
	return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

static int by_age(const void *pa, const void *pb)
{
	const struct retain_file *a = pa, *b = pb;

	return a->mtime_ms != b->mtime_ms ? (a->mtime_ms < b->mtime_ms ? -1 : 1) :
					    strcmp(a->name, b->name);
}

void retain_need(struct retain_files *l, const char *const *names, size_t n)
{
	const char **sorted = xcalloc(n + 1, sizeof(*sorted));
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		sorted[i] = names[i];
	if (n)
		qsort(sorted, n, sizeof(*sorted), by_text);
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	for (size_t i = 0; i < l->n && k < n;) {
		int c = strcmp(l->v[i].name, sorted[k]);

		l->v[i].needed |= c == 0;
		i += c <= 0;
		k += c > 0;
	}
	free(sorted);
}

void retain_pick(struct retain_files *l, const struct retain_rule *r)
{
	int64_t left = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_age);
	for (size_t i = 0; i < l->n; i++)
		left += l->v[i].size;
	for (size_t i = 0; i < l->n; i++) {
		struct retain_file *f = &l->v[i];

		if (f->needed || f->mtime_ms > r->now_ms - RETAIN_YOUNG_MS)
			continue;
		f->goes = f->mtime_ms < r->before_ms || (r->max && left > r->max);
		left -= f->goes ? f->size : 0;
	}
}

void retain_clear(struct retain_files *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].name);
	free(l->v);
	*l = (struct retain_files) { NULL, 0, 0 };
}
