/* wall – see wall.h. */
#include "config.h"

#include "agent/loop/wall.h"

#include <errno.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* who needs a call: */
enum {
	NOBODY = 0,
	BUILD = WALL_BUILD,
	PROGRAMS = WALL_GATE | WALL_BUILD | WALL_DEPLOY | WALL_SANDBOX,
	NETWORK = WALL_CORE | WALL_BUILD | WALL_DEPLOY | WALL_SANDBOX,
};

/* A list of denials, not of permissions: pipelines bring any Python and a JVM, libraries change
 * what they call from one version to the next, and a filter that breaks them would be switched
 * off. */
static const struct {
	int nr;
	int error;
	unsigned needed_by; /* bits of enum wall_who */
} calls[] = {
	/* other programs; the gate starts git for what libgit2 cannot read, deploy sendmail */
	{ SCMP_SYS(execve), EPERM, PROGRAMS },
	{ SCMP_SYS(execveat), EPERM, PROGRAMS },
	/* namespaces and mounts; clone3 hides its flags from a filter: ENOSYS makes libc use clone
	 */
	{ SCMP_SYS(clone3), ENOSYS, NOBODY },
	{ SCMP_SYS(setns), EPERM, NOBODY },
	{ SCMP_SYS(mount), EPERM, BUILD },
	{ SCMP_SYS(umount2), EPERM, BUILD },
	{ SCMP_SYS(pivot_root), EPERM, BUILD },
	{ SCMP_SYS(open_tree), EPERM, BUILD },
	{ SCMP_SYS(move_mount), EPERM, BUILD },
	{ SCMP_SYS(fsopen), EPERM, BUILD },
	{ SCMP_SYS(fsconfig), EPERM, BUILD },
	{ SCMP_SYS(fsmount), EPERM, BUILD },
	{ SCMP_SYS(fspick), EPERM, BUILD },
	{ SCMP_SYS(mount_setattr), EPERM, BUILD },
	{ SCMP_SYS(open_by_handle_at), EPERM, NOBODY },
	/* the key rings belong to no namespace */
	{ SCMP_SYS(keyctl), EPERM, NOBODY },
	{ SCMP_SYS(add_key), EPERM, NOBODY },
	{ SCMP_SYS(request_key), EPERM, NOBODY },
	/* other processes' memory and descriptors */
	{ SCMP_SYS(ptrace), EPERM, NOBODY },
	{ SCMP_SYS(pidfd_getfd), EPERM, NOBODY },
	{ SCMP_SYS(process_vm_readv), EPERM, NOBODY },
	{ SCMP_SYS(process_vm_writev), EPERM, NOBODY },
	/* kernel surface */
	{ SCMP_SYS(bpf), EPERM, NOBODY },
	{ SCMP_SYS(perf_event_open), EPERM, NOBODY },
	{ SCMP_SYS(userfaultfd), EPERM, NOBODY },
	{ SCMP_SYS(io_uring_setup), ENOSYS, NOBODY },
	{ SCMP_SYS(io_uring_enter), ENOSYS, NOBODY },
	{ SCMP_SYS(io_uring_register), ENOSYS, NOBODY },
	{ SCMP_SYS(kexec_load), EPERM, NOBODY },
	{ SCMP_SYS(kexec_file_load), EPERM, NOBODY },
	{ SCMP_SYS(init_module), EPERM, NOBODY },
	{ SCMP_SYS(finit_module), EPERM, NOBODY },
	{ SCMP_SYS(delete_module), EPERM, NOBODY },
	{ SCMP_SYS(quotactl), EPERM, NOBODY },
	{ SCMP_SYS(swapon), EPERM, NOBODY },
	{ SCMP_SYS(swapoff), EPERM, NOBODY },
	{ SCMP_SYS(acct), EPERM, NOBODY },
	{ SCMP_SYS(reboot), EPERM, NOBODY },
};

