/*
 * sandbox – see sandbox.h. This file starts the command and watches it until nothing of it lives;
 * sandbox_args.c says what bubblewrap does, sandbox_seccomp.c is the filter, sandbox_measure.c and
 * sandbox_cgroup.c know what is used.
 */
#include "config.h"

#include "agent/build/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/build/sandbox_args.h"
#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/plan/profile.h"

enum { TICK_MS = 500, TASKS_MS = 100, FIRST_MAX = 300 };
#define MS_NS INT64_C(1000000)

/* Where a command may write besides its binds, and how much (0: the disk limit): each a tmpfs. */
static const struct {
	const char *path;
	int64_t size;
} tmpfs[] = { { "/tmp", 0 }, { PROFILE_BUILD, 0 }, { "/dev/shm", SANDBOX_SHM } };

/* One sandbox being run. */
struct room {
	const struct sandbox_spec *spec;
	struct sandbox_result *res;
	pid_t pid;          /* bubblewrap outside; 0: reaped */
	int out, status_fd; /* read ends: output of the command; what bubblewrap tells */
	struct buf told;
	struct buf first; /* first bytes of output: bubblewrap's own words when it fails */
	struct sandbox_cgroup *group; /* NULL: memory is measured only */
	int64_t began, last_output;   /* CLOCK_BOOTTIME, ns */
	int64_t disk_before, next_disk;
	int64_t next_tasks;
	unsigned tasks_peak;
	int held[PS_NELEM(tmpfs)]; /* until the end, -1: not there */
	bool over; /* ended by us */
};

/* Starts bubblewrap in the cgroup, where there is one, and leaves the cgroup again. */
static int start_in_group(struct room *r, const struct sandbox_args *sa, int out,
			  struct ps_err *err)
{
	char mark[128];
	const char *const env[] = { mark, NULL };

	snprintf(mark, sizeof(mark), SANDBOX_MARK "=%s", r->spec->mark ? r->spec->mark : "");
	if (r->group && !sandbox_cgroup_enter(r->group, false)) {
		sandbox_cgroup_remove(r->group);
		r->group = NULL;
	}
	r->pid = spawn_start(
		&(struct spawn){
			.argv = sa->argv,
			.env = r->spec->mark ? env : NULL,
			.in = -1,
			.out = out,
			.errout = out,
			.keep = sa->keep,
			.nkeep = sa->nkeep,
		},
		err);
	if (r->group && !sandbox_cgroup_enter(r->group, true))
		log_warn("build", NULL, "cannot leave the sandbox's cgroup"); /* limited with it */
	return r->pid < 0 ? (int)r->pid : 0;
}

static int start(struct room *r, struct ps_err *err)
{
	struct sandbox_args sa = { .spec = r->spec };
	int out[2] = { -1, -1 }, status[2] = { -1, -1 }, rc;

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(status, O_CLOEXEC) < 0) {
		rc = ps_err_errno(err, "cannot make a pipe");
		goto out;
	}
	if ((rc = sandbox_args_make(&sa, status[1], err)) < 0 ||
	    (rc = start_in_group(r, &sa, out[1], err)) < 0)
		goto out;
	r->out = out[0];
	r->status_fd = status[0];
	out[0] = status[0] = -1;
	if (fcntl(r->out, F_SETFL, O_NONBLOCK) < 0 || fcntl(r->status_fd, F_SETFL, O_NONBLOCK) < 0)
		rc = ps_err_errno(err, "cannot watch a sandbox");
out:
	sandbox_args_clear(&sa);
	for (int i = 0; i < 2; i++) {
		if (out[i] >= 0)
			close(out[i]);
		if (status[i] >= 0)
			close(status[i]);
	}
	return rc;
}

static void stop_it(struct room *r, const char *fmt, ...) PS_PRINTF(2, 3);
static void stop_it(struct room *r, const char *fmt, ...)
{
	va_list ap;

	if (r->over)
		return;
	r->over = true;
	va_start(ap, fmt);
	vsnprintf(r->res->why, sizeof(r->res->why), fmt, ap);
	va_end(ap);
	r->res->end = SANDBOX_LIMIT;
	if (r->pid > 0)
		kill(r->pid, SIGKILL); /* --die-with-parent takes the rest along */
}

