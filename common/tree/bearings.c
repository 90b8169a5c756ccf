/* bearings – see bearings.h. Each file is a stamp, all 0 for a file that is not there, and its path
 * with its NUL. */
#include "config.h"

#include "common/tree/bearings.h"

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/tree/stamp.h"

enum { CONFIG_MAX = 1 << 20, REF_MAX = 4096 };

static const char symbolic[] = "ref: ";

/* False: neither a file of this file system nor nothing. */
static bool look(int fd, dev_t dev, const char *path, struct stamp *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (fstatat(fd, path, &st, 0) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	stamp_of(out, &st);
	return S_ISREG(st.st_mode) && st.st_dev == dev;
}

/* Git's folder, on a file system whose stamps can be believed. */
static int open_dir(const char *gitdir, dev_t *dev)
{
	int fd = open(gitdir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || !stamp_is_reliable(fd))) {
		close(fd);
		return -1;
	}
	if (fd >= 0)
		*dev = st.st_dev;
	return fd;
}

static bool add(struct buf *out, int fd, dev_t dev, int64_t began, const char *path)
{
	struct stamp s;

	if (!look(fd, dev, path, &s) || !stamp_is_settled(&s, began))
		return false;
	buf_add(out, &s, sizeof(s));
	buf_add(out, path, strlen(path) + 1);
	return true;
}

/* The file's text, "" for none; NULL when it cannot be read. free() it. */
static char *text_of(int fd, const char *path, size_t max)
{
	struct buf b = BUF_INIT;
	struct ps_err err;
	int rc = fs_read(&b, fd, path, max, &err);

	if (rc < 0 && rc != PS_ENOENT)
		buf_clear(&b);
	return rc < 0 && rc != PS_ENOENT ? NULL : buf_steal(&b);
}

static bool add_ref(struct buf *out, int fd, dev_t dev, int64_t began, const char *name)
{
	char *text = NULL;
	bool ok = add(out, fd, dev, began, name) && (text = text_of(fd, name, REF_MAX)) &&
		!ps_starts(text, symbolic);

	free(text);
	return ok;
}

static bool add_branch(struct buf *out, int fd, dev_t dev, int64_t began)
{
	char *head = text_of(fd, "HEAD", REF_MAX);
	bool ok = head && *head;

	if (ok && ps_starts(head, symbolic)) {
		head[strcspn(head, "\r\n")] = '\0';
		ok = ps_starts(head + strlen(symbolic), "refs/heads/") &&
			add_ref(out, fd, dev, began, head + strlen(symbolic));
	}
	free(head);
	return ok;
}

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; *text; text++)
		if (strncasecmp(text, word, n) == 0)
			return true;
	return false;
}

/* A branch with an upstream that is not there waits for a ref whose name we do not know. */
static bool config_is_plain(int fd, bool upstream)
{
	static const char *const unusual[] = { "include", "worktree", "objectformat",
					       "refstorage" };
	char *text = text_of(fd, "config", CONFIG_MAX);
	bool plain = text && *text && (upstream || !has_word(text, "[branch"));

	for (size_t i = 0; plain && i < PS_NELEM(unusual); i++)
		plain = !has_word(text, unusual[i]);
	free(text);
	return plain;
}

bool bearings_take(struct buf *out, const char *gitdir, int64_t began, const char *upstream)
{
	static const char *const files[] = { "HEAD", "config", "config.worktree", "commondir",
					     "packed-refs" };
	dev_t dev = 0;
	int fd = open_dir(gitdir, &dev);
	bool ok = fd >= 0;

	for (size_t i = 0; ok && i < PS_NELEM(files); i++)
		ok = add(out, fd, dev, began, files[i]);
	ok = ok && config_is_plain(fd, upstream) && add_branch(out, fd, dev, began) &&
		(!upstream || add_ref(out, fd, dev, began, upstream));
	if (fd >= 0)
		close(fd);
	return ok;
}

bool bearings_hold(const char *gitdir, const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len;
	dev_t dev = 0;
	int fd = open_dir(gitdir, &dev);
	bool ok = fd >= 0 && len > 0;

	while (ok && at < end) {
		const char *path = NULL;
		struct stamp s;

		if (end - at > (ptrdiff_t)sizeof(s))
			path = at + sizeof(s);
		ok = path && memchr(path, '\0', (size_t)(end - path)) && look(fd, dev, path, &s) &&
			memcmp(&s, at, sizeof(s)) == 0;
		at = ok ? path + strlen(path) + 1 : end;
	}
	if (fd >= 0)
		close(fd);
	return ok;
}
