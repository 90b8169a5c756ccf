/* reserve – see reserve.h. */
#include "config.h"

#include "agent/store/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/base/failpoint.h"

enum { UNIT = 64 << 10 };

int64_t reserve_size(int64_t wanted, int64_t disk)
{
	int64_t most = disk / 16 / UNIT * UNIT;

	return wanted < most ? wanted : most;
}

bool reserve_is_made(const char *path, int64_t size)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size && st.st_blocks * 512 >= size;
}

int reserve_make(const char *path, int64_t size, struct ps_err *err)
{
	struct statvfs fs;
	int fd, rc;

	if (size <= 0 || reserve_is_made(path, size))
		return 0;
	unlink(path);			/* of another size, or never finished */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return ps_err_errno(err, "cannot make the reserve '%s'", path);
	if (fstatvfs(fd, &fs) < 0)
		rc = errno;
	else if ((uint64_t)fs.f_bavail * fs.f_frsize < 2 * (uint64_t)size)
		rc = ENOSPC;
	else
		rc = FAIL_AT("reserve.make") ? errno : posix_fallocate(fd, 0, size);
	if (rc != 0)
		unlink(path);
	close(fd);
	errno = rc;
	if (rc == ENOSPC)
		return ps_err_set(err, PS_EBUSY, "no room yet for the reserve '%s'", path);
	return rc ? ps_err_errno(err, "cannot fill the reserve '%s'", path) : 0;
}

int64_t reserve_free(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && unlink(path) == 0 ? st.st_size : 0;
}
