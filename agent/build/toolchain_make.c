/* toolchain_make – see toolchain_make.h. */
#include "config.h"

#include "agent/build/toolchain_make.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"
#include "common/plan/profile.h"

/* The python3 of PATH may be a shim in a home folder that no other uid can enter. */
#define PYTHON "/usr/bin/python3"
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* A person ends it: what is at work then, and whether somebody has. */
static volatile sig_atomic_t at_work, stopped;

struct make {
	toolchain_log_fn *log;
	void *arg;
	char last[512]; /* last line, for the error */
};

/* What would make this Python or this pip another one than the venv's. */
static bool is_dropped(const char *var)
{
	static const char *const prefixes[] = {
		"PYTHON",          "VIRTUAL_ENV", "LD_",       "PIP_USER=",
		"PIP_TARGET=",     "PIP_PREFIX=", "PIP_ROOT=", "PIP_REQUIRE_VIRTUALENV=",
		"PIP_NO_COMPILE=", "PENSTOCK_",   "GIT_",
	};

	for (size_t i = 0; i < PS_NELEM(prefixes); i++)
		if (ps_starts(var, prefixes[i]))
			return true;
	return false;
}

static const char **make_env(void)
{
	static const char *const ours[] = { "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1",
					    "PYTHONUNBUFFERED=1" };
	const char **v = NULL;
	size_t n = 0, cap = 0;

	for (char **e = environ; *e; e++) {
		if (is_dropped(*e))
			continue;
		v = xgrow(v, n, &cap, sizeof(*v));
		v[n++] = *e;
	}
	for (size_t i = 0; i <= PS_NELEM(ours); i++) {
		v = xgrow(v, n, &cap, sizeof(*v));
		v[n++] = i < PS_NELEM(ours) ? ours[i] : NULL;
	}
	return v;
}

static void pass_lines(struct make *m, struct buf *text, bool all)
{
	for (;;) {
		char *nl = text->len ? memchr(text->data, '\n', text->len) : NULL;
		size_t n = nl ? (size_t)(nl - text->data) : text->len;

		if (!n && !nl)
			return;
		if (!nl && !all && n < 65536)
			return;
		if (nl)
			*nl = '\0';
		if (*text->data)
			snprintf(m->last, sizeof(m->last), "%s", text->data);
		if (m->log)
			m->log(m->arg, text->data);
		buf_drain(text, nl ? n + 1 : n);
	}
}

static int run(struct make *m, const char *const *argv, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	const char **env = make_env();
	int fds[2], status = 0, rc = 0;
	char how[64];
	ssize_t n;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		free(env);
		return ps_err_errno(err, "cannot make a pipe");
	}
	pid = stopped ? ps_err_set(err, PS_EIO, "stopped") :
		spawn_start(&(struct spawn){ .argv = argv, .env = env, .in = -1, .out = fds[1],
					     .errout = fds[1], .new_group = true }, err);
	at_work = pid > 0 ? pid : 0;
	if (pid > 0 && stopped)
		kill(-pid, SIGTERM);
	close(fds[1]);
	while (pid > 0 &&
	       ((n = read(fds[0], buf_room(&text, 4096), 4096)) > 0 || (n < 0 && errno == EINTR))) {
		if (n > 0)
			buf_grew(&text, (size_t)n);
		pass_lines(m, &text, false);
	}
	pass_lines(m, &text, true);
	close(fds[0]);
	rc = pid < 0 ? (int)pid : spawn_wait(pid, &status, err);
	at_work = 0;
	if (rc == 0 && stopped)
		rc = ps_err_set(err, PS_EIO, "stopped; what was there before is as it was");
	else if (rc == 0 && status != 0)
		rc = ps_err_set(err, PS_EIO, "'%s %s %s' failed (%s): %s", argv[0], argv[1],
				argv[2], spawn_status_text(how, status), m->last);
	buf_clear(&text);
	free(env);
	return rc;
}

