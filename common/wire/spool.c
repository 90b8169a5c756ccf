/* spool, the reading side: for core. Nothing here trusts a file before it was looked at through its
 * own descriptor. See spool.h. */
#include "config.h"

#include "common/wire/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/wire/frame.h"

struct taker {
	int dirfd;
	const char *dir;
	struct spool_batch *out;
	size_t cap, bytes;
	spool_check_fn *check;
	void *arg;
};

static void set_aside(struct taker *t, const char *name, const char *why)
{
	char *to = xasprintf("aside/%s", name), *note = xasprintf("aside/%s.why", name);
	struct ps_err err;

	log_warn("spool", name, "set aside: %s", why);
	if (mkdirat(t->dirfd, "aside", 0700) < 0 && errno != EEXIST)
		log_error("spool", name, "cannot make '%s/aside': %s", t->dir, strerror(errno));
	else if (renameat(t->dirfd, name, t->dirfd, to) < 0)
		log_error("spool", name, "cannot be set aside: %s", strerror(errno));
	else if (fs_write_file(t->dirfd, note, why, strlen(why), 0600, &err) < 0)
		log_error("spool", name, "%s", err.msg);
	free(to);
	free(note);
}

/* The bytes of one plain file of the right size; why is set when it must be set aside. */
static int read_entry(struct taker *t, struct spool_entry *e, struct buf *bytes, struct ps_err *err)
{
	int fd = openat(t->dirfd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
			O_CLOEXEC);
	struct stat st;
	int rc = 0;

	if (fd < 0)
		return ps_err_errno(err, "cannot open it");
	if (fstat(fd, &st) < 0)
		rc = ps_err_errno(err, "cannot look at it");
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		rc = ps_err_set(err, PS_EPERM, "not a plain file with one name");
	else if (st.st_size > MSG_HOOK_MAX)
		rc = ps_err_set(err, PS_ELIMIT, "%lld bytes, at most %d are allowed",
				(long long)st.st_size, MSG_HOOK_MAX);
	if (rc == 0)
		rc = fs_read_fd(bytes, fd, MSG_HOOK_MAX, err);
	close(fd);
	e->uid = st.st_uid;
	e->mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	return rc;
}

static int decode(struct spool_entry *e, const struct buf *bytes, struct ps_err *err)
{
	size_t len = 0;
	int rc = frame_peek(bytes->data, bytes->len, MSG_HOOK_MAX, &len, err);

	if (rc < 0)
		return rc;
	if (rc == 0 || bytes->len != len + 4)
		return ps_err_set(err, PS_EPROTO, "torn: not one whole message");
	rc = msg_decode(&e->msg, bytes->data + 4, len, err);
	if (rc == 0 && e->msg.type != MSG_intent && e->msg.type != MSG_report) {
		rc = ps_err_set(err, PS_EPROTO, "'%s' is no message of a hook", e->msg.name);
		msg_clear(&e->msg);
	}
	return rc;
}

static void take_one(struct taker *t, const char *name)
{
	struct spool_entry e = { .uid = 0 };
	struct buf bytes = BUF_INIT;
	struct ps_err err = { 0 };
	const char *why = NULL;
	int rc;

	snprintf(e.name, sizeof(e.name), "%s", name);
	rc = read_entry(t, &e, &bytes, &err);
	if (rc == 0)
		rc = decode(&e, &bytes, &err);
	if (rc == 0 && t->check) {
		why = t->check(&e.msg, e.uid, t->arg);
		if (why)
			msg_clear(&e.msg);
	}
	if (rc == PS_ENOENT) {
		/* retired a moment ago */
	} else if (rc < 0 || why) {
		set_aside(t, name, why ? why : err.msg);
	} else {
		t->out->v = xgrow(t->out->v, t->out->n, &t->cap, sizeof(e));
		t->out->v[t->out->n++] = e;
		t->bytes += bytes.len;
	}
	buf_clear(&bytes);
}

