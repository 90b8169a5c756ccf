/* near – is one word a slip of the other? For "the nearest is". */
#ifndef PS_NEAR_H
#define PS_NEAR_H

#include "common/base/ps.h"

/* One letter more, less, another, or two neighbours swapped. */
bool near_one_away(const char *a, const char *b);

#endif