static int fill(struct make *m, const char *prefix, const char *file, struct ps_err *err)
{
	char *python = fs_join(prefix, "bin/python"), *lib = fs_join(prefix, "lib");
	const char *const venv[] = { PYTHON, "-m", "venv", prefix, NULL };
	const char *const install[] = { python, "-m", "pip", "install", "-r", file, NULL };
	/* everything now: use must not change a toolchain, or its digest would (toolchain.h) */
	const char *const compile[] = { python, "-m", "compileall", "-q", lib, NULL };
	const char *const check[] = { python, "-c", "import setuptools, wheel", NULL };
	struct ps_err ignored;
	int rc = run(m, venv, err);

	if (rc < 0)
		ps_err_prefix(err, "is python3-venv installed (apt-get install python3-venv)?");
	if (rc == 0)
		rc = run(m, install, err);
	/* files for other Python versions do not compile, and that is no fault of the toolchain */
	if (rc == 0 && run(m, compile, &ignored) < 0 && m->log)
		m->log(m->arg, "some files were not compiled beforehand");
	if (rc == 0 && (rc = run(m, check, err)) < 0)
		ps_err_prefix(err, "'%s' must name setuptools and wheel, they build the pipelines",
			      file);
	free(lib);
	free(python);
	return rc;
}

/* All of it is on the disk before the marker says so; one syncfs is faster than 10,000 fsyncs. */
static int seal(const char *prefix, struct ps_err *err)
{
	int fd = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || syncfs(fd) < 0)
		rc = ps_err_errno(err, "cannot sync '%s'", prefix);
	if (rc == 0)
		rc = fs_write_file(fd, TOOLCHAIN_MARKER, TOOLCHAIN_MARKER_TEXT,
				   strlen(TOOLCHAIN_MARKER_TEXT), 0644, err);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* N of an entry .NAME.N; name NULL: of any. 0: it is none. */
static unsigned number_of(const char *entry, const char *name)
{
	const char *dot = strrchr(entry, '.');
	unsigned long n;
	char *end;

	if (*entry != '.' || dot == entry || dot[1] < '1' || dot[1] > '9')
		return 0;
	if (name && ((size_t)(dot - entry - 1) != strlen(name) ||
		     strncmp(entry + 1, name, strlen(name)) != 0))
		return 0;
	n = strtoul(dot + 1, &end, 10);
	return *end || n > 1000000000 ? 0 : (unsigned)n;
}

static bool is_finished(int dirfd, const char *entry)
{
	char *marker = fs_join(entry, TOOLCHAIN_MARKER);
	bool yes = faccessat(dirfd, marker, F_OK, 0) == 0;

	free(marker);
	return yes;
}

/*
 * Removes what makes that were killed have left, of any name, and of this name all but the one in
 * force. *next is a number that no folder of this name has or had: what a killed make had started
 * may still be writing into its own, and then that goes with the next make.
 */
static int sweep(const struct make *m, int dirfd, const char *name, unsigned *next,
		 struct ps_err *err)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char in_force[PATH_MAX] = "";
	struct dirent *e;
	ssize_t n = readlinkat(dirfd, name, in_force, sizeof(in_force) - 1);

	in_force[n < 0 ? 0 : n] = '\0';
	*next = 1;
	if (!d) {
		if (fd >= 0)
			close(fd);
		return ps_err_errno(err, "cannot list the toolchains");
	}
	while ((e = readdir(d))) {
		unsigned ours = number_of(e->d_name, name);

		*next = ours >= *next ? ours + 1 : *next;
		if (strcmp(e->d_name, in_force) == 0 ||
		    (!ours && (!number_of(e->d_name, NULL) || is_finished(dirfd, e->d_name))))
			continue;
		if (fs_remove_tree(dirfd, e->d_name, NULL) < 0 && m->log)
			m->log(m->arg, "what an earlier make left stays until the next one");
	}
	closedir(d);
	if (rc == 0 && n < 0 && !is_finished(dirfd, name))
		rc = fs_remove_tree(dirfd, name, err);
	return rc;
}

