/*
 * least – the least that a check of a working folder can ask of the system, to hold ours against:
 *
 *	least stat|read LIST
 *
 * LIST names everything in the working folder, a path a line, folders first. stat: a stat of each,
 * what nobody can do without who must see that a file was written in place. read: each folder
 * listed and each file read once. In a thread for each processor, and nothing is done with it.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

enum { THREADS_MAX = 4, LIST_MAX = 64 << 20, CHUNK = 64 };

static const char **paths;
static size_t npaths;
static bool reads;
static atomic_size_t next, failed;

static bool read_all(const char *path)
{
	static _Thread_local char room[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	do
		n = S_ISDIR(st.st_mode) ? getdents64(fd, room, sizeof(room)) :
			read(fd, room, sizeof(room));
	while (n > 0);
	close(fd);
	return n == 0;
}

static void *look(void *arg)
{
	size_t at;

	(void)arg;
	while ((at = atomic_fetch_add(&next, CHUNK)) < npaths)
		for (size_t i = at; i < npaths && i < at + CHUNK; i++) {
			struct stat st;

			if (reads ? !read_all(paths[i]) : lstat(paths[i], &st) < 0)
				atomic_fetch_add(&failed, 1);
		}
	return NULL;
}

int main(int argc, char **argv)
{
	struct buf list = BUF_INIT;
	pthread_t helper[THREADS_MAX];
	struct ps_err err;
	size_t cap = 0, n = 0;
	cpu_set_t set;

	if (argc != 3 || fs_read(&list, AT_FDCWD, argv[2], LIST_MAX, &err) < 0)
		return 2;
	reads = strcmp(argv[1], "read") == 0;
	for (char *at = list.data, *end; at && (end = strchr(at, '\n')); at = end + 1) {
		*end = '\0';
		paths = xgrow(paths, npaths, &cap, sizeof(*paths));
		paths[npaths++] = at;
	}
	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 2;
	while (n + 1 < (size_t)CPU_COUNT(&set) && n < THREADS_MAX - 1 &&
	       pthread_create(&helper[n], NULL, look, NULL) == 0)
		n++;
	look(NULL);
	for (size_t i = 0; i < n; i++)
		pthread_join(helper[i], NULL);
	free(paths);
	buf_clear(&list);
	return failed || !npaths;
}