/* The number behind a word of what bubblewrap tells; -1 while it has not said it. */
static long told_number(struct room *r, const char *word)
{
	const char *at = strstr(buf_str(&r->told), word);

	at = at ? strchr(at, ':') : NULL;
	return at ? strtol(at + 1, NULL, 10) : -1;
}

/* Its tmpfs go with the sandbox: a command that has filled one and fails is over before we look. */
static void hold_tmpfs(struct room *r)
{
	long inner = told_number(r, "\"child-pid\"");
	int64_t used, size;

	for (size_t i = 0; inner > 0 && i < PS_NELEM(tmpfs); i++) {
		if (r->held[i] >= 0 || !r->spec->limits.disk)
			continue;
		r->held[i] = sandbox_tmpfs_open((pid_t)inner, tmpfs[i].path);
		/* the host's own /tmp may be one too, of another size */
		if (!sandbox_tmpfs_use(r->held[i], &used, &size) ||
		    size / 8192 != (tmpfs[i].size ? tmpfs[i].size : r->spec->limits.disk) / 8192) {
			if (r->held[i] >= 0)
				close(r->held[i]);
			r->held[i] = -1;
		}
	}
}

/* Who cannot start another process mostly says so: looked at then, not only twice a second. */
static void count_tasks(struct room *r)
{
	int64_t now = clock_boot_ns();
	unsigned tasks;

	if (!r->spec->limits.processes || r->pid <= 0 || now < r->next_tasks)
		return;
	r->next_tasks = now + TASKS_MS * MS_NS;
	tasks = sandbox_tasks(r->pid);
	if (tasks > r->tasks_peak)
		r->tasks_peak = tasks;
}

static void read_output(struct room *r)
{
	char block[65536];
	ssize_t n;

	hold_tmpfs(r);
	count_tasks(r);
	/* bounded: a command that only prints must not keep us from looking at its limits */
	for (int i = 0; i < 16 && (n = read(r->out, block, sizeof(block))) > 0; i++) {
		r->last_output = clock_boot_ns();
		if (r->first.len < FIRST_MAX)
			buf_add(&r->first, block, (size_t)n < FIRST_MAX ? (size_t)n : FIRST_MAX);
		if (r->spec->on_output)
			r->spec->on_output(r->spec->arg, block, (size_t)n);
	}
}

static void read_told(struct room *r)
{
	char block[1024];
	ssize_t n;

	while (r->told.len < 65536 && (n = read(r->status_fd, block, sizeof(block))) > 0)
		buf_add(&r->told, block, (size_t)n);
}

/* "4.1 GB", "100 MB". */
static const char *size_text(char out[32], int64_t bytes)
{
	if (bytes < INT64_C(1) << 30)
		snprintf(out, 32, "%lld MB", (long long)(bytes >> 20));
	else
		snprintf(out, 32, "%.1f GB", (double)bytes / (1 << 30));
	return out;
}

/* Bytes of a tmpfs end by themselves; entries, which are memory of the kernel's, do not. */
static void check_tmpfs(struct room *r)
{
	char a[32], b[32];
	int64_t used, size;

	hold_tmpfs(r);
	for (size_t i = 0; i < PS_NELEM(tmpfs); i++)
		if (sandbox_tmpfs_use(r->held[i], &used, &size) && used > size)
			stop_it(r, "disk: %s of %s in %s, stopped", size_text(a, used),
				size_text(b, size), tmpfs[i].path);
}

static void check_disk(struct room *r, int64_t now)
{
	const struct sandbox_limits *l = &r->spec->limits;
	int64_t used;

	if (!l->disk || !r->spec->watched || now < r->next_disk)
		return;
	used = sandbox_blocks(r->spec->watched);
	/* a large folder is looked at less often: never more than a twentieth of the time */
	r->next_disk = now + 20 * (clock_boot_ns() - now);
	if (used == SANDBOX_UNCOUNTED)
		stop_it(r, "disk: too many files, too deep or not to be read, stopped");
	else if (used - r->disk_before > l->disk)
		stop_it(r, "disk: %lld MB of %lld MB written, stopped",
			(long long)((used - r->disk_before) >> 20), (long long)(l->disk >> 20));
}

static void stop_memory(struct room *r)
{
	int64_t limit = r->spec->limits.memory, used = r->res->memory_peak;
	char a[32], b[32];

	/* what the kernel refused was never used */
	stop_it(r, "memory: %s of %s, stopped", size_text(a, used > limit ? used : limit),
		size_text(b, limit));
}

