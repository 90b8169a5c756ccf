/*
 * fuzz – what the fuzz targets share. A target is one function over bytes of a stranger; it stops
 * the program when something does not hold, and the fuzzer keeps the bytes.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "common/base/buf.h"
#include "common/base/diag.h"

/* Unlike assert() it says what was seen. */
#define FUZZ_CHECK(cond, ...)                                         \
	do {                                                          \
		if (!(cond))                                          \
			fuzz_broken(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

void fuzz_broken(const char *file, int line, const char *fmt, ...) PS_NORETURN PS_PRINTF(3, 4);

/* Whole lines that a terminal may be shown: UTF-8, of control characters only the line feed. */
void fuzz_check_text(const char *text, size_t n);
/* After diag_sort(): in order, each once, and those of `path` at a place that the bytes have. */
void fuzz_check_findings(const struct diag_list *l, const char *path, const void *bytes, size_t n);

/* The fuzzer's own name for it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
