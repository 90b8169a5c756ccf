/* tree_scan – see tree_scan.h. Folders wait in one stack; every thread takes one, looks at what is
 * in it, and puts its folders there. A node belongs to whoever took its folder from the stack. */
#include "config.h"

#include "common/tree/tree_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "common/base/digest.h"
#include "common/base/fsutil.h"

enum {
	ALONE = 32,			/* folders waiting before it pays to start a thread */
	AHEAD_FILE = 256 << 10,		/* bytes of a file that is read ahead, and of all of them */
	AHEAD_ALL = 64 << 20,
};

struct job { struct dir_node *folder; char *path; unsigned depth; };

struct scan {
	const struct tree_dir_look *look;
	const bool *same;		/* folders of look->before that need no stat; NULL: none */
	int top;
	dev_t dev;
	int64_t now;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *v;			/* under the lock, as all up to helpers */
	size_t n, cap, busy, nhelpers, helpers_max;
	pthread_t helper[DIR_THREADS_MAX];
	atomic_size_t entries, ahead, listed, stats, opened;
	atomic_bool past;		/* the bounds of tree.h */
};

static void *work(void *arg);

/* ---- one folder ---- */

/* A small file that will be asked for: opened, looked at and read in one go. False: it was not. */
static bool read_ahead(struct scan *s, struct dir_node *n, int fd, struct stat *st)
{
	int file = openat(fd, n->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool ok = file >= 0 && fstat(file, st) == 0 && S_ISREG(st->st_mode);
	size_t size = ok ? (size_t)st->st_size : 0;

	atomic_fetch_add(&s->opened, 1);
	if (ok && size <= AHEAD_FILE && atomic_fetch_add(&s->ahead, size) <= AHEAD_ALL) {
		n->bytes = xmalloc(size + 1);
		if (read(file, n->bytes, size) != (ssize_t)size)
			PS_FREE(n->bytes);	/* whoever asks for it will be told why */
	}
	if (file >= 0)
		close(file);
	return ok;
}

static bool note(struct scan *s, struct dir_node *n, const struct stat *st)
{
	if (!dir_node_kind(n, st)) {
		errno = ENOENT;
		return false;
	}
	n->settled = st->st_dev == s->dev && stamp_is_settled(&n->stamp, s->now);
	return true;
}

/* at: the node's name in fd, or its path from there. */
static bool look_at(struct scan *s, struct dir_node *n, int fd, const char *at, bool ahead)
{
	struct stat st;

	if (!ahead || !read_ahead(s, n, fd, &st)) {
		atomic_fetch_add(&s->stats, 1);
		if (fstatat(fd, at, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return false;
	}
	return note(s, n, &st);
}

/* As it was a moment ago, when all of its folder was as remembered. */
static bool take_known(struct dir_node *n, const struct folder_entry *e)
{
	memcpy(&n->stamp, e->stamp, sizeof(n->stamp));
	n->kind = e->kind;
	n->settled = true;
	return true;
}

/* Names that were there at an earlier look, and still are: the folder has not changed since. */
static bool look_again(struct scan *s, struct dir_node *folder, const struct folder *known)
{
	struct buf path = BUF_INIT;
	const char *at = known->entries;
	bool same = s->same && s->same[known - s->look->before->v], ok = true;
	size_t skip;

	folder->below = xcalloc(known->n + 1, sizeof(*folder->below));
	buf_adds(&path, known->path);
	if (path.len)
		buf_addch(&path, '/');
	skip = path.len;
	for (uint32_t i = 0; i < known->n && ok; i++) {
		struct dir_node *n = &folder->below[folder->n++];
		struct folder_entry e;

		at = folders_entry(at, &e);
		n->name = e.name;
		path.len = skip;
		buf_adds(&path, e.name);
		ok = same ? take_known(n, &e) : look_at(s, n, s->top, buf_str(&path), false);
	}
	buf_clear(&path);
	return ok;
}

/* Takes the names over. ahead: nothing of it is known, so its folders will be listed, which tells
 * their stamps, and its files read. */
static bool look_first(struct scan *s, struct dir_node *folder, struct dir_names *names, int fd,
		       bool ahead)
{
	bool ok = true;
	char *at;

	folder->below = xcalloc(names->n + 1, sizeof(*folder->below));
	folder->names = at = buf_steal(&names->b);
	for (size_t i = 0; i < names->n && ok; i++, at += strlen(at) + 1) {
		char type = *at++;
		struct dir_node *n = &folder->below[folder->n];

		*n = (struct dir_node) { .name = at, .kind = TREE_DIR };
		if ((ahead && type == DT_DIR) ||
		    look_at(s, n, fd, at, ahead && type == DT_REG && s->look->wanted(at)))
			folder->n++;
		else
			ok = errno == ENOENT;
	}
	if (ok)
		dir_node_sort(folder);
	return ok;
}

static bool list_first(struct scan *s, struct dir_node *folder, const char *path, bool ahead)
{
	struct dir_names names = { BUF_INIT, 0 };
	int fd = dir_open_below(s->top, path, O_RDONLY | O_DIRECTORY, RESOLVE_NO_XDEV);
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0 && note(s, folder, &st) &&
		dir_names_read(&names, fd) && names.n <= TREE_ENTRIES_MAX;

	atomic_fetch_add(&s->listed, 1);
	ok = ok && look_first(s, folder, &names, fd, ahead);
	buf_clear(&names.b);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* What could not be looked at is left as nobody had asked: the next who asks is told why. */
static void look_into(struct scan *s, const struct job *j)
{
	const struct folder *known = s->look->before ? folders_find(s->look->before, j->path) :
		NULL;
	struct dir_node *f = j->folder;

	if (known && f->settled && stamp_equal(&known->stamp, &f->stamp))
		f->listed = look_again(s, f, known);
	else
		f->listed = list_first(s, f, j->path, !known && s->look->wanted);
	if (!f->listed)
		dir_node_forget(f);
	if (atomic_fetch_add(&s->entries, f->n) + f->n > TREE_ENTRIES_MAX ||
	    j->depth > TREE_DEPTH_MAX)
		s->past = true;
}

/* ---- all of them ---- */

/* Under the lock. */
static void push(struct scan *s, struct dir_node *folder, char *path, unsigned depth)
{
	s->v = xgrow(s->v, s->n, &s->cap, sizeof(*s->v));
	s->v[s->n++] = (struct job) { folder, path, depth };
	if (s->n > ALONE && s->nhelpers < s->helpers_max) {
		if (pthread_create(&s->helper[s->nhelpers], NULL, work, s) == 0)
			s->nhelpers++;
		else
			s->helpers_max = s->nhelpers;	/* those that are there will do */
	}
}

static void push_below(struct scan *s, const struct job *j)
{
	for (size_t i = 0; i < j->folder->n; i++) {
		struct dir_node *n = &j->folder->below[i];

		if (n->kind == TREE_DIR)
			push(s, n, *j->path ? fs_join(j->path, n->name) : xstrdup(n->name),
			     j->depth + 1);
	}
}

static void *work(void *arg)
{
	struct scan *s = arg;

	pthread_mutex_lock(&s->lock);
	while (s->n || s->busy) {
		struct job j;

		if (!s->n) {
			pthread_cond_wait(&s->changed, &s->lock);
			continue;
		}
		j = s->v[--s->n];
		s->busy++;
		pthread_mutex_unlock(&s->lock);
		if (!s->past)
			look_into(s, &j);
		pthread_mutex_lock(&s->lock);
		push_below(s, &j);
		s->busy--;
		free(j.path);
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- names ---- */

static void name_folder(struct dir_node *f)
{
	struct digest *d;

	f->sure = f->listed;
	for (size_t i = 0; i < f->n; i++) {
		struct dir_node *n = &f->below[i];

		if (n->kind == TREE_DIR)
			name_folder(n);
		else
			n->sure = n->settled;
		f->sure = f->sure && n->sure;
	}
	if (!f->sure)
		return;
	d = digest_new();
	for (size_t i = 0; i < f->n; i++) {
		const struct dir_node *n = &f->below[i];
		const unsigned char kind = (unsigned char)n->kind;

		digest_add(d, &kind, 1);
		digest_add(d, n->name, strlen(n->name) + 1);
		if (n->kind == TREE_DIR)
			digest_add(d, n->digest, sizeof(n->digest));
		else
			digest_add(d, &n->stamp, sizeof(n->stamp));
	}
	digest_end_raw(d, f->digest);
}

size_t dir_threads(void)
{
	cpu_set_t set;
	size_t n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : (size_t)CPU_COUNT(&set);

	return n < DIR_THREADS_MAX ? n : DIR_THREADS_MAX;
}

static unsigned depth_of(const char *path)
{
	unsigned n = *path != '\0';

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Where it begins: false when there is no such folder. */
static bool begin(struct scan *s, struct tree_dir *d, struct dir_node **first)
{
	const char *within = s->look->within;
	struct dir_node *n = NULL;
	struct ps_err err;
	struct stat st;

	if (fstat(d->fd, &st) < 0 || dir_node_find(d, within, &n, &err) < 0 || !n)
		return false;
	s->dev = st.st_dev;
	if (fstatat(d->fd, *within ? within : ".", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !dir_node_kind(n, &st) || n->kind != TREE_DIR)
		return false;
	n->settled = st.st_dev == s->dev && stamp_is_settled(&n->stamp, s->now);
	*first = n;
	return true;
}

void tree_dir_scan(struct tree *t, const struct tree_dir_look *look)
{
	struct tree_dir *d = (struct tree_dir *)t;
	struct scan s = {
		.look = look, .top = d->fd, .now = stamp_now(),
		.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,
	};
	struct dir_node *first;

	if (!begin(&s, d, &first))
		return;
	if (look->before && !d->same)
		tree_dir_same(t, look->within, look->before);
	s.same = look->before ? d->same : NULL;
	s.helpers_max = dir_threads() - 1;
	/* a thread's own would grow by a system call for each page */
	mallopt(M_ARENA_MAX, 1);
	push(&s, first, xstrdup(look->within), depth_of(look->within));
	work(&s);
	for (size_t i = 0; i < s.nhelpers; i++)
		pthread_join(s.helper[i], NULL);
	free(s.v);
	d->counts.listed += s.listed;
	d->counts.stats += s.stats;
	d->counts.opened += s.opened;
	d->named = look->named && !s.past && stamp_is_reliable(d->fd);
	d->first = d->named ? first : NULL;
	d->look = *look;
	if (d->named)
		name_folder(first);
}

/* ---- listings for the next time ---- */

/* path is the folder's, and is left as it was. */
static void add_listings(struct buf *out, const struct dir_node *f, struct buf *path)
{
	static const struct stamp unsure;
	size_t len = path->len;

	if (!f->listed)
		return;
	if (f->settled) {
		folders_add(out, buf_str(path), &f->stamp, (uint32_t)f->n);
		for (size_t i = 0; i < f->n; i++)
			folders_entry_add(out, f->below[i].name, f->below[i].kind,
					  f->below[i].settled ? &f->below[i].stamp : &unsure);
	}
	for (size_t i = 0; i < f->n; i++) {
		if (f->below[i].kind != TREE_DIR)
			continue;
		if (len)
			buf_addch(path, '/');
		buf_adds(path, f->below[i].name);
		add_listings(out, &f->below[i], path);
		path->len = len;
		path->data[len] = '\0';
	}
}

bool dir_at_or_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	return !n || (strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/'));
}

void tree_dir_folders(const struct tree *t, struct buf *out)
{
	const struct tree_dir *d = (const struct tree_dir *)t;
	const struct folders none = { NULL, 0 }, *was = d->look.before ? d->look.before : &none;
	struct buf path = BUF_INIT;
	size_t i = 0;

	if (!d->first)
		return;
	/* what was not looked at stays as it was known */
	for (; i < was->n && folders_compare(was->v[i].path, d->look.within) < 0; i++)
		folders_copy(out, &was->v[i]);
	buf_adds(&path, d->look.within);
	add_listings(out, d->first, &path);
	for (; i < was->n; i++)
		if (!dir_at_or_below(was->v[i].path, d->look.within))
			folders_copy(out, &was->v[i]);
	buf_clear(&path);
}
