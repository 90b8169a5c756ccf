/*
 * toolchain_digest – the name of what a toolchain is. Reading half a gigabyte again for each build
 * would cost a second each time, so the digest is kept beside a digest of the list of path, size,
 * time and inode, and read again only when that list differs.
 */
#include "config.h"

#include "agent/build/toolchain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/base/spawn.h"

enum { DEPTH_MAX = 64, CACHE_MAX = 4096, DPKG_MAX = 1 << 20 };

/* One pass over a tree: what is added for each entry differs between list and content. */
struct walk {
	struct digest *d;
	bool content;
};

static void add_text(struct walk *w, const char *text)
{
	digest_add(w->d, text, strlen(text) + 1);
}

static int add_file(struct walk *w, int dirfd, const char *name, struct ps_err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;
	char hex[DIGEST_HEX];

	if (fd < 0 && errno == EACCES) {
		add_text(w, "not readable"); /* nor is it inside: we are who it runs as, or root */
		return 0;
	}
	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", name);
	rc = digest_fd(hex, fd, NULL, err);
	close(fd);
	if (rc == 0)
		add_text(w, hex);
	return rc;
}

static int add_link(struct walk *w, int dirfd, const char *name, struct ps_err *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target) - 1);

	if (n < 0)
		return ps_err_errno(err, "cannot read the link '%s'", name);
	target[n] = '\0';
	add_text(w, target);
	return 0;
}

static int walk_dir(struct walk *w, int dirfd, const char *name, const char *rel, unsigned depth,
		    struct ps_err *err);

static int walk_entry(struct walk *w, int dirfd, const char *name, const char *rel, unsigned depth,
		      struct ps_err *err)
{
	struct stat st;
	char text[160];
	int rc = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return ps_err_errno(err, "cannot look at '%s'", rel);
	add_text(w, rel);
	snprintf(text, sizeof(text), "%o", (unsigned)st.st_mode & (S_IFMT | 0777));
	add_text(w, text);
	if (!w->content) {
		snprintf(text, sizeof(text), "%lld %lld.%09ld %llu", (long long)st.st_size,
			 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			 (unsigned long long)st.st_ino);
		add_text(w, text);
	}
	if (S_ISDIR(st.st_mode))
		rc = walk_dir(w, dirfd, name, rel, depth + 1, err);
	else if (w->content && S_ISLNK(st.st_mode))
		rc = add_link(w, dirfd, name, err);
	else if (w->content && S_ISREG(st.st_mode))
		rc = add_file(w, dirfd, name, err);
	return rc;
}

/* Whatever the locale. */
static int bytewise(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_dir(struct walk *w, int dirfd, const char *name, const char *rel, unsigned depth,
		    struct ps_err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc = 0, n;
	struct dirent **list;
	char *path;

	if (depth > DEPTH_MAX) {
		if (fd >= 0)
			close(fd);
		return ps_err_set(err, PS_ELIMIT, "'%s' is nested too deep", rel);
	}
	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", *rel ? rel : name);
	n = scandirat(fd, ".", &list, NULL, bytewise);
	if (n < 0) {
		close(fd);
		return ps_err_errno(err, "cannot list '%s'", rel);
	}
	for (int i = 0; i < n; i++) {
		const char *base = list[i]->d_name;

		if (rc == 0 && strcmp(base, ".") != 0 && strcmp(base, "..") != 0) {
			path = *rel ? fs_join(rel, base) : xstrdup(base);
			rc = walk_entry(w, fd, base, path, depth, err);
			free(path);
		}
		free(list[i]);
	}
	free(list);
	close(fd);
	return rc;
}

static int tree_digest(const char *path, bool content, char hex[DIGEST_HEX], struct ps_err *err)
{
	char *real = realpath(path, NULL); /* the prefix itself may be a link */
	struct walk w = { .content = content };
	int rc;

	if (!real)
		return ps_err_errno(err, "cannot find '%s'", path);
	w.d = digest_new();
	rc = walk_dir(&w, AT_FDCWD, real, "", 0, err);
	digest_end(w.d, hex);
	if (rc < 0)
		ps_err_prefix(err, "'%s'", path);
	free(real);
	return rc;
}

/* tree_digest() of the content, remembered in cache (unless NULL) under its real path. */
static int cached_digest(const char *path, const char *cache, char hex[DIGEST_HEX],
			 struct ps_err *err)
{
	char list[DIGEST_HEX], id[DIGEST_HEX], *file, *text;
	struct buf old = BUF_INIT;
	int rc, cached;

	if (!cache)
		return tree_digest(path, true, hex, err);
	rc = tree_digest(path, false, list, err);
	if (rc < 0)
		return rc;
	file = realpath(path, NULL);	/* by whatever link it is reached */
	digest_bytes(id, file ? file : path, strlen(file ? file : path));
	free(file);
	file = xasprintf("%s/toolchain-%.16s", cache, id);
	cached = fs_read(&old, AT_FDCWD, file, CACHE_MAX, NULL);
	if (cached == 0 && old.len == 2 * PS_DIGEST_HEX + 2 && ps_starts(buf_str(&old), list) &&
	    digest_is_hex(list, PS_DIGEST_HEX)) {
		memcpy(hex, buf_str(&old) + PS_DIGEST_HEX + 1, PS_DIGEST_HEX);
		hex[PS_DIGEST_HEX] = '\0';
	} else if ((rc = tree_digest(path, true, hex, err)) == 0) {
		text = xasprintf("%s\n%s\n", list, hex);
		/* only a cache: without it the next query reads again */
		if (fs_write_file(AT_FDCWD, file, text, strlen(text), 0644, NULL) < 0)
			unlink(file);
		free(text);
	}
	buf_clear(&old);
	free(file);
	return rc;
}

/*
 * Interpreter, its library and every module of it that is packaged (a prefix may see them), libc,
 * what compresses the wheel, and the programs a recipe calls. Not all that is in /usr: each upgrade
 * of a package that no build looks at would build everything again. Asked by pattern: a package
 * that is not there is not printed, and dpkg-query's exit status says only that.
 */
static const char *const packages[] = {
	"/usr/bin/dpkg-query",
	"-W",
	"-f",
	"${Package} ${Version} ${Architecture} ${db:Status-Abbrev}\n",
	"python3*",
	"libpython3*",
	"libc6",
	"zlib1g",
	"coreutils",
	"tar",
	"bash",
	"util-linux",
	"libffi8",
	"libexpat1",
	NULL,
};
/* The same where there is no dpkg. */
static const char *const files[] = {
	"/usr/bin/python3",
	"/usr/bin/tar",
	"/usr/bin/bash",
	"/usr/bin/env",
	"/usr/bin/setpriv",
	"/lib64/ld-linux-x86-64.so.2",
	"/lib/ld-linux-aarch64.so.1",
};

static int dpkg(const char *const *argv, struct buf *out, int *status, struct ps_err *err)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };

	return spawn_capture(
		&(struct spawn){ .argv = argv, .env = env, .in = -1, .out = -1, .errout = -1 }, out,
		DPKG_MAX, status, err);
}

