/* tree_same – is a folder on disk as it was at an earlier look? One stat of each file and folder,
 * and nothing made of the answers: see tree_dir_same() of tree_scan.h. */
#include "config.h"

#include "common/tree/tree_dir.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

enum { CHUNK = 16, ALONE = 64 };	/* folders taken at once; so few that no thread pays */

struct compare {
	struct tree_dir *d;
	const struct folders *before;
	size_t end;
	dev_t dev;
	atomic_size_t next, stats, folders, not;	/* folders: those that entries name */
};

static bool entry_is_same(struct compare *c, const char *path, const struct folder_entry *e)
{
	struct stamp now;
	struct stat st;

	if (fstatat(c->d->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != c->dev)
		return false;
	stamp_of(&now, &st);
	return memcmp(&now, e->stamp, sizeof(now)) == 0;
}

/* path: room for paths, of the caller. Counts what it asks in *stats, folders in *below. */
static bool folder_is_same(struct compare *c, const struct folder *f, struct buf *path,
			   size_t *stats, size_t *below)
{
	const char *at = f->entries;
	bool same = true;
	size_t skip;

	buf_reset(path);
	buf_adds(path, f->path);
	if (path->len)
		buf_addch(path, '/');
	skip = path->len;
	for (uint32_t i = 0; i < f->n && same; i++) {
		struct folder_entry e;

		at = folders_entry(at, &e);
		path->len = skip;
		buf_add(path, e.name, (size_t)(at - e.name));	/* with its NUL */
		same = entry_is_same(c, path->data, &e);
		*below += e.kind == TREE_DIR;
		++*stats;
	}
	return same;
}

static void *compare_some(void *arg)
{
	struct compare *c = arg;
	struct buf path = BUF_INIT;
	size_t at, stats = 0, below = 0, not = 0;

	while ((at = atomic_fetch_add(&c->next, CHUNK)) < c->end)
		for (size_t i = at; i < c->end && i < at + CHUNK; i++) {
			c->d->same[i] = folder_is_same(c, &c->before->v[i], &path, &stats, &below);
			not += !c->d->same[i];
		}
	buf_clear(&path);
	atomic_fetch_add(&c->stats, stats);
	atomic_fetch_add(&c->folders, below);
	atomic_fetch_add(&c->not, not);
	return NULL;
}

static void compare_all(struct compare *c, size_t folders)
{
	pthread_t helper[DIR_THREADS_MAX];
	size_t n = 0, wanted = folders < ALONE ? 0 : dir_threads() - 1;

	while (n < wanted && pthread_create(&helper[n], NULL, compare_some, c) == 0)
		n++;
	compare_some(c);
	for (size_t i = 0; i < n; i++)
		pthread_join(helper[i], NULL);
}

/* The folder where it begins is nobody's entry. */
static bool first_is_same(const struct compare *c, const struct folder *first)
{
	struct stamp now;
	struct stat st;

	if (fstatat(c->d->fd, *first->path ? first->path : ".", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode) || st.st_dev != c->dev)
		return false;
	stamp_of(&now, &st);
	return stamp_equal(&now, &first->stamp);
}

bool tree_dir_same(struct tree *t, const char *within, const struct folders *before)
{
	struct tree_dir *d = (struct tree_dir *)t;
	struct compare c = { .d = d, .before = before };
	const struct folder *first = folders_find(before, within);
	size_t from = first ? (size_t)(first - before->v) : 0;
	struct stat st;

	if (!first || fstat(d->fd, &st) < 0 || !stamp_is_reliable(d->fd))
		return false;
	c.dev = st.st_dev;
	for (c.end = from; c.end < before->n && dir_at_or_below(before->v[c.end].path, within);)
		c.end++;
	c.next = from;
	free(d->same);
	d->same = xcalloc(before->n, sizeof(*d->same));
	compare_all(&c, c.end - from);
	d->counts.stats += c.stats;
	/* a folder that an entry names and that has no listing was never looked into */
	return !c.not && c.folders == c.end - from - 1 && first_is_same(&c, first);
}