/* Kinds of sockets. Inside a sandbox the last three end at its network namespace; others, AF_VSOCK
 * among them, would not. */
static const struct {
	int family;
	unsigned needed_by;
} families[] = {
	{ AF_UNIX, NETWORK | WALL_GATE },
	{ AF_INET, NETWORK },
	{ AF_INET6, NETWORK },
	{ AF_NETLINK, NETWORK }, /* getaddrinfo; bubblewrap's loopback */
};

static bool needs_family(int family, enum wall_who who)
{
	for (size_t i = 0; i < PS_NELEM(families); i++)
		if (families[i].family == family)
			return families[i].needed_by & who;
	return false;
}

static int deny_families(scmp_filter_ctx ctx, enum wall_who who)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
				  SCMP_A0(SCMP_CMP_GT, AF_NETLINK, 0));

	for (int family = 0; rc == 0 && family <= AF_NETLINK; family++)
		if (!needs_family(family, who))
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket),
					      1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0));
	return rc;
}

static int deny_user_namespaces(scmp_filter_ctx ctx)
{
	int rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
				  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));

	return rc < 0 ? rc :
		seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
}

int wall_rules(void *filter, enum wall_who who)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < PS_NELEM(calls); i++)
		if (!(calls[i].needed_by & who))
			rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned)calls[i].error),
					      calls[i].nr, 0);
	if (rc == 0 && who != WALL_BUILD)
		rc = deny_user_namespaces(filter);
	if (rc == 0) /* typing into the terminal of whoever started us */
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, TIOCSTI));
	return rc == 0 ? deny_families(filter, who) : rc;
}

/* The filter takes effect. -errno when it could not be made or the kernel refuses it. */
static int load(scmp_filter_ctx ctx, int rc)
{
	if (rc == 0) /* a tree instead of a list of comparisons */
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = seccomp_load(ctx);
	seccomp_release(ctx);
	return rc;
}

/* Why no filter may be set here; NULL: it may. Both kinds of checkers make calls of their own. */
static const char *cannot_filter(void)
{
	const char *preload = getenv("LD_PRELOAD");

#ifdef PENSTOCK_SANITIZED
	return "no seccomp filter: built with a sanitizer";
#endif
	return preload && strstr(preload, "/vgpreload") ?
		"no seccomp filter: run under valgrind" : NULL;
}

static bool bubblewrap_is_setuid(void)
{
	struct stat st;

	return stat("/usr/bin/bwrap", &st) == 0 && (st.st_mode & S_ISUID);
}

static enum wall_who who_is(const char *role)
{
	return strcmp(role, "core") == 0  ? WALL_CORE :
	       strcmp(role, "gate") == 0  ? WALL_GATE :
	       strcmp(role, "build") == 0 ? WALL_BUILD :
					    WALL_DEPLOY;
}

const char *wall_raise(const char *role)
{
	const struct rlimit none = { 0, 0 };
	enum wall_who who = who_is(role);
	const char *missing = cannot_filter();
	scmp_filter_ctx ctx;

	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return "its memory may be read by other processes of its user";
	if (who == WALL_BUILD && bubblewrap_is_setuid())
		return "neither no_new_privs nor a seccomp filter: bubblewrap is setuid on this "
		       "machine";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "no_new_privs cannot be set";
	if (missing)
		return missing;
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	if (!ctx || load(ctx, wall_rules(ctx, who)) < 0)
		return "no seccomp filter: this kernel takes none";
	return NULL;
}

bool wall_no_programs(void)
{
	scmp_filter_ctx ctx;
	int rc = 0;

	if (cannot_filter())
		return true;
	ctx = seccomp_init(SCMP_ACT_ALLOW);
	for (size_t i = 0; ctx && rc == 0 && i < PS_NELEM(calls); i++)
		if (calls[i].needed_by == PROGRAMS)
			rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i].nr, 0);
	return ctx && load(ctx, rc) == 0;
}
