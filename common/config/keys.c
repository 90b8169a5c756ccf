/* keys – see keys.h. The rename of release.key is the moment at which a rotation counts: before it
 * all that the new key needs is there, behind it only copies are missing. */
#include <config.h>

#include "common/config/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"

#define KEY "release.key"
#define PUBLIC "release.pub"

/* ---- reading ---- */

/* The time behind a word at the start of a line in front of the PEM; 0: none. */
static int64_t time_of(const char *text, const char *word)
{
	const char *end = strstr(text, "-----BEGIN"), *at = text;
	size_t n = strlen(word);
	struct tm tm = { 0 };

	for (; at && end && at < end; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, word, n) == 0 && at[n] == ' ' &&
		    strptime(at + n + 1, "%Y-%m-%dT%H:%M:%SZ", &tm))
			return (int64_t)timegm(&tm) * 1000;
	return 0;
}

int keys_read_public(struct key_known *k, int dirfd, const char *path, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	struct stat st;
	int rc = fs_read(&text, dirfd, path, SIGN_PEM_MAX, err);

	*k = (struct key_known){ .in_force = false };
	if (rc == 0)
		rc = sign_public_read(&k->pub, buf_str(&text), text.len, err);
	if (rc == 0) {
		k->made_ms = time_of(buf_str(&text), "made");
		k->retired_ms = time_of(buf_str(&text), "retired");
		if (!k->made_ms && fstatat(dirfd, path, &st, 0) == 0)
			k->made_ms = (int64_t)st.st_mtime * 1000;
	}
	buf_clear(&text);
	return rc < 0 ? ps_err_prefix(err, "the public key '%s'", path) : 0;
}

int keys_read(struct sign_key *k, int fd, struct ps_err *err)
{
	struct buf pem = BUF_INIT;
	int rc = fs_read_fd(&pem, fd, SIGN_PEM_MAX, err);

	if (rc == 0)
		rc = sign_key_read(k, buf_str(&pem), pem.len, err);
	if (pem.data)
		explicit_bzero(pem.data, pem.len);
	buf_clear(&pem);
	return rc < 0 ? ps_err_prefix(err, "the key that signs releases") : 0;
}

int keys_open(const char *dir, struct ps_err *err)
{
	char *path = fs_join(dir, KEY);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		fd = ps_err_set(err, PS_ENOENT,
				"there is no key that signs releases ('%s'); make one by: "
				"penstock key rotate",
				path);
	else if (fd < 0)
		fd = ps_err_errno(err, "cannot open '%s'", path);
	free(path);
	return fd;
}

const struct key_known *keys_find(const struct keys_known *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].pub.id, id) == 0)
			return &l->v[i];
	return NULL;
}

void keys_clear(struct keys_known *l)
{
	PS_FREE(l->v);
	l->n = l->cap = 0;
}

/* release.pub and its own ID.pub are one key. */
static void add(struct keys_known *l, const struct key_known *k)
{
	struct key_known *there = (struct key_known *)keys_find(l, k->pub.id);

	if (!there) {
		l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
		l->v[l->n++] = *k;
		return;
	}
	there->in_force = there->in_force || k->in_force;
	there->retired_ms = there->retired_ms ? there->retired_ms : k->retired_ms;
}

static int newest_first(const void *a, const void *b)
{
	const struct key_known *x = a, *y = b;

	return x->made_ms == y->made_ms  ? strcmp(x->pub.id, y->pub.id)
	       : x->made_ms < y->made_ms ? 1
					 : -1;
}

static bool is_public(const char *name)
{
	size_t n = strlen(name);

	return name[0] != '.' && n > 4 && strcmp(name + n - 4, ".pub") == 0;
}

int keys_list(struct keys_known *out, const char *dir, struct ps_err *err)
{
	struct keys_known l = { .v = NULL };
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return ps_err_errno(err, "cannot open the folder of the keys '%s'", dir);
	while (rc == 0 && (e = readdir(d))) {
		struct key_known k;

		if (!is_public(e->d_name))
			continue;
		rc = keys_read_public(&k, dirfd(d), e->d_name, err);
		k.in_force = strcmp(e->d_name, PUBLIC) == 0;
		if (rc == 0)
			add(&l, &k);
	}
	closedir(d);
	if (rc < 0) {
		keys_clear(&l);
		return rc;
	}
	for (size_t i = 0; i < l.n; i++) /* a rotation began, and did not happen */
		if (l.v[i].in_force)
			l.v[i].retired_ms = 0;
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), newest_first);
	*out = l;
	return 0;
}

