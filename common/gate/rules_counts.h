/* rules_counts – how much work a judgement was: for tests, benches and people who ask why. */
#ifndef PS_RULES_COUNTS_H
#define PS_RULES_COUNTS_H

#include <stddef.h>

struct rules_counts {
	size_t trees;			/* judged, each once */
	size_t units, known;		/* project files and entries; of those, as remembered */
	size_t folders;			/* listed */
	size_t reads, bytes;		/* files read for rules */
	size_t scans;			/* files searched for secrets */
	size_t parsed;			/* project files parsed */
};

#endif
