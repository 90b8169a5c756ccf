/* seal – see seal.h. */
#include "config.h"

#include "agent/store/seal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/store/sql.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum { FILE_MAX = 4096 };

/* Where a file stays itself: which inode, born when. All zeros: the file system does not say so for
 * certain, then a copied folder is not noticed. */
struct place { uint64_t ino; int64_t sec; uint32_t nsec; };

struct mark { char uid[33]; int64_t sequence; struct place place; };

/* Others number their inodes anew at each mount. */
static bool keeps_inodes(int fd)
{
	static const unsigned long types[] = {
		0xef53, 0x58465342, 0x9123683e, 0x01021994, 0xf2f52010, 0x2fc12fc1,
	};	/* ext, xfs, btrfs, tmpfs, f2fs, zfs */
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < PS_NELEM(types); i++)
		if ((unsigned long)fs.f_type == types[i])
			return true;
	return false;
}

static struct place place_of(int fd)
{
	struct statx sx;

	if (!keeps_inodes(fd) || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &sx) < 0)
		return (struct place) { 0, 0, 0 };
	if (!(sx.stx_mask & STATX_BTIME))
		return (struct place) { sx.stx_ino, 0, 0 };
	return (struct place) { sx.stx_ino, sx.stx_btime.tv_sec, sx.stx_btime.tv_nsec };
}

/* PS_ENOENT: there is none; PS_EINVAL: it is none of ours. */
static int read_mark(struct mark *m, struct place *is, const char *file, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc;

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", file);
	*is = place_of(fd);
	rc = fs_read_fd(&b, fd, FILE_MAX, err);
	if (rc == 0 && sscanf(buf_str(&b), "penstock 1\nstore %32s\nsequence %" SCNd64 "\nplace %" SCNu64
			      " %" SCNd64 " %" SCNu32, m->uid, &m->sequence, &m->place.ino, &m->place.sec,
			      &m->place.nsec) != 5)
		rc = ps_err_set(err, PS_EINVAL, "'%s' is not what penstock writes there", file);
	close(fd);
	buf_clear(&b);
	return rc;
}

static int write_fd(const struct seal *s, int dfd, int fd, const char *tmp, const char *name, struct ps_err *err)
{
	struct place p = place_of(fd);
	char *text = xasprintf("penstock 1\nstore %s\nsequence %" PRId64 "\nplace %" PRIu64 " %" PRId64 " %" PRIu32 "\n",
			       s->uid, s->sequence, p.ino, p.sec, p.nsec);
	int rc = FAIL_AT("seal.write") ? ps_err_errno(err, "cannot write '%s'", s->file) :
					 fs_write_all(fd, text, strlen(text), err);

	if (rc == 0)
		rc = fs_publish(dfd, tmp, name, fd, err);
	free(text);
	return rc;
}

static int write_mark(const struct seal *s, struct ps_err *err)
{
	char tmp[64], *dir = xstrdup(s->file), *name = strrchr(dir, '/');
	int dfd, fd = -1, rc = 0;

	*name++ = '\0';
	fs_tmp_name(tmp, sizeof(tmp));
	dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dfd >= 0)
		fd = openat(dfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		rc = ps_err_errno(err, "cannot make a file beside '%s'", s->file);
	else if ((rc = write_fd(s, dfd, fd, tmp, name, err)) < 0)
		unlinkat(dfd, tmp, 0);		/* may be renamed already: then there is none */
	if (fd >= 0)
		close(fd);
	if (dfd >= 0)
		close(dfd);
	free(dir);
	return rc;
}

/* A row of meta: 1 and its text, 0 none. */
static int meta(struct store_tx *tx, const char *name, char *out, size_t size, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT value FROM meta WHERE name = ?", "t", name);
	int rc = sql_next(tx, q, err);

	snprintf(out, size, "%s", rc > 0 ? sql_text(q, 0) : "");
	sql_done(q);
	return rc;
}

static char *compare(const struct seal *s, const struct mark *m, const struct place *is)
{
	bool elsewhere = is->ino && m->place.ino && (is->ino != m->place.ino || is->sec != m->place.sec ||
						     is->nsec != m->place.nsec);

	if (!s->sequence)
		return xasprintf("store.db was made anew, or is from before this instance was brought up to date");
	if (strcmp(s->uid, m->uid) != 0)
		return xasprintf("store.db is of another instance");
	if (m->sequence > s->sequence)
		return xasprintf("store.db is older than what the agent wrote last: somebody put a copy back");
	return elsewhere ? xasprintf("the state folder is a copy") : NULL;
}

/*
 * A store without a seal gets its file first, with sequence 0: "the first seal is about to be set".
 * Killed between the two, neither says that the other is missing.
 */
int seal_open(struct seal *s, struct store_tx *tx, const char *file, char **why, struct ps_err *err)
{
	char text[64];
	struct mark m = { "", 0, { 0, 0, 0 } };
	struct place is = { 0, 0, 0 };
	struct ps_err none = { 0 };
	int sealed = meta(tx, "sequence", text, sizeof(text), err), rc;

	if (sealed < 0)
		return sealed;
	s->sequence = strtoll(text, NULL, 10);
	rc = meta(tx, "store", s->uid, sizeof(s->uid), err);
	if (rc < 0)
		return rc;
	if (!*s->uid)
		random_hex(s->uid, 16);
	s->file = xstrdup(file);
	s->dirty = true;
	rc = read_mark(&m, &is, file, &none);
	if (rc == PS_EIO)			/* nobody can say: better not to start */
		return ps_err_set(err, rc, "%s", none.msg);
	if (sealed && rc < 0)
		*why = xasprintf("the file 'boot' beside store.db is %s, which tells whether the store is the newest",
				 rc == PS_ENOENT ? "gone" : "damaged");
	else if (sealed || (rc == 0 && m.sequence))
		*why = compare(s, &m, &is);
	else if (write_mark(s, &none) < 0)
		log_warn("store", NULL, "%s", none.msg);
	if (m.sequence > s->sequence)
		s->sequence = m.sequence;
	return 0;
}

void seal_close(struct seal *s)
{
	PS_FREE(s->file);
}

int64_t seal_due(const struct seal *s)
{
	int64_t ms = SEAL_EVERY_MS - (clock_boot_ns() - s->raised_ns) / 1000000;

	if (!s->file || !s->dirty)
		return -1;
	return s->raised_ns && ms > 0 ? ms : 0;
}

int seal_raise(struct seal *s, struct store_tx *tx, struct ps_err *err)
{
	static const char sql[] = "INSERT INTO meta (name, value) VALUES (?, ?)"
				  " ON CONFLICT (name) DO UPDATE SET value = excluded.value";
	char text[32];
	int rc;

	snprintf(text, sizeof(text), "%" PRId64, s->sequence + 1);
	rc = sql_run(tx, err, sql, "tt", "sequence", text);
	if (rc >= 0)
		rc = sql_run(tx, err, sql, "tt", "store", s->uid);
	return rc < 0 ? rc : 0;
}

void seal_failed(struct seal *s)
{
	s->raised_ns = clock_boot_ns();
}

void seal_write(struct seal *s)
{
	struct ps_err err = { 0 };

	s->sequence++;
	s->dirty = false;
	s->raised_ns = clock_boot_ns();
	if (write_mark(s, &err) < 0)
		log_warn("store", NULL, "a copy of the store that is put back may not be noticed: %s", err.msg);
}