/* ---- writing ---- */

static int write_public(int dir, const char *name, const struct key_known *k, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	char when[CLOCK_TEXT];
	int rc;

	buf_addf(&text, "key %s of penstock, for releases\nmade %s\n", k->pub.id,
		 clock_text(when, k->made_ms));
	if (k->retired_ms)
		buf_addf(&text, "retired %s\n", clock_text(when, k->retired_ms));
	rc = sign_public_pem(&k->pub, &text, err);
	if (rc == 0)
		rc = fs_write_file(dir, name, text.data, text.len, 0644, err);
	buf_clear(&text);
	return rc;
}

static int write_named(int dir, const struct key_known *k, struct ps_err *err)
{
	char *name = xasprintf("%s.pub", k->pub.id);
	int rc = write_public(dir, name, k, err);

	free(name);
	return rc;
}

/* The public halves of the key in force: they are what release.key says, whatever stood there. */
static int follow(int dir, int fd, struct ps_err *err)
{
	struct key_known now = { .in_force = false }, there;
	struct sign_key k;
	char *name;
	int rc = keys_read(&k, fd, err);

	if (rc < 0)
		return rc;
	now.pub = k.pub;
	now.made_ms = clock_wall_ms();
	sign_key_clear(&k);
	name = xasprintf("%s.pub", now.pub.id);
	if (keys_read_public(&there, dir, name, NULL) == 0 && strcmp(there.pub.id, now.pub.id) == 0)
		now.made_ms = there.made_ms;
	free(name);
	if (keys_read_public(&there, dir, PUBLIC, NULL) == 0 &&
	    strcmp(there.pub.id, now.pub.id) == 0)
		return 0;
	return write_public(dir, PUBLIC, &now, err);
}

static int make_pair(int dir, char id[SIGN_ID], struct ps_err *err)
{
	struct key_known now = { .made_ms = clock_wall_ms() };
	struct buf pem = BUF_INIT;
	struct sign_key k;
	int rc = sign_key_make(&k, err);

	if (rc < 0)
		return rc;
	now.pub = k.pub;
	rc = sign_key_pem(&k, &pem, err);
	if (rc == 0)
		rc = write_named(dir, &now, err);
	if (rc == 0)
		rc = fs_write_file(dir, KEY, pem.data, pem.len, 0600, err);
	if (rc == 0)
		rc = write_public(dir, PUBLIC, &now, err);
	if (rc == 0 && id)
		memcpy(id, k.pub.id, SIGN_ID);
	if (pem.data)
		explicit_bzero(pem.data, pem.len);
	buf_clear(&pem);
	sign_key_clear(&k);
	return rc;
}

/* Writes under its own name, with its end, the key that a rotation is about to replace. */
static int retire(int dir, struct ps_err *err)
{
	struct key_known old;

	if (faccessat(dir, KEY, F_OK, 0) < 0)
		return 0;
	if (keys_read_public(&old, dir, PUBLIC, err) < 0)
		return err ? err->code : PS_EIO;
	old.retired_ms = clock_wall_ms();
	return write_named(dir, &old, err);
}

/* The folder, for one writer at a time. */
static int open_locked(const char *path, struct ps_err *err)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	while (flock(dir, LOCK_EX) < 0)
		if (errno != EINTR) {
			ps_err_errno(err, "cannot lock '%s'", path);
			close(dir);
			return PS_EIO;
		}
	return dir;
}

int keys_make(const char *path, struct ps_err *err)
{
	int dir = open_locked(path, err), fd, rc;

	if (dir < 0)
		return dir;
	fd = openat(dir, KEY, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		rc = follow(dir, fd, err);
	else if (errno == ENOENT)
		rc = make_pair(dir, NULL, err);
	else
		rc = ps_err_errno(err, "cannot open '%s/%s'", path, KEY);
	if (fd >= 0)
		close(fd);
	close(dir);
	return rc;
}

int keys_rotate(const char *path, char id[SIGN_ID], struct ps_err *err)
{
	int rc = fs_exists(path) ? 0 : ps_err_set(err, PS_ENOENT, "there is no folder '%s'", path),
	    dir;
	char *key = fs_join(path, KEY);

	if (rc == 0 && fs_exists(key)) /* what one before left unfinished */
		rc = keys_make(path, err);
	free(key);
	dir = rc < 0 ? rc : open_locked(path, err);
	if (dir < 0)
		return dir;
	rc = retire(dir, err);
	if (rc == 0)
		rc = make_pair(dir, id, err);
	close(dir);
	return rc;
}
