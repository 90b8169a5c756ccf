/*
 * tree_dir – a plain folder as a snapshot, for `penstock check` and for tests.
 *
 * Every access starts at the folder's own descriptor and never follows a link on the way, so a
 * link to /etc inside a project stays a link. Nothing is hashed: oids are empty, unless
 * tree_dir_scan() gave names.
 */
#include "config.h"

#include "common/tree/tree_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the disk ---- */

/* With O_PATH the last part may be a link: the descriptor then names the link itself. */
int dir_open_below(int topfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOFOLLOW),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve,
	};

	return (int)syscall(SYS_openat2, topfd, *path ? path : ".", &how, sizeof(how));
}

/* Not readdir(), which asks the system twice more for each folder. */
bool dir_names_read(struct dir_names *out, int fd)
{
	_Alignas(struct dirent64) char room[32768];
	ssize_t got;

	while ((got = getdents64(fd, room, sizeof(room))) > 0)
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *de = (const void *)(room + at);

			at += de->d_reclen;
			if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 ||
			    strcmp(de->d_name, ".git") == 0)
				continue;
			buf_addch(&out->b, (char)de->d_type);
			buf_add(&out->b, de->d_name, strlen(de->d_name) + 1);
			out->n++;
		}
	return got == 0;
}

bool dir_node_kind(struct dir_node *n, const struct stat *st)
{
	if (S_ISDIR(st->st_mode))
		n->kind = TREE_DIR;
	else if (S_ISLNK(st->st_mode))
		n->kind = TREE_LINK;
	else if (S_ISREG(st->st_mode))
		n->kind = st->st_mode & S_IXUSR ? TREE_EXEC : TREE_FILE;
	else
		return false;
	stamp_of(&n->stamp, st);
	return true;
}

/* ---- nodes ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct dir_node *)a)->name, ((const struct dir_node *)b)->name);
}

void dir_node_sort(struct dir_node *folder)
{
	if (folder->n > 1)
		qsort(folder->below, folder->n, sizeof(*folder->below), by_name);
}

void dir_node_clear(struct dir_node *n)
{
	for (size_t i = 0; i < n->n; i++)
		dir_node_clear(&n->below[i]);
	free(n->below);
	free(n->names);
	free(n->bytes);
}

void dir_node_forget(struct dir_node *folder)
{
	dir_node_clear(folder);
	folder->below = NULL;
	folder->names = folder->bytes = NULL;
	folder->n = 0;
	folder->listed = false;
}

/* Takes names over. False with errno: one cannot be looked at. */
static bool fill(struct tree_dir *d, struct dir_node *folder, struct dir_names *names, int fd)
{
	const char *at;
	bool ok = true;

	folder->below = xcalloc(names->n + 1, sizeof(*folder->below));
	folder->names = buf_steal(&names->b);
	at = folder->names;
	for (size_t i = 0; i < names->n && ok; i++, at += strlen(at) + 1) {
		struct dir_node *n = &folder->below[folder->n];
		struct stat st;

		n->name = ++at;
		d->counts.stats++;
		if (fstatat(fd, n->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			ok = errno == ENOENT;	/* gone since it was listed */
		else
			folder->n += dir_node_kind(n, &st);
	}
	folder->listed = ok;
	if (ok)
		dir_node_sort(folder);
	return ok;
}

static int list_node(struct tree_dir *d, struct dir_node *folder, const char *path,
		     struct ps_err *err)
{
	struct dir_names names = { BUF_INIT, 0 };
	int fd, rc = 0;

	if (folder->listed)
		return 0;
	d->counts.listed++;
	fd = dir_open_below(d->fd, path, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))	/* it was a folder a moment ago */
		rc = ps_err_set(err, PS_ENOENT, "'%s' is not a folder", path);
	else if (fd < 0 || !dir_names_read(&names, fd))
		rc = ps_err_errno(err, "cannot list '%s'", path);
	else if (names.n > TREE_ENTRIES_MAX)
		rc = ps_err_set(err, PS_ELIMIT, "'%s' has more than %d entries", path,
				TREE_ENTRIES_MAX);
	else if (!fill(d, folder, &names, fd))
		rc = ps_err_errno(err, "cannot look at what is in '%s'", path);
	if (rc < 0)
		dir_node_forget(folder);
	buf_clear(&names.b);
	if (fd >= 0)
		close(fd);
	return rc;
}

int dir_node_find(struct tree_dir *d, const char *path, struct dir_node **out, struct ps_err *err)
{
	struct dir_node *at = &d->top;
	const char *from = path;
	char *part = xstrdup(path);
	int rc = 0;

	while (*from && at && rc == 0) {
		size_t n = strcspn(from, "/");
		struct dir_node want;

		/* the path up to here is the folder's, the part behind it the name in it */
		memcpy(part, path, (size_t)(from - path));
		part[from > path ? from - path - 1 : 0] = '\0';
		rc = at->kind == TREE_DIR ? list_node(d, at, part, err) : 0;
		memcpy(part, from, n);
		part[n] = '\0';
		want.name = part;
		at = rc == 0 && at->kind == TREE_DIR && at->n ?
			bsearch(&want, at->below, at->n, sizeof(want), by_name) : NULL;
		from += n + (from[n] == '/');
	}
	free(part);
	*out = rc == 0 ? at : NULL;
	return rc;
}

static void name_of(const struct tree_dir *d, const struct dir_node *n, char oid[TREE_OID])
{
	static const char digits[] = "0123456789abcdef";

	*oid = '\0';
	if (!d->named)
		return;
	if (!n->sure) {
		memcpy(oid, TREE_OID_UNKNOWN, sizeof(TREE_OID_UNKNOWN));
	} else if (n->kind != TREE_DIR) {
		stamp_hex(oid, &n->stamp);
	} else {
		for (size_t i = 0; i < sizeof(n->digest); i++) {
			oid[2 * i] = digits[n->digest[i] >> 4];
			oid[2 * i + 1] = digits[n->digest[i] & 15];
		}
		oid[2 * sizeof(n->digest)] = '\0';
	}
}

/* ---- the interface ---- */

static int dir_stat(struct tree *t, const char *path, struct tree_entry *out, struct ps_err *err)
{
	struct tree_dir *d = (struct tree_dir *)t;
	struct dir_node *n;
	int rc = dir_node_find(d, path, &n, err);

	if (rc < 0 && rc != PS_ENOENT)
		return rc;
	if (!n)
		return PS_ENOENT;
	out->kind = n->kind;
	name_of(d, n, out->oid);
	return 0;
}

static int dir_list(struct tree *t, const char *path, struct tree_list *out, struct ps_err *err)
{
	struct tree_dir *d = (struct tree_dir *)t;
	struct dir_node *folder;
	size_t cap = 0;
	int rc = dir_node_find(d, path, &folder, err);

	if (rc == 0 && !folder)
		return ps_err_set(err, PS_ENOENT, "cannot list '%s': there is none", path);
	if (rc == 0 && folder->kind != TREE_DIR)
		return ps_err_set(err, PS_ENOENT, "'%s' is not a folder", path);
	if (rc == 0)
		rc = list_node(d, folder, path, err);
	for (size_t i = 0; rc == 0 && i < folder->n; i++) {
		const struct dir_node *n = &folder->below[i];

		name_of(d, n, tree_list_add(out, &cap, n->name, n->kind)->oid);
	}
	return rc;
}

static int read_link(const struct tree_dir *d, const char *path, size_t max, struct buf *out,
		     struct ps_err *err)
{
	int fd = dir_open_below(d->fd, path, O_PATH, 0);
	char target[4096];
	ssize_t n = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target));
	int rc = 0;

	if (n < 0)
		rc = ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	else if ((size_t)n > max)
		rc = ps_err_set(err, PS_ELIMIT, "link '%s' is too long", path);
	else
		buf_add(out, target, (size_t)n);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* As many bytes as the file has: it does not change while we look. */
