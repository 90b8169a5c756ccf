/* remembered – see remembered.h. The file: a head, listings, index sorted by key, values. */
#include "config.h"

#include "common/gate/remembered.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fsutil.h"

enum {
	FILE_MAX = 256 << 20,
	FORMAT = 3,			/* goes up when the bytes mean something else */
	SPARE = 1 << 20,		/* bytes of values that are never too many */
	TIMES = 4,			/* as many bytes as when all of it was new */
};

struct head {
	uint64_t sum;			/* of all that is behind it */
	char program[STAMP_HEX];
	char top[TREE_OID];		/* the work tree's with these listings, or "" */
	unsigned char format;
	uint64_t folders, nvalues;	/* bytes; rows of the index */
	uint64_t whole;			/* bytes of values when none was old */
};

struct row { struct memo_key key; uint64_t at, len; };	/* at: from the first value on */

struct remembered {
	char *gitdir, *dir;		/* dir: the folder of ours in it */
	char program[STAMP_HEX];	/* "": it cannot be told from others, so nothing is kept */
	struct buf bytes;		/* the file's */
	struct head head;
	struct folders folders;
	const struct row *rows;
	const char *values;
	size_t values_len;
};

static const char NAME[] = "checked";

/* The program is a file as any other: its stamp tells whether it is the same. */
static void know_program(char stamp[STAMP_HEX])
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stamp s;
	struct stat st;

	*stamp = '\0';
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && stamp_is_reliable(fd)) {
		stamp_of(&s, &st);
		if (stamp_is_settled(&s, stamp_now()))
			stamp_hex(stamp, &s);
	}
	close(fd);
}

/* ---- reading ---- */

static bool read_own(struct buf *out, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
		st.st_uid == geteuid() && st.st_size <= FILE_MAX;

	if (ok) {
		buf_room(out, (size_t)st.st_size + 65536);	/* once, and not by doubling */
		ok = fs_read_fd(out, fd, FILE_MAX, NULL) == 0;
	}
	if (fd >= 0)
		close(fd);
	return ok;
}

static size_t rows_at(const struct head *h)
{
	size_t at = sizeof(*h) + h->folders;

	return at + -at % _Alignof(struct row);
}

/* Eight bytes at a time, in four sums that do not wait for each other. */
uint64_t remembered_sum(const char *p, size_t n)
{
	const uint64_t prime = UINT64_C(0x100000001b3);		/* as in FNV-1a */
	uint64_t sum[4] = { n, 1, 2, 3 }, word;

	for (size_t i = 0; n; i = (i + 1) % PS_NELEM(sum)) {
		size_t take = n < sizeof(word) ? n : sizeof(word);

		word = 0;
		memcpy(&word, p, take);
		sum[i] = (sum[i] ^ word) * prime;
		sum[i] ^= sum[i] >> 32;
		p += take;
		n -= take;
	}
	return ((sum[0] * prime ^ sum[1]) * prime ^ sum[2]) * prime ^ sum[3];
}

static bool is_whole(const struct remembered *r)
{
	if (r->bytes.len < sizeof(r->head) || r->head.format != FORMAT || !*r->program ||
	    memcmp(r->head.program, r->program, sizeof(r->program)) != 0)
		return false;
	return remembered_sum(r->bytes.data + sizeof(uint64_t), r->bytes.len - sizeof(uint64_t)) ==
		       r->head.sum &&
		memchr(r->head.top, '\0', sizeof(r->head.top)) &&
		r->head.folders < r->bytes.len && rows_at(&r->head) <= r->bytes.len &&
		r->head.nvalues <= (r->bytes.len - rows_at(&r->head)) / sizeof(struct row);
}

static void take(struct remembered *r)
{
	const char *bytes = r->bytes.data;

	if (!folders_open(&r->folders, bytes + sizeof(r->head), r->head.folders))
		folders_clear(&r->folders);
	r->rows = (const void *)(bytes + rows_at(&r->head));
	r->values = (const char *)(r->rows + r->head.nvalues);
	r->values_len = (size_t)(bytes + r->bytes.len - r->values);
}

struct remembered *remembered_open(const char *gitdir)
{
	struct remembered *r = xcalloc(1, sizeof(*r));
	char *path;

	r->gitdir = xstrdup(gitdir);
	r->dir = fs_join(gitdir, "penstock");
	path = fs_join(r->dir, NAME);
	know_program(r->program);
	if (read_own(&r->bytes, path) && r->bytes.len >= sizeof(r->head))
		memcpy(&r->head, r->bytes.data, sizeof(r->head));
	if (is_whole(r))
		take(r);
	else
		r->head = (struct head) { .format = FORMAT };
	free(path);
	return r;
}

static int by_key(const void *key, const void *row)
{
	return memcmp(key, row, sizeof(struct memo_key));
}

static const struct row *row_of(const struct remembered *r, const struct memo_key *k)
{
	const struct row *row = r->head.nvalues ?
		bsearch(k, r->rows, r->head.nvalues, sizeof(*r->rows), by_key) : NULL;

	return row && row->at <= r->values_len && row->len <= r->values_len - row->at ? row :
		NULL;
}

static bool fetch(void *arg, const struct memo_key *k, struct buf *out)
{
	const struct remembered *r = arg;
	const struct row *row = row_of(r, k);

	if (row)
		buf_add(out, r->values + row->at, row->len);
	return row != NULL;
}

struct memo *remembered_memo(struct remembered *r)
{
	return memo_new(r->program, &(struct memo_behind) { fetch, r });
}

const struct folders *remembered_folders(const struct remembered *r)
{
	return &r->folders;
}

const char *remembered_top(const struct remembered *r)
{
	return r->head.top;
}