/* What a killed hook left half written; never while one may still be writing. */
static void drop_old_tmp(struct taker *t, const char *name)
{
	struct stat st;

	if (fstatat(t->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
	    time(NULL) - st.st_mtime > SPOOL_TMP_AGE_S && unlinkat(t->dirfd, name, 0) == 0)
		log_info("spool", name, "unfinished and too old to be written still: removed");
}

static const char *boot_of(const struct spool_entry *e)
{
	return e->msg.type == MSG_intent ? e->msg.u.intent.boot : e->msg.u.report.boot;
}

static uint64_t stamp_of(const struct spool_entry *e)
{
	return e->msg.type == MSG_intent ? e->msg.u.intent.stamp : e->msg.u.report.stamp;
}

static int compare(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_stamp(const void *pa, const void *pb)
{
	const struct spool_entry *a = pa, *b = pb;
	bool a_now = strcmp(boot_of(a), clock_boot_id()) == 0,
		b_now = strcmp(boot_of(b), clock_boot_id()) == 0;
	int c = compare(a_now, b_now);

	if (c == 0 && !a_now)		/* mtime was made the same for all of one old boot */
		c = compare(a->mtime_ms, b->mtime_ms);
	if (c == 0 && !a_now)
		c = strcmp(boot_of(a), boot_of(b));
	if (c == 0)
		c = stamp_of(a) < stamp_of(b) ? -1 : stamp_of(a) > stamp_of(b);
	return c ? c : compare(a->msg.type, b->msg.type);
}

/* Stamps of different boots cannot be compared: older boots are ordered by their first file. */
static void sort(struct spool_batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		if (strcmp(boot_of(&b->v[i]), clock_boot_id()) == 0)
			continue;
		for (size_t k = 0; k < b->n; k++)
			if (b->v[k].mtime_ms < b->v[i].mtime_ms &&
			    strcmp(boot_of(&b->v[i]), boot_of(&b->v[k])) == 0)
				b->v[i].mtime_ms = b->v[k].mtime_ms;
	}
	if (b->n)
		qsort(b->v, b->n, sizeof(*b->v), by_stamp);
}

int spool_take(struct spool_batch *out, const char *dir, spool_check_fn *check, void *arg,
	       struct ps_err *err)
{
	struct taker t = { .dir = dir, .out = out, .check = check, .arg = arg };
	struct dirent *d;
	DIR *list = opendir(dir);

	*out = (struct spool_batch) { .v = NULL };
	if (!list)
		return ps_err_errno(err, "cannot list the spool '%s'", dir);
	t.dirfd = dirfd(list);
	while ((d = readdir(list))) {
		if (ps_starts(d->d_name, ".tmp-")) {
			drop_old_tmp(&t, d->d_name);
			continue;
		}
		if (d->d_name[0] == '.' || strcmp(d->d_name, "aside") == 0)
			continue;
		if (!ps_ends(d->d_name, ".msg") || strlen(d->d_name) >= sizeof(out->v->name)) {
			set_aside(&t, d->d_name, "not a name that hooks give");
			continue;
		}
		if (out->n >= SPOOL_TAKE_MAX || t.bytes >= SPOOL_TAKE_BYTES) {
			out->more = true;
			break;
		}
		take_one(&t, d->d_name);
	}
	closedir(list);
	sort(out);
	return 0;
}

void spool_batch_clear(struct spool_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		msg_clear(&b->v[i].msg);
	PS_FREE(b->v);
	b->n = 0;
}

int spool_retire(const char *dir, const char *name, struct ps_err *err)
{
	char *path = fs_join(dir, name);
	int rc = 0;

	if (FAIL_AT("spool.retire") || (unlink(path) < 0 && errno != ENOENT))
		rc = ps_err_errno(err, "cannot remove '%s' from the spool", path);
	free(path);
	return rc;
}