static void check_limits(struct room *r)
{
	const struct sandbox_limits *l = &r->spec->limits;
	int64_t now = clock_boot_ns();
	struct sandbox_use use;

	if (l->wall_ms && now - r->began > l->wall_ms * MS_NS)
		stop_it(r, "not done after %lld s, stopped", (long long)(l->wall_ms / 1000));
	if (l->quiet_ms && now - r->last_output > l->quiet_ms * MS_NS)
		stop_it(r, "no output for %lld s, stopped", (long long)(l->quiet_ms / 1000));
	sandbox_measure(r->pid, &use);
	if (use.memory > r->res->memory_peak)
		r->res->memory_peak = use.memory;
	if (use.tasks > r->tasks_peak)
		r->tasks_peak = use.tasks;
	if (l->memory && (use.memory > l->memory || (r->group && sandbox_cgroup_hit(r->group))))
		stop_memory(r);
	check_disk(r, now);
	check_tmpfs(r);
	if (r->spec->on_tick)
		r->spec->on_tick(r->spec->arg);
}

/* Output, limits, the end of bubblewrap's outer process; then everything below is reaped. */
static void watch(struct room *r)
{
	int pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0), status = 0;
	int64_t next = r->began + TICK_MS * MS_NS;
	struct pollfd fds[3] = {
		{ .fd = r->out, .events = POLLIN },
		{ .fd = r->status_fd, .events = POLLIN },
		{ .fd = pidfd, .events = POLLIN },
	};

	while (waitpid(r->pid, &status, WNOHANG) == 0) {
		int64_t now = clock_boot_ns();
		int wait = now >= next ? 0 : (int)((next - now) / MS_NS) + 1;

		if (poll(fds, PS_NELEM(fds), wait) > 0) {
			if (fds[0].revents)
				read_output(r);
			if (fds[1].revents)
				read_told(r);
			/* an end that stays readable at its end would make this loop spin */
			for (size_t i = 0; i < 2; i++)
				if ((fds[i].revents & POLLHUP) && !(fds[i].revents & POLLIN))
					fds[i].fd = -1;
		}
		if (clock_boot_ns() >= next) {
			check_limits(r);
			next = clock_boot_ns() + TICK_MS * MS_NS;
		}
	}
	if (pidfd >= 0)
		close(pidfd);
	r->pid = 0;
}

/* As subreaper we get the namespace's first process when bubblewrap's outer one is gone; the kernel
 * lets it be reaped only when all others in there are dead. */
