/*
 * sandbox_seccomp – what the kernel refuses inside: the last column of wall.c's table, as a file
 * that bubblewrap reads.
 */
#include "config.h"

#include "agent/build/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/loop/wall.h"

int sandbox_seccomp(struct ps_err *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int fd = -1, rc;

	if (!ctx)
		return ps_err_set(err, PS_ENOTSUP, "no seccomp filter can be made on this machine");
	rc = wall_rules(ctx, WALL_SANDBOX);
	if (rc == 0) {
		fd = memfd_create("seccomp", MFD_CLOEXEC);
		rc = fd < 0 ? -errno : seccomp_export_bpf(ctx, fd);
	}
	seccomp_release(ctx);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	errno = rc < 0 ? -rc : errno;
	rc = ps_err_errno(err, "cannot make the seccomp filter");
	if (fd >= 0)
		close(fd);
	return rc;
}
