/*
 * sandbox_cgroup – a memory cgroup for one sandbox, where the role may make one below its own (v1,
 * or v2 with the memory controller handed down). It stops what measuring twice a second is too slow
 * for, and counts what sits in a tmpfs. Where it cannot be made, measuring alone is the limit.
 */
#include "config.h"

#include "agent/build/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

enum { SWEEP_DEPTH = 8 };

/* The files of the two versions. */
static const struct version {
	const char *mount, *line; /* line of /proc/self/cgroup: "N:" and this, then the path */
	const char *limit, *swap, *swap_value, *events, *peak;
} versions[] = {
	{ "/sys/fs/cgroup/memory", ":memory:", "memory.limit_in_bytes",
	  "memory.memsw.limit_in_bytes", NULL, "memory.oom_control", "memory.max_usage_in_bytes" },
	{ "/sys/fs/cgroup", "0::", "memory.max", "memory.swap.max", "0", "memory.events",
	  "memory.peak" },
};

struct sandbox_cgroup {
	const struct version *v;
	char *base, *path; /* our own group; the sandbox's */
};

static int put(const char *dir, const char *file, const char *text)
{
	char *path = fs_join(dir, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc = -1;

	free(path);
	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		rc = 0;
	close(fd);
	return rc;
}

/* The number behind `word` in a file of the group (the whole file for ""); -1 when there is none.
 */
static int64_t number(const struct sandbox_cgroup *g, const char *file, const char *word)
{
	char *path = fs_join(g->path, file);
	struct buf text = BUF_INIT;
	const char *at = NULL;
	int64_t n = -1;

	if (fs_read(&text, AT_FDCWD, path, 65536, NULL) == 0)
		at = strstr(buf_str(&text), word);
	if (at)
		n = strtoll(at + strlen(word), NULL, 10);
	buf_clear(&text);
	free(path);
	return n;
}

/* The group we are in, as a path; NULL when this version has none for us. */
static char *own_group(const struct version *v)
{
	struct buf text = BUF_INIT;
	char *line, *found = NULL;

	if (fs_read(&text, AT_FDCWD, "/proc/self/cgroup", 65536, NULL) == 0) {
		line = strstr(buf_str(&text), v->line);
		if (line) {
			line += strlen(v->line);
			line[strcspn(line, "\n")] = '\0';
			found = fs_join(v->mount, line);
		}
	}
	buf_clear(&text);
	if (found && access(found, W_OK) == 0)
		return found;
	free(found);
	return NULL;
}

static bool limit_it(const struct sandbox_cgroup *g, int64_t memory)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)memory);
	if (put(g->path, g->v->limit, text) < 0)
		return false;
	/* no swap file, or a kernel without swap accounting: then there is nothing to limit */
	if (put(g->path, g->v->swap, g->v->swap_value ? g->v->swap_value : text) < 0 &&
	    errno == EBUSY)
		return false;
	return true;
}

struct sandbox_cgroup *sandbox_cgroup_make(const char *mark, int64_t memory)
{
	for (size_t i = 0; i < PS_NELEM(versions); i++) {
		struct sandbox_cgroup *g = xcalloc(1, sizeof(*g));
		char *name = xasprintf("penstock-%s-%d", mark, (int)getpid());

		g->v = &versions[i];
		g->base = own_group(g->v);
		if (g->base)
			g->path = fs_join(g->base, name);
		free(name);
		if (g->path && mkdir(g->path, 0755) == 0 && limit_it(g, memory))
			return g;
		sandbox_cgroup_remove(g);
	}
	return NULL;
}

bool sandbox_cgroup_enter(const struct sandbox_cgroup *g, bool leave)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	return put(leave ? g->base : g->path, "cgroup.procs", pid) == 0;
}

bool sandbox_cgroup_hit(const struct sandbox_cgroup *g)
{
	return number(g, g->v->events, "oom_kill ") > 0;
}

int64_t sandbox_cgroup_peak(const struct sandbox_cgroup *g)
{
	return number(g, g->v->peak, "");
}

void sandbox_cgroup_remove(struct sandbox_cgroup *g)
{
	if (!g)
		return;
	if (g->path)
		rmdir(g->path); /* busy only when we were wrong that all is dead: swept at start */
	free(g->path);
	free(g->base);
	free(g);
}

/* Takes fd over. An agent that was started from elsewhere has its groups elsewhere: look below
 * all. */
static void sweep_below(int fd, const char *prefix, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	int sub;

	if (!dir)
		close(fd);
	while (dir && (e = readdir(dir))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		/* one that is in use cannot be removed */
		if (ps_starts(e->d_name, prefix) && unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0)
			continue;
		sub = depth < SWEEP_DEPTH ? openat(fd, e->d_name, O_RDONLY | O_DIRECTORY |
								  O_NOFOLLOW | O_CLOEXEC) : -1;
		if (sub >= 0)
			sweep_below(sub, prefix, depth + 1);
	}
	if (dir)
		closedir(dir);
}

void sandbox_cgroup_sweep(const char *mark)
{
	char *prefix = xasprintf("penstock-%s-", mark);

	for (size_t i = 0; i < PS_NELEM(versions); i++) {
		char *own = own_group(&versions[i]);
		int fd = own ? open(versions[i].mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		if (fd >= 0)
			sweep_below(fd, prefix, 0);
		free(own);
	}
	free(prefix);
}
