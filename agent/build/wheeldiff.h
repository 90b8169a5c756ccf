/*
 * wheeldiff – where two wheels (zip files) that should be the same begin to differ, for a person.
 *
 * Reads the central directory alone and compares packed bytes: nothing is unpacked, so what
 * strangers wrote costs no more than its size. What cannot be read as a zip is told by the first
 * byte that differs.
 */
#ifndef PS_WHEELDIFF_H
#define PS_WHEELDIFF_H

#include "common/base/ps.h"

/*
 * `was` and `now` are descriptors of regular files that nobody writes. why gets, of the first entry
 * (in the order of the archive) that is not the same: "orders/a.py: content", "...: time", "...:
 * mode 644 was 600", "entry 3 is 'x', was 'y'"; "" when all bytes are.
 */
void wheel_diff(int was, int now, char *why, size_t size);

#endif
