/* wall – for each role, what the kernel refuses once its wall is raised, and what must still work.
 * Every attempt is a child of its own: a wall stays. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/loop/wall.h"

static const char *const roles[] = { "core", "gate", "build", "deploy" };

/* An attempt returns 0 when it got through, else errno. */
static int start_program(void)
{
	char *const argv[] = { (char *)"/bin/true", NULL };
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], argv);
		_exit(errno);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static int said(long rc)
{
	return rc < 0 ? errno : 0;
}

static int trace(void)
{
	return said(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int add_key(void)
{
	return said(syscall(SYS_add_key, "user", "penstock", "x", 1, -1));
}

static int ring(void)
{
	char params[256] = { 0 };

	return said(syscall(SYS_io_uring_setup, 1, params));
}

static int user_namespace(void)
{
	return said(unshare(CLONE_NEWUSER));
}

/* EFAULT and EPERM for want of rights differ: only a call that the filter let through looks at its
 * arguments. */
static int mount_nothing(void)
{
	return said(syscall(SYS_mount, (void *)1, (void *)1, (void *)1, 0, (void *)1));
}

static int packets(void)
{
	return said(socket(AF_PACKET, SOCK_RAW, 0));
}

static int inet(void)
{
	return said(socket(AF_INET, SOCK_STREAM, 0));
}

static int local(void)
{
	return said(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int program_after_giving_up(void)
{
	return wall_no_programs() ? start_program() : EIO;
}

static int dumpable(void)
{
	return prctl(PR_GET_DUMPABLE) ? 0 : EACCES;
}

static int core_file(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_CORE, &l) == 0 && l.rlim_max ? 0 : EACCES;
}

static int new_rights(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) ? EACCES : 0;
}

enum { OPEN = 0, ANY = -1 };

static const struct row {
	const char *name;
	int (*attempt)(void);
	int want[4]; /* core, gate, build, deploy: OPEN, an errno, or ANY: the machine decides */
	int before;  /* without a wall; ANY: as here */
} rows[] = {
	{ "program", start_program, { EPERM, OPEN, OPEN, OPEN }, OPEN },
	{ "program given up", program_after_giving_up, { EPERM, EPERM, EPERM, EPERM }, ANY },
	{ "trace", trace, { EPERM, EPERM, EPERM, EPERM }, OPEN },
	{ "key ring", add_key, { EPERM, EPERM, EPERM, EPERM }, ANY },
	{ "io_uring", ring, { ENOSYS, ENOSYS, ENOSYS, ENOSYS }, ANY },
	{ "user namespace", user_namespace, { EPERM, EPERM, ANY, EPERM }, ANY },
	{ "mount", mount_nothing, { EPERM, EPERM, ANY, EPERM }, ANY },
	{ "packet socket", packets,
	  { EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT, EAFNOSUPPORT }, ANY },
	{ "network", inet, { OPEN, EAFNOSUPPORT, OPEN, OPEN }, OPEN },
	{ "unix socket", local, { OPEN, OPEN, OPEN, OPEN }, OPEN },
	{ "dumpable", dumpable, { EACCES, EACCES, EACCES, EACCES }, OPEN },
	{ "core file", core_file, { EACCES, EACCES, EACCES, EACCES }, ANY },
	{ "new rights", new_rights, { EACCES, EACCES, EACCES, EACCES }, ANY },
};

/* role NULL: no wall. */
static int attempt(const char *role, int (*f)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		if (role && wall_raise(role))
			_exit(EIO);
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void check_row(void **state)
{
	const struct row *r = *state;

	if (r->before != ANY)
		assert_int_equal(attempt(NULL, r->attempt), r->before);
	for (size_t i = 0; i < PS_NELEM(roles); i++) {
		int got = r->want[i] == ANY ? ANY : attempt(roles[i], r->attempt);

		if (got != r->want[i])
			fail_msg("%s: %s: %s", roles[i], r->name, got ? strerror(got) : "got through");
	}
}

/* Checkers make calls of their own: there the filter is left out, and said to be. */
static void told_when_left_out(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		const char *why;

		setenv("LD_PRELOAD", "/usr/libexec/valgrind/vgpreload_core-amd64-linux.so", 1);
		why = wall_raise("gate");
		_exit(!why || !strstr(why, "no seccomp filter") || start_program() != 0 ||
		      dumpable() == 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 1];
	const char *preload = getenv("LD_PRELOAD");
	size_t n = 0;

#ifdef PENSTOCK_SANITIZED
	preload = "/vgpreload";
#endif
	for (size_t i = 0; i < PS_NELEM(rows) && !(preload && strstr(preload, "/vgpreload")); i++)
		t[n++] = (struct CMUnitTest){ .name = rows[i].name,
					      .test_func = check_row,
					      .initial_state = (void *)&rows[i] };
	t[n++] = (struct CMUnitTest)cmocka_unit_test(told_when_left_out);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("wall", t, n, NULL, NULL);
}