static int read_file(int fd, const char *path, size_t max, struct buf *out, struct ps_err *err)
{
	struct stat st;
	size_t got = 0, size;

	if (fstat(fd, &st) < 0)
		return ps_err_errno(err, "cannot look at '%s'", path);
	if (!S_ISREG(st.st_mode))
		return ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	if ((uint64_t)st.st_size > max)
		return ps_err_set(err, PS_ELIMIT, "'%s': larger than %zu bytes", path, max);
	size = (size_t)st.st_size;
	while (got < size) {
		ssize_t n = read(fd, buf_room(out, size - got), size - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? ps_err_errno(err, "cannot read '%s'", path) :
				ps_err_set(err, PS_EIO, "'%s' got shorter while it was read", path);
		buf_grew(out, (size_t)n);
		got += (size_t)n;
	}
	return 0;
}

static int open_and_read(struct tree_dir *d, const char *path, size_t max, struct buf *out,
			 struct ps_err *err)
{
	int fd = dir_open_below(d->fd, path, O_RDONLY | O_NONBLOCK, 0), rc;

	d->counts.opened++;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EXDEV || errno == ENXIO ||
		       errno == ELOOP))
		return ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	if (fd < 0)
		return ps_err_errno(err, "cannot read '%s'", path);
	rc = read_file(fd, path, max, out, err);
	close(fd);
	return rc;
}

static int dir_read(struct tree *t, const char *path, size_t max, struct buf *out,
		    struct ps_err *err)
{
	struct tree_dir *d = (struct tree_dir *)t;
	struct dir_node *n;
	int rc = dir_node_find(d, path, &n, err);

	if (rc < 0)
		return rc;
	if (!n || n->kind == TREE_DIR)
		return ps_err_set(err, PS_ENOENT, "'%s' is not a file", path);
	if (n->kind == TREE_LINK)
		return read_link(d, path, max, out, err);
	if (!n->bytes)
		return open_and_read(d, path, max, out, err);
	if (n->stamp.size > max)
		return ps_err_set(err, PS_ELIMIT, "'%s': larger than %zu bytes", path, max);
	buf_add(out, n->bytes, (size_t)n->stamp.size);
	return 0;
}

static void dir_close(struct tree *t)
{
	struct tree_dir *d = (struct tree_dir *)t;

	dir_node_clear(&d->top);
	free(d->same);
	close(d->fd);
	free(d);
}

static const struct tree_ops dir_ops = {
	.list = dir_list, .stat = dir_stat, .read = dir_read, .close = dir_close,
};

int tree_dir_open(struct tree **out, const char *dir, struct ps_err *err)
{
	struct tree_dir *d;
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ps_err_errno(err, "cannot open folder '%s'", dir);
	d = xcalloc(1, sizeof(*d));
	d->base.ops = &dir_ops;
	d->fd = fd;
	d->top = (struct dir_node) { .name = "", .kind = TREE_DIR };
	*out = &d->base;
	return 0;
}

struct tree_dir_counts tree_dir_counts(const struct tree *t)
{
	return ((const struct tree_dir *)t)->counts;
}
