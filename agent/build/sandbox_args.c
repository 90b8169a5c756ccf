/*
 * sandbox_args – see sandbox_args.h: the one place that says what bubblewrap shall do.
 */
#include "config.h"

#include "agent/build/sandbox_args.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/build/toolchain.h"
#include "common/base/fsutil.h"
#include "common/plan/profile.h"

static void arg(struct sandbox_args *sa, const char *text)
{
	buf_add(&sa->options, text, strlen(text) + 1);
}

/* A list of arguments, NULL-ended. */
static void args(struct sandbox_args *sa, ...) __attribute__((sentinel));
static void args(struct sandbox_args *sa, ...)
{
	const char *a;
	va_list ap;

	va_start(ap, sa);
	while ((a = va_arg(ap, const char *)))
		arg(sa, a);
	va_end(ap);
}

static void arg_num(struct sandbox_args *sa, const char *fmt, long long n)
	__attribute__((format(printf, 2, 0)));
static void arg_num(struct sandbox_args *sa, const char *fmt, long long n)
{
	char text[64];

	snprintf(text, sizeof(text), fmt, n);
	arg(sa, text);
}

/* Takes fd over. */
static int keep_fd(struct sandbox_args *sa, int fd, struct ps_err *err)
{
	PS_BUG_IF(sa->nkeep == SANDBOX_KEEP_MAX, "too many descriptors for one sandbox");
	if (fd < 0)
		return ps_err_errno(err, "cannot make a file in memory");
	if (fd < 3) { /* 0-2 are the command's */
		int up = fcntl(fd, F_DUPFD_CLOEXEC, 3);

		close(fd);
		fd = up;
	}
	sa->keep[sa->nkeep++] = fd;
	return fd < 0 ? ps_err_errno(err, "cannot move a descriptor") : fd;
}

static int in_memory(struct sandbox_args *sa, const void *p, size_t n, struct ps_err *err)
{
	int fd = keep_fd(sa, memfd_create("sandbox", MFD_CLOEXEC), err);

	if (fd < 0 || fs_write_all(fd, p, n, err) < 0)
		return fd < 0 ? fd : PS_EIO;
	return lseek(fd, 0, SEEK_SET) < 0 ? ps_err_errno(err, "cannot rewind") : fd;
}

static int etc_file(struct sandbox_args *sa, const char *path, const char *text, struct ps_err *err)
{
	int fd = in_memory(sa, text, strlen(text), err);

	if (fd < 0)
		return fd;
	args(sa, "--perms", "0444", "--file", NULL);
	arg_num(sa, "%lld", fd);
	arg(sa, path);
	return 0;
}

static void arg_tmpfs(struct sandbox_args *sa, const char *path, int64_t size)
{
	args(sa, "--perms", "1777", NULL);
	if (size > 0) {
		arg(sa, "--size");
		arg_num(sa, "%lld", size);
	}
	args(sa, "--tmpfs", path, NULL);
}

/* Debian's JVM keeps configuration outside its folder: java does not start without it. */
static void arg_java(struct sandbox_args *sa)
{
	char *etc = toolchain_java_etc(sa->spec->java);

	if (sa->spec->java)
		args(sa, "--ro-bind", sa->spec->java, PROFILE_JAVA, NULL);
	if (etc)
		args(sa, "--ro-bind", etc, etc, NULL);
	free(etc);
}

/* What no package owns is in no key, so it is not in the sandbox either (toolchain.h). */
static void arg_usr(struct sandbox_args *sa)
{
	const char *prefix = sa->spec->prefix;
	struct stat st;

	args(sa, "--ro-bind", "/usr", "/usr", NULL);
	if (lstat("/usr/local", &st) == 0 && S_ISDIR(st.st_mode) &&
	    !(prefix && toolchain_is_local(prefix)))
		args(sa, "--tmpfs", "/usr/local", "--remount-ro", "/usr/local", NULL);
	args(sa, "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin", "--symlink",
	     "usr/lib", "/lib", NULL);
	if (stat("/usr/lib64", &st) == 0)
		args(sa, "--symlink", "usr/lib64", "/lib64", NULL);
}

static int arg_files(struct sandbox_args *sa, struct ps_err *err)
{
	const struct sandbox_spec *s = sa->spec;
	char passwd[128], group[64];
	int rc;

	snprintf(passwd, sizeof(passwd), PROFILE_USER ":x:%u:%u::/tmp:/bin/sh\n", s->uid, s->uid);
	snprintf(group, sizeof(group), PROFILE_USER ":x:%u:\n", s->uid);
	arg_usr(sa);
	args(sa, "--proc", "/proc", "--dev", "/dev", NULL);
	arg_tmpfs(sa, "/dev/shm", SANDBOX_SHM);
	arg_tmpfs(sa, "/tmp", s->limits.disk);
	if (s->build_dir)
		arg_tmpfs(sa, PROFILE_BUILD, s->limits.disk);
	if ((rc = etc_file(sa, "/etc/passwd", passwd, err)) < 0 ||
	    (rc = etc_file(sa, "/etc/group", group, err)) < 0 ||
	    (rc = etc_file(sa, "/etc/hosts", "127.0.0.1 localhost " PROFILE_HOST "\n", err)) < 0 ||
	    (rc = etc_file(sa, "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n",
			   err)) < 0)
		return rc;
	if (s->prefix)
		args(sa, "--ro-bind", s->prefix, PROFILE_TOOLCHAIN, NULL);
	arg_java(sa);
	/* bubblewrap gives a missing parent the mode 0700 in some cases: make it ourselves */
	args(sa, "--perms", "0755", "--dir", "/dbfs", NULL);
	for (size_t i = 0; i < s->nbinds; i++)
		args(sa, s->binds[i].writable ? "--bind" : "--ro-bind", s->binds[i].from,
		     s->binds[i].to, NULL);
	args(sa, "--remount-ro", "/dev", "--remount-ro", "/", NULL); /* those two have no size */
	return 0;
}