static void reap_all(void)
{
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* The place that is full, if any; only asked when the command failed. */
static void tell_disk(struct room *r)
{
	int64_t limit = r->spec->limits.disk, used, size;
	char a[32], b[32];

	for (size_t i = 0; i < PS_NELEM(tmpfs); i++)
		if (sandbox_tmpfs_use(r->held[i], &used, &size) && size - used < size / 50)
			snprintf(r->res->limit, sizeof(r->res->limit), "disk: %s of %s in %s",
				 size_text(a, used), size_text(b, size), tmpfs[i].path);
	if (r->res->limit[0] || !limit || !r->spec->watched)
		return;
	used = sandbox_blocks(r->spec->watched) - r->disk_before;
	if (r->disk_before < SANDBOX_UNCOUNTED && limit - used < limit / 50)
		snprintf(r->res->limit, sizeof(r->res->limit), "disk: %s of %s written",
			 size_text(a, used), size_text(b, limit));
}

/* A command that failed by itself: which limit had it reached? */
static void tell_limit(struct room *r)
{
	unsigned most = r->spec->limits.processes;
	size_t n = strlen(r->res->why);

	tell_disk(r);
	if (!r->res->limit[0] && most && r->tasks_peak >= most)
		snprintf(r->res->limit, sizeof(r->res->limit),
			 "the limit of %u processes was reached", most);
	if (r->res->limit[0])
		snprintf(r->res->why + n, sizeof(r->res->why) - n, "; %s", r->res->limit);
}

static void conclude(struct room *r)
{
	struct sandbox_result *res = r->res;
	/* it is -1 when bubblewrap never said one: then the command never ran */
	int code = (int)told_number(r, "\"exit-code\"");
	size_t n;

	if (r->group && sandbox_cgroup_peak(r->group) > res->memory_peak)
		res->memory_peak = sandbox_cgroup_peak(r->group);
	if (r->group && sandbox_cgroup_hit(r->group) && code != 0)
		stop_memory(r);
	if (r->over)
		return;
	if (code < 0) {
		res->end = SANDBOX_BROKEN;
		n = strcspn(buf_str(&r->first), "\n");
		snprintf(res->why, sizeof(res->why), "the sandbox could not be made%s%.*s",
			 n ? ": " : "", (int)n, buf_str(&r->first));
		return;
	}
	res->end = SANDBOX_EXITED;
	res->status = code;
	if (code == 128 + SIGXFSZ)
		snprintf(res->why, sizeof(res->why), "a file grew past %lld MB",
			 (long long)(r->spec->limits.disk >> 20));
	else if (code > 128 && code < 128 + 65)
		snprintf(res->why, sizeof(res->why), "killed by signal %d", code - 128);
	else
		snprintf(res->why, sizeof(res->why), "exit status %d", code);
	if (code)
		tell_limit(r);
}

int sandbox_run(const struct sandbox_spec *spec, struct sandbox_result *res, struct ps_err *err)
{
	struct room r = { .spec = spec,
			  .res = res,
			  .told = BUF_INIT,
			  .first = BUF_INIT,
			  .out = -1,
			  .held = { -1, -1, -1 },
			  .status_fd = -1 };
	int rc;

	*res = (struct sandbox_result){ .end = SANDBOX_BROKEN };
	PS_BUG_IF(spec->uid == 0, "a sandbox with uid 0");
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return ps_err_errno(err, "cannot become a subreaper");
	if (spec->watched)
		r.disk_before = sandbox_blocks(spec->watched);
	if (spec->mark && spec->limits.memory)
		r.group = sandbox_cgroup_make(spec->mark, spec->limits.memory);
	rc = start(&r, err);
	if (r.pid > 0) {
		r.began = r.last_output = clock_boot_ns();
		if (rc == 0)
			watch(&r);
		else
			kill(r.pid, SIGKILL);
		reap_all();
	}
	if (rc == 0) {
		read_output(&r);
		read_told(&r);
		conclude(&r);
	}
	if (r.out >= 0)
		close(r.out);
	if (r.status_fd >= 0)
		close(r.status_fd);
	for (size_t i = 0; i < PS_NELEM(r.held); i++)
		if (r.held[i] >= 0)
			close(r.held[i]);
	sandbox_cgroup_remove(r.group);
	buf_clear(&r.told);
	buf_clear(&r.first);
	return rc;
}

/* In a child of its own: a probe's caller has other children, and sandbox_run() reaps them all. */
static void probe_child(uid_t uid, int tell) PS_NORETURN;
static void probe_child(uid_t uid, int tell)
{
	static const char *const argv[] = { "/usr/bin/true", NULL };
	struct sandbox_spec spec = { .argv = argv,
				     .cwd = "/tmp",
				     .uid = uid,
				     /* of all of this uid, other instances' too: they must not
				      * make the machine look as if it had no sandbox */
				     .limits = { .wall_ms = 20000,
						 .disk = 1 << 20,
						 .processes = 4096 } };
	struct sandbox_result res;
	struct ps_err err = { 0 };
	int rc = sandbox_run(&spec, &res, &err);
	const char *why = rc < 0 ? ps_err_msg(&err, rc) : res.why;

	if (rc == 0 && res.end == SANDBOX_EXITED && res.status == 0)
		_exit(0);
	_exit(fs_write_all(tell, why, strlen(why), NULL) < 0 ? 2 : 1);
}

bool sandbox_probe(uid_t uid, char why[512])
{
	struct buf text = BUF_INIT;
	int fds[2], status = -1;
	pid_t pid;

	snprintf(why, 512, "the sandbox could not be tried");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		probe_child(uid, fds[1]);
	}
	close(fds[1]);
	if (pid > 0 && fs_read_fd(&text, fds[0], 511, NULL) == 0 && text.len)
		snprintf(why, 512, "%s", buf_str(&text));
	close(fds[0]);
	if (pid > 0 && spawn_wait(pid, &status, NULL) < 0)
		status = -1;
	buf_clear(&text);
	if (status == 0)
		why[0] = '\0';
	return status == 0;
}
