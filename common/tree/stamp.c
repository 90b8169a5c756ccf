/* stamp – see stamp.h. */
#include "config.h"

#include "common/tree/stamp.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <time.h>

#include "common/base/ps.h"

enum { NS = 1000000000 };

void stamp_of(struct stamp *out, const struct stat *st)
{
	*out = (struct stamp) {
		.ino = st->st_ino, .size = (uint64_t)st->st_size,
		.changed_ns = st->st_ctim.tv_sec * NS + st->st_ctim.tv_nsec,
		.modified_ns = st->st_mtim.tv_sec * NS + st->st_mtim.tv_nsec,
	};
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
	return a->ino == b->ino && a->size == b->size && a->changed_ns == b->changed_ns &&
		a->modified_ns == b->modified_ns;
}

void stamp_hex(char hex[STAMP_HEX], const struct stamp *s)
{
	const uint64_t v[] = { s->ino, s->size, (uint64_t)s->changed_ns, (uint64_t)s->modified_ns };
	char *to = hex;

	for (size_t i = 0; i < PS_NELEM(v); i++)
		for (int shift = 60; shift >= 0; shift -= 4)
			*to++ = "0123456789abcdef"[v[i] >> shift & 15];
	*to = '\0';
}

int64_t stamp_now(void)
{
	struct timespec now;

	/* file systems take their times from this one, which is never ahead of the exact one */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return (int64_t)now.tv_sec * NS;
}

bool stamp_is_settled(const struct stamp *s, int64_t now)
{
	return s->changed_ns < now;
}

bool stamp_is_reliable(int fd)
{
	/* of <linux/magic.h>; ZFS and bcachefs, the last two, are not there */
	static const unsigned long kinds[] = {
		EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC,
		TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC, 0x2fc12fc1, 0xca451a4e,
	};
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < PS_NELEM(kinds); i++)
		if ((unsigned long)st.f_type == kinds[i])
			return true;
	return false;
}