/* A limit can only be lowered in there: what is asked, but not more than we have ourselves. */
static void put_rlimit(struct sandbox_args *sa, const char *option, int which, int64_t want)
{
	struct rlimit have;

	if (getrlimit((__rlimit_resource_t)which, &have) == 0 && have.rlim_max != RLIM_INFINITY &&
	    (int64_t)have.rlim_max < want)
		want = (int64_t)have.rlim_max;
	buf_addf(&sa->command, "--%s=%lld", option, (long long)want);
	buf_addch(&sa->command, '\0');
}

static void put(struct sandbox_args *sa, const char *text)
{
	buf_add(&sa->command, text, strlen(text) + 1);
}

static void make_command(struct sandbox_args *sa)
{
	static const char *const drop[] = { "--clear-groups", "--no-new-privs", "--inh-caps=-all",
					    "--bounding-set=-all", "--" };
	const struct sandbox_limits *l = &sa->spec->limits;
	char uid[16];

	put(sa, "/usr/bin/prlimit");
	put_rlimit(sa, "core", RLIMIT_CORE, 0);
	put_rlimit(sa, "nofile", RLIMIT_NOFILE, 8192);
	if (l->processes)
		put_rlimit(sa, "nproc", RLIMIT_NPROC, l->processes);
	if (l->disk)
		put_rlimit(sa, "fsize", RLIMIT_FSIZE, l->disk);
	put(sa, "--");
	if (geteuid() == 0) {
		snprintf(uid, sizeof(uid), "%u", sa->spec->uid);
		put(sa, "/usr/bin/setpriv");
		put(sa, "--reuid");
		put(sa, uid);
		put(sa, "--regid");
		put(sa, uid);
		for (size_t i = 0; i < PS_NELEM(drop); i++)
			put(sa, drop[i]);
	}
	for (size_t i = 0; sa->spec->argv[i]; i++)
		put(sa, sa->spec->argv[i]);
}

#define ENV_ARG(name, value) "--setenv", name, value,

static int make_options(struct sandbox_args *sa, int status_fd, struct ps_err *err)
{
	int fd, rc;

	args(sa, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
	     "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--hostname",
	     PROFILE_HOST, "--json-status-fd", NULL);
	arg_num(sa, "%lld", status_fd);
	if (geteuid() == 0) {
		args(sa, "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID",
		     "--cap-add", "CAP_SETPCAP", NULL);
	} else {
		args(sa, "--unshare-user", "--disable-userns", "--uid", NULL);
		arg_num(sa, "%lld", sa->spec->uid);
		arg(sa, "--gid");
		arg_num(sa, "%lld", sa->spec->uid);
	}
	fd = sandbox_seccomp(err);
	if (fd < 0 || (fd = keep_fd(sa, fd, err)) < 0)
		return fd;
	arg(sa, "--seccomp");
	arg_num(sa, "%lld", fd);
	args(sa, "--clearenv", PROFILE_ENV(ENV_ARG) NULL);
	if ((rc = arg_files(sa, err)) < 0)
		return rc;
	args(sa, "--chdir", sa->spec->cwd, NULL);
	make_command(sa);
	return 0;
}

/* bwrap --args FD COMMAND...; the command's words stay in sa->command. */
static void make_argv(struct sandbox_args *sa, const char *bwrap)
{
	const char *at = sa->command.data, *end = at + sa->command.len;
	const char *const first[] = { bwrap, "--args", sa->args_fd };
	size_t n = 0, cap = 0;

	for (size_t i = 0; i < PS_NELEM(first); i++) {
		sa->argv = xgrow(sa->argv, n, &cap, sizeof(*sa->argv));
		sa->argv[n++] = first[i];
	}
	for (; at < end; at += strlen(at) + 1) {
		sa->argv = xgrow(sa->argv, n, &cap, sizeof(*sa->argv));
		sa->argv[n++] = at;
	}
	sa->argv = xgrow(sa->argv, n, &cap, sizeof(*sa->argv));
	sa->argv[n] = NULL;
}

static const char *find_bwrap(void)
{
	static const char *const places[] = { "/usr/bin/bwrap", "/usr/local/bin/bwrap",
					      "/bin/bwrap" };

	for (size_t i = 0; i < PS_NELEM(places); i++)
		if (access(places[i], X_OK) == 0)
			return places[i];
	return NULL;
}

int sandbox_args_make(struct sandbox_args *sa, int status_fd, struct ps_err *err)
{
	const char *bwrap = find_bwrap();
	int fd, rc;

	if (!bwrap)
		return ps_err_set(err, PS_ENOENT,
				  "bubblewrap is not installed: apt-get install bubblewrap");
	fd = keep_fd(sa, fcntl(status_fd, F_DUPFD_CLOEXEC, 3), err);
	if (fd < 0)
		return fd;
	if ((rc = make_options(sa, fd, err)) < 0)
		return rc;
	fd = in_memory(sa, sa->options.data, sa->options.len, err);
	if (fd < 0)
		return fd;
	snprintf(sa->args_fd, sizeof(sa->args_fd), "%d", fd);
	make_argv(sa, bwrap);
	return 0;
}

void sandbox_args_clear(struct sandbox_args *sa)
{
	for (size_t i = 0; i < sa->nkeep; i++)
		if (sa->keep[i] >= 0)
			close(sa->keep[i]);
	sa->nkeep = 0;
	buf_clear(&sa->options);
	buf_clear(&sa->command);
	PS_FREE(sa->argv);
}
