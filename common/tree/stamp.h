/*
 * stamp – what stat tells of a file by which two looks at it can be told apart, as by git's index.
 *
 * Equal stamps mean equal bytes, if the older look came after the file system's clock had left the
 * second of the last change: whatever changes the file from then on gives it a later time. That is
 * asked by stamp_is_settled(), and is true only where the clock is this machine's own and every
 * change is seen by it, which is asked by stamp_is_reliable(). (Not seen: writing on through a
 * mapping that was made before, without msync(); git does not see that either.)
 */
#ifndef PS_STAMP_H
#define PS_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct stamp {
	uint64_t ino, size;
	int64_t changed_ns, modified_ns;	/* ctime, which nobody can set, and mtime */
};

enum { STAMP_HEX = 65 };		/* buffer size with NUL */

void stamp_of(struct stamp *out, const struct stat *st);
bool stamp_equal(const struct stamp *a, const struct stamp *b);
void stamp_hex(char hex[STAMP_HEX], const struct stamp *s);
/* The start of the second that it is, in nanoseconds: times of files may be cut to seconds. */
int64_t stamp_now(void);
/* Was it as it is now in the second before `now`, and so, unless changed again, always will be? */
bool stamp_is_settled(const struct stamp *s, int64_t now);
/* Is fd on a file system of this machine that keeps the times of files and folders? */
bool stamp_is_reliable(int fd);

#endif
