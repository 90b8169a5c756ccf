/* tree_id – see tree_id.h. */
#include "config.h"

#include "common/tree/tree_id.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/tree/tree.h"

enum { FILE_MAX = 1 << 30 };

static int blob_at(int dirfd, const char *name, size_t digits, char oid[65],
		   struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc = fd < 0 ? ps_err_errno(err, "cannot open '%s'", name) :
		fs_read_fd(&b, fd, FILE_MAX, err);

	if (fd >= 0)
		close(fd);
	if (rc == 0)
		digest_git_object(oid, digits, "blob", buf_str(&b), b.len);
	buf_clear(&b);
	return rc;
}

static int link_at(int dirfd, const char *name, size_t digits, char oid[65],
		   struct ps_err *err)
{
	char target[4096];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n < 0 || n == sizeof(target))
		return ps_err_errno(err, "cannot read link '%s'", name);
	digest_git_object(oid, digits, "blob", target, (size_t)n);
	return 0;
}

static void add_entry(struct buf *tree, const char *mode, const char *name, const char *oid)
{
	buf_addf(tree, "%s %s", mode, name);
	buf_addch(tree, '\0');
	for (size_t i = 0; oid[i]; i += 2) {
		char two[3] = { oid[i], oid[i + 1], '\0' };

		buf_addch(tree, (char)strtoul(two, NULL, 16));
	}
}

static int id_below(int dirfd, const char *path, unsigned depth, size_t digits, size_t *entries,
		    char oid[65], struct ps_err *err)
{
	struct tree *t = NULL;
	struct tree_list l = { NULL, 0 };
	struct buf out = BUF_INIT;
	char self[64];
	int rc;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", dirfd);
	rc = depth > TREE_DEPTH_MAX ? ps_err_set(err, PS_ELIMIT, "'%s' is too deep", path) :
		tree_dir_open(&t, self, err);
	if (rc == 0)
		rc = tree_list(t, "", &l, err);
	tree_close(t);
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct tree_entry *e = &l.v[i];
		char sub[65] = "";
		int fd = -1;

		if (++*entries > TREE_ENTRIES_MAX) {
			rc = ps_err_set(err, PS_ELIMIT, "more than %d files and folders",
					TREE_ENTRIES_MAX);
		} else if (e->kind == TREE_DIR) {
			fd = openat(dirfd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
				    O_CLOEXEC);
			rc = fd < 0 ? ps_err_errno(err, "cannot open '%s'", e->name) :
				id_below(fd, e->name, depth + 1, digits, entries, sub, err);
			if (rc == 0 && *sub)
				add_entry(&out, "40000", e->name, sub);
			if (fd >= 0)
				close(fd);
		} else if (e->kind == TREE_LINK) {
			rc = link_at(dirfd, e->name, digits, sub, err);
			if (rc == 0)
				add_entry(&out, "120000", e->name, sub);
		} else {
			rc = blob_at(dirfd, e->name, digits, sub, err);
			if (rc == 0)
				add_entry(&out, e->kind == TREE_EXEC ? "100755" : "100644", e->name,
					  sub);
		}
	}
	if (rc == 0 && (out.len || depth == 0))
		digest_git_object(oid, digits, "tree", buf_str(&out), out.len);
	else
		*oid = '\0';		/* git knows no empty folder */
	buf_clear(&out);
	tree_list_clear(&l);
	return rc;
}

int tree_id_of_dir(const char *path, size_t digits, char oid[65], struct ps_err *err)
{
	size_t entries = 0;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? ps_err_errno(err, "cannot open folder '%s'", path) :
		id_below(fd, path, 0, digits, &entries, oid, err);

	if (fd >= 0)
		close(fd);
	return rc;
}

int tree_id_of_file(const char *path, size_t digits, char oid[65], struct ps_err *err)
{
	return blob_at(AT_FDCWD, path, digits, oid, err);
}
