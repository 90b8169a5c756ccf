/*
 * version – versions as people write them: 1.4.0, v1.4.0, 1.4, 1.4.0-rc1. They need not be semantic
 * ones; what cannot be compared is not.
 */
#ifndef PS_GATE_VERSION_H
#define PS_GATE_VERSION_H

#include "common/base/ps.h"

/* What a tag's short name says: 1.4.0 of v1.4.0, NAME/1.4.0 and NAME/v1.4.0; NULL: no version. */
const char *version_of_tag(const char *tag);
/* The same but for a 'v' before it and zeros behind it: 1.4 is 1.4.0. */
bool version_same(const char *a, const char *b);
/* Is a higher than b? False as well when that cannot be told; then *known is false. */
bool version_higher(const char *a, const char *b, bool *known);

#endif
