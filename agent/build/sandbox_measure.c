/*
 * sandbox_measure – what a sandbox holds now: memory as the sum of PSS (shared pages once; RSS
 * would count a forked worker's heap twice, and Java does not start under RLIMIT_AS), and disk as
 * blocks.
 *
 * A sandbox is found by descent: what is started inside has bubblewrap as an ancestor, because the
 * pid namespace gives orphans to its own first process.
 */
#include "config.h"

#include "agent/build/sandbox.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

enum {
	PIDS_MAX = 1 << 16,
	DEPTH_MAX = 256,
	ENTRIES_MAX = 1 << 20,
	/* an empty file is not for nothing: an inode of the disk, or of the kernel's memory */
	ENTRY_SIZE = 4096,
};

struct proc {
	pid_t pid, parent;
	unsigned tasks;
};

/* "PID (any name) S PPID ... ": the name may hold blanks and brackets, so begin at the last one. */
static bool read_stat(pid_t pid, struct proc *p)
{
	char path[64], text[1024];
	int parent, threads;
	ssize_t n;
	char *at;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	at = strrchr(text, ')');
	if (!at ||
	    sscanf(at + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
		   &parent, &threads) != 2)
		return false;
	*p = (struct proc){ .pid = pid, .parent = (pid_t)parent, .tasks = (unsigned)threads };
	return true;
}

static struct proc *read_all(size_t *n)
{
	DIR *dir = opendir("/proc");
	struct proc *v = NULL;
	struct dirent *e;
	size_t cap = 0;

	*n = 0;
	while (dir && *n < PIDS_MAX && (e = readdir(dir))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		v = xgrow(v, *n, &cap, sizeof(*v));
		if (read_stat((pid_t)atoi(e->d_name), &v[*n]))
			(*n)++;
	}
	if (dir)
		closedir(dir);
	return v;
}

/* The kernel does it for all maps at once; a process that ends meanwhile counts nothing. */
static int64_t pss_of(pid_t pid)
{
	struct buf text = BUF_INIT;
	char path[64];
	long long kb = 0;
	char *at;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	if (fs_read(&text, AT_FDCWD, path, 65536, NULL) == 0) {
		at = strstr(buf_str(&text), "\nPss:");
		if (at)
			kb = strtoll(at + 5, NULL, 10);
	}
	buf_clear(&text);
	return kb * 1024;
}

static int by_pid(const void *a, const void *b)
{
	return ((const struct proc *)a)->pid - ((const struct proc *)b)->pid;
}

static bool descends(const struct proc *v, size_t n, const struct proc *p, pid_t top)
{
	for (unsigned hop = 0; p && hop < DEPTH_MAX; hop++) {
		struct proc want = { .pid = p->parent };

		if (p->pid == top)
			return true;
		p = bsearch(&want, v, n, sizeof(*v), by_pid);
	}
	return false;
}

static void measure(pid_t top, bool memory, struct sandbox_use *use)
{
	size_t n;
	struct proc *v = read_all(&n);

	*use = (struct sandbox_use){ 0 };
	if (n)
		qsort(v, n, sizeof(*v), by_pid);
	for (size_t i = 0; i < n; i++) {
		if (!descends(v, n, &v[i], top))
			continue;
		use->memory += memory ? pss_of(v[i].pid) : 0;
		use->tasks += v[i].tasks;
	}
	free(v);
}

void sandbox_measure(pid_t top, struct sandbox_use *use)
{
	measure(top, true, use);
}

unsigned sandbox_tasks(pid_t top)
{
	struct sandbox_use use;

	measure(top, false, &use);
	return use.tasks;
}

int sandbox_tmpfs_open(pid_t inner, const char *path)
{
	char *full = xasprintf("/proc/%d/root%s", (int)inner, path);
	int fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct statfs fs;

	free(full);
	/* before bubblewrap has made its root this is a folder of the host */
	if (fd >= 0 && (fstatfs(fd, &fs) < 0 || fs.f_type != TMPFS_MAGIC)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool sandbox_tmpfs_use(int fd, int64_t *used, int64_t *size)
{
	struct statfs fs;
	int64_t entries;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return false;
	*size = (int64_t)fs.f_blocks * fs.f_bsize;
	*used = *size - (int64_t)fs.f_bfree * fs.f_bsize;
	entries = (int64_t)(fs.f_files - fs.f_ffree) * ENTRY_SIZE;
	if (entries > *used)
		*used = entries;
	return true;
}

size_t sandbox_sweep(const char *mark)
{
	char *want = xasprintf(SANDBOX_MARK "=%s", mark), path[64];
	size_t n, found, total = 0;

	do {
		struct proc *v = read_all(&n);

		found = 0;
		for (size_t i = 0; i < n; i++) {
			struct buf env = BUF_INIT;

			snprintf(path, sizeof(path), "/proc/%d/environ", (int)v[i].pid);
			/* a zombie has none, so this ends when all are dead */
			if (fs_read(&env, AT_FDCWD, path, 4096, NULL) == 0 &&
			    ps_streq(buf_str(&env), want)) {
				kill(v[i].pid, SIGKILL);
				found++;
			}
			buf_clear(&env);
		}
		free(v);
		total += found;
		if (found)
			nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	} while (found);
	free(want);
	return total;
}

static bool is_kept(pid_t pid, const pid_t *keep, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] == pid)
			return true;
	return false;
}

void sandbox_orphans(const pid_t *keep, size_t nkeep)
{
	size_t n, found;

	do {
		struct proc *v = read_all(&n);

		found = 0;
		for (size_t i = 0; i < n; i++) {
			if (v[i].parent != getpid() || is_kept(v[i].pid, keep, nkeep))
				continue;
			/* its own children come to us before it can be reaped: look again */
			kill(v[i].pid, SIGKILL);
			if (waitpid(v[i].pid, NULL, 0) == v[i].pid)
				found++;
		}
		free(v);
	} while (found);
}

/* What is below a folder, as far as it could be counted. */
struct count {
	int64_t bytes;
	size_t entries;
	bool lost; /* not all of it */
};

/* Takes fd over. What cannot be counted must not be a place to hide: a folder without leave to read
 * it can be written to. */
static void count_below(int fd, unsigned depth, struct count *c)
{
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	if (!dir && fd >= 0)
		close(fd);
	if (!dir || depth > DEPTH_MAX)
		c->lost = true;
	while (!c->lost && (e = readdir(dir))) {
		int64_t used;
		int sub;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		c->lost = ++c->entries > ENTRIES_MAX;
		used = (int64_t)st.st_blocks * 512;
		c->bytes += used > ENTRY_SIZE ? used : ENTRY_SIZE;
		if (!S_ISDIR(st.st_mode))
			continue;
		sub = openat(dirfd(dir), e->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* removed, or something else by now */
		if (sub < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
			continue;
		count_below(sub, depth + 1, c);
	}
	if (dir)
		closedir(dir);
}

int64_t sandbox_blocks(const char *dir)
{
	struct count c = { 0 };

	count_below(open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0, &c);
	return c.lost ? SANDBOX_UNCOUNTED : c.bytes;
}