/* NAME leads to the new one from now on, at once; what it was before stays until the next make, for
 * who still runs on it. */
static int put_in_force(int dirfd, const char *name, unsigned number, struct ps_err *err)
{
	char *folder = xasprintf(".%s.%u", name, number), *link = xasprintf(".%s.link", name);
	char *before = xasprintf(".%s.%u", name, number + 1);
	struct stat st;
	int rc = 0;

	if ((unlinkat(dirfd, link, 0) < 0 && errno != ENOENT) || symlinkat(folder, dirfd, link) < 0)
		rc = ps_err_errno(err, "cannot make the link '%s'", link);
	else if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		/* one of before there were links, or copied here */
		rc = renameat2(dirfd, link, dirfd, name, RENAME_EXCHANGE) < 0 ||
			renameat(dirfd, link, dirfd, before) < 0
			? ps_err_errno(err, "cannot put '%s' into its place", name) : 0;
	else if (renameat(dirfd, link, dirfd, name) < 0)
		rc = ps_err_errno(err, "cannot put '%s' into its place", name);
	if (rc == 0 && fsync(dirfd) < 0)
		rc = ps_err_errno(err, "cannot sync the folder of '%s'", name);
	free(folder);
	free(link);
	free(before);
	return rc;
}

static int make_locked(struct make *m, int dirfd, const char *real, const char *name,
		       const char *file, struct ps_err *err)
{
	unsigned number;
	char *prefix;
	mode_t old;
	int rc = sweep(m, dirfd, name, &number, err);

	if (rc < 0)
		return rc;
	prefix = xasprintf("%s/.%s.%u", real, name, number);
	old = umask(022); /* other uids execute it */
	rc = fill(m, prefix, file, err);
	if (rc == 0)
		rc = seal(prefix, err);
	if (rc == 0)
		rc = put_in_force(dirfd, name, number, err);
	umask(old);
	if (rc < 0 && fs_remove_tree(AT_FDCWD, prefix, NULL) < 0 && m->log)
		m->log(m->arg,
		       "the unfinished toolchain could not be removed; the next make does it");
	free(prefix);
	return rc;
}

static void on_stop(int sig)
{
	(void)sig;
	stopped = 1;
	if (at_work > 0)
		kill(-(pid_t)at_work, SIGTERM);
}

/* pip ends, its half of a toolchain goes away, and then we end. */
static void stop_by_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction sa = { .sa_handler = on_stop };

	for (size_t i = 0; i < PS_NELEM(signals); i++)
		sigaction(signals[i], &sa, NULL);
}

int toolchain_make(const char *folder, const char *name, const char *requirements_file,
		   toolchain_log_fn *log, void *arg, struct ps_err *err)
{
	struct make m = { .log = log, .arg = arg };
	char *real = NULL;
	int fd = -1, rc;

	if (!*name || *name == '.' || strlen(name) > 64 || name[strspn(name, NAME_CHARS)])
		return ps_err_set(
			err, PS_EINVAL,
			"'%s' is no name for a toolchain: letters, digits, '.', '_' and '-'", name);
	if (access(requirements_file, R_OK) < 0)
		return ps_err_errno(err, "cannot read '%s'", requirements_file);
	rc = fs_mkdirs(folder, 0755, err);
	if (rc < 0)
		return rc;
	real = realpath(folder, NULL);
	fd = real ? open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd < 0) {
		rc = ps_err_errno(err, "cannot open '%s'", folder);
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		rc = ps_err_set(err, PS_EBUSY, "another toolchain is being made in '%s'", folder);
	} else {
		stop_by_signals();
		rc = make_locked(&m, fd, real, name, requirements_file, err);
	}
	if (fd >= 0)
		close(fd);
	free(real);
	return rc;
}
