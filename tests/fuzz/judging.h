/* judging – a whole small project in memory in which one or more files are the fuzzer's, and what
 * must hold of its judgement. */
#ifndef FUZZ_JUDGING_H
#define FUZZ_JUDGING_H

#include "tests/fuzz/memtree.h"

enum { JUDGING_FILES = 16 };

/* The good project, with these bytes in place of each file whose path is named (NULL ends). */
size_t judging_files(struct memfile files[JUDGING_FILES], const void *bytes, size_t n,
		     const char *const *paths);
/* All rules, alone and against the good project; then once more out of what was remembered, which
 * must find the same. path: the file whose places are checked. */
void judging_run(const struct memfile *files, size_t n, const char *path);

#endif