/* ---- writing ---- */

struct draft { struct row *rows; size_t n, cap; struct buf values; };

static void add(void *arg, const struct memo_key *k, const struct buf *value)
{
	struct draft *d = arg;

	d->rows = xgrow(d->rows, d->n, &d->cap, sizeof(*d->rows));
	d->rows[d->n++] = (struct row) { *k, d->values.len, value->len };
	buf_add(&d->values, buf_str(value), value->len);
}

static int by_row(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct memo_key));
}

/* Old values stay, unless there is a new one or they have become too many. */
static void add_old(const struct remembered *r, struct draft *d, uint64_t *whole)
{
	size_t fresh = d->n;

	if (!r->head.nvalues || d->values.len + r->values_len > *whole * TIMES + SPARE) {
		*whole = d->values.len;
		return;
	}
	for (size_t i = 0; i < r->head.nvalues; i++) {
		const struct row *row = row_of(r, &r->rows[i].key);
		struct row *to;

		if (!row || (fresh && bsearch(&row->key, d->rows, fresh, sizeof(*d->rows), by_row)))
			continue;
		d->rows = xgrow(d->rows, d->n, &d->cap, sizeof(*d->rows));
		to = &d->rows[d->n++];
		*to = (struct row) { row->key, d->values.len, row->len };
		buf_add(&d->values, r->values + row->at, row->len);
	}
	qsort(d->rows, d->n, sizeof(*d->rows), by_row);
}

static void assemble(const struct remembered *r, struct draft *d, const char *folders, size_t n,
		     const char *top, struct buf *out)
{
	struct head h;
	uint64_t sum;

	memset(&h, 0, sizeof(h));
	h = (struct head) { .format = FORMAT, .folders = n, .whole = r->head.whole };
	memcpy(h.program, r->program, sizeof(h.program));
	memcpy(h.top, top, strlen(top) + 1);
	if (d->n)
		qsort(d->rows, d->n, sizeof(*d->rows), by_row);
	add_old(r, d, &h.whole);
	h.nvalues = d->n;
	buf_add(out, &h, sizeof(h));
	buf_add(out, folders, n);
	buf_add(out, (char[_Alignof(struct row)]) { 0 }, rows_at(&h) - out->len);
	buf_add(out, d->rows, d->n * sizeof(*d->rows));
	buf_add(out, buf_str(&d->values), d->values.len);
	sum = remembered_sum(out->data + sizeof(sum), out->len - sizeof(sum));
	memcpy(out->data, &sum, sizeof(sum));
}

/* Not synced: what is not whole after a crash is not believed. */
static int write_beside(int dirfd, const struct buf *bytes, struct ps_err *err)
{
	char tmp[64];
	int fd, rc;

	fs_tmp_name(tmp, sizeof(tmp));
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return ps_err_errno(err, "cannot write '%s'", tmp);
	rc = fs_write_all(fd, bytes->data, bytes->len, err);
	close(fd);
	if (rc == 0 && renameat(dirfd, tmp, dirfd, NAME) < 0)
		rc = ps_err_errno(err, "cannot rename '%s'", tmp);
	if (rc < 0)
		unlinkat(dirfd, tmp, 0);
	return rc;
}

static int write_file(const struct remembered *r, const struct buf *bytes, struct ps_err *err)
{
	int dirfd, rc;
	struct stat st;

	if (mkdir(r->dir, 0700) < 0 && errno != EEXIST)
		return ps_err_errno(err, "cannot make '%s'", r->dir);
	dirfd = open(r->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dirfd < 0 || fstat(dirfd, &st) < 0)
		rc = ps_err_errno(err, "cannot open '%s'", r->dir);
	else if (st.st_uid != geteuid())
		rc = ps_err_set(err, PS_EPERM, "'%s' is another user's", r->dir);
	else
		rc = fs_sweep_dead(r->dir, err);	/* of checks that were killed */
	if (rc == 0)
		rc = write_beside(dirfd, bytes, err);
	if (dirfd >= 0)
		close(dirfd);
	return rc;
}

/* In another user's clone we leave nothing behind that he could not remove. */
static bool is_ours(const struct remembered *r)
{
	struct stat st;

	return stat(r->gitdir, &st) == 0 && st.st_uid == geteuid();
}

int remembered_keep(struct remembered *r, struct memo *m, const struct buf *folders,
		    const char *top, struct ps_err *err)
{
	const char *was = r->bytes.data + sizeof(r->head),
		*now = folders->len ? buf_str(folders) : was;
	size_t n = folders->len ? folders->len : r->head.folders;
	bool same = n == r->head.folders && (!n || memcmp(now, was, n) == 0);
	struct draft d = { .n = 0 };
	struct buf bytes = BUF_INIT;
	int rc = 0;

	if (!*r->program)
		return ps_err_set(err, PS_EPERM, "the program's own file may still change");
	if (!is_ours(r))
		return ps_err_set(err, PS_EPERM, "the repository is another user's");
	if (same && !*top)
		top = r->head.top;
	memo_take_new(m, add, &d);
	if (d.n || !same || strcmp(top, r->head.top) != 0) {
		assemble(r, &d, now, n, top, &bytes);
		rc = bytes.len > FILE_MAX ?
			ps_err_set(err, PS_ELIMIT, "more than %d bytes", FILE_MAX) :
			write_file(r, &bytes, err);
	}
	buf_clear(&bytes);
	buf_clear(&d.values);
	free(d.rows);
	return rc;
}

void remembered_close(struct remembered *r)
{
	if (!r)
		return;
	folders_clear(&r->folders);
	buf_clear(&r->bytes);
	free(r->dir);
	free(r->gitdir);
	free(r);
}
