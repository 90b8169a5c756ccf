/*
 * kernel – a test that stands on openat2(2) and pidfd_open(2) says so where they are not answered:
 * under valgrind before 3.22, which does not know them.
 */
#ifndef TEST_KERNEL_H
#define TEST_KERNEL_H

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* 77, the exit status of a skipped test, having said why; else 0. */
static inline int kernel_skip(void)
{
	if ((syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS) ||
	    (syscall(SYS_pidfd_open, -1, 0) < 0 && errno == ENOSYS)) {
		puts("SKIP: openat2(2) and pidfd_open(2) are not answered here "
		     "(valgrind before 3.22)");
		return 77;
	}
	return 0;
}

#endif
