/*
 * junit – a JUnit XML report of tests, read as what it is: bytes that foreign code wrote.
 *
 * The file is opened without following links and must be regular and small; it is parsed in a
 * forked child that has dropped uid, capabilities and, by seccomp, every system call but reading,
 * writing and memory. No document type, so no entity but the five of XML; UTF-8 alone, whatever the
 * declaration says; depth, length of texts and number of tests are capped. What comes back is UTF-8
 * without control bytes decided upon: who prints it escapes it.
 *
 * Tests past the cap are counted and not kept; those that failed are kept before those that passed.
 */
#ifndef PS_JUNIT_H
#define PS_JUNIT_H

#include "common/base/buf.h"
#include "common/base/err.h"

enum {
	JUNIT_BYTES_MAX = 16 << 20, /* of the file */
	JUNIT_CASES_MAX = 2000,     /* kept */
	JUNIT_NAME_MAX = 500,       /* of a file, class or name */
	JUNIT_MESSAGE_MAX = 1000,
	JUNIT_TRACE_MAX = 3000,
	JUNIT_TRACE_LINES = 40,
};

enum junit_outcome { JUNIT_PASSED, JUNIT_FAILED, JUNIT_ERROR, JUNIT_SKIPPED, JUNIT_OUTCOMES };

struct junit_case {
	enum junit_outcome outcome;
	bool flaky; /* passed when tried again; never set by junit_read() */
	int64_t took_ms;
	char *file;         /* "test/TestSuite.py"; "" when the report does not say */
	char *class_name;   /* as written: "test.TestSuite.OrdersTest" */
	char *name;         /* "test_totals[7]" */
	char *message;      /* NULL: none */
	char *trace;        /* first lines; NULL: none */
};

struct junit {
	struct junit_case *v;
	size_t n;
	size_t count[JUNIT_OUTCOMES]; /* all of them, kept or not */
};

/* "passed", "failed", "error", "skipped". */
const char *junit_word(enum junit_outcome o);
/* uid: what the parsing child becomes where we are root. PS_ENOENT: no such file; PS_EINVAL: it is
 * no report, err says why and where. */
int junit_read(struct junit *out, const char *path, uid_t uid, struct ps_err *err) PS_MUSTCHECK;
void junit_clear(struct junit *j);

/* junit_xml.c: the child's part. Parses fd to its end and writes the records of junit.c to `out`;
 * returns NULL, or why it is no report (a text of its own memory, 256 bytes). */
const char *junit_parse(int fd, int out);

#endif
