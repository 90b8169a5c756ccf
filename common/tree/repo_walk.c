/* repo_walk – see repo_walk.h. */
#include "config.h"

#include "common/tree/repo_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/fsutil.h"

enum { DEPTH = 8 };

struct walk {
	size_t *left;
	repo_walk_fn *look;
	void *arg;
};

/* Takes dirfd over. */
static void walk(const struct walk *w, int dirfd, const char *path, int depth)
{
	DIR *list = fdopendir(dirfd);
	struct dirent *d;

	if (!list) {
		close(dirfd);
		return;
	}
	if (!w->look(w->arg, dirfd, path))
		depth = 0;
	while (depth > 0 && *w->left && (d = readdir(list))) {
		char *below;
		int fd;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    (d->d_type != DT_DIR && d->d_type != DT_UNKNOWN))
			continue;
		fd = openat(dirfd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		--*w->left;
		below = fs_join(path, d->d_name);
		walk(w, fd, below, depth - 1);
		free(below);
	}
	closedir(list);
}

void repo_walk(int dirfd, const char *path, size_t *left, repo_walk_fn *look, void *arg)
{
	walk(&(struct walk) { left, look, arg }, dirfd, path, DEPTH);
}
