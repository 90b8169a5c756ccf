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
	struct owner { uint32_t uid; size_t n, bytes; } *owners;
	size_t nowners, ownercap;
	spool_check_fn *check;
	void *arg;
};

static void set_aside(struct taker *t, const char *name, const char *why)
{
	char *to = xasprintf("aside/%s", name), *note = xasprintf("aside/%s.why", name);
	struct ps_err err;

	log_warn("spool", name, "set aside: %s", why);
	t->out->aside++;
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
	else if (!S_ISREG(st.st_mode))
		rc = ps_err_set(err, PS_EPERM, "not a plain file");
	else if (st.st_nlink != 1)
		rc = ps_err_set(err, PS_EPERM, "it has %lu names: one is a hook's",
				(unsigned long)st.st_nlink);
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

/* ---- what is there ---- */

struct name { char *name; uint32_t uid; size_t size; int64_t mtime_ns; };

struct names { struct name *v; size_t n, cap; };

static int by_age(const void *pa, const void *pb)
{
	const struct name *a = pa, *b = pb;
	int c = compare(a->mtime_ns, b->mtime_ns);

	return c ? c : strcmp(a->name, b->name);
}

/* The owner's share with one more; a reason when that is too much. */
static const char *over_share(struct taker *t, const struct name *name, char why[128])
{
	size_t i = 0;

	while (i < t->nowners && t->owners[i].uid != name->uid)
		i++;
	if (i == t->nowners) {
		t->owners = xgrow(t->owners, t->nowners, &t->ownercap, sizeof(*t->owners));
		t->owners[t->nowners++] = (struct owner) { .uid = name->uid };
	}
	if (t->owners[i].n >= SPOOL_OWNER_MAX ||
	    t->owners[i].bytes + name->size > SPOOL_OWNER_BYTES) {
		snprintf(why, 128, "user %u has more than %d entries or %d MB waiting", name->uid,
			 SPOOL_OWNER_MAX, SPOOL_OWNER_BYTES >> 20);
		return why;
	}
	t->owners[i].n++;
	t->owners[i].bytes += name->size;
	return NULL;
}

static void list_names(struct taker *t, DIR *list, struct names *out)
{
	struct dirent *d;
	struct stat st;

	while ((d = readdir(list))) {
		if (ps_starts(d->d_name, ".tmp-")) {
			drop_old_tmp(t, d->d_name);
			continue;
		}
		if (d->d_name[0] == '.' || strcmp(d->d_name, "aside") == 0)
			continue;
		if (!ps_ends(d->d_name, ".msg") || strlen(d->d_name) >= sizeof(t->out->v->name)) {
			set_aside(t, d->d_name, "not a name that hooks give");
			continue;
		}
		if (fstatat(t->dirfd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;	/* retired a moment ago */
		out->v = xgrow(out->v, out->n, &out->cap, sizeof(*out->v));
		out->v[out->n++] = (struct name) {
			xstrdup(d->d_name), st.st_uid, (size_t)st.st_size,
			(int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
		};
	}
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_age);
}

int spool_take(struct spool_batch *out, const char *dir, spool_check_fn *check, void *arg,
	       struct ps_err *err)
{
	struct taker t = { .dir = dir, .out = out, .check = check, .arg = arg };
	struct names names = { NULL, 0, 0 };
	DIR *list = opendir(dir);
	char why[128];

	*out = (struct spool_batch) { .v = NULL };
	if (!list)
		return ps_err_errno(err, "cannot list the spool '%s'", dir);
	t.dirfd = dirfd(list);
	list_names(&t, list, &names);
	for (size_t i = 0; i < names.n; i++) {
		size_t before = out->aside;
		const char *over = over_share(&t, &names.v[i], why);

		if (over)
			set_aside(&t, names.v[i].name, over);
		else if (out->n >= SPOOL_TAKE_MAX || t.bytes >= SPOOL_TAKE_BYTES)
			out->more = true;
		else
			take_one(&t, names.v[i].name);
		out->waiting += out->aside == before;
		free(names.v[i].name);
	}
	free(names.v);
	free(t.owners);
	closedir(list);
	sort(out);
	return 0;
}

static void tell(struct spool_aside *out, int dirfd, const char *note, size_t max)
{
	struct buf why = BUF_INIT;
	struct ps_err err;
	bool told = out->told < max && fs_read(&why, dirfd, note, 4096, &err) == 0;

	out->n++;
	if (told) {
		out->names[out->told] = xstrndup(note, strlen(note) - strlen(".why"));
		out->why[out->told++] = xstrdup(buf_str(&why));
	}
	buf_clear(&why);
}

void spool_aside_list(struct spool_aside *out, const char *dir, size_t max)
{
	char *path = fs_join(dir, "aside");
	DIR *list = opendir(path);
	struct dirent *d;

	*out = (struct spool_aside) { .n = 0 };
	free(path);
	if (!list)
		return;			/* nothing was ever set aside */
	out->names = xcalloc(max + 1, sizeof(*out->names));
	out->why = xcalloc(max + 1, sizeof(*out->why));
	while ((d = readdir(list)))
		if (ps_ends(d->d_name, ".why") && d->d_name[0] != '.')
			tell(out, dirfd(list), d->d_name, max);
	closedir(list);
}

void spool_aside_clear(struct spool_aside *a)
{
	for (size_t i = 0; i < a->told; i++) {
		free(a->names[i]);
		free(a->why[i]);
	}
	PS_FREE(a->names);
	PS_FREE(a->why);
	a->told = a->n = 0;
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