static int add_system(struct digest *d, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	char hex[DIGEST_HEX];
	int status, rc;

	if (access(packages[0], X_OK) == 0) {
		rc = dpkg(packages, &text, &status, err);
		digest_add(d, buf_str(&text), text.len);
		buf_clear(&text);
		return rc;
	}
	for (size_t i = 0; i < PS_NELEM(files); i++) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		rc = digest_fd(hex, fd, NULL, err);
		close(fd);
		if (rc < 0)
			return rc;
		digest_add(d, hex, sizeof(hex));
	}
	return 0;
}

/* The package that owns the JVM with its version, or the JVM's own files when none does. */
static int add_java(struct digest *d, const char *java, const char *cache, struct ps_err *err)
{
	const char *own[] = { "/usr/bin/dpkg-query", "-S", NULL, NULL };
	const char *version[] = { "/usr/bin/dpkg-query",   "-W", "-f",
				  "${Package} ${Version}", NULL, NULL };
	struct buf text = BUF_INIT;
	char hex[DIGEST_HEX], *program, *end, *etc = toolchain_java_etc(java);
	int status = -1, rc = 0;

	if (!java) {
		digest_add(d, "no java", 7);
		return 0;
	}
	program = fs_join(java, "bin/java");
	own[2] = program;
	if (access(own[0], X_OK) == 0 && dpkg(own, &text, &status, NULL) == 0 && status == 0 &&
	    (end = strstr(text.data, ": "))) {
		*end = '\0'; /* openjdk-17-jre-headless:amd64: /usr/lib/... */
		version[4] = xstrdup(text.data);
		buf_reset(&text);
		rc = dpkg(version, &text, &status, err);
		free((char *)version[4]);
		digest_add(d, buf_str(&text), text.len);
	} else if ((rc = cached_digest(java, cache, hex, err)) == 0) {
		digest_add(d, hex, sizeof(hex));
	}
	if (rc == 0 && etc && (rc = cached_digest(etc, cache, hex, err)) == 0)
		digest_add(d, hex, sizeof(hex));
	buf_clear(&text);
	free(program);
	free(etc);
	return rc;
}

int toolchain_digest(const struct toolchain *t, const char *cache, char hex[DIGEST_HEX],
		     struct ps_err *err)
{
	struct digest *d;
	char tree[DIGEST_HEX];
	int rc = cached_digest(t->prefix, cache, tree, err);

	if (rc < 0)
		return rc;
	d = digest_new();
	digest_add(d, tree, sizeof(tree));
	rc = add_system(d, err);
	if (rc == 0 && toolchain_is_local(t->prefix) &&
	    (rc = cached_digest("/usr/local", cache, tree, err)) == 0)
		digest_add(d, tree, sizeof(tree));
	if (rc == 0)
		rc = add_java(d, t->java, cache, err);
	digest_end(d, hex);
	return rc;
}
